"""Dense inference gives the logits of window-by-window inference, for any scene, centres, tiles and inserted blocks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tricklab import registry
from tricklab.errors import UserError
from tricklab.inference.dense import predict_scene
from tricklab.inference.windows import predict_windows
from tricklab.models.insert import apply_inserts
from tricklab.registry import component
from tricklab.seeds import Seeds, aside

SE = {"type": "SE", "after": "conv2d"}
INSERTS = {
    "plain": [],
    "se": [{**SE, "reduction": 4}],
    "two se, one in the head": [SE, {**SE, "reduction": 8}, {"type": "SE", "after": "fc1"}],
    "another block": [{"type": "RowMean", "after": "conv2d"}, SE],
}


@component("block", given=("channels",))
class RowMean(nn.Module):
    """A block that is no gate: adds the mean of each row of the window."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, 1, 1), 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.weight * x.mean(dim=3, keepdim=True)


def build(inserts: list[dict[str, object]], bands: int = 14, window: int = 11, relu: bool = True) -> nn.Module:
    with Seeds(0, 0).initialising():
        config = {"type": "HybridSN", "head_relu": relu}
        model = registry.build("model", config, bands=bands, window=window, classes=5)
        apply_inserts(model, inserts, aside)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(2.0)  # logits of ordinary size, so that an absolute bound means something
    return model.eval()


def cube_of(height: int, width: int, bands: int = 14, window: int = 11) -> torch.Tensor:
    return torch.from_numpy(
        np.random.default_rng(height * width).normal(size=(bands, height + window - 1, width + window - 1)) * 3
    ).float()


@pytest.mark.parametrize("name", list(INSERTS))
@settings(max_examples=4, deadline=None, derandomize=True)
@given(height=st.integers(1, 12), width=st.integers(1, 12), tile=st.sampled_from([None, 3, 8, 50]))
def test_dense_equals_windows(name: str, height: int, width: int, tile: int | None) -> None:
    model, cube = build(INSERTS[name]), cube_of(height, width)
    expected = predict_windows(model, cube, 11)
    got = predict_scene(model, cube, 11, tile=tile)
    assert got.shape == (5, height, width)
    assert expected.std() > 0.01
    assert (got - expected).abs().max() <= 1e-4


@pytest.mark.parametrize("name", list(INSERTS))
def test_some_centres_in_any_order_with_repeats(name: str) -> None:
    model, cube = build(INSERTS[name], relu=False), cube_of(40, 30)
    centres = np.array([[39, 29], [0, 0], [17, 3], [17, 3], [5, 28]])
    expected = predict_windows(model, cube, 11)[:, centres[:, 0], centres[:, 1]].T
    assert (predict_scene(model, cube, 11, centres) - expected).abs().max() <= 1e-4
    assert (predict_windows(model, cube, 11, centres, batch_size=2) - expected).abs().max() <= 1e-5


def test_in_double_precision_the_two_differ_by_rounding_only() -> None:
    model, cube = build(INSERTS["se"]).double(), cube_of(9, 13).double()
    expected = predict_windows(model, cube, 11)
    assert (predict_scene(model, cube, 11) - expected).abs().max() <= 1e-13


