"""Where augmentations of images are put, in whatever order they are asked for, and what their probes read."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.tricks.arguments import RECIPES, baseline, call_of
from tricklab import registry, tricks
from tricklab.data.classification import check_order
from tricklab.errors import UserError
from tricklab.recipe import load, parse
from tricklab.records import Evidence
from tricklab.tricks._alignment import aligned, moved
from tricklab.tricks._images import ORDER

AUGMENTING = [
    "random_resized_crop", "random_crop", "horizontal_flip", "vertical_flip", "rotation", "randaugment",
    "trivial_augment", "colour_jitter", "random_grey", "cutout", "random_erasing", "input_noise",
]  # fmt: skip
MIXING = {"mixup": "Mixup", "cutmix": "CutMix", "mix": "MixupOrCutMix"}


def applied(*texts: str, **data: Any) -> tricks.Applied:
    tree = RECIPES["classification"]
    return tricks.apply(load({**tree, "data": {**tree["data"], **data}}), [parse(text) for text in texts])


def kinds(found: tricks.Applied) -> list[str]:
    return [item["type"] for item in found.recipe.get("data.augment")]


def test_the_order_holds_every_transform_and_keeps_its_stages() -> None:
    assert set(ORDER) == {entry.name for entry in registry.entries("image_transform")}
    check_order(ORDER, [registry.load("image_transform", name).stage for name in ORDER])


def test_all_together_stand_in_order_whatever_order_they_are_asked_in() -> None:
    for texts in (AUGMENTING, AUGMENTING[::-1], sorted(AUGMENTING)):
        found = applied(*[f"+{name}" for name in texts])
        assert kinds(found) == list(ORDER)
        check_order(kinds(found), [registry.load("image_transform", name).stage for name in kinds(found)])


@pytest.mark.parametrize("names", list(itertools.permutations(["random_erasing", "cutout", "horizontal_flip"])))
def test_writes_name_the_place_that_an_augmentation_ended_in(names: tuple[str, ...]) -> None:
    found = applied(*[f"+{name}" for name in names])
    assert kinds(found) == ["HorizontalFlip", "Cutout", "RandomErasing"]
    for place, name in enumerate(names):
        ((path, (before, after)),) = found.writes[place].items()
        assert before is None
        assert after == found.recipe.get(path)
        assert found.recipe.origin(f"{path}.p").text == f"trick {name}"


def test_a_recipes_own_augmentations_keep_their_origin_when_others_come_before_them() -> None:
    found = applied("+horizontal_flip", augment=[{"type": "RandomErasing", "p": 0.7}])
    assert kinds(found) == ["HorizontalFlip", "RandomErasing"]
    assert found.recipe.get("data.augment.1.p") == 0.7
    assert not found.recipe.origin("data.augment.1.p").text.startswith("trick")
    assert list(found.writes[0]) == ["data.augment.0"]


def test_one_of_its_own_kind_is_replaced_and_two_calls_collide() -> None:
    found = applied("+cutout(p=0.9)", augment=[{"type": "Cutout"}, {"type": "RandomErasing"}])
    assert kinds(found) == ["Cutout", "RandomErasing"]
    assert found.writes[0] == {"data.augment.0.p": (0.5, 0.9)}
    with pytest.raises(UserError, match="both write"):
        applied("+cutout(p=0.3)", "+cutout(p=0.4)")
    with pytest.raises(UserError, match="both write"):
        applied("+mixup", "+mixup(alpha=0.2)")


def test_mixing_tricks_go_together() -> None:
    for texts in (("+mixup", "+cutmix"), ("+cutmix", "+mixup", "+label_smoothing")):
        found = applied(*texts)
        asked = [MIXING[text[1:]] for text in texts if text[1:] in MIXING]
        assert [item["type"] for item in found.recipe.get("data.batch_augment")] == asked


@pytest.mark.parametrize("name", AUGMENTING)
def test_a_probe_reads_the_drawn_share(name: str) -> None:
    kind = kinds(applied(f"+{name}"))[0]
    ((_, when, probe),) = tricks.probes([parse(call_of(name))])
    assert when == "fit"
    assert probe(Evidence(facts={"data/drawn": {kind: {"count": 3.0, "share": 0.2}}})).live
    assert not probe(Evidence(facts={"data/drawn": {kind: {"count": 0.0, "share": 0.0}}})).live
    assert not probe(Evidence(facts={"data/drawn": {"Other": {"count": 3.0, "share": 0.2}}})).live


@pytest.mark.parametrize("name", MIXING)
def test_a_mixing_probe_reads_shares_too(name: str) -> None:
    ((_, _, probe),) = tricks.probes([parse(f"+{name}")])
    facts = {"data/drawn": {MIXING[name]: {"count": 9.0, "share": 0.9}}}
    rows = [{"phase": "train", "step": 1, "observe/mix/lambda": 0.4, "observe/mix/changed": 0.9}]
    assert probe(Evidence(facts=facts, rows=rows)).live
    assert probe(Evidence(facts=facts, rows=rows)).numbers["own_share"] == 0.4
    assert not probe(Evidence(facts=facts)).live
    assert not probe(Evidence(rows=rows)).live
    assert not probe(Evidence(facts=facts, rows=[{**rows[0], "observe/mix/lambda": 1.0}])).live


def test_the_normalisations_probe_reads_what_was_fitted() -> None:
    ((_, _, probe),) = tricks.probes([parse("+normalise(kind=imagenet)")])
    facts = {"data/normalise": {"name": "imagenet", "mean": [0.485], "std": [0.229]}}
    assert probe(Evidence(facts=facts)).live
    assert not probe(Evidence(facts={"data/normalise": {**facts["data/normalise"], "name": "dataset"}})).live


@pytest.mark.parametrize(
    ("aspects", "how", "live"), [((0.7, 1.4), "crop", True), ((1.0, 1.0), "crop", False), ((0.7, 1.4), "squash", False)]
)
def test_the_resizes_probe_wants_images_of_another_shape(aspects: tuple[float, float], how: str, live: bool) -> None:
    ((_, _, probe),) = tricks.probes([parse("+resize(how=crop)")])
    ratios = {"aspect_ratio": {"min": aspects[0], "max": aspects[1], "median": 1.0}}
    facts = {"data/image_sizes": ratios, "data/input": {"size": [224, 224]}}
    assert probe(Evidence(recipe={"data": {"resize": how}}, facts=facts)).live == live
    wide = {"data/image_sizes": ratios, "data/input": {"size": [100, 200]}}
    assert probe(Evidence(recipe={"data": {"resize": "crop"}}, facts=wide)).live


def test_a_trick_of_images_is_refused_for_scenes() -> None:
    with pytest.raises(UserError, match="not for the task 'hyperspectral'"):
        tricks.apply(load("demo"), [parse("+mixup")])
    assert baseline("mixup").get("task") == "classification"


def test_alignment_of_lists() -> None:
    assert aligned([], ["a"]) == [None]
    assert aligned(["a"], ["a", "a"]) == [0, None]
    assert aligned(["a", "b"], ["x", "a", "y", "b"]) == [None, 0, None, 1]
    assert aligned(["a", "b"], ["b", "a"]) == [0, 1]
    assert aligned(["a", "b"], ["c", "b", "d"]) == [0, 1, None]
    before, after = {"a": [{"p": 1}, {"p": 2}], "b": 1}, {"a": [{"p": 0}, {"p": 1}, {"p": 2}], "b": 2}
    assert [moved(path, before, after) for path in ("a.0", "a.1.p", "b", "a", "gone.3")] == [
        "a.1",
        "a.2.p",
        "b",
        "a",
        "gone.3",
    ]


def test_one_trick_averages_views_of_windows_and_of_images() -> None:
    assert applied("+tta").recipe.get("evaluate.postprocess") == [
        {"type": "ImageViews", "group": "flip", "crops": "none", "crop": 0.875, "scales": [1.0]}
    ]
    many = applied("+tta(group=dihedral, crops=six, scales=[1.0, 1.5])").recipe.get("evaluate.postprocess.0")
    assert (many["group"], many["crops"], many["scales"]) == ("dihedral", "six", [1.0, 1.5])
    scene = tricks.apply(load("demo"), [parse("+tta")]).recipe
    assert scene.get("evaluate.postprocess") == [{"type": "FlipRotateTTA", "group": "dihedral"}]
    for text, message in (("+tta(crops=five)", "not cropped"), ("+tta(group=flip)", "no left and right")):
        with pytest.raises(UserError, match=message):
            tricks.apply(load("demo"), [parse(text)])
