"""Two sizes of windows on the same images: nothing for networks that see little, a number for those that pool."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.inference.test_sliding import Global, Local
from tricklab.recipe import load
from tricklab.recipe.resolving import resolve, settings
from tricklab.seeds import Seeds
from tricklab.tasks.segmentation import SegmentationTask
from tricklab.tasks.window_agreement import agreement_of_run


class Named(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"main": self.inner(images)}


def task_of(**evaluate: object) -> SegmentationTask:
    data = {"images": {"type": "SyntheticMasks", "classes": 3, "images": 10, "size": [96, 128]}}
    tree = {"task": "segmentation", "data": data, "model": {"type": "HybridSN"}, "evaluate": evaluate}
    task = SegmentationTask(settings=settings(resolve(load(tree))), seeds=Seeds(0, 0))
    task.prepare()
    return task


def test_only_networks_that_pool_make_something_of_the_size_of_windows() -> None:
    task = task_of(method="slide", window=[64, 64], stride=[32, 32], margin=12)
    local, pooling = (
        agreement_of_run(Named(net).eval(), task.settings.evaluate, task.fold, "train") for net in (Local(), Global())
    )
    assert local is not None
    assert pooling is not None
    assert (local.first, local.second, local.images) == ((64, 64), (96, 96), 4)
    assert local.found.logit < 1e-4
    assert pooling.found.logit > 1e-3
    assert pooling.as_data()["logit"] == pytest.approx(pooling.found.logit)
    assert str(pooling).startswith("windows of 64 × 64 against 96 × 96 pixels: ")


def test_whole_images_and_images_no_larger_than_a_window_have_nothing_to_compare() -> None:
    for evaluate in ({}, {"method": "slide", "window": [96, 128], "stride": [48, 64]}):
        task = task_of(**evaluate)
        with torch.inference_mode():
            assert agreement_of_run(Named(Local()).eval(), task.settings.evaluate, task.fold, "val") is None
