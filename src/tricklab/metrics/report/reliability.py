"""Is a classifier right as often as it says? Confidence against accuracy in bins, taken in a batch at a time."""

from __future__ import annotations

from typing import Any

import numpy as np


class Reliability:
    """Counts, mean confidence and accuracy of equally wide bins of confidence.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017, section 2. Bins are open below and closed
    above, as in ``expected_calibration_error``, whose value :attr:`error` is.

    Args:
        bins: how many.

    >>> found = Reliability()
    >>> found.add(np.array([0.75, 0.75, 0.95, 0.95]), np.array([True, False, True, True]))
    >>> round(found.error, 3)
    0.15
    """

    def __init__(self, bins: int = 15) -> None:
        self.bins = bins
        self.counts = np.zeros(bins, dtype=np.int64)
        self._confidence, self._right = np.zeros(bins), np.zeros(bins)

    def add(self, confidence_N: np.ndarray, right_N: np.ndarray) -> None:
        """Take in items: the probability of what was predicted, in [0, 1], and whether it was right, bool."""
        confidence = confidence_N.astype(np.float64)
        place = np.clip(np.ceil(confidence * self.bins).astype(int) - 1, 0, self.bins - 1)
        self.counts += np.bincount(place, minlength=self.bins)
        self._confidence += np.bincount(place, confidence, minlength=self.bins)
        self._right += np.bincount(place, right_N.astype(np.float64), minlength=self.bins)

    @property
    def confidence(self) -> np.ndarray:
        """Mean confidence of each bin, float64 (bins,); nan where it is empty."""
        return self._shares(self._confidence)

    @property
    def accuracy(self) -> np.ndarray:
        """Share of right items of each bin, float64 (bins,); nan where it is empty."""
        return self._shares(self._right)

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of the two, weighted by items; nan without items."""
        total = int(self.counts.sum())
        return float(np.abs(self._right - self._confidence).sum() / total) if total else float("nan")

    @property
    def overconfidence(self) -> float:
        """Mean confidence minus accuracy over all items; nan without items."""
        total = int(self.counts.sum())
        return float((self._confidence - self._right).sum() / total) if total else float("nan")

    def as_data(self) -> dict[str, Any]:
        """Plain data: ``ece``, ``overconfidence``, and ``bins``.

        A bin has ``from``, ``to``, ``count``, and ``confidence`` and ``accuracy``, None where it is empty.
        """
        edges = np.linspace(0.0, 1.0, self.bins + 1).tolist()
        rows = [
            {
                "from": edges[place],
                "to": edges[place + 1],
                "count": int(count),
                "confidence": float(self._confidence[place] / count) if count else None,
                "accuracy": float(self._right[place] / count) if count else None,
            }
            for place, count in enumerate(self.counts.tolist())
        ]
        return {"ece": self.error, "overconfidence": self.overconfidence, "bins": rows}

    def _shares(self, sums: np.ndarray) -> np.ndarray:
        return np.divide(sums, self.counts, out=np.full(self.bins, np.nan), where=self.counts > 0)
