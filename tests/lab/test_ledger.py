"""From folders to verdicts: what refuses a comparison, what is labelled, and what a trick that did nothing becomes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.lab.test_recipe_cells import TINY
from tricklab.lab import experiment_result
from tricklab.lab.comparability import compare
from tricklab.lab.declaring import Wish, declare
from tricklab.lab.ledger import Ledger
from tricklab.lab.plan import CellPlan, Plan
from tricklab.lab.queue import Task
from tricklab.lab.table import advice, notes, rows
from tricklab.records import Experiment

RESULT: dict[str, Any] = {
    "cost": {"wall_s": 36.0, "evaluate_s": 6.0, "threads": 1, "device": "cpu"},
    "metric_code": "abc",
    "versions": {"torch": "2.10"},
    "data_digest": "d",
    "samples_seen": 1000,
    "order_hash": "o",
    "values": {},
}
GAIN = {"+se": 0.05}


def experiment(root: Path, texts: list[str], *, blocks: int = 5, design: str | None = None) -> tuple[Experiment, Plan]:
    plan = declare(TINY, texts, Wish(blocks=blocks, design=design, workers=2, threads=1, name="e"))
    return Experiment.create(root / "e", plan.to_dict()), plan


def fill(opened: Experiment, plan: Plan, **changes: Any) -> None:
    """Finish every run; ``changes`` maps a cell's folder to a status or to changes of its results."""
    random = np.random.default_rng(0)
    for cell in plan.cells:
        for block in range(plan.looks[0]):
            value = 0.8 + 0.01 * block + random.normal(0, 0.002) + sum(GAIN.get(arm, 0.0) for arm in cell.arms)
            settle(opened, plan, cell, block, value, changes.get(cell.name, {}))


def settle(opened: Experiment, plan: Plan, cell: CellPlan, block: int, value: float, change: dict[str, Any]) -> None:
    folder = Task(cell, block, opened.run_path(cell.folder, block)).folder(plan)
    if "state" in change:
        if block == 0 or change["state"] == "failed":
            folder.set_status(**change)
        return
    metric = {"name": "val/oa", "value": value, "mode": "max", "delta": 0.01}
    folder.write_result({**RESULT, "metric": metric, "fit_from": None, **change})
    folder.set_status("finished")


def verdicts(path: Path) -> dict[str, str]:
    return {trick["name"]: trick["verdict"] for trick in experiment_result(path)["tricks"]}


