"""One look for all PNG figures; matplotlib is imported when the first one is drawn, and never opens a window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, FAINT = "#1d2430", "#5b6675", "#e3e7ec"
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#c9d0d8"


def figure(width: float, height: float) -> Figure:
    """An empty figure of ``width`` × ``height`` inches that draws with Agg."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=150, facecolor="white", layout="constrained")
    FigureCanvasAgg(made)
    return made


def save(made: Figure, path: Path) -> Path:
    """Write the PNG in one piece and return its path."""
    from tricklab.records.atomic import replacing

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as place:
        made.savefig(place, format="png")
    return path


def plain_axes(axes: Axes, title: str = "") -> None:
    """Light grid, no box, soft ticks, the title on the left."""
    axes.grid(True, color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#9aa4b1")
    axes.tick_params(colors=SOFT, labelsize=8.5)
    if title:
        axes.set_title(title, loc="left", fontsize=10.5, color=INK)


def class_colours(count: int) -> NDArray[np.float64]:
    """(count, 3) colours in 0..1, as distinct as that many can be.

    >>> class_colours(3).shape
    (3, 3)
    """
    import matplotlib

    if count <= 10:
        return np.asarray(matplotlib.colormaps["tab10"](np.arange(count)))[:, :3]
    if count <= 20:
        order = [*range(0, 20, 2), *range(1, 20, 2)]
        return np.asarray(matplotlib.colormaps["tab20"](np.array(order[:count])))[:, :3]
    spread: Any = matplotlib.colormaps["turbo"](np.linspace(0.02, 0.98, count))
    return np.asarray(spread)[:, :3]
