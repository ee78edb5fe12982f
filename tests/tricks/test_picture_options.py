"""Every option of the mixing tricks and of cutout reaches what it is for; the defaults are the components' own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tricks.arguments import RECIPES
from tricklab import registry, tricks
from tricklab.errors import UserError
from tricklab.recipe import load, parse, resolve


def mixer(text: str) -> Any:
    recipe = resolve(tricks.apply(load(RECIPES["classification"]), [parse(text)]).recipe)
    (item,) = recipe.get("data.batch_augment")
    return registry.build("batch_transform", item, classes=4).mixer


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("+mixup(alpha=0.3, p=0.4, mode=pair, off_epoch=3)", {"mixup_alpha": 0.3, "prob": 0.4, "mode": "pair"}),
        (
            "+cutmix(alpha=0.3, p=0.4, minmax=[0.2, 0.8], correct_lam=false, mode=elem)",
            {"cutmix_minmax": (0.2, 0.8), "prob": 0.4, "correct_lam": False, "mode": "elem"},
        ),
        (
            "+mix(mixup_alpha=0.2, cutmix_alpha=0.7, cutmix_minmax=[0, 1], p=0.4, switch_prob=0.1, correct_lam=false, "
            "mode=pair, off_epoch=2.5)",
            {
                "mixup_alpha": 0.2, "cutmix_alpha": 0.7, "cutmix_minmax": (0.0, 1.0), "prob": 0.4, "switch_prob": 0.1,
                "correct_lam": False, "mode": "pair", "off_epoch": 2.5,
            },
        ),
    ],
)  # fmt: skip
def test_options_reach_the_mixer(text: str, fields: dict[str, Any]) -> None:
    found = mixer(text)
    assert {key: getattr(found, key) for key in fields} == fields


@pytest.mark.parametrize(("name", "kind"), [("mixup", "Mixup"), ("cutmix", "CutMix"), ("mix", "MixupOrCutMix")])
def test_without_options_a_trick_writes_what_the_component_is_by_itself(name: str, kind: str) -> None:
    assert mixer(f"+{name}") == registry.build("batch_transform", {"type": kind}, classes=4).mixer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("+cutmix(minmax=[0.8, 0.2])", "a range of sides rises from 0 to 1"),
        ("+cutmix(minmax=[0.2])", "wrong value .* of 'minmax'"),
        ("+mix(cutmix_minmax=[0.2, 1.5])", "wrong value .* of 'cutmix_minmax'"),
        ("+mixup(mode=each)", "wrong value 'each' of 'mode'"),
    ],
)
def test_options_that_cannot_be(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        mixer(text)


@pytest.mark.parametrize(
    ("text", "value", "square"),
    [
        ("+cutout", "grey", None),
        ("+cutout(value=mean)", "mean", None),
        ("+cutout(p=1, value=0, square=0.5)", 0, 0.5),
    ],
)
def test_options_reach_the_cutout(text: str, value: Any, square: float | None) -> None:
    recipe = resolve(tricks.apply(load(RECIPES["classification"]), [parse(text)]).recipe)
    (item,) = recipe.get("data.augment")
    found = registry.build("image_transform", item)
    assert (found.value, found.square) == (value, square)
    with pytest.raises(UserError, match="wrong value"):
        tricks.apply(load(RECIPES["classification"]), [parse("+cutout(value=256)")])
