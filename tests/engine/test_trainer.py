from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tricklab.engine.clock import RunClock
from tricklab.engine.trainer import build_trainer, pick_device
from tricklab.errors import UserError


@pytest.mark.parametrize("name", ["meta", "xpu", "cuda:x", "gpu", "", "cpu:1"])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="unknown device"):
        pick_device(name)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match=r"CUDA devices.*device=auto or cpu"):
        pick_device(f"cuda:{torch.cuda.device_count()}")
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("precision", "device"), [("64-true", "mps"), ("16-mixed", "cpu")])
def test_precision_that_the_device_lacks_is_refused(precision: str, device: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.precision"):
        build_trainer(RunClock(8, 4, 1, 2), [], device=torch.device(device), precision=precision, folder=tmp_path)
