"""What a run leaves behind, in every state that it can end in."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch

from tests.engine.conftest import MakeRun
from tricklab.engine import execute, load_run
from tricklab.errors import UserError
from tricklab.models.hybridsn import HybridSN
from tricklab.ops.denormals import flushes_denormals
from tricklab.records import Evidence, RunFolder, load_tree
from tricklab.tricks import Proof, trick

QUICK = ["train.iterations=4", "train.validate_every=null", "train.checkpoint_every=null"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    from tests.engine.conftest import make_run

    make = make_run.__wrapped__(tmp_path_factory.mktemp("finished"))  # type: ignore[attr-defined]
    run = make("arm", ["train.clip_norm=1.0"], ["+se(reduction=4)", "+step_decay(at=[1])"])
    execute(run.path, threads=1, progress=False)
    return run


def test_a_finished_folder_holds_everything(finished: RunFolder) -> None:
    files = {str(path.relative_to(finished.path)) for path in finished.path.rglob("*") if path.is_file()}
    assert files == {
        "recipe.yaml",
        "provenance.json",
        "status.json",
        "result.json",
        "scores.npz",
        "lock",
        "metrics.jsonl",
        "events.jsonl",
        "checkpoints/weights.safetensors",
        "checkpoints/fitted.safetensors",
    }
    assert finished.status()["state"] == "finished"
    provenance = finished.provenance()
    assert provenance["execution"] == {"threads": 1, "device": "cpu", "processes": 1}
    assert provenance["environment"]["data_digest"].keys() == {"train", "val", "test"}


def test_result_agrees_with_the_scores_of_single_pixels(finished: RunFolder) -> None:
    result, scores = finished.result(), finished.scores()
    right = scores["prediction"] == scores["target"]
    assert result["metric"] == {"name": "val/oa", "value": right.mean(), "mode": "max", "delta": None}
    assert np.array(result["confusion"]).sum() == len(right) == len(np.unique(scores["index"]))
    assert np.trace(np.array(result["confusion"])) == right.sum()
    assert scores["confidence"].min() >= 1 / 4 - 1e-6
    assert result["values"]["val/loss"] > 0
    assert result["trivial"]["val/kappa"] == 0
    assert result["loss_terms"] == ["CrossEntropyLoss.main"]
    assert result["steps"] == 16
    assert result["samples_seen"] == 2 * Evidence.from_folder(finished.path).fact("data/sizes")["train"]
    assert result["cost"].keys() == {"wall_s", "train_s", "evaluate_s", "device", "threads", "peak_memory_mb"}


def test_rows(finished: RunFolder) -> None:
    rows = finished.metrics()
    train = [row for row in rows if row["phase"] == "train"]
    assert [row["step"] for row in train] == [1, 3, 6, 9, 10, 12, 15, 16]
    assert [row["step"] for row in rows if row["phase"] == "val"] == [8, 16]
    assert train[2]["lr"] == pytest.approx(1e-3)
    assert train[3]["lr"] == pytest.approx(1e-4)
    for row in train:
        assert {"eta_s", "time", "data_time", "memory_mb", "grad_norm", "clipped", "loss", "loss_mean"} <= row.keys()
        assert 0 <= row["observe/se/scale/min"] <= row["observe/se/scale"] <= row["observe/se/scale/max"] <= 1
    assert rows[-1]["val/oa"] == finished.result()["values"]["val/oa"]
    assert rows[-1]["val/trivial_oa"] < 1


@pytest.mark.parametrize(
    "name",
    [
        "model/parameters", "model/modules", "model/parameter_names", "model/dropout", "optimizer/class",
        "optimizer/groups", "optimizer/unmatched", "data/sizes", "data/class_counts", "data/leakage",
        "data/statistics_fitted_on", "data/split", "data/augment", "data/epoch_class_counts", "data/band_scales",
        "loss/initial", "loss/expected_initial", "loss/class_weights", "loss/perfect", "evaluate/training_modules",
        "evaluate/repeat_difference", "evaluate/loaded_keys", "schedule/planned", "order_hash",
        "initial_weights_digest", "train/output_dtype", "train/end_loss", "fit/finished",
    ],
)  # fmt: skip
def test_facts(finished: RunFolder, name: str) -> None:
    assert name in Evidence.from_folder(finished.path).facts


def test_values_of_facts(finished: RunFolder) -> None:
    fact = Evidence.from_folder(finished.path).fact
    model = HybridSN(bands=13, window=9, classes=4)
    assert fact("model/parameters") == sum(p.numel() for p in model.parameters()) + 2 * 64 * 64 // 4
    assert fact("loss/expected_initial") == pytest.approx(math.log(4))
    assert fact("loss/initial") == pytest.approx(math.log(4), rel=0.2)
    assert fact("loss/perfect")["CrossEntropyLoss.main"] < 1e-3
    assert fact("evaluate/loaded_keys")["missing"] == []
    assert fact("evaluate/loaded_keys")["loaded"] == len(load_tree(finished.checkpoint("weights")))
    assert fact("evaluate/repeat_difference") == 0
    assert fact("evaluate/training_modules") == []
    assert fact("order_hash").keys() == {"0", "1"}
    assert fact("schedule/planned")[0] == [0, 1.0]
    assert fact("data/band_scales") == pytest.approx([1.0] * 13, abs=0.05)
    assert sum(fact("data/epoch_class_counts")) == fact("data/sizes")["train"]


def test_probes_and_findings_are_events(finished: RunFolder) -> None:
    probes = [(event["trick"], event["live"]) for event in finished.events() if event["kind"] == "probe"]
    assert {name for name, _ in probes} == {"se", "step_decay"}
    assert all(live for _, live in probes)
    findings = [event["rule"] for event in finished.events() if event["kind"] == "finding"]
    assert "D07" in findings
    assert len(findings) == len(set(findings))


def test_denormal_numbers_are_zero_while_it_runs_and_not_after(make_run: MakeRun) -> None:
    seen: list[bool] = []
    run = make_run("flushed")
    execute(run.path, threads=1, progress=False, observers=[lambda row: seen.append(flushes_denormals())])
    assert set(seen) == {True}
    assert not flushes_denormals()


def test_executing_again_repeats_nothing(finished: RunFolder) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.path.rglob("*") if path.name != "lock"}
    assert execute(finished.path)["metric"] == finished.result()["metric"]
    after = {path: path.stat().st_mtime_ns for path in finished.path.rglob("*") if path.name != "lock"}
    assert after == before


def test_non_finite_loss_is_a_failure_with_term_and_step(make_run: MakeRun) -> None:
    run = make_run(overrides=["optimizer={type: SGD, lr: 1e30}"])
    out = execute(run.path, threads=1, progress=False)
    assert (out["state"], out["reason"]) == ("failed", "non-finite")
    (failure,) = [event for event in run.events() if event["kind"] == "failure"]
    assert failure["term"] == "loss/CrossEntropyLoss.main"
    assert failure["step"] <= 4
    assert execute(run.path)["state"] == "failed"
    assert run.result() is None


def test_a_metric_that_is_no_number_is_a_failure(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    from tricklab.tasks.hyperspectral import HyperspectralTask

    evaluate = HyperspectralTask.evaluate

    def without_loss(*arguments: Any, **options: Any) -> Any:
        found = evaluate(*arguments, **options)
        found.values["loss"] = math.nan
        return found

    monkeypatch.setattr(HyperspectralTask, "evaluate", without_loss)
    run = make_run(overrides=[*QUICK, "metric.monitor=val/loss", "metric.mode=min"])
    out = execute(run.path, threads=1, progress=False)
    assert (out["state"], out["reason"]) == ("failed", "non-finite")
    assert out["message"].startswith("val/loss is nan")
    assert run.result() is None


@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_a_failure_whatever_the_metric(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, lost: float
) -> None:
    forward = HybridSN.forward

    def overflowing(self: HybridSN, x: torch.Tensor) -> dict[str, torch.Tensor]:
        found = forward(self, x)
        return (
            found
            if self.training
            else {name: logits.index_fill(1, torch.tensor(1), lost) for name, logits in found.items()}
        )

    monkeypatch.setattr(HybridSN, "forward", overflowing)
    run = make_run(overrides=QUICK)
    out = execute(run.path, threads=1, progress=False)
    assert (out["state"], out["reason"]) == ("failed", "non-finite")
    assert re.match(r"a probability of (\d+) of \1 items of the val set is nan at step 4", out["message"])
    assert run.result() is None


def test_a_finished_run_whose_answers_are_no_numbers_is_not_scored(
    finished: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HybridSN, "forward", lambda self, x: {"main": torch.full((len(x), 4), math.nan)})
    with pytest.raises(UserError, match=r"a probability of .* of the val set is nan, so nothing can be scored"):
        load_run(finished.path, threads=1).scored("val")


def test_exception_in_training_is_a_failure_with_its_traceback(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: HybridSN, x: torch.Tensor) -> dict[str, torch.Tensor]:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(HybridSN, "forward", broken)
    run = make_run()
    out = execute(run.path, threads=1, progress=False)
    assert (out["state"], out["reason"]) == ("failed", "exception")
    (failure,) = [event for event in run.events() if event["kind"] == "failure"]
    assert "in broken" in failure["traceback"]
    assert failure["phase"] == "training"


@trick("does_nothing_at_all", stage="fit", source="a test")
def does_nothing(recipe: Any) -> Any:
    """Write a value and have no effect that a probe could find."""
    return recipe.set("train.log_every", {"iterations": 2})


@does_nothing.probe(when="first_steps")
def never_live(evidence: Evidence) -> Proof:
    return Proof(False, f"{len(evidence.rows)} rows, nothing to see", {"rows": len(evidence.rows)})


def test_a_trick_that_does_nothing_stops_the_run(make_run: MakeRun) -> None:
    run = make_run(calls=["+does_nothing_at_all"])
    out = execute(run.path, threads=1, progress=False)
    assert (out["state"], out["trick"]) == ("not_live", "does_nothing_at_all")
    (probe,) = [event for event in run.events() if event["kind"] == "probe"]
    assert not probe["live"]
    assert probe["numbers"]["rows"] > 0
    assert max(row["step"] for row in run.metrics()) == 10
    assert run.result() is None


def test_a_death_before_the_evaluation_does_not_lose_the_probes_of_the_fit(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(calls=["+step_decay(at=[1])"])

    def dies(*arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("tricklab.engine.execution.facts_of", dies)
    assert execute(run.path, threads=1, progress=False)["reason"] == "out of memory"
    monkeypatch.undo()
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    assert [event["when"] for event in run.events() if event["kind"] == "probe"] == ["fit"]


def test_bad_input_is_refused_and_may_be_mended(make_run: MakeRun) -> None:
    run = make_run(overrides=["data.split={type: RandomPixels, train: 0.2, val: 0.0}"])
    with pytest.raises(UserError, match=r"metric.monitor: val/oa is declared, but the val set is empty.*test/oa"):
        execute(run.path, threads=1, progress=False)
    assert run.status()["state"] == "refused"


def test_protocol_without_validation_logs_each_touch_of_the_test_set(make_run: MakeRun) -> None:
    overrides = ["data.split={type: RandomPixels, train: 0.2, val: 0.0}", "metric.monitor=test/kappa"]
    run = make_run(overrides=[*overrides, "train.epochs=2"])
    result = execute(run.path, threads=1, progress=False)
    touches = [(event["step"], event["by"]) for event in run.events() if event["kind"] == "test_touched"]
    assert touches == [(11, "validation"), (22, "evaluation")]
    assert result["metric"]["value"] == result["values"]["test/kappa"]


def test_a_folder_in_use_is_refused_and_left_alone(make_run: MakeRun) -> None:
    run = make_run()
    with run.lock(), pytest.raises(UserError, match="in use"):
        execute(run.path)
    assert run.status()["state"] == "planned"


@pytest.mark.parametrize(
    ("options", "dtype"),
    [
        (["train.precision=bf16-mixed"], "torch.bfloat16"),
        (["train.precision=64-true"], "torch.float64"),
        (["train.memory_format=channels_last", "train.accumulate=3", "train.clip_value=0.1"], "torch.float32"),
    ],
)
def test_arithmetic_options(make_run: MakeRun, options: list[str], dtype: str) -> None:
    run = make_run(overrides=[*QUICK, *options])
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    assert Evidence.from_folder(run.path).fact("train/output_dtype") == dtype


def test_precision_that_the_device_lacks_is_refused(make_run: MakeRun) -> None:
    run = make_run(overrides=["train.precision=16-mixed", "train.device=cpu"])
    with pytest.raises(UserError, match=r"train\.precision: float16"):
        execute(run.path, threads=1, progress=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_training_gives_the_same_up_to_rounding(make_run: MakeRun) -> None:
    common = ["train.iterations=6", "train.validate_every=null", "model.dropout=0.0"]
    plain, compiled = make_run("plain", common), make_run("compiled", [*common, "train.compile=true"])
    for run in (plain, compiled):
        assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    left, right = (load_tree(run.checkpoint("weights")) for run in (plain, compiled))
    assert left.keys() == right.keys()
    assert all(torch.allclose(left[name], right[name], atol=1e-4) for name in left)


def test_accumulated_gradients_equal_those_of_the_whole_batch(make_run: MakeRun) -> None:
    # 8 divides 16 and dropout is off, so both take the same steps up to rounding
    common = ["train.validate_every=null", "model.dropout=0.0", "train.iterations=6", "train.precision=64-true"]
    whole = make_run("whole", [*common, "train.batch_size=16"])
    parts = make_run("parts", [*common, "train.batch_size=8", "train.accumulate=2"])
    for run in (whole, parts):
        execute(run.path, threads=1, progress=False)
    left, right = (load_tree(run.checkpoint("weights")) for run in (whole, parts))
    assert all(torch.allclose(left[name], right[name], atol=1e-10) for name in left)
    assert [r["loss"] for r in whole.metrics() if r["phase"] == "train"] == pytest.approx(
        [r["loss"] for r in parts.metrics() if r["phase"] == "train"], rel=1e-9
    )


def test_incomplete_accumulation_equals_its_batch(make_run: MakeRun) -> None:
    # 128 samples: steps of 40, 40, 40 and 8; SGD, since Adam would hide the size of the gradient
    common = ["train.validate_every=null", "model.dropout=0.0", "train.epochs=1", "train.precision=64-true"]
    common.append("optimizer={type: SGD, lr: 0.05}")
    whole = make_run("whole", [*common, "train.batch_size=40"])
    parts = make_run("parts", [*common, "train.batch_size=20", "train.accumulate=2"])
    odd = make_run("odd", [*common, "train.batch_size=10", "train.accumulate=4"])
    for run in (whole, parts, odd):
        assert execute(run.path, threads=1, progress=False)["steps"] == 4
    assert whole.result()["samples_seen"] % 40 == 8
    expected, *others = (load_tree(run.checkpoint("weights")) for run in (whole, parts, odd))
    for found in others:
        assert all(torch.allclose(expected[name], found[name], rtol=0, atol=1e-12) for name in expected)


def test_plateau_state_lowers_the_rate(make_run: MakeRun) -> None:
    plateau = (
        "schedule=[{type: ReduceOnPlateau, monitor: val/loss, patience: 0, threshold: 100.0, threshold_mode: abs}]"
    )
    run = make_run(overrides=["train.epochs=3", plateau])
    execute(run.path, threads=1, progress=False)
    rates = [row["lr"] for row in run.metrics() if row["phase"] == "train"]
    assert rates[0] == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(1e-4)
