"""The run folder: declared once, written in pieces, read as the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tricklab.errors import UserError
from tricklab.records import Evidence, RunFolder, save_tree

RECIPE: dict[str, Any] = {
    "task": "hyperspectral",
    "seed": 0,
    "data": {
        "ignore": [0],
        "remove_bands": ["104-108", "1e-3", "on", "010", "null", "~", "1_000", "0x1F", "12:30", ""],
    },
    "model": {"type": "HybridSN", "insert": [{"type": "SE", "after": "conv2d"}]},
    "optimizer": {"lr": 1e-5, "big": 1e300, "minus": -0.5, "betas": [0.9, 0.999], "eps": 1e-08},
    "names": {1: "Corn: no till", 2: "Größe", 3: "true", 4: "- x", 5: "#5", 6: "a\nb", 7: "'"},
    "flags": [True, False, None],
    "schedule": [],
}


def declare(path: Path, **changes: Any) -> RunFolder:
    given: dict[str, Any] = {"recipe": RECIPE, "block": 2, "arm": "+se", "experiment": "e", "tricks": [{"name": "se"}]}
    return RunFolder.create(path, **{**given, **changes})


def row(step: int, **more: Any) -> dict[str, Any]:
    return {"phase": "train", "step": step, "epoch": step / 10, "samples_seen": step * 8, "wall_s": 0.1 * step, **more}


def test_the_declaration_reads_back(tmp_path: Path) -> None:
    run = declare(tmp_path / "e" / "+se" / "2", observers=[{"type": "Ema"}], fit_from="base/2")
    again = RunFolder.open(run.path)
    assert again.recipe == RECIPE
    assert again.recipe["names"] == RECIPE["names"]
    assert again.status()["state"] == "planned"
    declared = again.declared
    assert (declared["block"], declared["arm"], declared["experiment"], declared["fit_from"]) == (
        2,
        "+se",
        "e",
        "base/2",
    )
    assert declared["tricks"] == [{"name": "se"}]
    assert declared["observers"] == [{"type": "Ema"}]


def test_the_recipe_reads_back_under_yaml_1_2_as_well(tmp_path: Path) -> None:
    recipes = pytest.importorskip("tricklab.recipe")
    run = declare(tmp_path / "r")
    try:
        loaded = recipes.load(run.path / "recipe.yaml")
    except UserError as error:
        pytest.fail(str(error))
    assert loaded.tree["data"]["remove_bands"] == RECIPE["data"]["remove_bands"]
    assert loaded.tree["optimizer"] == RECIPE["optimizer"]


def test_declaring_twice_is_harmless_and_another_run_is_refused(tmp_path: Path) -> None:
    run = declare(tmp_path / "r")
    run.set_status("running")
    with run.lock():
        assert declare(tmp_path / "r").status()["state"] == "running"
    with pytest.raises(UserError, match="another run lives in this folder; it differs in block, recipe_digest"):
        declare(tmp_path / "r", block=3, recipe={**RECIPE, "seed": 1})


def test_an_edited_recipe_is_refused(tmp_path: Path) -> None:
    run = declare(tmp_path / "r")
    path = run.path / "recipe.yaml"
    path.write_text(path.read_text().replace("seed: 0", "seed: 1"))
    with pytest.raises(UserError, match=r"recipe\.yaml: this recipe was changed"):
        _ = run.recipe
    path.unlink()
    with pytest.raises(UserError, match="missing"):
        _ = run.recipe


def test_opening_says_where_the_runs_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        RunFolder.open(tmp_path / "nothing")
    declare(tmp_path / "e" / "base" / "0")
    with pytest.raises(UserError, match=r"runs inside it: .*base/0"):
        RunFolder.open(tmp_path / "e")


def test_status_takes_known_states_only(tmp_path: Path) -> None:
    run = declare(tmp_path / "r")
    run.set_status("failed", reason="loss is nan", step=12)
    found = run.status()
    assert (found["state"], found["reason"], found["step"]) == ("failed", "loss is nan", 12)
    with pytest.raises(ValueError, match="did you mean 'finished'"):
        run.set_status("finish")


def test_rows_beyond_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    run = declare(tmp_path / "r")
    for step in (10, 20, 30):
        run.append_metrics(row(step, loss=1 / step))
    before = run.metrics()[:2]
    assert run.drop_metrics_after(20) == 1
    assert run.metrics() == before
    assert run.drop_metrics_after(20) == 0
    run.append_metrics(row(21))
    assert [found["step"] for found in run.metrics()] == [10, 20, 21]


def test_a_row_says_where_it_stands(tmp_path: Path) -> None:
    run = declare(tmp_path / "r")
    with pytest.raises(ValueError, match="epoch, samples_seen, wall_s"):
        run.append_metrics({"phase": "train", "step": 1, "loss": 2.0})
    assert run.metrics() == []


def test_facts_events_and_evidence(tmp_path: Path) -> None:
    run = declare(tmp_path / "r")
    run.fact("loss/initial", 2.7)
    run.fact("order_hash", {0: "ab"})
    run.event("finding", rule="O04", text="loss down then up")
    run.fact("loss/initial", 2.8)
    run.append_metrics(row(10, loss=0.5))
    run.append_metrics({**row(10), "phase": "val", "val/oa": 0.9})
    run.append_metrics(row(20, loss=0.25, text="not a number"))
    run.append_metrics(row(30))
    assert Evidence.from_folder(run.path).result is None
    run.write_result({"metric": {"name": "val/oa", "value": 0.9, "mode": "max"}})
    evidence = Evidence.from_folder(run.path)
    assert evidence.fact("loss/initial") == 2.8
    assert evidence.fact("order_hash") == {"0": "ab"}
    assert evidence.fact("absent", "default") == "default"
    assert [event["kind"] for event in evidence.events] == ["fact", "fact", "finding", "fact"]
    steps, values = evidence.series("loss")
    assert steps.tolist() == [10, 20]
    assert values.tolist() == [0.5, 0.25]
    assert evidence.series("val/oa", phase="val")[1].tolist() == [0.9]
    assert evidence.series("text")[0].size == 0
    assert evidence.result is not None
    assert evidence.result["metric"]["value"] == 0.9
    assert evidence.recipe == RECIPE
    assert evidence.status["state"] == "planned"


def test_scores_are_arrays(tmp_path: Path) -> None:
    run = declare(tmp_path / "r")
    assert run.scores() == {}
    run.save_scores(index=np.arange(3), probability=np.ones((3, 2), dtype=np.float32), names=np.array(["a", "b"]))
    found = run.scores()
    assert found["index"].tolist() == [0, 1, 2]
    assert found["probability"].dtype == np.float32
    with pytest.raises(TypeError, match="Python objects"):
        run.save_scores(bad=np.array([object()]))
    (run.path / "scores.npz").write_bytes(b"torn")
    with pytest.raises(UserError, match="cannot be read"):
        run.scores()


def test_provenance_grows_but_the_declaration_stays(tmp_path: Path) -> None:
    run = declare(tmp_path / "r")
    run.add_provenance({"versions": {"torch": "2"}})
    run.add_provenance({"data_digest": {"train": "ab"}})
    assert set(run.provenance()) == {"declared", "versions", "data_digest"}
    with pytest.raises(ValueError, match="immutable"):
        run.add_provenance({"declared": {}})


def test_checkpoints_have_plain_names(tmp_path: Path) -> None:
    run = declare(tmp_path / "r")
    save_tree(run.checkpoint("average-Ema.0=99"), {"a": 1})
    assert (run.path / "checkpoints" / "average-Ema.0=99.safetensors").is_file()
    for bad in ("../x", "", "a/b", ".hidden"):
        with pytest.raises(ValueError, match="no name"):
            run.checkpoint(bad)
    assert run.figures.is_dir()
    assert run.predictions.is_dir()


def test_the_lock_clears_what_killed_writers_left(tmp_path: Path) -> None:
    run = declare(tmp_path / "r")
    leftover = run.checkpoint("resume").with_name(".resume.safetensors.1-0.partial")
    leftover.write_bytes(b"half")
    assert run.holder() is None
    with run.lock():
        assert not leftover.exists()
        assert run.holder() is not None
        with pytest.raises(UserError, match="this run is in use"), run.lock():
            pytest.fail("two holders")


def test_a_recipe_holds_plain_data(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="plain data"):
        declare(tmp_path / "r", recipe={"lr": object()})
    assert not (tmp_path / "r" / "status.json").exists()
