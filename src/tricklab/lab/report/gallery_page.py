"""A gallery of images as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tricklab import __version__
from tricklab.lab.report.page import template
from tricklab.lab.report.shown_images import ShownImage
from tricklab.records.atomic import write_atomic


def gallery_page(shown: Sequence[ShownImage], title: str, note: str, path: Path) -> Path:
    """Write the page: a card for each image with label, prediction, probabilities and file name; returns it."""
    cards = [(one, None if one.pixels is None else embedded_image(one.pixels)) for one in shown]
    return write_gallery("gallery.html.j2", path, title=title, note=note, cards=cards)


def write_gallery(name: str, path: Path, **parts: Any) -> Path:
    """Write a page from a template of that name, in the look of the reports; returns it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("tricklab.lab.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    css = Markup(template("figure.css") + template("report.css") + template("gallery.css"))
    text = environment.get_template(name).render(version=__version__, css=css, **parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text)
    return path


def embedded_image(pixels_HW3: np.ndarray) -> str:
    """Bytes (height, width, 3) as a JPEG inside a page."""
    from PIL import Image

    place = io.BytesIO()
    Image.fromarray(pixels_HW3).save(place, format="JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(place.getvalue()).decode("ascii")
