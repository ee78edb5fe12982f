"""Augmentations of images with their masks: where tricks put them, and tiny trainings in which they show."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.tricks.arguments import RECIPES, call_of
from tricklab import registry, tricks
from tricklab.data.mask_transforms import check_augment, kind_of
from tricklab.errors import UserError
from tricklab.recipe import load, parse, resolve
from tricklab.records import Evidence, RunFolder
from tricklab.tricks._images import ORDER_WITH_MASKS

AUGMENTING = {
    "multi_scale": "RandomResize", "horizontal_flip": "HorizontalFlip", "vertical_flip": "VerticalFlip",
    "varied_crops": "RandomCrop", "colour_jitter": "ColourJitter", "random_grey": "RandomGrey", "cutout": "Cutout",
    "random_erasing": "RandomErasing", "input_noise": "Noise",
}  # fmt: skip
MIXING = {"mixup": "Mixup", "cutmix": "CutMix", "classmix": "ClassMix", "copy_paste": "CopyPaste"}


def applied(*texts: str) -> tricks.Applied:
    return tricks.apply(load(RECIPES["segmentation"]), [parse(text) for text in texts])


def kinds(found: tricks.Applied) -> list[str]:
    return [item["type"] for item in found.recipe.get("data.augment")]


def test_the_order_holds_every_transform_of_masks() -> None:
    pairs = {entry.name for entry in registry.entries("pair_transform")}
    assert set(ORDER_WITH_MASKS) >= pairs
    assert all(kind_of({"type": name}, "") in ("pair_transform", "image_transform") for name in ORDER_WITH_MASKS)


@pytest.mark.parametrize("turned", [False, True])
def test_all_together_stand_in_order_whatever_order_they_are_asked_in(turned: bool) -> None:
    names = sorted(AUGMENTING, reverse=turned)
    found = applied(*[f"+{name}" for name in names])
    assert kinds(found) == [kind for kind in ORDER_WITH_MASKS if kind in AUGMENTING.values()]
    check_augment(found.recipe.get("data.augment"))
    resolve(found.recipe)


@pytest.mark.parametrize("names", list(itertools.permutations(["varied_crops", "multi_scale", "horizontal_flip"])))
def test_sizes_come_before_flips_and_crops(names: tuple[str, ...]) -> None:
    assert kinds(applied(*[f"+{name}" for name in names])) == ["RandomResize", "HorizontalFlip", "RandomCrop"]


@pytest.mark.parametrize(("name", "kind"), MIXING.items())
def test_mixings_are_of_masks(name: str, kind: str) -> None:
    (item,) = applied(call_of(name)).recipe.get("data.batch_augment")
    assert item["type"] == kind
    registry.check("mask_batch_transform", item)


def test_cutmix_of_masks_weighs_nothing() -> None:
    with pytest.raises(UserError, match="masks are not weighed by a box's area"):
        applied("+cutmix(correct_lam=false)")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*AUGMENTING, *MIXING, "rare_class_crops"])
def test_probes_pass_when_on_and_fail_when_off(name: str, tmp_path: Path, baseline_run: Evidence) -> None:
    call = call_of(name)
    on = trained(tmp_path / "on", [call])
    for _, when, probe in tricks.probes([tricks.parse(call)]):
        assert probe(on).live, f"on, {when}: {probe(on).text}"
        assert not probe(baseline_run).live, f"off, {when}: {probe(baseline_run).text}"


@pytest.fixture(scope="module")
def baseline_run(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return trained(tmp_path_factory.mktemp("runs") / "off", [])


def trained(folder: Path, calls: list[str]) -> Evidence:
    from tricklab.engine import execute

    overrides: list[Any] = ["train.log_every={iterations: 1}"]
    found = tricks.apply(load(RECIPES["segmentation"], overrides, calls))
    declared = [{"name": c.name, "arguments": c.arguments, "writes": {}} for c in found.calls]
    RunFolder.create(folder, recipe=found.recipe.tree, block=0, arm="arm", experiment="tiny", tricks=declared)
    execute(folder, threads=1, device="cpu", progress=False)
    evidence = Evidence.from_folder(folder)
    assert evidence.status["state"] == "finished", evidence.status
    return evidence
