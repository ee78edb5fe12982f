"""What tricks did to each class: from confusion matrices to the tables, in numbers that can be worked out by hand."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.lab.report.synthetic import build
from tricklab.cli.main import main
from tricklab.lab.report import write
from tricklab.lab.report.class_effects import class_effects, class_rows, most_moved
from tricklab.lab.report.class_tables import class_section
from tricklab.lab.report.writing import source_of
from tricklab.records import RunFolder

Confusion = Callable[[str, int], np.ndarray]


def experiment(folder: Path, confusion: Confusion, arms: tuple[str, ...] = ("+dice",), **how: Any) -> Path:
    """An experiment whose runs have these confusion matrices, by (folder of the arm, block)."""
    how = {"design": "add-one", "blocks": 4, "task": "segmentation", "rows": False, **how}
    build(folder, arms, **how)
    for path in sorted(folder.glob("*/*/result.json")):
        run = RunFolder.open(path.parent)
        result = run.result() or {}
        found = confusion(path.parent.parent.name, int(path.parent.name))
        names = [f"class {number}" for number in range(len(found))]
        run.write_result({**result, "confusion": found.tolist(), "classes": names})
    return folder


def two_classes(arm: str, block: int) -> np.ndarray:
    """The first class: 60 + 2 block of 100 pixels right, 5 more with the trick; class 2 occurs nowhere."""
    right = 60 + 2 * block + (5 + block) * (arm != "baseline")
    return np.array([[right, 100 - right, 0], [0, 50, 0], [0, 0, 0]])


def test_iou_of_each_class_with_and_without_and_its_interval(tmp_path: Path) -> None:
    found = class_effects(source_of(experiment(tmp_path / "e", two_classes)))
    assert found is not None
    (trick,) = found.tricks
    without = np.array([(60 + 2 * block) / 100 for block in range(4)])
    gain = np.array([(5 + block) / 100 for block in range(4)])
    assert found.baseline[0] == pytest.approx(without.mean())
    assert trick.with_[0] == pytest.approx((without + gain).mean())
    assert trick.effect[0] == pytest.approx(gain.mean())
    half = stats.t.ppf(0.975, 3) * gain.std(ddof=1) / 2
    assert (trick.low[0], trick.high[0]) == pytest.approx((gain.mean() - half, gain.mean() + half))
    # what the first class gains the second one no longer takes: 50 of 90 − 2 block pixels, and so on
    second = np.array([50 / (150 - 60 - 2 * block) for block in range(4)])
    assert found.baseline[1] == pytest.approx(second.mean())
    assert found.share.tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert np.isnan([found.baseline[2], trick.effect[2], trick.low[2]]).all()
    assert trick.blocks.tolist() == [4, 4, 0]
    assert most_moved(trick)[-1] == 2


@pytest.mark.parametrize("task", ["classification", "hyperspectral"])
def test_labelled_tasks_show_the_recall(tmp_path: Path, task: str) -> None:
    found = class_effects(source_of(experiment(tmp_path / "e", two_classes, task=task)))
    assert found is not None
    assert (found.score, found.split) == ("recall", "val")
    assert found.baseline[:2].tolist() == pytest.approx([0.63, 1.0])


def test_failed_runs_leave_their_block_out_and_two_blocks_have_no_interval(tmp_path: Path) -> None:
    found = class_effects(source_of(experiment(tmp_path / "e", two_classes, failed=[(1, 0)])))
    assert found is not None
    assert found.tricks[0].blocks[0] == 3
    assert found.tricks[0].effect[0] == pytest.approx((6 + 7 + 8) / 300)
    few = class_effects(source_of(experiment(tmp_path / "few", two_classes, blocks=2)))
    assert few is not None
    assert few.tricks[0].effect[0] == pytest.approx(0.055)
    assert np.isnan(few.tricks[0].low).all()
    assert "need three blocks" in (class_section(few) or {})["note"]


def test_several_companies_of_a_trick_are_averaged_within_a_block(tmp_path: Path) -> None:
    def confusion(arm: str, block: int) -> np.ndarray:
        # alone +10 right pixels, beside the other trick +20
        right = 40 + block + 10 * ("dice" in arm) + 10 * ("dice" in arm and "tta" in arm)
        return np.array([[right, 100 - right], [0, 50]])

    folder = experiment(tmp_path / "e", confusion, ("+dice", "+tta"), design="full")
    found = class_effects(source_of(folder))
    assert found is not None
    assert found.tricks[0].name == "+dice"
    assert found.tricks[0].effect[0] == pytest.approx(0.15)
    assert (found.tricks[0].low[0], found.tricks[0].high[0]) == pytest.approx((0.15, 0.15))


def test_page_markdown_json_and_csv_tell_the_same(tmp_path: Path) -> None:
    files = write(experiment(tmp_path / "e", two_classes, ("+dice", "+tta")))
    html, markdown = (files[kind].read_text(encoding="utf-8") for kind in ("html", "markdown"))
    for text in (html, markdown):
        assert "Exploratory: not declared before running, not corrected, no verdicts. Of 4 such 95 % intervals" in text
        assert "IoU without" in text
    assert '<a href="#classes">Classes</a>' in html
    assert "<code>report-classes.csv</code>" in html
    # "clear" and the like are methods of mappings: only what leaves zero out may be strong
    section = html[html.index('<section id="classes">') : html.index('<section id="failures">')]
    assert "<strong>+0.065</strong>" in section
    assert '<td class="number">–</td>' in section
    assert "| class 0 | 66.67 % | 0.630 | 0.695 | +0.065 | \\[+0.044, +0.086\\] | 4 |" in markdown
    found = json.loads(files["json"].read_text(encoding="utf-8"))["per_class"]
    assert (found["score"], found["level"]) == ("iou", 0.95)
    assert "no verdict" in found["exploratory"]
    first = found["classes"][0]["tricks"]["+dice"]
    lines = list(csv.DictReader(files["classes"].read_text(encoding="utf-8").splitlines()))
    assert len(lines) == 3 * 2
    assert (lines[0]["class"], lines[0]["trick"], float(lines[0]["effect"])) == ("class 0", "+dice", first["effect"])
    assert [float(lines[0]["low"]), float(lines[0]["high"])] == first["interval"]
    assert found["classes"][2]["tricks"]["+dice"] == {
        "without": None, "with": None, "effect": None, "interval": None, "blocks": 0,
    }  # fmt: skip
    assert lines[2]["effect"] == ""


def test_of_many_classes_the_most_moved_thirty_are_shown_first(tmp_path: Path) -> None:
    def confusion(arm: str, block: int) -> np.ndarray:
        right = np.full(150, 500 + block)
        if arm != "baseline":
            right += np.arange(150)
        found = np.diag(right)
        found[:, 0] += 1000 - right
        found[0, :2] = right[0], 1000 - right[0]
        return found

    files = write(experiment(tmp_path / "e", confusion, task="classification"))
    markdown = files["markdown"].read_text(encoding="utf-8")
    assert markdown.count("| class ") == 1 + 30
    assert markdown.index("class 149 ") < markdown.index("class 148 ") < markdown.index("class 120 ")
    assert "class 119 " not in markdown
    for kind in ("html", "markdown"):
        assert "120 more classes moved less" in files[kind].read_text(encoding="utf-8").replace("\\", "")
    assert len(files["classes"].read_text(encoding="utf-8").splitlines()) == 1 + 150


def test_an_experiment_without_classes_has_no_such_part(tmp_path: Path) -> None:
    folder = build(tmp_path / "e", ["+se"], design="add-one", blocks=3)
    for path in folder.glob("*/*/result.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "confusion": None}))
    files = write(folder)
    assert "classes" not in files
    assert not (folder / "report-classes.csv").exists()
    assert 'id="classes"' not in files["html"].read_text(encoding="utf-8")
    assert "per_class" not in json.loads(files["json"].read_text(encoding="utf-8"))
    assert class_rows({"confusion": None, "classes": ["a"]}, "segmentation") == []


def test_a_single_run_prints_its_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(experiment(tmp_path / "e", two_classes, rows=True) / "baseline" / "0")
    assert main(["report", run, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["runs"]
    assert found["classes"][0]["iou"] == pytest.approx(0.6)
    assert found["classes"][2]["iou"] is None
    assert main(["report", run]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split() == ["class", "IoU", "Dice", "precision", "recall", "support", "predicted"]
    assert shown[1].split() == ["class", "0", "0.6000", "0.7500", "1.0000", "0.6000", "100", "60"]
