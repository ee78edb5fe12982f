"""Tricks between a network's logits and its masks: what they write, what their probes read, what they do to scores."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.inference.test_sliding import Local
from tricklab import tricks
from tricklab.errors import UserError
from tricklab.observe import listening
from tricklab.recipe import load, parse
from tricklab.recipe.resolving import resolve, settings
from tricklab.records import Evidence
from tricklab.seeds import Seeds
from tricklab.tasks.segmentation import SegmentationTask

TREE: dict[str, Any] = {
    "task": "segmentation",
    "data": {"images": {"type": "SyntheticMasks", "classes": 5, "images": 8}, "crop": [32, 32]},
    # never built: the tests ask networks of their own
    "model": {"type": "HybridSN"},
}


def applied(*texts: str, **evaluate: Any) -> tricks.Applied:
    return tricks.apply(load({**TREE, "evaluate": evaluate}), [parse(text) for text in texts])


class Named(nn.Module):
    """A network as tasks want it: outputs by name."""

    def __init__(self, one_channel: bool = False) -> None:
        super().__init__()
        self.inner, self.one_channel = Local(3), one_channel

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        logits = self.inner(images)
        return {"main": logits[:, :1] if self.one_channel else logits}


def test_windows_are_as_large_as_the_crops_that_were_trained_on() -> None:
    found = applied("+slide").recipe
    assert found.get("evaluate.method") == "slide"
    assert (found.get("evaluate.window"), found.get("evaluate.stride")) == ([32, 32], [16, 16])
    own = applied("+slide(window=[20, 30], stride=[10, 30], blend=mean, margin=0)").recipe
    assert (own.get("evaluate.window"), own.get("evaluate.stride")) == ([20, 30], [10, 30])
    assert own.get("evaluate.blend") == "mean"
    without = {**TREE, "data": {"images": {"type": "SyntheticMasks"}}}
    with pytest.raises(UserError, match=r"no data\.crop"):
        tricks.apply(load(without), [parse("+slide")])


@pytest.mark.parametrize("texts", [("+crf", "+tta"), ("+tta", "+crf")])
def test_the_field_sees_the_mean_of_the_views_in_whatever_order_they_are_asked_for(texts: tuple[str, ...]) -> None:
    found = applied(*texts).recipe
    assert [item["type"] for item in found.get("evaluate.postprocess")] == ["MaskViews", "MeanFieldCRF"]
    again = applied("+tta(scales=[0.75, 1.0])", postprocess=[{"type": "MeanFieldCRF"}, {"type": "MaskViews"}]).recipe
    assert [item["type"] for item in again.get("evaluate.postprocess")] == ["MeanFieldCRF", "MaskViews"]
    assert again.get("evaluate.postprocess.1.scales") == [0.75, 1.0]


def test_none_of_them_changes_the_training() -> None:
    plain = resolve(load(TREE)).digest("fit")
    for text in ("+slide", "+crf", "+tta(group=dihedral)"):
        found = applied(text).recipe
        assert found.digest("fit") == plain
        assert found.digest("evaluate") != resolve(load(TREE)).digest("evaluate")


def test_masks_are_not_cropped() -> None:
    with pytest.raises(UserError, match="not cropped"):
        applied("+tta(crops=five)")


@pytest.mark.parametrize("key", ["blend: mean", "margin: 3"])
def test_blending_is_for_windows(key: str) -> None:
    name, _, value = key.partition(": ")
    with pytest.raises(UserError, match=rf"evaluate\.{name}: .*is for the method slide, not for whole"):
        resolve(load(TREE, [f"evaluate.{name}={value}"]))


@pytest.mark.parametrize(
    ("text", "row", "live"),
    [
        ("+slide", {"observe/slide/windows": 6.0}, True),
        ("+slide", {"observe/slide/windows": 1.0}, False),
        ("+slide", {}, False),
        ("+crf", {"observe/crf/changed": 0.01}, True),
        ("+crf", {"observe/crf/changed": 0.0}, False),
        ("+crf", {}, False),
        ("+tta", {"observe/tta/views": 2.0, "observe/tta/spread": 0.02}, True),
        ("+tta", {"observe/tta/views": 2.0, "observe/tta/spread": 0.0}, False),
    ],
)
def test_probes(text: str, row: dict[str, float], live: bool) -> None:
    ((_, when, probe),) = tricks.probes([parse(text)])
    assert when == "evaluate"
    assert probe(Evidence(rows=[{"phase": "val", "step": 1, **row}])).live == live
    assert not probe(Evidence(rows=[{"phase": "train", "step": 1, **row}])).live


@pytest.mark.parametrize("text", ["+slide(margin=4)", "+crf(iterations=2)", "+tta(scales=[1.0, 1.5])"])
def test_a_task_scores_through_them_and_their_probes_pass(text: str) -> None:
    net = Named().eval()
    trick, plain = (applied(*texts).recipe for texts in ((text,), ()))
    rows = {}
    for name, recipe in (("on", trick), ("off", plain)):
        chosen = settings(recipe)
        task = SegmentationTask(settings=chosen, seeds=Seeds(0, 0))
        task.prepare()
        with listening() as listener:
            found = task.evaluate(net, "val", recipe.get("evaluate.postprocess"), chosen.evaluate.method)
        seen = {f"observe/{key}": value["mean"] for key, value in listener.drain().items()}
        rows[name] = ({"phase": "val", "step": 1, **seen}, found)
    ((_, _, probe),) = tricks.probes([parse(text)])
    assert probe(Evidence(rows=[rows["on"][0]])).live
    assert not probe(Evidence(rows=[rows["off"][0]])).live
    assert (rows["on"][1].confusion != rows["off"][1].confusion).any()
    assert rows["on"][1].confusion.sum() == rows["off"][1].confusion.sum()


def test_one_channel_goes_through_all_of_them() -> None:
    data = {**TREE["data"], "images": {"type": "SyntheticMasks", "classes": 2, "images": 8}}
    calls = [parse(text) for text in ("+slide", "+tta", "+crf(iterations=1)")]
    recipe = tricks.apply(load({**TREE, "data": data}), calls).recipe
    task = SegmentationTask(settings=settings(recipe), seeds=Seeds(0, 0))
    task.prepare()
    net = Named(one_channel=True).eval()
    with torch.no_grad():
        net.inner.third.bias.fill_(-9.0)
    found = task.evaluate(net, "val", recipe.get("evaluate.postprocess"), "slide")
    assert found.confusion[:, 1].sum() == 0
    assert found.confusion[:, 0].sum() > 0
