"""Tricks of losses: what they write, what they refuse, and what a short training shows their probes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tricks.arguments import BASELINE, RECIPES, call_of
from tricklab import tricks
from tricklab.errors import UserError
from tricklab.recipe import load, parse
from tricklab.recipe.digest import digest
from tricklab.records import Evidence, RunFolder

RECIPE = RECIPES["segmentation"]
NAMES = [
    "ohem", "focal", "dice", "jaccard", "tversky", "lovasz", "boundary", "hausdorff", "avg_non_ignore", "class_weights",
    "label_smoothing", "aux_head",
]  # fmt: skip


def applied(texts: list[str], overrides: list[str] | None = None) -> tricks.Applied:
    return tricks.apply(load(RECIPE, overrides or []), [parse(text) for text in texts])


def test_the_snippet_of_document_001() -> None:
    found = applied(["+ohem(thresh=0.7, min_kept=100000)"]).recipe.get("losses.0.sampler")
    assert found == {"type": "OHEMPixelSampler", "thresh": 0.7, "min_kept": 100000, "divisor": "kept", "per": "image"}


def test_focal_loss_keeps_what_the_first_loss_says() -> None:
    texts = ["+class_weights", "+ohem(min_kept=100, after=class_weights)", "+focal(gamma=3.0, after=ohem)"]
    found = applied(texts, ["losses.0.weight=0.7", "losses.0.divisor=all", "losses.0.name=first"]).recipe.get(
        "losses.0"
    )
    assert (found["type"], found["gamma"], found["weight"], found["divisor"]) == ("FocalLoss", 3.0, 0.7, "all")
    assert (found["class_weight"], found["name"], found["sampler"]["min_kept"]) == ("balanced", "first", 100)
    with pytest.raises(UserError, match="smooths no labels"):
        applied(["+focal"], ["losses.0.label_smoothing=0.1"])
    with pytest.raises(UserError, match="is a DiceLoss"):
        applied(["+focal"], ["losses=[{type: DiceLoss}]"])


def test_losses_are_added_on_the_output_that_is_named_once() -> None:
    recipe = applied(["+dice(on=aux)", "+lovasz", "+boundary"]).recipe
    assert [(term["type"], term["on"]) for term in recipe.get("losses")[2:]] == [
        ("DiceLoss", "aux"),
        ("LovaszLoss", "main"),
        ("BoundaryLoss", "main"),
    ]
    with pytest.raises(UserError, match="has a DiceLoss on main already"):
        applied(["+dice"], ["losses.2={type: DiceLoss}"])


def test_an_auxiliary_head_is_that_of_pspnet() -> None:
    alone = ["model.auxiliary_head=null", "losses=[{type: CrossEntropyLoss}]", "model.decode_head.channels=512"]
    found = applied(["+aux_head"], alone).recipe
    head = found.get("model.auxiliary_head")
    assert (head["type"], head["in_index"], head["channels"], head["num_convs"]) == ("FCNHead", 2, 256, 1)
    assert head["concat_input"] is False
    assert [(term["on"], term["weight"]) for term in found.get("losses")] == [("main", 1.0), ("aux", 0.4)]
    assert applied(["+aux_head(channels=7, in_index=1)"], alone).recipe.get("model.auxiliary_head.channels") == 7
    with pytest.raises(UserError, match="has an auxiliary head already"):
        applied(["+aux_head"])


def test_tversky_hands_its_factors_on() -> None:
    term = applied(["+tversky(alpha=0.1, beta=0.9, weight=2)"]).recipe.get("losses.2")
    assert (term["type"], term["alpha"], term["beta"], term["weight"]) == ("TverskyLoss", 0.1, 0.9, 2.0)


def test_effective_numbers_have_a_beta() -> None:
    first = applied(["+class_weights(kind=effective, beta=0.999999)"]).recipe.get("losses.0")
    assert (first["class_weight"], first["beta"]) == ("effective", 0.999999)
    tversky = ["losses=[{type: TverskyLoss}]"]
    first = applied(["+class_weights(kind=effective, beta=0.9)"], tversky).recipe.get("losses.0")
    assert (first["class_weight"], first["beta"], first["class_beta"]) == ("effective", 0.7, 0.9)
    with pytest.raises(UserError, match="only effective numbers have a beta, not balanced"):
        applied(["+class_weights(beta=0.9)"])


def test_avg_non_ignore_is_the_default_already() -> None:
    with pytest.raises(UserError, match="ignored ones count nowhere already"):
        applied(["+avg_non_ignore"])
    recipe = applied(["+avg_non_ignore"], ["losses.0.divisor=all"]).recipe
    assert [term["divisor"] for term in recipe.get("losses")] == ["count", "weights"]


def test_recipes_that_say_nothing_of_the_new_keys_keep_their_identity() -> None:
    old = {"type": "CrossEntropyLoss", "on": "main", "weight": 1.0, "ignore_index": -1, "divisor": "weights"}
    new = {**old, "ignore_index": None, "name": None, "sampler": None, "use_sigmoid": False}
    first = digest({"losses": [old]}, "fit")
    assert digest({"losses": [new]}, "fit") == first
    for key, value in (("ignore_index", 0), ("use_sigmoid", True), ("name", "ce"), ("sampler", {"type": "A"})):
        assert digest({"losses": [{**new, key: value}]}, "fit") != first


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], Evidence]:
    from tricklab.engine import execute

    found: dict[tuple[str, bool], Evidence] = {}
    plain: dict[tuple[str, ...], Evidence] = {}
    for name in NAMES:
        overrides = [*BASELINE.get(name, []), "train.log_every={iterations: 2}"]
        for on in (True, False):
            if not on and tuple(overrides) in plain:
                found[name, on] = plain[tuple(overrides)]
                continue
            made = tricks.apply(load(RECIPE, overrides, [call_of(name)] if on else []))
            folder: Path = tmp_path_factory.mktemp("runs") / "tiny" / "arm" / "0"
            RunFolder.create(folder, recipe=made.recipe.tree, block=0, arm="arm", experiment="tiny", tricks=[])
            execute(folder, threads=1, device="cpu", progress=False)
            found[name, on] = Evidence.from_folder(folder)
            if not on:
                plain[tuple(overrides)] = found[name, on]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_probes_pass_when_on_and_fail_when_off(name: str, evidence: dict[tuple[str, bool], Evidence]) -> None:
    on, off = evidence[name, True], evidence[name, False]
    assert on.status["state"] == off.status["state"] == "finished", (on.status, off.status)
    probes = tricks.probes([tricks.parse(call_of(name))])
    assert probes
    for _, when, probe in probes:
        assert probe(on).live, f"on, {when}: {probe(on).text}"
        assert not probe(off).live, f"off, {when}: {probe(off).text}"
