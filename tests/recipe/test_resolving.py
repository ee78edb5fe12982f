"""Checking, defaults, origins, identities and the typed view."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from tests.recipe.toys import TEXT, TREE
from tricklab.errors import UserError
from tricklab.recipe import load, resolve, settings


def test_every_default_is_filled_in_with_its_origin() -> None:
    recipe = resolve(load(TREE))
    assert recipe.get("model") == {"type": "ToyNet", "dropout": 0.4, "layers": [2, 2], "act": True, "insert": []}
    assert recipe.get("data.scene.key") is None
    assert recipe.get("train.epochs") == 100
    assert recipe.get("losses.0.type") == "CrossEntropyLoss"
    origins = {path: recipe.origin(path).text for path in ("model.dropout", "data.scene.key", "data.window", "seed")}
    assert origins == {
        "model.dropout": "default of ToyNet",
        "data.scene.key": "default of ToyScene",
        "data.window": "default of toy",
        "seed": "default",
    }
    assert list(recipe.tree)[:4] == ["task", "seed", "data", "model"]


def test_resolving_twice_changes_nothing() -> None:
    once = resolve(load(TREE))
    twice = resolve(once)
    assert twice == once
    assert twice.origin("model.dropout").text == "default of ToyNet"


def test_a_resolved_recipe_loads_to_the_same_identity(tmp_path: Path) -> None:
    tree = TREE | {"data": TREE["data"] | {"class_names": {10: "corn"}}, "optimizer": {"type": "Adam", "lr": 1e-5}}
    recipe = resolve(load(tree))
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe.to_yaml())
    again = resolve(load(file))
    assert again.tree == recipe.tree
    assert [again.digest(half) for half in ("fit", "evaluate", "all")] == [
        recipe.digest(half) for half in ("fit", "evaluate", "all")
    ]
    assert resolve(load(recipe.tree)).digest() == recipe.digest()


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("seed=1", {"fit", "all"}),
        ("model.dropout=0.1", {"fit", "all"}),
        ("train.batch_size=7", {"fit", "all"}),
        ("evaluate.averaging={type: Ema}", {"evaluate", "all"}),
        ("metric.delta=0.1", {"evaluate", "all"}),
        ("data.root=/tmp", set()),
        ("train.workers=3", set()),
        ("train.threads=2", set()),
        ("train.device=cpu", set()),
        ("train.epochs=100", set()),
        ("model.dropout=0.4", set()),
        ("imports=[json]", None),
    ],
)
def test_halves(override: str, changed: set[str] | None) -> None:
    if changed is None:
        with pytest.raises(UserError, match="cannot be overridden"):
            load(TREE, [override])
        return
    one, other = resolve(load(TREE)), resolve(load(TREE, [override]))
    assert {half for half in ("fit", "evaluate", "all") if one.digest(half) != other.digest(half)} == changed


def test_key_order_and_number_spelling_are_no_identity() -> None:
    turned = {key: TREE[key] for key in reversed(TREE)}
    assert resolve(load(turned)).digest() == resolve(load(TREE)).digest()
    ones = [resolve(load(TREE, [f"losses.0.weight={text}"])).digest() for text in ("1", "1.0", "1e0")]
    assert len(set(ones)) == 1


def test_identity_needs_a_finished_recipe() -> None:
    with pytest.raises(ValueError, match="resolved"):
        load(TREE).digest()
    with pytest.raises(ValueError, match="resolved"):
        resolve(load(TREE, tricks=["+ema"])).digest()
    with pytest.raises(ValueError, match="not applied yet"):
        settings(load(TREE, tricks=["+ema"]))


def test_settings_are_typed_and_frozen() -> None:
    found = settings(load(TREE, ["train.iterations=8000", "train.validate_every.iterations=800"]))
    assert found.train.epochs is None
    assert found.train.iterations == 8000
    assert found.train.validate_every is not None
    assert found.train.validate_every.iterations == 800
    assert found.evaluate.weights == "last"
    assert found.metric.monitor == "val/oa"
    with pytest.raises(ValueError):
        found.seed = 3


FAULTS: list[tuple[str, str, str, str]] = [
    # text instead of a line of TEXT, where, what, fix
    ("tusk: toy", "r.yaml:1, tusk", "unknown key 'tusk'", "did you mean 'task'"),
    ("task: toi", "r.yaml:1, task", "unknown task 'toi'", "did you mean 'toy'"),
    ("  windwo: 9", "r.yaml:4, data.windwo", "unknown key 'windwo' of toy", "did you mean 'window'"),
    ("  window: nine", "r.yaml:4, data.window", "'nine'", ""),
    ("  window: 9.5", "r.yaml:4, data.window", "9.5", ""),
    ("  window: '9'", "r.yaml:4, data.window", "'9'", ""),
    ("  window: true", "r.yaml:4, data.window", "True", ""),
    ("  type: toy", "r.yaml:4, data", "no type of its own", ""),
    ("  scene: {type: ToyScene, flie: a}", "r.yaml:3, data.scene.flie", "unknown key 'flie'", "did you mean 'file'"),
    ("  scene: {type: ToySceen, file: a}", "r.yaml:3, data.scene.type", "'ToySceen'", "did you mean 'ToyScene'"),
    ("  scene: {type: ToyScene}", "r.yaml:3, data.scene.file", "needs the key 'file'", ""),
    ("  type: ToyNett", "r.yaml:6, model.type", "unknown model 'ToyNett'", "did you mean 'ToyNet'"),
    ("  dropuot: 0.2", "r.yaml:7, model.dropuot", "'dropuot'", "did you mean 'dropout'"),
    ("  insert: [{type: SE}]", "r.yaml:7, model.insert.0.after", "needs the key 'after'", ""),
    ("  insert: {type: SE}", "r.yaml:7, model.insert", "must be a list", ""),
    ("  insert: [{type: SEE, after: x}]", "r.yaml:7, model.insert.0.type", "unknown block 'SEE'", "did you mean 'SE'"),
    ("optimizer: {type: Adam, lr: fast}", "r.yaml:8, optimizer.lr", "'fast'", ""),
    ("optimizer: {type: Adam, betas: [0.9]}", "r.yaml:8, optimizer.betas.1", "needs the key 1", ""),
    ("optimizer: {lr: 1e-3}", "r.yaml:8, optimizer", "needs the key 'type'", "Adam"),
    ("optimizer: [Adam]", "r.yaml:8, optimizer", "valid dictionary", ""),
    ("losses: {type: CrossEntropyLoss}", "r.yaml:8, losses", "valid list", ""),
    ("schedule: [{type: Cosin}]", "r.yaml:8, schedule.0.type", "'Cosin'", "did you mean 'Cosine'"),
    ("evaluate: {weights: best}", "r.yaml:8, evaluate.weights", "'best'", ""),
    ("evaluate: {weights: average}", "r.yaml:8, evaluate.weights", "nothing is averaged", "evaluate.averaging"),
    ("evaluate: {averaging: {type: EMA}}", "r.yaml:8, evaluate.averaging.type", "'EMA'", "did you mean 'Ema'"),
    ("evaluate: 3", "r.yaml:8, evaluate", "must be a mapping", "weights"),
    ("metric: {monitor: oa}", "r.yaml:8, metric.monitor", "'oa'", ""),
    ("metric: {delta: .nan}", "r.yaml:8, metric.delta", "nan", ""),
    ("metric: {delta: 0}", "r.yaml:8, metric.delta", "greater than 0", ""),
    ("seed:", "r.yaml:8, seed", "None", ""),
    ("losses:", "r.yaml:8, losses", "None", ""),
    ("seed: -1", "r.yaml:8, seed", "-1", ""),
    ("imports: x.py", "r.yaml:8", "imports must be a list", ""),
    ("  epoch: 5", "r.yaml:10, train.epoch", "unknown key 'epoch'", "did you mean 'epochs'"),
    ("  epochs: 0", "r.yaml:10, train.epochs", "greater than or equal to 1", ""),
    ("  epochs: 1e2", "r.yaml:10, train.epochs", "100.0", ""),
    ("  batch_size: many", "r.yaml:10, train.batch_size", "'many'", ""),
    ("  precision: 16", "r.yaml:10, train.precision", "16", ""),
    ("  device: gpu", "r.yaml:10, train.device", "'gpu'", ""),
    ("  validate_every: {epoch: 1}", "r.yaml:10, train.validate_every.epoch", "'epoch'", "did you mean 'epochs'"),
    ("  validate_every: {}", "r.yaml:10, train.validate_every", "exactly one of", ""),
    ("  validate_every: {epochs: 1, samples: 2}", "r.yaml:10, train.validate_every", "exactly one of", "=null"),
    ("  {epochs: 5, iterations: 7}", "r.yaml:9, train", "epochs (r.yaml:10) and iterations (r.yaml:10)", "=null"),
    ("  {clip_norm: 1, clip_value: 1}", "r.yaml:10, train", "both set", "choose one"),
    ("  {clip_value: 1, clip_adaptive: 0.01}", "r.yaml:10, train", "both set", "train.clip_value=null"),
    ("  clip_adaptive_head: true", "r.yaml:10, train.clip_adaptive_head", "nothing is clipped", "train.clip_adaptive"),
    ("  clip_adaptive: 0", "r.yaml:10, train.clip_adaptive", "greater than 0", ""),
    ("  {drop_path_per: row}", "r.yaml:10, train.drop_path_per", "'row'", ""),
    ("  freeze: {match: stem}", "r.yaml:10, train.freeze", "valid list", ""),
    ("  freeze: [stem]", "r.yaml:10, train.freeze.0", "must be a mapping", "match: NAME"),
    ("  freeze: [{mach: stem}]", "r.yaml:10, train.freeze.0.mach", "unknown key 'mach'", "did you mean 'match'"),
    ("  freeze: [{until: {epochs: 1}}]", "r.yaml:10, train.freeze.0", "exactly one of match, layers", ""),
    ("  freeze: [{match: a}, {match: b, layers: 1}]", "r.yaml:10, train.freeze.1", "exactly one of match", "=null"),
    ("  freeze: [{layers: 0}]", "r.yaml:10, train.freeze.0.layers", "freezes nothing", ""),
    ("  freeze: [{layers: 1.5}]", "r.yaml:10, train.freeze.0.layers", "1.5", ""),
    ("  freeze: [{layers: 1, until: {}}]", "r.yaml:10, train.freeze.0.until", "exactly one of", ""),
    ("  freeze: [{layers: 1, until: 2}]", "r.yaml:10, train.freeze.0.until", "2", ""),
    ("  freeze: [{layers: 1, until: {epoch: 2}}]", "r.yaml:10, train.freeze.0.until", "'epoch'", "did you mean"),
    ("  freeze: [{layers: 1, batch_norm: on}]", "r.yaml:10, train.freeze.0.batch_norm", "'on'", ""),
]
REPLACED = {
    "tusk": 0,
    "task": 0,
    "  scene": 2,
    "  win": 3,
    "  type: toy": 3,
    "  type: ToyNett": 5,
    "  dr": 6,
    "  in": 6,
}


def with_fault(fault: str) -> str:
    """TEXT with one line replaced: the one that the fault resembles."""
    lines = TEXT.splitlines()
    number = next((line for start, line in REPLACED.items() if fault.startswith(start)), 9 if fault[0] == " " else 7)
    lines[number] = fault
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("fault", "where", "what", "fix"), FAULTS, ids=[fault[0].strip() for fault in FAULTS])
def test_faults_name_line_path_and_cure(
    fault: str, where: str, what: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(with_fault(fault))
    with pytest.raises(UserError) as caught:
        resolve(load("r.yaml"))
    assert (caught.value.where or "").startswith(where), caught.value
    assert what in caught.value.what
    assert fix in (caught.value.fix or "")


@pytest.mark.parametrize("key", ["task", "data", "model"])
def test_what_every_recipe_needs(key: str) -> None:
    with pytest.raises(UserError, match=f"no {key!r}"):
        resolve(load({name: value for name, value in TREE.items() if name != key}))


def test_a_recipe_is_never_changed_in_place() -> None:
    recipe = load(TREE)
    tree = recipe.tree
    tree["model"]["type"] = "Other"
    recipe.get("data")["window"] = 1
    changed = recipe.set("model.dropout", 0.1).append("schedule", {"type": "Cosine"}).remove("data.scene.file")
    assert recipe.tree == TREE
    assert changed.get("model.dropout") == 0.1
    assert changed.get("schedule") == [{"type": "Cosine"}]
    assert not changed.has("data.scene.file")


def test_changes_that_cannot_be() -> None:
    recipe = load(TREE | {"losses": [{"type": "A"}]})
    wrong: list[Any] = [
        (lambda: recipe.get("modle.type"), "did you mean 'model'"),
        (lambda: recipe.set("model.type.name", 1), "has no key 'name'"),
        (lambda: recipe.set("losses.4.type", 1), "has no '4'"),
        (lambda: recipe.append("model", 1), "is not a list"),
        (lambda: recipe.remove("model.dropuot"), "no 'dropuot' to remove"),
        (lambda: recipe.set("seed", object()), "is not plain data"),
    ]
    for change, message in wrong:
        with pytest.raises(UserError, match=message):
            change()


def test_a_recipe_survives_pickling() -> None:
    recipe = resolve(load(TREE, tricks=["+se(reduction=8)"]))
    again = pickle.loads(pickle.dumps(recipe))
    assert again == recipe
    assert again.calls[0].origin == recipe.calls[0].origin


def test_frozen_parts_are_filled_in_and_belong_to_the_training() -> None:
    tree = {**TREE, "train": {"epochs": 3, "freeze": [{"match": "stem", "until": {"epochs": 2}}, {"layers": -1}]}}
    recipe = resolve(load(tree))
    assert recipe.get("train.freeze.0") == {
        "match": "stem", "layers": None, "until": {"epochs": 2}, "batch_norm": "eval"
    }  # fmt: skip
    assert str(recipe.origin("train.freeze.1.batch_norm")) == "default"
    assert settings(recipe).train.freeze[1].layers == -1
    plain = resolve(load({**TREE, "train": {"epochs": 3}}))
    assert plain.get("train.freeze") == []
    for path, value in (
        ("train.freeze.0.until.epochs", 1),
        ("train.freeze.1.batch_norm", "train"),
        ("train.clip_adaptive", 0.01),
        ("train.drop_path_per", "batch"),
    ):
        assert resolve(recipe.set(path, value)).digest("fit") != recipe.digest("fit")
        assert resolve(recipe.set(path, value)).digest("evaluate") == recipe.digest("evaluate")
    by_override = resolve(load({**TREE, "train": {"epochs": 3}}, ["train.freeze=[{match: stem}]"]))
    assert by_override.get("train.freeze.0.match") == "stem"