def test_the_memory_limit_makes_tiles_and_keeps_the_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    model, cube = build([]), cube_of(70, 50)
    sizes: list[int] = []
    features = type(model).features

    def noting(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
        sizes.append(self.trunk_bytes(*x.shape[2:]))
        return features(self, x)

    monkeypatch.setattr(type(model), "features", noting)
    whole = predict_scene(model, cube, 11)
    assert len(sizes) == 1
    limit = sizes[0] // 2
    sizes.clear()
    tiled = predict_scene(model, cube, 11, memory_limit=limit)
    assert len(sizes) > 1
    assert max(sizes) <= limit
    assert (tiled - whole).abs().max() <= 1e-4
    with pytest.raises(UserError, match="raise the limit"):
        predict_scene(model, cube, 11, memory_limit=2000)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak memory from Linux's /proc")
@pytest.mark.parametrize("name", ["two se, one in the head", "another block"])
def test_many_centres_stay_within_the_memory_limit(name: str) -> None:
    code = """
import re, sys, torch
from pathlib import Path
from tests.inference.test_dense import INSERTS, build, predict_scene

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1)) * 1024

torch.set_num_threads(1)
model, cube = build(INSERTS[sys.argv[1]]), torch.randn(14, 20, 20)
predict_scene(model, cube, 11)
centres = torch.randint(0, 10, (300_000 if "se" in sys.argv[1] else 30_000, 2))
before = peak()
logits = predict_scene(model, cube, 11, centres, memory_limit=2**26)
print(peak() - before - 16 * centres.nbytes - 3 * logits.nbytes, 2**26)
"""
    run = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=True)
    taken, limit = map(int, run.stdout.split())
    assert taken <= limit


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak memory from Linux's /proc")
@pytest.mark.parametrize(("bands", "size"), [(30, 170), (15, 300)])
def test_the_estimate_covers_what_the_process_takes(bands: int, size: int) -> None:
    code = """
import re, sys, torch
from pathlib import Path
from tricklab import registry

def peak():  # of this program alone: ru_maxrss would carry over what the parent held
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1)) * 1024

bands, size = map(int, sys.argv[1:])
torch.set_num_threads(1)
model = registry.build("model", {"type": "HybridSN"}, bands=bands, window=25, classes=5).eval()
with torch.inference_mode():
    model.features(torch.randn(1, bands, 30, 30))
    before = peak()
    model.features(torch.randn(1, bands, size, size))
print(peak() - before, model.trunk_bytes(size, size))
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(bands), str(size)], capture_output=True, text=True, check=True
    )
    taken, estimate = map(int, run.stdout.split())
    assert 0.5 * estimate < taken <= 1.05 * estimate


def test_models_that_cannot_share_are_refused_with_the_reason() -> None:
    cube = cube_of(5, 5)
    early = build([{"type": "SE", "after": "conv2"}])
    with pytest.raises(UserError, match=r"conv2\.inserted\.0 stands inside the convolutions.*evaluate.method=windows"):
        predict_scene(early, cube, 11)
    assert predict_windows(early, cube, 11).shape == (5, 5, 5)
    with pytest.raises(UserError, match="Flatten has no convolutions"):
        predict_scene(nn.Flatten(), cube, 11)


def test_bad_calls_are_named() -> None:
    model, cube = build([]), cube_of(5, 6)
    with pytest.raises(UserError, match="built for 14 bands and windows of 11"):
        predict_scene(model, cube, 9)
    with pytest.raises(UserError, match="outside the scene of 5 × 6"):
        predict_scene(model, cube, 11, [[0, 6]])
    with pytest.raises(UserError, match="holds no 11-pixel window"):
        predict_windows(model, cube[:, :8], 11)
    with pytest.raises(UserError, match="centres must be"):
        predict_windows(model, cube, 11, np.zeros((0, 2)))
    with pytest.raises(UserError, match="at least one window position"):
        predict_scene(model, cube, 11, tile=0)
    model.dropout.train()
    for predict in (predict_scene, predict_windows):
        with pytest.raises(UserError, match="dropout is in training mode"):
            predict(model, cube, 11)


def test_classical_models_are_predicted_by_the_same_call() -> None:
    model = registry.build("model", {"type": "PixelSVM"}, bands=14, window=11, classes=2)
    cube = cube_of(4, 6)
    centres = np.argwhere(np.ones((4, 6)))
    targets = (cube[0, 5:9, 5:11].numpy().reshape(-1) > 0).astype(int)
    model.fit(cube.unfold(1, 11, 1).unfold(2, 11, 1).permute(1, 2, 0, 3, 4).reshape(24, 14, 11, 11).numpy(), targets, 0)
    scores = predict_windows(model, cube, 11, batch_size=7)
    assert scores.shape == (2, 4, 6)
    assert (scores.reshape(2, -1).argmax(0).numpy() == targets).mean() > 0.9
    assert torch.equal(predict_windows(model, cube, 11, centres, batch_size=50), scores.reshape(2, -1).T)
