"""A look at images whose data cannot be trained on: everything that is wrong, not only what is met first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tricklab.data.duplicates import find_duplicates
from tricklab.data.image_division import Contradictions, Copies, divide
from tricklab.data.image_facts import file_kinds, image_facts
from tricklab.data.image_survey import survey_images
from tricklab.data.split import SPLITS
from tricklab.errors import UserError
from tricklab.seeds import Seeds

if TYPE_CHECKING:
    from tricklab.data.classification import ImageData


def inspect_images(settings: ImageData, seeds: Seeds) -> dict[str, Any]:
    """Facts about images, by their recorded names, whatever is wrong with the files.

    Unreadable files are left out, copies and contradictions are counted; where no split can be drawn, facts about
    sides are left out.

    Raises:
        UserError: the images cannot be listed, or none can be read.
    """
    images = settings.read()
    survey = survey_images(images, unreadable="skip")
    if not survey.readable.any():
        raise UserError(f"none of the {len(images):,} images can be read", where=images.name)
    found = find_duplicates(images, survey)
    try:
        copies: Copies = "keep" if settings.duplicates == "keep" else "group"
        drop: Contradictions = "drop" if settings.contradictions == "drop" else "keep"
        division = divide(
            images, survey, settings.split, seeds, duplicates=copies, contradictions=drop, root=settings.root
        )  # fmt: skip
        sides = division.sides
    except UserError:
        sides = np.full(len(images), "", dtype="<U5")
    facts = image_facts(images, survey, sides, found, settings.size, settings.resize, None)
    facts["data/unreadable"] = list(survey.unreadable.values())
    facts["data/files"] = file_kinds(images)
    if (sides != "").any():
        counts = {
            name: np.bincount(images.labels[sides == name], minlength=len(images.classes)).tolist() for name in SPLITS
        }
        facts |= {"data/class_counts": counts, "data/sizes": {name: sum(row) for name, row in counts.items()}}
    return facts
