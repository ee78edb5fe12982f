"""Maps of a scene from what a run recorded and the fold that its recipe draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

SPLIT_NUMBERS = {"train": 1, "val": 2, "test": 3}


class Fold(Protocol):
    """What is needed of a block's data: labels (H, W), -1 = none; per split the centres (N, 2) as row and column."""

    @property
    def labels(self) -> Any: ...
    @property
    def centres(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class SceneMaps:
    """Three maps of one scene, (H, W) each: class index or -1; predicted class index or -1; 0 unused, 1 train, 2 val,
    3 test."""

    labels: NDArray[np.int64]
    prediction: NDArray[np.int64] | None
    split: NDArray[np.int64]


def scene_maps(fold: Fold, scores: Mapping[str, NDArray[Any]], evaluated: str) -> SceneMaps:
    """Put a run's scores back where their pixels lie.

    Args:
        fold: the block's data.
        scores: ``index`` into the evaluated split and ``prediction``, as ``scores.npz`` keeps them; may be empty.
        evaluated: the split that the scores belong to.
    """
    labels = np.asarray(fold.labels, dtype=np.int64)
    split = np.zeros(labels.shape, dtype=np.int64)
    for name, number in SPLIT_NUMBERS.items():
        rows, columns = np.asarray(fold.centres[name], dtype=np.int64).reshape(-1, 2).T
        split[rows, columns] = number
    if not {"index", "prediction"} <= set(scores):
        return SceneMaps(labels, None, split)
    prediction = np.full(labels.shape, -1, dtype=np.int64)
    rows, columns = np.asarray(fold.centres[evaluated], dtype=np.int64)[scores["index"]].T
    prediction[rows, columns] = scores["prediction"]
    return SceneMaps(labels, prediction, split)
