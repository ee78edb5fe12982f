"""Rasters larger than memory: the same answer as in memory, in a file, with bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.inference.test_sliding import Global, Local, images
from tricklab.errors import UserError
from tricklab.inference.disagreement import window_disagreement
from tricklab.inference.raster import What, predict_raster
from tricklab.inference.sliding import Sliding

PLAN = Sliding((32, 24), (20, 16), margin=2)
LARGE = """
import json, resource, sys, numpy as np, torch
from pathlib import Path
from torch import nn
from tricklab.inference.raster import predict_raster
from tricklab.inference.sliding import Sliding

torch.set_num_threads(1)
height, width, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
net = nn.Conv2d(3, 4, 3, padding=1).eval()
source = np.lib.format.open_memmap(folder / "in.npy", mode="w+", dtype=np.uint8, shape=(height, width, 3))
del source
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def read(top, bottom):
    rows = np.load(folder / "in.npy", mmap_mode="r")[top:bottom]
    return torch.from_numpy(np.array(rows)).permute(2, 0, 1)[None].float()

plan = Sliding((256, 256), (224, 224), margin=1)
found = predict_raster(net, read, (height, width), plan, folder / "out.npy", "logits")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
size = (folder / "out.npy").stat().st_size
print(json.dumps({"grown_mib": (peak - before) / 1024, "file_mib": size / 2**20, "pixels": int(found.counts.sum())}))
"""


@pytest.mark.parametrize("what", ["classes", "probabilities", "logits"])
def test_a_file_holds_what_memory_would(what: What, tmp_path: Path) -> None:
    net, whole = Local().eval(), images(83, 61, count=1)
    done: list[int] = []
    found = predict_raster(
        net, lambda top, end: whole[:, :, top:end], (83, 61), PLAN, tmp_path / "sub" / "out.npy", what,
        progress=done.append,
    )  # fmt: skip
    with torch.inference_mode():
        wanted = PLAN.around(net)(whole)[0]
    got = torch.from_numpy(np.load(found.path))
    if what == "classes":
        assert got.dtype == torch.uint8
        assert torch.equal(got.long(), wanted.argmax(0))
    else:
        torch.testing.assert_close(got, wanted if what == "logits" else wanted.softmax(0))
    assert found.counts.tolist() == torch.bincount(wanted.argmax(0).flatten(), minlength=5).tolist()
    assert done[-1] == 83
    assert done == sorted(done)
    assert found.windows == PLAN.count((83, 61))
    assert [file.name for file in found.path.parent.iterdir()] == ["out.npy"]


def test_one_channel_is_two_classes_with_a_threshold(tmp_path: Path) -> None:
    whole = images(40, 40, count=1)

    def read(top: int, end: int) -> Tensor:
        return whole[:, :, top:end]

    found = predict_raster(lambda some: some[:, :1], read, (40, 40), PLAN, tmp_path / "a.npy", threshold=0.7)
    wanted = torch.sigmoid(whole[0, 0]) >= 0.7
    assert found.counts.tolist() == [int((~wanted).sum()), int(wanted.sum())]
    both = predict_raster(lambda some: some[:, :1], read, (40, 40), PLAN, tmp_path / "b.npy", "probabilities")
    np.testing.assert_allclose(np.load(both.path)[1], torch.sigmoid(whole[0, 0]).numpy(), rtol=1e-5)


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    whole = images(60, 40, count=1)

    def read(top: int, end: int) -> Tensor:
        if top > 20:
            raise OSError("the disk is gone")
        return whole[:, :, top:end]

    with pytest.raises(OSError, match="gone"):
        predict_raster(Local().eval(), read, (60, 40), PLAN, tmp_path / "out.npy")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_is_an_error(tmp_path: Path) -> None:
    for path, size, threshold, message in (
        ("a.tif", (9, 9), 0.5, r"\.npy"),
        ("a.npy", (0, 9), 0.5, "no pixels"),
        ("a.npy", (9, 9), 1.0, "between 0 and 1"),
    ):
        with pytest.raises(UserError, match=message):
            predict_raster(
                lambda some: some, lambda top, end: images(9, 9), size, PLAN, tmp_path / path, "classes", threshold
            )


@pytest.mark.slow
def test_memory_does_not_grow_with_the_raster(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LARGE, "12000", "600", str(tmp_path)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert told["pixels"] == 12000 * 600
    assert told["file_mib"] > 100
    assert told["grown_mib"] < 60, told


def test_windows_of_two_sizes_agree_for_a_local_network_and_are_measured_for_others() -> None:
    whole = images(128, 128, count=1)
    small, large = Sliding((64, 64), (32, 32), margin=12), Sliding((96, 96), (32, 32), margin=12)
    local = window_disagreement(Local().eval(), whole, small, large)
    assert local.logit < 1e-4
    assert local.classes == 0
    pooling = Global().eval()
    told = window_disagreement(pooling, whole, small, large)
    assert told.logit > 1e-3
    assert f"{told.classes:.3%} of the pixels" in str(told)
    with torch.inference_mode():
        wanted = (small.around(pooling)(whole) - pooling(whole)).abs().max()
    assert window_disagreement(pooling, whole, small).logit == pytest.approx(float(wanted), rel=1e-5)
