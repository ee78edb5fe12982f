"""Masks from files: the fixed splits that papers hand around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tricklab.data.formats.label_files import read_label_file
from tricklab.data.labels import whole_ids
from tricklab.data.lookup import find_file
from tricklab.data.split import Split
from tricklab.errors import UserError
from tricklab.registry import component
from tricklab.seeds import Seeds


@component("split", given=("root", "label_ids"))
class GivenMasks:
    """Fixed masks from files, such as the official splits of Pavia University, Indian Pines and Houston 2013.

    A mask is an image of the scene's size; pixels other than 0, and other than the file's own data ignore value, belong
    to the split. If it holds several values they are label ids, and must be the scene's own. Pixels without a label in
    the scene are left out, and counted.

    Args:
        train: file of the training mask.
        test: file of the test mask; null takes every labelled pixel that is in no other mask.
        val: file of the validation mask, or null for none.
        train_key: array name in a MATLAB file with several.
        test_key: the same for the test mask.
        val_key: the same for the validation mask.
        ids: {id in the masks: id in the scene} where the masks count the classes in another order.
        differing: share of a mask's labelled pixels whose label id may differ from the scene's; they are counted, and
            the scene's label holds.
        root: folder of the files.
        label_ids: the scene's label id of each class.

    Raises:
        UserError: a missing file, another size, an empty or overlapping mask, label ids that do not agree.
    """

    def __init__(
        self,
        train: str,
        test: str | None = None,
        val: str | None = None,
        train_key: str | None = None,
        test_key: str | None = None,
        val_key: str | None = None,
        ids: dict[str, int] | None = None,
        differing: float = 0.01,
        *,
        root: str | None = None,
        label_ids: Sequence[int],
    ) -> None:
        self.files = {"train": (train, train_key), "val": (val, val_key), "test": (test, test_key)}
        self.ids = None if ids is None else _table(ids)
        if not 0 <= differing <= 1:
            raise UserError(f"a share must be between 0 and 1, not {differing}", where="data.split.differing")
        self.differing = differing
        self.root = root
        self.label_ids = np.asarray(label_ids, dtype=np.int64)

    def draw(self, labels_HW: np.ndarray, seeds: Seeds) -> Split:
        """Read the masks; the same for every block."""
        labelled = labels_HW >= 0
        masks: dict[str, np.ndarray] = {}
        facts: dict[str, int] = {}
        for name, (file, key) in self.files.items():
            if file is None:
                continue
            mask, differing = self._read(name, file, key, labels_HW)
            facts[f"{name}_pixels_without_label"] = int((mask & ~labelled).sum())
            facts[f"{name}_labels_that_differ"] = differing
            masks[name] = mask & labelled
        none = np.zeros_like(labelled)
        train, val = masks["train"], masks.get("val", none)
        if (train & masks.get("test", none)).any():
            both = int((train & masks["test"]).sum())
            raise UserError(f"{both} pixels are in the training and in the test mask", where="data.split")
        return Split(train, val, masks.get("test", labelled & ~train & ~val), facts=facts)

    def _read(self, name: str, file: str, key: str | None, labels_HW: np.ndarray) -> tuple[np.ndarray, int]:
        path = find_file(file, self.root, key=f"data.split.{name}")
        height, width = labels_HW.shape
        found = read_label_file(path, key, shape=(height, width), option=f"data.split.{name}_key")
        raw = found.ids
        if raw.shape != labels_HW.shape:
            raise UserError(
                f"the {name} mask is {' × '.join(map(str, raw.shape))} pixels, the scene {height} × {width}",
                where=str(path),
            )
        ids = whole_ids(raw, str(path))
        mask = ~np.isin(ids, (0, *found.unlabelled))
        if not mask.any():
            raise UserError(f"the {name} mask is empty", where=str(path))
        if len(np.unique(ids[mask])) == 1:
            return mask, 0
        both = mask & (labels_HW >= 0)
        said = self._translated(ids[both], path.name)
        meant = self.label_ids[labels_HW[both]]
        differing = int((said != meant).sum())
        if differing > self.differing * len(said):
            raise UserError(
                f"{differing:,} of {len(said):,} labelled pixels have another label id in the {name} mask than in the "
                "scene",
                where=str(path),
                fix=_suggested(ids[both], meant),
            )
        return mask, differing

    def _translated(self, ids: np.ndarray, name: str) -> np.ndarray:
        if self.ids is None:
            return ids
        unknown = sorted(set(np.unique(ids).tolist()) - set(self.ids))
        if unknown:
            raise UserError(f"the id {unknown[0]} of {name} is not translated", where="data.split.ids")
        values = np.unique(ids)
        table = np.array([self.ids[int(value)] for value in values])
        return table[np.searchsorted(values, ids)]


def _table(ids: Mapping[str, int]) -> dict[int, int]:
    try:
        return {int(key): value for key, value in ids.items()}
    except ValueError:
        raise UserError(
            f"ids are whole numbers, not {list(ids)!r}", where="data.split.ids", fix="write {1: 2}"
        ) from None


def _suggested(said: np.ndarray, meant: np.ndarray) -> str:
    """The translation that most pixels speak for, if it is one to one."""
    table = {}
    for value in np.unique(said):
        options, counts = np.unique(meant[said == value], return_counts=True)
        table[int(value)] = int(options[counts.argmax()])
    if len(set(table.values())) < len(table):
        return "take masks that belong to this label map, or raise data.split.differing"
    written = ", ".join(f"{key}: {value}" for key, value in table.items())
    return f"if the masks count the classes in another order, write data.split.ids: {{{written}}}"
