"""Label ids of a file, sparse and in any order, to classes 0 … K-1; -1 is "no label"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tricklab.errors import UserError

IGNORED = -1


@dataclass(frozen=True)
class LabelMap:
    """Dense labels and what they stand for.

    Args:
        labels: (height, width) int64 in 0 … K-1, -1 where there is no label.
        ids: the file's label id of each class, ascending.
        names: the name of each class.
    """

    labels: np.ndarray
    ids: tuple[int, ...]
    names: tuple[str, ...]

    def counts(self, mask: np.ndarray | None = None) -> np.ndarray:
        """Pixels per class, (K,) int64, in the whole map or where ``mask`` is true."""
        chosen = self.labels if mask is None else self.labels[mask]
        return np.bincount(chosen[chosen >= 0], minlength=len(self.ids)).astype(np.int64)

    def describe(self, class_index: int) -> str:
        """A class for a message: its name, and its id in the file if the name does not show it."""
        name = self.names[class_index]
        return name if name == f"class {self.ids[class_index]}" else f"{name} (id {self.ids[class_index]})"


def whole_ids(labels: np.ndarray, name: str) -> np.ndarray:
    """Label ids as int64, (height, width).

    Args:
        labels: the map as read; a float map is accepted where all its values are whole numbers.
        name: the file, for errors.

    Raises:
        UserError: not two axes, or values that are no whole numbers; says which and where.
    """
    if labels.ndim != 2:
        raise UserError(f"the label map has shape {labels.shape}, not (height, width)", where=name)
    if labels.dtype.kind == "b":
        return labels.astype(np.int64)
    if labels.dtype.kind in "iu":
        if labels.dtype == np.uint64 and labels.size and labels.max() > np.iinfo(np.int64).max:
            raise UserError("a label id does not fit 63 bits", where=name)
        return labels.astype(np.int64)
    if labels.dtype.kind != "f":
        raise UserError(f"the label map has dtype {labels.dtype}, not whole numbers", where=name)
    with np.errstate(invalid="ignore"):
        broken = ~np.isfinite(labels) | (labels != np.floor(labels)) | (np.abs(labels) > 2**53)
    if broken.any():
        row, column = np.unravel_index(int(broken.argmax()), broken.shape)
        raise UserError(
            f"label ids must be whole numbers; {int(broken.sum()):,} are not, the first is {labels[row, column]!s} "
            f"at row {row}, column {column}",
            where=name,
        )
    return labels.astype(np.int64)


def map_labels(
    labels: np.ndarray,
    *,
    shape: tuple[int, int],
    ignore: Iterable[int],
    names: Mapping[int, str],
    valid: np.ndarray | None = None,
    where: str = "labels",
) -> LabelMap:
    """Turn a file's label ids into classes.

    Args:
        labels: (height, width) ids as read.
        shape: the cube's (height, width).
        ignore: ids that mean "no label".
        names: {id: name}; ids without a name are called ``class <id>``.
        valid: (height, width) bool; where false there is no measurement, so no label either.
        where: the file, for errors.

    Raises:
        UserError: another size than the cube, ids that are no whole numbers or negative, no labelled pixel left,
            a class without a measured pixel, fewer than two classes, a name for an id that does not occur.
    """
    if labels.shape != tuple(shape):
        raise UserError(
            f"the label map is {' × '.join(map(str, labels.shape))} pixels, the cube {shape[0]} × {shape[1]}",
            where=where,
            fix="take the label map that belongs to this cube (rows × columns)",
        )
    ids_HW = whole_ids(labels, where)
    ignored = sorted(set(ignore))
    labelled = ~np.isin(ids_HW, ignored)
    if (ids_HW[labelled] < 0).any():
        negative = sorted(set(ids_HW[labelled & (ids_HW < 0)].tolist()))
        raise UserError(
            f"negative label ids: {', '.join(map(str, negative[:8]))}",
            where=where,
            fix="if they mean 'no label', add them to data.ignore",
        )
    if not labelled.any():
        raise UserError(
            f"every pixel is ignored: the ids present are {', '.join(map(str, np.unique(ids_HW)[:20]))}, "
            f"data.ignore is {ignored}",
            where=where,
            fix="take the real ids out of data.ignore",
        )
    ids = np.unique(ids_HW[labelled])
    if valid is not None:
        labelled = labelled & valid
        if not labelled.any():
            raise UserError("no labelled pixel holds a measurement in every band", where=where)
        lost = np.setdiff1d(ids, ids_HW[labelled]).tolist()
        if lost:
            raise UserError(
                f"no pixel of {', '.join(names.get(key, f'class {key}') for key in lost)} holds a measurement in every "
                "band",
                where=where,
                fix=f"add {', '.join(map(str, lost))} to data.ignore",
            )
    if ids.size < 2:
        raise UserError(f"only one class is left, id {ids[0]}: nothing to classify", where=where)
    unknown = [key for key in names if key not in set(ids.tolist()) | set(ignored)]
    if unknown:
        raise UserError(
            f"a class name is given for id {unknown[0]}, which does not occur",
            where="data.class_names",
            fix=f"the ids are {', '.join(map(str, ids))}",
        )
    dense = np.full(shape, IGNORED, dtype=np.int64)
    dense[labelled] = np.searchsorted(ids, ids_HW[labelled])
    all_names = tuple(names.get(int(key), f"class {key}") for key in ids)
    return LabelMap(dense, tuple(int(key) for key in ids), all_names)
