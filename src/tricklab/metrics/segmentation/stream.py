"""Scores of a set of masks that are added one by one; no mask is kept."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tricklab.errors import UserError
from tricklab.metrics.segmentation.boundary import TOLERANCE, boundary_counts, boundary_f
from tricklab.metrics.segmentation.regions import (
    IGNORE,
    finite_mean,
    mask_confusion,
    mask_scores,
    parts,
    per_image_scores,
)

MASK_METRICS = (
    "aacc",
    "miou",
    "macc",
    "mfscore",
    "mprecision",
    "mrecall",
    "mdice",
    "miou_per_image",
    "mdice_per_image",
    "boundary_f",
    "boundary_f_per_image",
)


class MaskScores:
    """Counts of images, streamed: of each image K numbers of three kinds and, if asked for, its outlines' counts.

    Args:
        classes: number of classes K.
        tolerance: of the boundary scores: below 1 a share of the diagonal, from 1 on pixels; None leaves them out.
        ignore: mask value that means "no class".

    >>> scores = MaskScores(2, tolerance=1)
    >>> scores.add(np.array([[0, 0, 1, 255]]), np.array([[0, 1, 1, 1]]))
    >>> {name: round(value, 3) for name, value in scores.values().items() if "iou" in name}
    {'miou': 0.5, 'miou_per_image': 0.5}
    >>> scores.images()["hits"].tolist(), len(scores)
    ([[1, 1]], 1)
    """

    def __init__(self, classes: int, *, tolerance: float | None = TOLERANCE, ignore: int = IGNORE) -> None:
        self.classes, self.tolerance, self.ignore = classes, tolerance, ignore
        self.confusion = np.zeros((classes, classes), dtype=np.int64)
        self._rows: list[np.ndarray] = []
        self._outlines: list[np.ndarray] = []

    def __len__(self) -> int:
        """Images so far."""
        return len(self._rows)

    def add(self, target: np.ndarray, prediction: np.ndarray) -> None:
        """Count one image.

        Args:
            target: (H, W) integers in [0, K) or the ignored value; ``prediction``: (H, W) integers in [0, K).

        Raises:
            UserError: shapes differ or a value is no class.
        """
        found = mask_confusion(target, prediction, self.classes, self.ignore)
        self.confusion += found
        self._rows.append(np.stack(parts(found)))
        if self.tolerance is not None:
            self._outlines.append(boundary_counts(target, prediction, self.classes, self.tolerance, ignore=self.ignore))

    def images(self) -> dict[str, np.ndarray]:
        """What is known of each image, in the order added, for ``scores.npz`` and for other processes.

        Returns:
            ``hits``, ``truth``, ``predicted``: (N, K) int64, pixels; with a tolerance ``outlines`` (N, K, 4) int64, as
            of ``boundary_counts``.
        """
        rows = np.stack(self._rows) if self._rows else np.zeros((0, 3, self.classes), dtype=np.int64)
        found = {"hits": rows[:, 0], "truth": rows[:, 1], "predicted": rows[:, 2]}
        if self.tolerance is not None:
            empty = np.zeros((0, self.classes, 4), dtype=np.int64)
            found["outlines"] = np.stack(self._outlines) if self._outlines else empty
        return found

    def extend(self, confusion: np.ndarray, images: Mapping[str, np.ndarray]) -> None:
        """Append what another process counted: its ``confusion`` and its ``images()``."""
        if confusion.shape != self.confusion.shape or ("outlines" in images) != (self.tolerance is not None):
            raise UserError("counts of other classes or without outlines cannot be joined", where="metrics")
        self.confusion += confusion
        self._rows.extend(np.stack([images["hits"], images["truth"], images["predicted"]], axis=1))
        self._outlines.extend(images.get("outlines", ()))

    def values(self) -> dict[str, float]:
        """The metrics: those of ``mask_scores`` over all pixels, and per image.

        Returns:
            ``miou_per_image`` and ``mdice_per_image``: mean over the images of ``per_image_scores``. With a tolerance
            ``boundary_f``: mean over the classes of the F of all images' outlines together; ``boundary_f_per_image``:
            mean over the images of the mean over the classes that have an outline in the image (Csurka et al. 2013).
            nan where nothing could be scored.
        """
        found = self.images()
        alone = per_image_scores(found["hits"], found["truth"], found["predicted"])
        values = {
            **mask_scores(self.confusion),
            "miou_per_image": finite_mean(alone["iou"]),
            "mdice_per_image": finite_mean(alone["dice"]),
        }
        if self.tolerance is not None:
            scores = boundary_f(found["outlines"])
            values["boundary_f"] = finite_mean(boundary_f(found["outlines"].sum(axis=0)))
            values["boundary_f_per_image"] = finite_mean(np.array([finite_mean(row) for row in scores]))
        return values
