"""Tricks of the optimizer, the schedule, clipping and freezing: what they write and refuse, what their probes read."""

from __future__ import annotations

from typing import Any

import pytest

from tricklab import tricks
from tricklab.errors import UserError
from tricklab.recipe import load, parse
from tricklab.records import Evidence

IMAGES = {
    "task": "classification",
    "data": {"images": {"type": "SyntheticImages"}, "size": 32},
    "model": {"type": "timm", "name": "test_resnet"},
}


def applied(*texts: str, overrides: tuple[str, ...] = (), tree: Any = "demo") -> tricks.Applied:
    return tricks.apply(load(tree, list(overrides)), [parse(text) for text in texts])


def judged(text: str, **facts: Any) -> tricks.Proof:
    """What the only probe of a call says about these facts."""
    ((_, _, probe),) = tricks.probes([parse(text)])
    return probe(Evidence(facts=facts))


def test_one_clipping_takes_the_place_of_another() -> None:
    found = applied("+adaptive_clip(factor=0.02)", overrides=("train.clip_norm=1.0",))
    assert found.writes[0] == {"train.clip_norm": (1.0, None), "train.clip_adaptive": (None, 0.02)}
    found = applied("+clip_norm(value=2)", overrides=("train.clip_adaptive=0.1",))
    assert found.recipe.get("train.clip_adaptive") is None
    with pytest.raises(UserError, match="clip_norm"):
        applied("+clip_norm", "+clip_value")


def test_an_optimizer_keeps_the_layers_rates() -> None:
    recipe = applied("+adamw", "+layer_decay(decay=0.6)", "+no_decay").recipe
    again = tricks.apply(recipe, [parse("+sgd(lr=0.1)")]).recipe
    assert again.get("optimizer.layer_decay") == 0.6
    assert again.get("optimizer.decay_norm_and_bias") is False


def test_warm_up_and_cosine_take_the_place_of_the_whole_schedule() -> None:
    found = applied("+warmup_cosine(epochs=2)", overrides=("schedule=[{type: Poly}, {type: LinearWarmup, end: 1}]",))
    first, second = found.recipe.get("schedule")
    assert (first["type"], first["end"]) == ("LinearWarmup", 2.0)
    assert (second["type"], second["begin"], second["end"]) == ("Cosine", 2.0, None)


def test_freezing_items_are_added_one_after_the_other() -> None:
    found = applied("+freeze(match=conv1)", "+gradual_unfreeze(times=2, epochs=3, layers=2)").recipe
    short = [(i["match"], i["layers"], (i["until"] or {}).get("epochs")) for i in found.get("train.freeze")]
    assert short == [("conv1", None, None), (None, -2, 3), (None, -4, 6)]
    until = applied("+freeze(layers=2, until=100, unit=samples)").recipe.get("train.freeze.0.until")
    assert until == {"samples": 100}
    for text in ("+freeze", "+freeze(match=a, layers=1)"):
        with pytest.raises(UserError, match="exactly one of match and layers"):
            applied(text)


PART = {"item": "match: a", "until": None, "tensors": 2, "digest": "x"}
LATER = PART | {"item": "layers: -1", "until": 5}


@pytest.mark.parametrize(
    ("text", "facts", "live"),
    [
        ("+freeze(match=a)", {}, False),
        ("+freeze(match=a)", {"freeze/parts": [PART], "freeze/ended/0": {"digest": "x"}}, True),
        ("+freeze(match=a)", {"freeze/parts": [PART], "freeze/ended/0": {"digest": "y"}}, False),
        ("+freeze(match=a)", {"freeze/parts": [PART]}, False),
        ("+freeze(match=b)", {"freeze/parts": [PART], "freeze/ended/0": {"digest": "x"}}, False),
        (
            "+freeze(layers=-1, until=1)",
            {
                "freeze/parts": [PART, LATER],
                "freeze/released/1": {"step": 5, "digest": "x"},
                "freeze/ended/1": {"digest": "y"},
            },
            True,
        ),
        (
            "+gradual_unfreeze(times=1)",
            {"freeze/parts": [LATER], "freeze/released/0": {"digest": "x"}, "freeze/ended/0": {"digest": "x"}},
            False,
        ),
        (
            "+gradual_unfreeze(times=1)",
            {"freeze/parts": [LATER], "freeze/released/0": {"digest": "z"}, "freeze/ended/0": {"digest": "y"}},
            False,
        ),
    ],
)
def test_the_freezing_probes(text: str, facts: dict[str, Any], live: bool) -> None:
    assert judged(text, **facts).live is live


@pytest.mark.parametrize(
    ("facts", "live"),
    [
        ({"train/output_dtype": "torch.float16", "train/loss_scale": 65536.0}, True),
        ({"train/output_dtype": "torch.float16"}, False),
        ({"train/output_dtype": "torch.float32", "train/loss_scale": 65536.0}, False),
        ({}, False),
    ],
)
def test_the_float16_probe(facts: dict[str, Any], live: bool) -> None:
    assert judged("+fp16", **facts).live is live


@pytest.mark.parametrize(
    ("text", "found", "live"),
    [
        ("+drop_path(rate=0.2)", {"a": {"p": 0.1, "per": "image"}, "b": {"p": 0.2, "per": "image"}}, True),
        ("+drop_path(rate=0.2)", {"a": {"p": 0.1, "per": "image"}}, False),
        ("+drop_path(rate=0.2)", {}, False),
        ("+stochastic_depth(rate=0.2)", {"a": {"p": 0.2, "per": "batch"}}, True),
        ("+stochastic_depth(rate=0.2)", {"a": {"p": 0.2, "per": "image"}}, False),
    ],
)
def test_the_drop_path_probes(text: str, found: dict[str, Any], live: bool) -> None:
    assert judged(text, **{"model/drop_path": found}).live is live


def test_drop_path_needs_a_model_that_has_it() -> None:
    assert applied("+drop_path(rate=0.2)", tree=IMAGES).recipe.get("model.drop_path") == 0.2
    with pytest.raises(UserError, match="drop_path"):
        applied("+drop_path", tree={**IMAGES, "model": {"type": "PixelSVM"}})
