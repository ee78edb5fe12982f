"""What every trick of the catalogue must be; third parties may run the same checks on theirs."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from typing import Any

import pytest

from tests.tricks.arguments import baseline, call_of, own_tricks
from tricklab import tricks
from tricklab.errors import UserError
from tricklab.recipe import load, parse, resolve
from tricklab.tricks import Trick

CATALOGUE = own_tricks()
CONTRACT = {
    "step_decay", "warmup", "cosine", "poly", "one_cycle", "se", "no_head_relu", "dropout", "ema", "swa", "tta",
    "flips", "rot90", "spectral_noise", "band_dropout", "class_balanced", "class_weights", "label_smoothing",
    "clip_norm", "sgd", "adamw", "weight_decay", "whiten", "no_whiten", "bf16", "horizontal_flip", "vertical_flip",
    "rotation", "random_crop", "random_resized_crop", "colour_jitter", "random_grey", "randaugment", "trivial_augment",
    "cutout", "random_erasing", "input_noise", "mixup", "cutmix", "mix", "normalise", "resize",
    "clip_value", "adaptive_clip", "layer_decay", "no_decay", "freeze", "gradual_unfreeze", "warmup_cosine",
    "drop_path", "stochastic_depth", "fp16",
    "distill", "pretrained", "snapshot", "fge", "soup",
    "head_lr", "norm_no_decay", "paramwise", "context",
    "ohem", "focal", "dice", "jaccard", "tversky", "lovasz", "boundary", "hausdorff", "avg_non_ignore", "aux_head",
    "multi_scale", "varied_crops", "rare_class_crops", "classmix", "copy_paste", "slide", "crf",
}  # fmt: skip
WRITES = {
    "step_decay": "schedule", "warmup": "schedule", "cosine": "schedule", "poly": "schedule", "one_cycle": "schedule",
    "se": "model.insert", "no_head_relu": "model.head_relu", "dropout": "model.dropout", "ema": "evaluate.",
    "slide": "evaluate.", "crf": "evaluate.postprocess",
    "swa": "evaluate.", "tta": "evaluate.postprocess", "flips": "data.augment", "rot90": "data.augment",
    "spectral_noise": "data.augment", "band_dropout": "data.augment", "class_balanced": "data.sampler",
    "class_weights": ("losses.0.class_weight", "losses.0.beta"), "label_smoothing": "losses.0.label_smoothing",
    "clip_norm": "train.clip_norm", "sgd": "optimizer", "adamw": "optimizer",
    "weight_decay": "optimizer.weight_decay", "whiten": "data.whiten", "no_whiten": "data.whiten",
    "bf16": "train.precision", "horizontal_flip": "data.augment", "vertical_flip": "data.augment",
    "rotation": "data.augment", "random_crop": "data.augment", "random_resized_crop": "data.augment",
    "colour_jitter": "data.augment", "random_grey": "data.augment", "randaugment": "data.augment",
    "trivial_augment": "data.augment", "cutout": "data.augment", "random_erasing": "data.augment",
    "input_noise": "data.augment", "mixup": "data.batch_augment", "cutmix": "data.batch_augment",
    "mix": "data.batch_augment", "normalise": "data.normalise", "resize": "data.resize",
    "clip_value": "train.clip_value", "adaptive_clip": "train.clip_adaptive",
    "layer_decay": "optimizer.layer_decay", "no_decay": "optimizer.decay_norm_and_bias", "freeze": "train.freeze",
    "gradual_unfreeze": "train.freeze", "warmup_cosine": "schedule", "drop_path": "model.drop_path",
    "stochastic_depth": ("model.drop_path", "train.drop_path_per"), "fp16": "train.precision",
    "distill": "losses", "pretrained": "model.",
    "snapshot": ("schedule", "evaluate."), "fge": ("schedule", "evaluate."), "soup": ("train.branches", "evaluate."),
    "ohem": "losses.0.sampler", "focal": "losses.0", "dice": "losses.2", "lovasz": "losses.2", "boundary": "losses.2",
    "jaccard": "losses.2", "tversky": "losses.2", "hausdorff": "losses.2", "avg_non_ignore": "losses.",
    "aux_head": ("model.auxiliary_head", "losses."),
    "context": "model.insert",
    "head_lr": "optimizer.custom_keys", "norm_no_decay": "optimizer.paramwise", "paramwise": "optimizer.paramwise",
    "multi_scale": "data.augment", "varied_crops": "data.augment", "rare_class_crops": "data.sampler",
    "classmix": "data.batch_augment", "copy_paste": "data.batch_augment",
}  # fmt: skip


def test_the_catalogue_is_complete() -> None:
    shipped = {trick.name for trick in CATALOGUE if "/src/tricklab/tricks/" in trick.file.replace("\\", "/")}
    assert shipped == CONTRACT


@pytest.mark.parametrize("trick", CATALOGUE, ids=lambda trick: trick.name)
def test_a_trick_says_what_it_is(trick: Trick) -> None:
    assert trick.summary.endswith(".")
    assert trick.source
    assert trick.probes, "no liveness probe"
    assert all(inspect.getdoc(probe.function) for probe in trick.probes)
    assert len(inspect.getsource(inspect.getmodule(trick.patch)).splitlines()) < 80  # type: ignore[arg-type]


@pytest.mark.parametrize("trick", CATALOGUE, ids=lambda trick: trick.name)
def test_a_patch_is_pure_and_writes_what_it_should(trick: Trick) -> None:
    recipe = resolve(baseline(trick.name))
    before = recipe.tree
    call = parse(call_of(trick.name))
    first, second = tricks.apply(recipe, [call]), tricks.apply(recipe, [call])
    assert recipe.tree == before
    assert first.recipe.tree == second.recipe.tree
    assert first.writes == second.writes
    assert first.writes[0]
    assert all(path.startswith(WRITES[trick.name]) for path in first.writes[0])
    assert first.recipe.digest() != recipe.digest()
    assert (first.recipe.digest("fit") == recipe.digest("fit")) == (trick.stage == "evaluate")
    for path, (_, after) in first.writes[0].items():
        assert first.recipe.get(path, None) == after
        if first.recipe.has(path):
            assert first.recipe.origin(path).text.split()[0] in ("trick", "default")
    assert f"trick {trick.name}" in {first.recipe.origin(path).text for path in first.writes[0]}


@pytest.mark.parametrize("trick", CATALOGUE, ids=lambda trick: trick.name)
def test_arguments_are_checked(trick: Trick) -> None:
    with pytest.raises(UserError, match="has no argument 'bogus'"):
        tricks.apply(baseline(trick.name), [parse(f"+{trick.name}(bogus=1)")])
    for parameter in trick.parameters:
        if "str" in parameter.annotation:
            continue
        call = parse(call_of(trick.name))
        wrong = dataclasses.replace(call, arguments=call.arguments | {parameter.name: {"a": "b"}})
        with pytest.raises(UserError, match=f"of '{parameter.name}'"):
            tricks.apply(baseline(trick.name), [wrong])
    for parameter in (p for p in trick.parameters if p.required):
        with pytest.raises(UserError, match=f"needs the argument '{parameter.name}'"):
            tricks.apply(baseline(trick.name), [parse(f"+{trick.name}")])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("+ema(decay=1.5)", "less than 1"),
        ("+ema(decay=0)", "greater than 0"),
        ("+ema(warmup=1)", "wrong value 1 of 'warmup'"),
        ("+step_decay(at=41)", "wrong value 41 of 'at'"),
        ("+step_decay(at=[-1])", "greater than 0"),
        ("+dropout(p='0.2')", "wrong value '0.2'"),
        ("+dropout(p=1)", "less than 1"),
        ("+se(reduction=2.5)", "wrong value 2.5"),
        ("+class_weights(kind=blanced)", "'balanced', 'effective' or 'log'"),
        ("+warmup(epochs=1, iterations=3)", "both given"),
        ("+clip_norm(value=.nan)", "wrong value nan"),
        ("+clip_norm(value=.inf)", "wrong value inf of 'value'"),
        ("+warmup(epochs=.inf)", "wrong value inf of 'epochs'"),
        ("+se(reduction=0)", "wrong value 0"),
        ("+one_cycle(pct_start=0)", "wrong value 0"),
        ("+one_cycle(div_factor=0.5)", "greater than 1"),
        ("+step_decay(at=[])", "rising moments"),
        ("+step_decay(at=[5, 3])", "rising moments"),
    ],
)
def test_wrong_arguments(text: str, what: str) -> None:
    with pytest.raises(UserError) as caught:
        tricks.apply(load("demo"), [parse(text)])
    assert what in caught.value.what
    assert parse(text).name in (caught.value.where or "")


def test_listing_tricks_needs_no_torch() -> None:
    code = "import sys; from tricklab import tricks; tricks.catalogue(); print([m for m in HEAVY if m in sys.modules])"
    code = code.replace("HEAVY", "('torch', 'numpy', 'pydantic', 'lightning', 'scipy')")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_plugin_comes_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    from tricklab.tricks import _catalogue

    class Point:
        name, value = "mine", "mine:tricks"

        def load(self) -> Any:
            return tricks.trick("from_a_plugin", source="nowhere")(lambda recipe: recipe.set("seed", 5))

    class Broken:
        name, value = "broken", "broken:tricks"

        def load(self) -> Any:
            raise ImportError("no module named broken")

    monkeypatch.setattr(_catalogue, "entry_points", lambda group: [Point()] if group == "tricklab" else [])
    monkeypatch.setattr(_catalogue, "_import_all", _catalogue._import_all.__wrapped__)
    try:
        assert tricks.get("from_a_plugin").source == "nowhere"
        assert tricks.apply(load("demo"), [parse("+from_a_plugin")]).recipe.get("seed") == 5
    finally:
        _catalogue.REGISTERED.pop("from_a_plugin", None)
    monkeypatch.setattr(_catalogue, "entry_points", lambda group: [Broken()])
    with pytest.raises(UserError, match="plugin 'broken' cannot be imported"):
        tricks.catalogue()
