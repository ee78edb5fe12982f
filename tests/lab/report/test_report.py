"""A whole report from a folder: what stands in it, and that nothing from a run can act in it."""

from __future__ import annotations

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.lab.report.synthetic import build
from tricklab.errors import UserError
from tricklab.lab.report import write
from tricklab.lab.report.page import embedded, script_hash, template
from tricklab.lab.report.text import escaped

VOID = {"meta", "br", "input", "link", "img", "hr"}
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """Collects elements, text and whether every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.stack: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(experiment: Path) -> Page:
    return Page((experiment / "report.html").read_text(encoding="utf-8"))


def test_every_file_is_written(experiment: Path) -> None:
    for name in ("report.html", "report.md", "report.csv", "report-runs.csv", "report.json"):
        assert (experiment / name).stat().st_size > 100
    assert not list(experiment.glob(".*partial"))


def test_page_is_well_formed_and_asks_nobody_for_anything(page: Page, experiment: Path) -> None:
    assert page.stack == []
    addresses = [
        value for _, attributes in page.elements for key, value in attributes.items() if key in ("src", "href")
    ]
    assert addresses
    assert all(address is not None and address.startswith("#") for address in addresses)
    text = (experiment / "report.html").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "url(http" not in text


def test_policy_allows_this_script_and_no_other(page: Page) -> None:
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"script-src '{script_hash(template('report.js'))}'" in policy


def test_page_answers_the_question(page: Page) -> None:
    text = " ".join(" ".join(page.text).split())
    assert "Do +se, +step_decay(at=[41, 76]) or +ema(decay=0.99) improve val/oa of salinas-a-hybridsn?" in text
    for part in ("steadiness", "wins", "Alone and in company", "wall-clock seconds", "loss is nan at step 120",
                 "100.0 % of the val windows hold the centre", "An Honest Processor", "torch 2.11.0",
                 "ablate salinas-a-hybridsn +se", "δ = 0.005", "second analysis, without"):  # fmt: skip
        assert part in text, part


def test_every_drawing_has_a_name_and_curves_a_table(page: Page) -> None:
    figures = page.all("svg")
    assert len(figures) == 1 + 3 + 1 + 3 * 3 * 2
    assert all(svg.get("role") == "img" for svg in figures)
    axes = {(svg.get("data-axis"), svg.get("data-part")) for svg in figures if svg.get("data-axis")}
    assert axes == {(axis, part) for axis in ("samples", "epochs", "wall") for part in ("all", "late")}
    shown = [svg for svg in figures if svg.get("data-axis") and "hidden" not in svg]
    assert {(svg["data-axis"], svg["data-part"]) for svg in shown} == {("samples", "all")}
    assert len(page.all("figure")) <= len(page.all("table")) + 2


def test_embedded_data_are_the_curves(experiment: Path) -> None:
    text = (experiment / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert set(data["curves"]) == {"metric", "difference", "loss"}
    series = data["curves"]["difference"]["samples"]["series"]
    assert [one["name"] for one in series] == ["+se", "+step_decay(at=[41, 76])", "+ema(decay=0.99)"]
    # the last point of the curve is the last validation, which the synthetic runs put at their value plus noise
    assert series[0]["y"][-1] == pytest.approx(0.012, abs=0.004)


def test_json_is_the_machine_readable_result(experiment: Path) -> None:
    found = json.loads((experiment / "report.json").read_text(encoding="utf-8"))
    keys = {"experiment", "metric", "direction", "delta", "design", "blocks", "look", "rho", "arms", "tricks"}
    assert keys <= set(found)
    assert [trick["name"] for trick in found["tricks"]] == ["+se", "+step_decay(at=[41, 76])", "+ema(decay=0.99)"]


def test_csv_holds_unrounded_numbers(experiment: Path) -> None:
    verdicts = list(csv.DictReader((experiment / "report.csv").read_text(encoding="utf-8").splitlines()))
    found = json.loads((experiment / "report.json").read_text(encoding="utf-8"))["tricks"]
    assert [float(row["effect"]) for row in verdicts] == [trick["effect"] for trick in found]
    assert [row["verdict"] for row in verdicts] == [trick["verdict"] for trick in found]
    runs = list(csv.DictReader((experiment / "report-runs.csv").read_text(encoding="utf-8").splitlines()))
    assert len(runs) == 8 * 5
    assert [(row["arm"], row["block"], row["val/oa"]) for row in runs if row["state"] == "failed"] == [("+se", "3", "")]


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    folder = build(
        tmp_path / "hostile", ["evil: data.note=</script><script>alert(1)</script>", "optimizer.lr=<b>"],
        design="add-one", blocks=3, failed=[(1, 1)], subject=HOSTILE, classes=[HOSTILE] * 4, message=HOSTILE,
    )  # fmt: skip
    write(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.stack == []
    assert len(page.all("script")) == 2
    assert not page.all("img")
    assert not page.all("b")
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    assert "alert(2)" in " ".join(page.text)
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    assert not re.search(r"(?m)^(?! {4}).*(?<!\\)<script", markdown)


def test_smaller_is_better_is_said_and_drawn(tmp_path: Path) -> None:
    folder = build(
        tmp_path / "loss",
        ["+se"],
        design="add-one",
        minimise=True,
        blocks=5,
        effect=lambda cell, block: 0.03 * len(cell),
    )
    write(folder)
    outcome = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert outcome["tricks"][0]["verdict"] == "helps"
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "smaller is better" in text
    assert "improvement in val/loss" in text
    data = json.loads(re.search(r'id="report-data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert data["curves"]["difference"]["epochs"]["series"][0]["y"][-1] > 0


def test_two_blocks_without_curves_or_delta(tmp_path: Path) -> None:
    folder = build(tmp_path / "small", ["+se"], design="add-one", blocks=2, rows=False, delta=None)
    write(folder)
    text = " ".join(" ".join(Page((folder / "report.html").read_text(encoding="utf-8")).text).split())
    assert "smoke" in text
    assert "at least 3 blocks for a direction" in text
    assert "no affordable number" not in text
    assert "Learning curves" not in text
    assert "Alone and in company" not in text
    assert "no δ declared" in text


def test_one_block_says_what_it_lacks_and_not_that_nothing_would_help(tmp_path: Path) -> None:
    folder = build(tmp_path / "one", ["+se"], design="add-one", blocks=1)
    write(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "at least 3 blocks for a direction, 5 for a verdict" in text
    assert "no affordable number" not in text


def test_running_experiment_says_that_it_is_not_complete(tmp_path: Path) -> None:
    from tricklab.records import RunFolder

    folder = build(tmp_path / "open", ["+se"], design="add-one", blocks=3)
    RunFolder.open(folder / "+se" / "2").set_status("running")
    shutil.rmtree(folder / "baseline" / "2")  # planned: it has no folder yet
    write(folder, out=tmp_path / "elsewhere")
    text = (tmp_path / "elsewhere" / "report.html").read_text(encoding="utf-8")
    assert "not complete: 2 of 6 runs are still to come" in text
    assert not (folder / "report.html").exists()


def test_writing_twice_gives_the_same_page_but_for_the_time(experiment: Path, tmp_path: Path) -> None:
    write(experiment, out=tmp_path)

    def without_time(place: Path) -> str:
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d \w+", "", (place / "report.html").read_text(encoding="utf-8"))

    assert without_time(tmp_path) == without_time(experiment)


def test_no_experiment_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not an experiment"):
        write(tmp_path)


def test_embedded_json_cannot_close_its_script() -> None:
    text = embedded({"</script>": ["<!--", float("nan"), float("inf"), "\u2028"]})
    assert "<" not in text
    assert json.loads(text) == {"</script>": ["<!--", None, None, "\u2028"]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [("a|b", r"a\|b"), ("x\ny", "x y"), ("[a](javascript:b)", r"\[a\](javascript:b)"), ("`<b>`", r"\`\<b\>\`")],
)
def test_markdown_is_escaped(given: str, expected: str) -> None:
    assert escaped(given) == expected


@pytest.mark.parametrize(
    ("design", "arms", "drawings", "arrows"),
    [
        ("leave-one-out", ["+a", "+b", "+c"], 3, False),
        ("full", ["+a", "+b"], 2, True),
        ("full", ["optimizer.lr=1e-3|2e-3", "+b"], 3, False),
        ("add-one", ["optimizer.lr=1e-3|2e-3|3e-3"], 3, False),
    ],
)
def test_every_design_has_a_report(tmp_path: Path, design: str, arms: list[str], drawings: int, arrows: bool) -> None:
    folder = build(tmp_path / "x", arms, design=design, blocks=5, rows=False)
    write(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert ("Alone and in company" in text) is arrows
    assert text.count("without and with the trick, per block") == drawings


def test_function_without_rows_or_recipe_has_a_report(tmp_path: Path) -> None:
    from tricklab.lab import ablate

    def score(*, seed: int, flip: bool = False) -> float:
        return 0.5 + 0.1 * flip + 0.01 * (seed % 7)

    found = ablate(score, {"flip": True}, blocks=5, out=tmp_path, delta=0.01, progress=False)
    text = " ".join(Page((found.path / "report.html").read_text(encoding="utf-8")).text)
    assert "flip=true" in text
    assert "Runs that did not finish" in text
    assert "Data and leakage" not in text


def test_data_of_images_are_counted_in_images(tmp_path: Path) -> None:
    from tricklab.lab.report.circumstances import data_rows
    from tricklab.lab.report.source import read
    from tricklab.records import RunFolder

    scene = build(tmp_path / "scene", ["+se"], design="add-one", blocks=2)
    assert dict(data_rows(read(scene, {})))["pixels"] == "535 train, 4,813 val"
    folder = build(tmp_path / "images", ["+se"], design="add-one", blocks=2, task="classification")
    found = {"searched": True, "identical_groups": 2, "identical_images": 5, "near_groups": 24, "near_images": 48,
             "contradictions": 0, "dropped": 1}  # fmt: skip
    RunFolder.open(folder / "baseline" / "0").fact("data/duplicates", found)
    rows = dict(data_rows(read(folder, {})))
    assert rows["images"] == "535 train, 4,813 val"
    assert "pixels" not in rows
    assert rows["duplicates"].startswith("5 images in 2 groups of identical ones, 48 in 24 groups of near ones; 0 ")
    assert rows["duplicates"].endswith(", 1 images dropped")
