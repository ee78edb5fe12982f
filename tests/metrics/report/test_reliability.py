"""Confidence against accuracy, in bins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from tricklab.metrics.classes import expected_calibration_error
from tricklab.metrics.report.reliability import Reliability


def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.dirichlet([0.4] * 6, 500), rng.integers(0, 6, 500)


def test_batches_add_up_to_the_recorded_error() -> None:
    probabilities, targets = drawn()
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    found = Reliability()
    for part in np.array_split(np.arange(500), 7):
        found.add(confidence[part], right[part])
    assert found.counts.sum() == 500
    assert found.error == pytest.approx(expected_calibration_error(probabilities, targets), abs=1e-12)
    oracle = multiclass_calibration_error(torch.from_numpy(probabilities), torch.from_numpy(targets), 6, n_bins=15)
    assert found.error == pytest.approx(float(oracle), abs=1e-6)
    assert found.overconfidence == pytest.approx(confidence.mean() - right.mean(), abs=1e-12)


def test_bins_say_what_they_hold() -> None:
    found = Reliability(bins=4)
    found.add(np.array([0.5, 0.5, 0.6, 1.0]), np.array([True, False, True, True]))
    rows = found.as_data()["bins"]
    assert [row["count"] for row in rows] == [0, 2, 1, 1]
    assert rows[0]["accuracy"] is None
    assert rows[1] == {"from": 0.25, "to": 0.5, "count": 2, "confidence": 0.5, "accuracy": 0.5}
    assert np.isnan(found.accuracy[0])
    assert found.accuracy[1:].tolist() == [0.5, 1.0, 1.0]


def test_nothing_has_no_error() -> None:
    assert np.isnan(Reliability().error)
    assert np.isnan(Reliability().overconfidence)
