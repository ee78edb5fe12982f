"""The confusion matrix as a picture: colour is the share of the row (recall), the numbers are counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tricklab.errors import UserError
from tricklab.lab.report.canvas import INK, SOFT, figure, save

MOST_NUMBERS, MOST_NAMES = 40, 120
LARGEST = 20.0


def told(count: int) -> str:
    """A count in at most five characters or digits.

    >>> told(99999), told(123456), told(1071493), told(25_000_000_000)
    ('99999', '123k', '1.07M', '25.0G')
    """
    if count < 10**5:
        return str(count)
    for size, unit in ((10**9, "G"), (10**6, "M")):
        if count >= size:
            share = count / size
            return f"{share:.{2 if share < 10 else 1 if share < 100 else 0}f}{unit}"
    return f"{count // 1000}k"


def confusion_figure(
    confusion: NDArray[Any], classes: list[str], path: Path, items: str = "pixels", ignored: int = 0
) -> Path:
    """Draw ``confusion`` (K, K), rows = labels, columns = predictions, and return the PNG.

    Beyond 40 classes the counts are left out, beyond 120 the names of the classes too.

    Args:
        items: what is counted.
        ignored: how many have no label and stand nowhere in the matrix.

    Raises:
        UserError: the matrix is not square.
    """
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise UserError(f"a confusion matrix is square, this one has shape {confusion.shape}", where=str(path))
    count = len(confusion)
    names = [classes[index] if index < len(classes) else str(index) for index in range(count)]
    support = confusion.sum(axis=1)
    share = confusion / np.maximum(support, 1)[:, None]
    size = min(2.6 + 0.46 * count, LARGEST)
    made = figure(size + 1.2, size)
    axes = made.add_subplot()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(confusion > 0) if count <= MOST_NUMBERS else ():
        axes.text(
            column,
            row,
            told(int(confusion[row, column])),
            ha="center",
            va="center",
            fontsize=8.5 if count <= 10 else 6.5,
            color="white" if share[row, column] > 0.55 else INK,
        )
    if count <= MOST_NAMES:
        # steep names do not run into each other where columns are narrow
        steep, small = (40, 8.0) if count <= MOST_NUMBERS else (90, 6.0)
        axes.set_xticks(range(count), names, rotation=steep, ha="right", rotation_mode="anchor", fontsize=small)
        rows = [f"{name} ({told(int(total))})" for name, total in zip(names, support, strict=True)]
        axes.set_yticks(range(count), rows, fontsize=small)
    axes.set_xlabel("predicted", color=SOFT, fontsize=9)
    axes.set_ylabel(f"label ({items})", color=SOFT, fontsize=9)
    right = int(np.trace(confusion))
    accuracy = right / max(int(support.sum()), 1)
    title = f"{right} of {int(support.sum())} right ({100 * accuracy:.2f} %)"
    if ignored:
        share = ignored / (ignored + int(support.sum()))
        title += f"\n{ignored} {items} without a label ({100 * share:.2f} % of all) count nowhere"
    axes.set_title(title, fontsize=10.5, loc="left")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = made.colorbar(image, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label("share of the label", fontsize=8.5, color=SOFT)
    bar.ax.tick_params(labelsize=8)
    return save(made, path)
