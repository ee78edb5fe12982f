"""The line through the last and the averaged weights meets what the run itself reported at both ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.conftest import MakeRun
from tricklab.engine import execute, load_run
from tricklab.engine.averagings import averaging_key
from tricklab.engine.weight_line import weight_line
from tricklab.errors import UserError
from tricklab.records import RunFolder

SHORT = ["train.epochs=1"]


def loaded(run: RunFolder) -> Any:
    assert execute(run.path, threads=1, progress=False)["state"] == "finished", run.status()
    return load_run(run.path, device="cpu", threads=1)


def at(line: Any, t: float, name: str) -> float:
    (found,) = [point["values"][name] for point in line.points if point["t"] == t]
    return float(found)


def test_the_ends_are_what_the_run_scored(make_run: MakeRun) -> None:
    found = loaded(make_run("ema", SHORT, ["+ema(decay=0.8)"]))
    line = weight_line(found, "val", steps=2)
    assert [point["t"] for point in line.points] == [-0.5, 0.0, 0.5, 1.0, 1.5]
    assert not line.statistics_reestimated
    result = found.run.result()
    for name in ("loss", "oa"):
        assert at(line, 0.0, name) == result["raw"][f"val/{name}"]
        assert at(line, 1.0, name) == result["averaged"][f"val/{name}"]
    assert len({point["values"]["loss"] for point in line.points}) == 5
    assert line.distance > 0
    assert not [event for event in found.run.events() if event["kind"] == "test_touched"]
    weight_line(found, "test", steps=1)
    assert [event["by"] for event in found.run.events() if event["kind"] == "test_touched"] == ["line"]


@pytest.mark.slow
@pytest.mark.parametrize("freeze", [[], ["train.freeze=[{layers: 2}]"]])
def test_running_statistics_are_estimated_anew_at_every_point(make_run: MakeRun, freeze: list[str]) -> None:
    tree = {
        "task": "classification",
        "data": {"images": {"type": "SyntheticImages", "per_class": 12}, "size": 32},
        "model": {"type": "timm", "name": "test_resnet"},
        "train": {"epochs": 2, "batch_size": 16},
        "metric": {"monitor": "val/accuracy"},
    }
    found = loaded(make_run("swa", freeze, ["+swa(start=0.0)"], tree=tree))
    line = weight_line(found, "val", steps=1)
    assert line.statistics_reestimated
    result = found.run.result()
    # the average was scored with statistics of its own; the last weights had those of the training
    assert at(line, 1.0, "loss") == result["averaged"]["val/loss"]
    assert at(line, 0.0, "loss") != result["raw"]["val/loss"]


def test_what_has_no_line_is_refused(make_run: MakeRun) -> None:
    with pytest.raises(UserError, match="no averaged weights"):
        weight_line(loaded(make_run("plain", SHORT)), "val")
    with pytest.raises(UserError, match="lie on no line"):
        weight_line(loaded(make_run("snapshot", SHORT, ["+snapshot(members=2)"])), "val")


def test_several_averages_want_a_name(make_run: MakeRun) -> None:
    configs: list[dict[str, Any]] = [{"type": "Ema", "decay": 0.5}, {"type": "Swa", "start": 0.0}]
    found = loaded(make_run("base", SHORT, observers=configs))
    with pytest.raises(UserError, match="several averages"):
        weight_line(found, "val")
    with pytest.raises(UserError, match="there is no average 'other'"):
        weight_line(found, "val", average="other")
    name = f"average-{averaging_key(configs[0])}"
    assert weight_line(found, "val", steps=1, average=name).average == name
