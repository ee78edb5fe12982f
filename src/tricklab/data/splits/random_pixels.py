"""Random pixels, stratified by class: the split of most papers, whose test windows overlap training windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tricklab.data.split import Split, class_name
from tricklab.data.splits.shares import check_share, rounded_down
from tricklab.errors import UserError
from tricklab.registry import component
from tricklab.seeds import Seeds


@component(
    "split", source="scikit-learn train_test_split(stratify=…), as in Roy et al., GRSL 2020", given=("class_names",)
)
class RandomPixels:
    """Random labelled pixels, stratified by class, with scikit-learn's rounding.

    Indian Pines at 10 %: 1,024 training and 9,225 test pixels. Windows of neighbouring pixels overlap, so for windows
    wider than one pixel the test set is not independent of the training set: see the leakage figures.

    Args:
        train: share of the labelled pixels (0.1), or pixels per class (20).
        val: share, or pixels per class, for validation; 0 for none. A share beside a share, a count beside a count.
        class_names: what to call the classes in messages.

    Raises:
        UserError: a share outside (0, 1), shares that leave no test pixel, a class too small to be divided.
    """

    def __init__(self, train: float | int = 0.1, val: float | int = 0.0, *, class_names: Sequence[str] = ()) -> None:
        self.train = train
        self.val = val
        self.class_names = tuple(class_names)

    def draw(self, labels_HW: np.ndarray, seeds: Seeds) -> Split:
        """Draw the three pixel sets for one block."""
        places = np.flatnonzero(labels_HW.ravel() >= 0)
        targets = labels_HW.ravel()[places]
        if isinstance(self.train, int):
            train, val = self._counted(targets, seeds)
        else:
            train, val = self._shared(targets, seeds)
        masks = []
        taken = np.zeros(len(places), dtype=bool)
        for chosen in (train, val):
            taken[chosen] = True
            masks.append(_mask(places[chosen], labels_HW.shape))
        return Split(masks[0], masks[1], _mask(places[~taken], labels_HW.shape))

    def _shared(self, targets: np.ndarray, seeds: Seeds) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.model_selection import train_test_split

        if isinstance(self.val, int) and self.val != 0:
            raise UserError(
                f"train={self.train} is a share, val={self.val} a number of pixels per class",
                where="data.split.val",
                fix="write both as shares or both as whole numbers",
            )
        check_share(self.train, "data.split.train")
        check_share(self.val, "data.split.val", zero=True)
        if self.train + self.val >= 1:
            raise UserError(f"train={self.train} and val={self.val} leave no test pixel", where="data.split")
        count = len(targets)
        classes, sizes = np.unique(targets, return_counts=True)
        sets = 3 if self.val else 2
        if sizes.min() < sets:
            raise UserError(
                f"{class_name(self.class_names, classes[sizes.argmin()])} has {_pixels(int(sizes.min()))}: "
                f"it cannot be divided among {sets} sets",
                where="data.split",
                fix="add its id to data.ignore",
            )
        wanted = {"train": rounded_down(self.train, count), "val": rounded_down(self.val, count)}
        wanted["test"] = count - wanted["train"] - wanted["val"]
        for name, number in wanted.items():
            if number < len(classes) and not (name == "val" and not self.val):
                raise UserError(
                    f"{number} {name} pixels cannot hold {len(classes)} classes",
                    where="data.split" if name == "test" else f"data.split.{name}",
                    fix=f"leave at least {len(classes)} of the {count:,} labelled pixels, more for small classes",
                )
        everything = np.arange(count)
        seed = seeds.integer("split") % 2**32
        train, rest = train_test_split(everything, train_size=wanted["train"], random_state=seed, stratify=targets)
        if not self.val:
            return np.sort(train), np.zeros(0, dtype=np.int64)
        seed = seeds.integer("split", "val") % 2**32
        left = targets[rest]
        thin = np.bincount(left, minlength=int(classes.max()) + 1)[classes]
        if thin.min() < 2:
            raise UserError(
                f"{class_name(self.class_names, classes[thin.argmin()])} has {_pixels(int(thin.min()))} left "
                "for val and test",
                where="data.split",
                fix="add its id to data.ignore, or take fewer training pixels",
            )
        val, _ = train_test_split(rest, train_size=wanted["val"], random_state=seed, stratify=left)
        return np.sort(train), np.sort(val)

    def _counted(self, targets: np.ndarray, seeds: Seeds) -> tuple[np.ndarray, np.ndarray]:
        if not isinstance(self.val, int) and self.val != 0:
            raise UserError(
                f"train={self.train} is a number of pixels per class, val={self.val} a share",
                where="data.split.val",
                fix="write both as shares or both as whole numbers",
            )
        per_train, per_val = int(self.train), int(self.val)
        if per_train < 1 or per_val < 0:
            raise UserError(
                f"{per_train} training and {per_val} val pixels per class", where="data.split", fix="at least 1 and 0"
            )
        classes, sizes = np.unique(targets, return_counts=True)
        if sizes.min() <= per_train + per_val:
            raise UserError(
                f"{class_name(self.class_names, classes[sizes.argmin()])} has {_pixels(int(sizes.min()))}, "
                f"which leaves none for the test after {per_train} for train and {per_val} for val",
                where="data.split",
                fix="take fewer per class, or add its id to data.ignore",
            )
        shuffled = seeds.numpy("split").permutation(len(targets))
        by_class = shuffled[np.argsort(targets[shuffled], kind="stable")]
        rank = np.arange(len(targets)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        train = by_class[rank < per_train]
        val = by_class[(rank >= per_train) & (rank < per_train + per_val)]
        return np.sort(train), np.sort(val)


def _mask(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(int(np.prod(shape)), dtype=bool)
    mask[places] = True
    return mask.reshape(shape)


def _pixels(count: int) -> str:
    return "one pixel" if count == 1 else f"{count} pixels"