def test_a_whole_experiment_is_judged(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+ema", "+cosine"])
    fill(opened, plan)
    result = experiment_result(opened.path)
    assert verdicts(opened.path) == {"+se": "helps", "+ema": "equivalent", "+cosine": "equivalent"}
    assert result["complete"]
    # eight cells of 36 s on two workers
    assert result["cost"]["device_hours_per_block"] == pytest.approx(8 * 36 / 2 / 3600)
    assert result["scores"]["+se"][1] == pytest.approx(0.86, abs=0.01)
    shown = {row[0]: row for row in rows(result)}
    assert shown["+ema"][6] == "evaluation ×1.00"
    assert shown["+se"][6] == "×1.00"
    assert shown["+se"][7] == "worth it"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data_digest": "other"}, "other data in block 0, 1, 2, 3, 4"),
        ({"metric_code": "other"}, "the code that computes the metric differs"),
        ({"versions": {"torch": "2.11"}}, r"other versions \(torch 2.11 against 2.10\)"),
        ({"cost": {"wall_s": 1.0, "threads": 2, "device": "cpu"}}, r"other threads \(2 against 1\)"),
        ({"cost": {"wall_s": 1.0, "threads": 1, "device": "cuda:0"}}, "other device kind"),
        ({"samples_seen": 1011}, "1,011 samples drawn against 1,000"),
    ],
)
def test_incomparable_runs_are_refused_with_the_reason(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+cosine"], design="add-one")
    fill(opened, plan, **{"+se": change})
    result = experiment_result(opened.path)
    assert verdicts(opened.path) == {"+se": "refused", "+cosine": "equivalent"}
    assert re.search(reason, result["refusals"]["+se"])
    assert re.search(reason, rows(result)[0][-1])


def test_one_percent_of_samples_and_another_order_are_no_reason_to_refuse(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se"])
    fill(opened, plan, **{"+se": {"samples_seen": 1010, "order_hash": "p"}})
    result = experiment_result(opened.path)
    assert verdicts(opened.path) == {"+se": "helps"}
    assert result["labels"] == {"+se": ["the samples came in another order"]}


def test_what_the_arm_wrote_may_differ() -> None:
    other = {**RESULT, "data_digest": "e", "samples_seen": 2000}
    assert compare(other, RESULT, ["data.split.train", "train.epochs"]) == (
        [],
        ["the arm itself changes on which samples it is trained or evaluated", "2,000 samples drawn against 1,000"],
    )
    refusals, _ = compare(other, RESULT, ["model.insert"])
    assert len(refusals) == 2
    assert compare(RESULT, RESULT, []) == ([], [])


def test_a_trick_that_did_nothing_gets_no_verdict_and_spares_the_others(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+ema", "+cosine"])
    status = {"state": "not_live", "reason": "not live", "message": "the rate never moved", "trick": "cosine"}
    fill(opened, plan, **{cell.name: status for cell in plan.cells if "+cosine" in cell.arms})
    result = experiment_result(opened.path)
    assert verdicts(opened.path) == {"+se": "helps", "+ema": "equivalent", "+cosine": "not_live"}
    assert result["not_live"] == {"+cosine": "the rate never moved"}
    assert result["complete"], "a stopped arm leaves nothing to run"
    trick = next(trick for trick in result["tricks"] if trick["name"] == "+se")
    assert [(pair["on"], pair["off"]) for pair in trick["pairs"]] == [("+se", "baseline")]
    assert "the rate never moved" in advice(result["tricks"][2], result)


def test_an_arm_with_bad_input_is_refused_and_spares_the_others(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+cosine"])
    status = {"state": "refused", "reason": "user error", "message": "no layer 'conv9'"}
    fill(opened, plan, **{cell.name: status for cell in plan.cells if "+se" in cell.arms})
    assert verdicts(opened.path) == {"+se": "refused", "+cosine": "equivalent"}
    result = experiment_result(opened.path)
    assert result["refusals"] == {"+se": "no layer 'conv9'"}
    assert not result["complete"], "what was refused may be tried again once the input is put right"


def test_an_exception_in_every_block_is_refused_with_its_message(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+cosine"], design="add-one")
    fill(opened, plan, **{"+se": {"state": "failed", "reason": "exception", "message": "RuntimeError: shapes"}})
    result = experiment_result(opened.path)
    assert verdicts(opened.path) == {"+se": "refused", "+cosine": "equivalent"}
    assert "RuntimeError: shapes" in result["refusals"]["+se"]
    assert len(result["failed"]) == 5


def test_an_incomplete_look_makes_no_claim(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se"], blocks=6)
    fill(opened, plan)
    (opened.path / "+se" / "5" / "result.json").unlink()
    Task(plan.cells[1], 5, opened.run_path("+se", 5)).folder(plan).set_status("interrupted", reason="stopped")
    result = experiment_result(opened.path)
    assert (result["blocks"], result["early"], result["complete"]) == (5, True, False)
    assert verdicts(opened.path) == {"+se": "screening"}
    assert advice(result["tricks"][0], result) == "resume: 5 of 6 blocks are complete"


def test_training_share_is_known_only_when_blocks_redraw_the_split(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se"])
    fill(opened, plan)
    assert Ledger.read(opened.path).train_test_ratio() is None
    for block in range(5):
        for cell in plan.cells:
            folder = Task(cell, block, opened.run_path(cell.folder, block)).folder(plan)
            folder.fact("data/sizes", {"train": 100, "val": 400, "test": 0})
            folder.write_result({**(folder.result() or {}), "data_digest": f"d{block}"})
    assert Ledger.read(opened.path).train_test_ratio() == 0.25
    trick = experiment_result(opened.path)["tricks"][0]
    assert trick["other_data_interval"][0] < trick["interval"][0]


def test_a_shared_training_is_counted_once(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+ema", "+cosine", "+tta"], design="add-one")
    fill(opened, plan)
    judged = {trick["name"]: trick for trick in experiment_result(opened.path)["tricks"]}
    # +ema and +tta score the baseline's trainings: three independent cells remain for the pooled variance
    assert {judged[name]["method"] for name in ("+ema", "+tta")} == {"paired"}
    assert {judged[name]["df"] for name in ("+ema", "+tta")} == {4}


def test_another_metric_is_refused() -> None:
    here, there = ({**RESULT, "metric": {"name": name, "value": 0.5}} for name in ("val/oa", "val/aa"))
    assert compare(here, there, [])[0] == ["another metric (val/oa against val/aa)"]


def test_a_change_of_the_laboratory_itself_is_told(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+cosine"], design="add-one")
    fill(opened, plan)
    for cell in plan.cells:
        for block in range(5):
            source = "new" if cell.arms == ("+se",) and block in (2, 3) else "old"
            folder = Task(cell, block, opened.run_path(cell.folder, block)).folder(plan)
            folder.add_provenance({"environment": {"source": source}})
    result = experiment_result(opened.path)
    assert result["labels"] == {"+se": ["tricklab's own code was changed between its runs of block 2, 3"]}
    assert verdicts(opened.path)["+se"] == "helps"
    assert any("own code was changed" in line for line in notes(result))


def test_a_cell_whose_own_trick_is_not_live_in_company_does_not_take_the_others_along(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+ema", "+cosine"])
    # a trick of the recipe itself, which no arm names, dies where two arms meet
    status = {"state": "not_live", "message": "no sign of it", "trick": "mixup"}
    fill(opened, plan, **{"+se & +cosine": status})
    result = experiment_result(opened.path)
    assert verdicts(opened.path) == {"+se": "helps", "+ema": "equivalent", "+cosine": "equivalent"}
    assert result["blocks"] == 5
