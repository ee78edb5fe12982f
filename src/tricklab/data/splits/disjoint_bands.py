"""Spatially disjoint: per class one band of the scene, cut apart so that no window reads across."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tricklab.data.split import Split, class_name
from tricklab.data.splits.redraw import draw_until_fed
from tricklab.data.splits.regions import nearest_owner
from tricklab.data.splits.shares import check_share, rounded_down
from tricklab.errors import UserError
from tricklab.registry import component
from tricklab.seeds import Seeds


@component(
    "split",
    source="first rows of each class: DeepHyperX 'disjoint'; cut apart and padded: Nalepa et al., GRSL 16(8) 2019",
    given=("class_names",),
)
class DisjointBands:
    """Per class a contiguous share along a direction; train, val and test are cut apart and padded.

    The pixels of each class are ordered along a direction. A run of them is the training share, the next run
    validation, the rest test. Every pixel of the scene then belongs to the split of its nearest labelled pixel, and
    windows of a split see zeros outside of it: nothing of a test window was ever in a training window, and no pixel is
    given up.
    ``angle: 0, offset: 0`` is the classic split: the first rows of each class (there without the cut).

    Args:
        train: share of each class, rounded down, at least one pixel.
        val: share of each class, 0 for none.
        angle: direction in degrees, 0 down the rows, 90 along the columns; null draws it per block.
        offset: where the training share begins, 0 at the start of the ordering, 1 as far back as it fits; null draws
            it per block.
        class_names: what to call the classes in messages.

    Raises:
        UserError: shares outside (0, 1), an offset outside [0, 1], or a class too small for all splits.
    """

    def __init__(
        self,
        train: float = 0.1,
        val: float = 0.0,
        angle: float | None = None,
        offset: float | None = None,
        *,
        class_names: Sequence[str] = (),
    ) -> None:
        check_share(train, "data.split.train")
        check_share(val, "data.split.val", zero=True)
        if train + val >= 1:
            raise UserError(f"train={train} and val={val} leave no test pixel", where="data.split")
        if angle is not None and not np.isfinite(angle):
            raise UserError(f"angle {angle} is no direction", where="data.split.angle")
        if offset is not None and not 0 <= offset <= 1:
            raise UserError(f"offset must be between 0 and 1, not {offset}", where="data.split.offset")
        self.train = train
        self.val = val
        self.angle = angle
        self.offset = offset
        self.class_names = tuple(class_names)

    def draw(self, labels_HW: np.ndarray, seeds: Seeds) -> Split:
        """Draw direction and offset for one block and cut the scene."""
        sizes = np.bincount(labels_HW[labels_HW >= 0])
        sets = 3 if self.val else 2
        if sizes.min() < sets:
            raise UserError(
                f"{class_name(self.class_names, int(sizes.argmin()))} has {sizes.min()} pixel(s): "
                f"it cannot be divided among {sets} sets",
                where="data.split",
                fix="add its id to data.ignore",
            )

        def attempt(number: int) -> list[Split]:
            rng = seeds.numpy("split", number)
            angle, offset = rng.uniform(0, 360), rng.uniform()
            return [
                self._cut(
                    labels_HW,
                    sizes,
                    angle if self.angle is None else self.angle,
                    offset if self.offset is None else self.offset,
                )
            ]

        return draw_until_fed(
            attempt,
            labels_HW,
            self.class_names,
            wanted=("train", "val", "test") if self.val else ("train", "test"),
            random=self.angle is None or self.offset is None,
            fix="take other shares, or add the ids of small classes to data.ignore",
        )[0]

    def _cut(self, labels_HW: np.ndarray, sizes: np.ndarray, angle: float, offset: float) -> Split:
        rows, columns = np.nonzero(labels_HW >= 0)
        targets = labels_HW[rows, columns]
        turn = np.deg2rad(angle)
        along = np.round(rows * np.cos(turn) + columns * np.sin(turn), 9)  # equal where they should be equal
        across = np.round(columns * np.cos(turn) - rows * np.sin(turn), 9)
        order = np.lexsort((across, along, targets))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        train = np.array([max(1, rounded_down(self.train, int(size))) for size in sizes])
        val = np.array([max(1, rounded_down(self.val, int(size))) if self.val else 0 for size in sizes])
        start = np.floor(offset * (sizes - train - val)).astype(np.int64)
        place = rank - start[targets]
        in_train = (place >= 0) & (place < train[targets])
        in_val = (place >= train[targets]) & (place < (train + val)[targets])
        owner = np.full(labels_HW.shape, -1, dtype=np.int8)
        owner[rows, columns] = np.select([in_train, in_val], [0, 1], 2)
        facts = {"angle": round(float(angle), 6), "offset": round(float(offset), 6)}
        return Split(owner == 0, owner == 1, owner == 2, region=nearest_owner(owner), facts=facts)
