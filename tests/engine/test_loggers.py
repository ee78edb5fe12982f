from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import MakeRun
from tricklab import registry
from tricklab.engine import execute
from tricklab.engine.loggers.tensorboard import TensorBoard
from tricklab.errors import UserError


def test_three_loggers_are_known_by_name() -> None:
    assert [entry.name for entry in registry.entries("logger")] == ["MLflow", "TensorBoard", "WandB"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_gets_every_row(make_run: MakeRun) -> None:
    event_files = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = make_run(overrides=["train.iterations=4", "log.loggers=[TensorBoard]"])
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    events = event_files.EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    rows = run.metrics()
    train = [row for row in rows if row["phase"] == "train"]
    found = events.Scalars("train/loss")
    assert [event.step for event in found] == [row["step"] for row in train]
    assert [event.value for event in found] == pytest.approx([row["loss"] for row in train])
    assert events.Scalars("val/oa")[-1].value == pytest.approx(rows[-1]["val/oa"])


@pytest.mark.parametrize(("name", "package"), [("WandB", "wandb"), ("MLflow", "mlflow")])
def test_a_missing_package_is_one_clear_error(make_run: MakeRun, name: str, package: str) -> None:
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    run = make_run(overrides=[f"log.loggers=[{name}]"])
    with pytest.raises(UserError, match=rf"{name} needs the package '{package}'.*pip install 'tricklab\[{package}\]'"):
        execute(run.path, threads=1, progress=False)
    assert run.status()["state"] == "refused"


@pytest.mark.parametrize("name", ["WandB", "MLflow"])
def test_rows_reach_lightnings_logger(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import lightning.pytorch.loggers as lightning_loggers

    calls: list[tuple[str, Any]] = []

    class Recorder:
        def __init__(self, **options: Any) -> None:
            calls.append(("make", options))

        def log_hyperparams(self, recipe: dict[str, Any]) -> None:
            calls.append(("recipe", recipe))

        def log_metrics(self, numbers: dict[str, float], step: int) -> None:
            calls.append(("row", (step, numbers)))

        def finalize(self, status: str) -> None:
            calls.append(("end", status))

    monkeypatch.setattr(lightning_loggers, {"WandB": "WandbLogger", "MLflow": "MLFlowLogger"}[name], Recorder)
    logger = registry.build("logger", {"type": name})
    monkeypatch.setattr(logger, "package", "json")
    logger.begin({"seed": 0}, "exp/arm/0", str(tmp_path))
    logger.row({"phase": "val", "step": 7, "epoch": 1.0, "val/oa": 0.5, "note": "text"})
    logger.end("finished")
    assert [kind for kind, _ in calls] == ["make", "recipe", "row", "end"]
    assert "exp/arm/0" in calls[0][1].values()
    assert calls[2][1] == (7, {"val/epoch": 1.0, "val/oa": 0.5})
    assert calls[3][1] == "success"


@pytest.mark.parametrize("method", ["row", "end"])
def test_a_logger_that_fails_does_not_decide_the_run(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    pytest.importorskip("tensorboard")
    calls: list[Any] = []

    def fails(self: TensorBoard, argument: Any) -> None:
        calls.append(argument)
        raise ConnectionError("the server is gone")

    monkeypatch.setattr(TensorBoard, method, fails)
    run = make_run(overrides=["train.iterations=4", "log.loggers=[TensorBoard]"])
    assert execute(run.path, threads=1)["state"] == "finished"
    assert len(calls) == 1
    (event,) = [event for event in run.events() if event["kind"] == "logger_failed"]
    assert (event["logger"], event["text"]) == ("TensorBoard", "ConnectionError: the server is gone")
    assert "warning: the logger TensorBoard failed" in capsys.readouterr().err


def test_a_logger_that_cannot_begin_refuses_the_run(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: TensorBoard, *arguments: Any) -> None:
        raise ConnectionError("no server")

    monkeypatch.setattr(TensorBoard, "begin", fails)
    run = make_run(overrides=["train.iterations=4", "log.loggers=[TensorBoard]"])
    with pytest.raises(UserError, match=r"log\.loggers: .*TensorBoard cannot begin: ConnectionError: no server"):
        execute(run.path, threads=1, progress=False)
    assert run.status()["state"] == "refused"
    assert not run.metrics()
