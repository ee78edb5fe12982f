"""The per-class report as a table on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

_SHARES = {
    "iou": "IoU",
    "dice": "Dice",
    "precision": "precision",
    "recall": "recall",
    "acc": "recall",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "AP",
}


def class_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Precision, recall, F1, where they are known AUROC and average precision, support and predictions of each class.

    Args:
        rows: as ``per_class_report`` gives them, or of masks ``mask_report`` (IoU and Dice too; ``acc`` is the
            recall); "-" stands for what is undefined.
    """
    from rich.table import Table
    from rich.text import Text

    shares = [key for key in _SHARES if rows and key in rows[0]]
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for title in (*(_SHARES[key] for key in shares), "support", "predicted"):
        table.add_column(title, justify="right")
    for row in rows:
        told = [f"{row[key]:.4f}" if row[key] is not None else "-" for key in shares]
        table.add_row(Text(row["class"]), *told, str(row["support"]), str(row["predicted"]))
    return table
