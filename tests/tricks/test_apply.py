"""Order, conflicts, write-sets and refusals when tricks are turned on together; users' own tricks."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tricks.arguments import own_tricks
from tricklab import tricks
from tricklab.errors import UserError
from tricklab.recipe import Recipe, load, parse, resolve
from tricklab.records import Evidence
from tricklab.tricks import Proof, trick
from tricklab.tricks._base import REGISTERED


@pytest.fixture
def own() -> Iterator[None]:
    """Forget tricks that a test declares."""
    before = dict(REGISTERED)
    yield
    REGISTERED.clear()
    REGISTERED.update(before)


def applied(*texts: str, overrides: tuple[str, ...] = ()) -> tricks.Applied:
    return tricks.apply(load("demo", list(overrides)), [parse(text) for text in texts])


def test_the_write_set_is_the_difference() -> None:
    found = applied("+se(reduction=8)", "+adamw(weight_decay=0.05)")
    assert found.writes == {
        0: {"model.insert.0": (None, {"type": "SE", "after": "conv2d", "reduction": 8})},
        1: {"optimizer.type": ("Adam", "AdamW"), "optimizer.weight_decay": (0.0, 0.05)},
    }
    assert found.recipe.resolved
    assert found.recipe.calls == ()
    assert found.calls[0].arguments == {"after": "conv2d", "reduction": 8}
    assert found.recipe.origin("optimizer.lr").text == resolve(load("demo")).origin("optimizer.lr").text
    assert found.recipe.origin("optimizer.weight_decay").text == "trick adamw"


def test_the_recipes_own_calls_are_applied() -> None:
    found = tricks.apply(load("demo", tricks=["+se"]))
    assert found.recipe.get("model.insert.0.type") == "SE"


@pytest.mark.parametrize(
    "texts",
    [
        ("+ema", "+swa"),
        ("+cosine", "+poly"),
        ("+step_decay(at=[3])", "+one_cycle"),
        ("+adamw", "+weight_decay(value=0.1)"),
        ("+weight_decay(value=0.1)", "+adamw"),
        ("+sgd(lr=0.1)", "+adamw"),
        ("+dropout(p=0.1)", "+dropout(p=0.2)"),
        ("+warmup(epochs=2)", "+warmup(epochs=3)"),
    ],
)
def test_two_tricks_that_write_one_path_are_refused(texts: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="both write") as caught:
        applied(*texts)
    assert "after=" in (caught.value.fix or "")


@pytest.mark.parametrize(
    "texts",
    [
        ("+warmup", "+cosine"),
        ("+cosine", "+warmup"),
        ("+se", "+se(after=conv3)"),
        ("+flips", "+rot90", "+spectral_noise", "+band_dropout"),
        ("+sgd(lr=0.1)", "+weight_decay(value=0.1)"),
        ("+ema", "+tta", "+se", "+step_decay(at=[3])", "+no_head_relu", "+label_smoothing", "+class_balanced"),
    ],
)
def test_tricks_that_go_together(texts: tuple[str, ...]) -> None:
    one, other = applied(*texts), applied(*reversed(texts))
    assert all(one.writes.values())
    assert one.recipe.get("train") == other.recipe.get("train")


def test_after_puts_one_trick_on_top_of_another() -> None:
    for texts in (
        ("+adamw", "+weight_decay(value=0.1, after=adamw)"),
        ("+weight_decay(value=0.1, after=adamw)", "+adamw"),
        ("+weight_decay(value=0.1, after=[adamw, ema])", "+adamw"),
    ):
        assert applied(*texts).recipe.get("optimizer.weight_decay") == 0.1
    assert applied("+weight_decay(value=0.1, after=adamw)").recipe.get("optimizer.weight_decay") == 0.1


def test_after_is_an_argument_of_se_and_the_order_has_another_name() -> None:
    found = applied("+se(after=conv3, after_trick=ema)", "+ema")
    assert found.calls[0].after == ("ema",)
    assert found.calls[0].arguments["after"] == "conv3"
    assert list(found.writes) == [0, 1]
    assert parse(found.calls[0].text).arguments["after_trick"] == ["ema"]


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        (("+emma",), "unknown trick 'emma'"),
        (("+se", "+se"), "asked for twice"),
        (("+weight_decay(value=1.0, after=emma)",), "unknown trick 'emma'"),
        (("+weight_decay(value=1.0, after=3)",), "takes the name of a trick"),
        (("+weight_decay(value=1.0, after=ema)", "+ema(after=weight_decay)"), "goes in a circle"),
        (("+whiten",), "changes nothing"),
        (("+weight_decay(value=0.0)",), "changes nothing"),
    ],
)
def test_refusals(texts: tuple[str, ...], what: str) -> None:
    with pytest.raises(UserError) as caught:
        applied(*texts)
    assert what in caught.value.what


def test_unknown_tricks_name_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'ema'"):
        applied("+emma")


def test_a_key_that_the_model_does_not_have() -> None:
    with pytest.raises(UserError, match=r"trick no_head_relu, model\.head_relu: unknown key 'head_relu' of PixelSVM"):
        applied("+no_head_relu", overrides=("model=PixelSVM",))


def test_a_decay_takes_the_place_of_another_and_keeps_the_warmup() -> None:
    schedule = "schedule=[{type: LinearWarmup, end: 2}, {type: Poly}, {type: Constant, factor: 0.5}]"
    kinds = [item["type"] for item in applied("+cosine", overrides=(schedule,)).recipe.get("schedule")]
    assert kinds == ["LinearWarmup", "Cosine"]
    one = applied("+cosine", overrides=("schedule=[{type: Poly}]",))
    assert [item["type"] for item in one.recipe.get("schedule")] == ["Cosine"]
    again = applied("+warmup(iterations=7)", overrides=("schedule=[{type: LinearWarmup, end: 2}]",))
    assert again.recipe.get("schedule.0.unit") == "iterations"


def test_sgd_keeps_what_belongs_to_the_parameters() -> None:
    recipe = applied("+sgd(lr=0.1)", overrides=("optimizer.weight_decay=0.3",)).recipe
    assert recipe.get("optimizer.weight_decay") == 0.3
    assert recipe.get("optimizer.momentum") == 0.9
    assert not recipe.has("optimizer.betas")


def test_a_trick_for_another_task(own: None) -> None:
    @trick("for_detection", tasks="detection", source="nowhere")
    def for_detection(recipe: Recipe) -> Recipe:
        """Does something else."""
        return recipe.set("seed", 1)

    with pytest.raises(UserError, match="is for detection, not for the task 'hyperspectral'"):
        applied("+for_detection")


def test_faults_of_a_trick_are_named(own: None) -> None:
    @trick("forgets", source="nowhere")
    def forgets(recipe: Recipe) -> Recipe:
        """Forgets to return."""
        recipe.set("seed", 1)
        return None  # type: ignore[return-value]

    @trick("lies", stage="evaluate", source="nowhere")
    def lies(recipe: Recipe) -> Recipe:
        """Says evaluate, changes the training."""
        return recipe.set("train.epochs", 3)

    @trick("misspells", source="nowhere")
    def misspells(recipe: Recipe) -> Recipe:
        """Writes a key that is not there."""
        return recipe.set("train.epoch", 3)

    for name, what in (("forgets", "returned NoneType"), ("lies", "says stage='evaluate'"), ("misspells", "'epoch'")):
        with pytest.raises(UserError, match=what):
            applied(f"+{name}")


def test_declaring_tricks_wrongly(own: None) -> None:
    def patch(recipe: Recipe, value: int = 1) -> Recipe:
        return recipe

    def swallowing(recipe: Recipe, **more: int) -> Recipe:
        return recipe

    with pytest.raises(UserError, match="two tricks are named 'ema'"):
        trick("ema")(patch)
    with pytest.raises(UserError, match="would swallow"):
        trick("swallows")(swallowing)
    with pytest.raises(UserError, match="stage must be"):
        trick("staged", stage="train")  # type: ignore[arg-type]
    made = trick("probed")(patch)
    with pytest.raises(UserError, match="when must be"):
        made.probe(when="later")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="names 'other'"):
        made.probe(when="fit")(lambda evidence, other: Proof(True, ""))


def test_a_probe_gets_the_arguments_of_the_call() -> None:
    evidence = Evidence(facts={"model/dropout": {"dropout": 0.2}})
    ((call, when, probe),) = tricks.probes([parse("+dropout(p=0.2)")])
    assert (call.name, when) == ("dropout", "first_steps")
    assert probe(evidence).live
    ((_, _, other),) = tricks.probes([parse("+dropout(p=0.3)")])
    assert not other(evidence).live


@pytest.mark.parametrize("name", [trick.name for trick in own_tricks()])
def test_no_probe_believes_an_empty_run(name: str) -> None:
    from tests.tricks.arguments import call_of

    for _, _, probe in tricks.probes([parse(call_of(name))]):
        proof = probe(Evidence())
        assert not proof.live
        assert proof.text


def test_one_user_file_holds_class_and_trick(tmp_path: Path, own: None) -> None:
    (tmp_path / "gate.py").write_text(
        inspect.cleandoc("""
        from torch import nn
        from tricklab.registry import component
        from tricklab.tricks import Proof, trick

        @component("block", given=("channels",))
        class MyGate(nn.Module):
            '''One gate for all.'''
            def __init__(self, start: float = 1.0, *, channels: int) -> None:
                super().__init__()

        @trick("my_gate", tasks="hyperspectral", source="an idea")
        def my_gate(recipe, start: float = 0.5):
            '''Gate everything.'''
            return recipe.append("model.insert", {"type": "MyGate", "after": "conv2d", "start": start})

        @my_gate.probe(when="first_steps")
        def there(evidence):
            '''A MyGate is in the model.'''
            return Proof("MyGate" in evidence.fact("model/modules", {}).values(), "looked for MyGate")
        """)
    )
    file = tmp_path / "mine.yaml"
    file.write_text("base: demo\nimports: [gate.py]\ntricks: [my_gate]\n")
    found = tricks.apply(load(file, tricks=[]))
    assert found.recipe.get("model.insert") == [{"type": "MyGate", "after": "conv2d", "start": 0.5}]
    saved = tmp_path / "elsewhere" / "recipe.yaml"
    saved.parent.mkdir()
    saved.write_text(found.recipe.to_yaml())
    assert resolve(load(saved)).digest() == found.recipe.digest()
    with pytest.raises(UserError, match="wrong value 'x' of 'start'"):
        tricks.apply(load(file, without=["my_gate"], tricks=["+my_gate(start=x)"]))
