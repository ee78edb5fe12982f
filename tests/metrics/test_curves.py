"""Running means, oscillation, samples to a loss, and the identity of the metric code."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import savgol_filter

from tricklab.metrics import AverageMeter, metric_code, oscillation, samples_to_loss


def test_the_meter_weighs_by_samples() -> None:
    generator = np.random.default_rng(0)
    values, sizes = generator.normal(size=50), generator.integers(1, 65, 50)
    meter = AverageMeter("loss")
    for value, size in zip(values, sizes, strict=True):
        meter.update(torch.tensor(value), n=int(size))
    assert meter.mean == pytest.approx(np.average(values, weights=sizes), rel=1e-12)
    assert meter.count == sizes.sum()
    assert meter.last == pytest.approx(values[-1])
    again = AverageMeter()
    again.load_state_dict(meter.state_dict())
    again.update(3.0, n=10)
    meter.update(3.0, n=10)
    assert again.mean == meter.mean


def test_the_meter_without_samples() -> None:
    meter = AverageMeter()
    meter.update(5.0, n=0)
    assert math.isnan(meter.mean)
    with pytest.raises(ValueError, match="no less than 0"):
        meter.update(1.0, n=-1)
    meter.update(2.0)
    meter.reset()
    assert (meter.count, meter.sum) == (0, 0.0)


def test_the_meter_keeps_no_graph_and_no_half_precision() -> None:
    meter = AverageMeter()
    value = torch.tensor(1.0, requires_grad=True) * 2
    meter.update(value, n=2)
    for _ in range(1000):
        meter.update(torch.tensor(1.0, dtype=torch.bfloat16), n=1)
    assert meter.sum == 1004.0
    assert not torch.is_tensor(meter.mean)


def test_oscillation_is_the_noise_whatever_the_trend() -> None:
    index = np.arange(4000)
    noise = np.random.default_rng(0).normal(scale=0.3, size=4000)
    trend = 2 * np.exp(-index / 800) + 0.1
    assert oscillation(noise + trend) == pytest.approx(0.3, rel=0.05)
    assert oscillation(noise) == pytest.approx(0.3, rel=0.05)
    assert oscillation(3.0 - index / 1000) == pytest.approx(0.0, abs=1e-12)
    spread = [oscillation(np.random.default_rng(s).normal(size=40)) for s in range(400)]
    assert np.sqrt(np.mean(np.square(spread))) == pytest.approx(1.0, rel=0.05)


def test_oscillation_is_scipys_local_line() -> None:
    loss = np.random.default_rng(1).normal(size=60).cumsum()
    window = 9
    residual = loss - savgol_filter(loss, window, polyorder=1, mode="interp")
    inner = residual[4:-4] / np.sqrt(1 - 1 / window)
    impulse = np.eye(window)
    at_the_ends = [savgol_filter(impulse[k], window, 1, mode="interp")[k] for k in range(window)]
    left = residual[:4] / np.sqrt(1 - np.array(at_the_ends[:4]))
    right = residual[-4:] / np.sqrt(1 - np.array(at_the_ends[-4:]))
    expected = np.sqrt(np.mean(np.square(np.concatenate([left, inner, right]))))
    assert oscillation(loss, window) == pytest.approx(expected, rel=1e-10)


def test_oscillation_of_too_little_is_unknown() -> None:
    assert oscillation([1.0, 2.0, 3.0, 4.0]) is None
    assert oscillation([1.0] * 10) == 0.0
    assert oscillation(np.random.default_rng(0).normal(size=200_000)) == pytest.approx(1.0, rel=0.01)
    assert oscillation([1.0] * 9 + [math.nan]) is None
    with pytest.raises(ValueError, match="odd number"):
        oscillation([1.0] * 10, window=4)


def test_samples_to_loss_needs_more_than_one_lucky_batch() -> None:
    samples = np.arange(1, 101) * 64
    loss = np.full(100, 1.0)
    loss[20] = 0.01
    loss[50:] = 0.4
    found = samples_to_loss(samples, loss, thresholds=(0.9, 0.5, 0.1))
    assert found == {"0.9": 21 * 64, "0.5": 55 * 64, "0.1": None}
    assert samples_to_loss(samples, loss, thresholds=(0.1,), smooth=1) == {"0.1": 21 * 64}
    assert samples_to_loss([], [], thresholds=(0.5,)) == {"0.5": None}
    with pytest.raises(ValueError, match="3 sample counts for 2 losses"):
        samples_to_loss([1, 2, 3], [1.0, 2.0])


def test_the_metric_code_changes_with_code_only(tmp_path: Path) -> None:
    codes = []
    for text in (
        "def f(x):\n    return x\n",
        'def f(x):\n    """New."""\n    # why\n    return x\n',
        "def f(x):\n    return -x\n",
    ):
        folder = tmp_path / str(len(codes))
        folder.mkdir()
        (folder / "a.py").write_text(text)
        codes.append(metric_code(folder))
    assert codes[0] == codes[1] != codes[2]
    assert metric_code() == metric_code()
    assert len(metric_code()) == 32
