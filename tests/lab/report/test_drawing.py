"""SVG elements, scales, and the drawings of effects and curves, as text."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tricklab.lab.report.axes import Scale, padded, tick_text, ticks
from tricklab.lab.report.curves import curve_drawing, hover_data
from tricklab.lab.report.effects import Arrow, Effect, Pair, arrows, forest, slopes
from tricklab.lab.report.series import average
from tricklab.lab.report.svg import Node, drawing, path

SVG = "{http://www.w3.org/2000/svg}"


def parse(node: Node) -> ElementTree.Element:
    return ElementTree.fromstring(str(node))


def test_every_text_and_attribute_is_escaped() -> None:
    node = drawing(10, 10, "<script>", 'a "quoted" & b', Node("text", "</svg><script>alert(1)</script>", data_x='"><x'))
    written = str(node)
    assert "<script" not in written
    root = parse(node)
    assert root.find(f"{SVG}text").text == "</svg><script>alert(1)</script>"
    assert root.find(f"{SVG}text").get("data-x") == '"><x'


def test_control_characters_do_not_break_the_xml() -> None:
    assert parse(drawing(1, 1, "a\x00b\x1b", "")).find(f"{SVG}title").text == "a�b�"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-0.011, 0.012, [-0.01, -0.005, 0.0, 0.005, 0.01]),
        (0.0, 12800.0, [0.0, 2500.0, 5000.0, 7500.0, 10000.0, 12500.0]),
        (3.0, 3.0, [3.0]),
        (float("nan"), 1.0, [float("nan")]),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.0, 0.25, 0.5], ["0.00", "0.25", "0.50"]),
        ([-0.01, -0.005, 0.0], ["−0.010", "−0.005", "0.000"]),
        ([0.0, 2500.0, 12500.0], ["0", "2.5k", "12.5k"]),
        ([0.0, 1e6, 2e6], ["0", "1M", "2M"]),
        ([0.0, 20.0, 40.0], ["0", "20", "40"]),
    ],
)
def test_tick_texts_tell_ticks_apart(values: list[float], texts: list[str]) -> None:
    assert [tick_text(value, values) for value in values] == texts


def test_padded_range_holds_all_values_and_is_never_empty() -> None:
    low, high = padded([0.5, 0.5, float("nan")])
    assert low < 0.5 < high
    assert padded([]) == (0.0, 1.0)


def test_forest_puts_points_where_the_numbers_say() -> None:
    rows = [
        Effect("+se", 0.010, 0.004, 0.016, "helps"),
        Effect("+a & <b>", -0.002, -0.010, 0.006, "undecided"),
        Effect("gone", None, None, None, "refused"),
    ]
    root = parse(forest(rows, "difference in val/oa", 0.005, 4))
    groups = [group for group in root.iter(f"{SVG}g") if group.get("class", "").startswith("effect")]
    assert [group.get("class") for group in groups] == ["effect helps", "effect undecided"]
    first, second = (float(group.find(f"{SVG}circle").get("cx")) for group in groups)
    zero = float(next(line for line in root.iter(f"{SVG}line") if line.get("class") == "zero").get("x1"))
    band = next(root.iter(f"{SVG}rect"))
    assert second < zero < first
    unit = (first - second) / 0.012
    assert float(band.get("width")) == pytest.approx(0.010 * unit, rel=1e-2)
    assert float(band.get("x")) == pytest.approx(zero - 0.005 * unit, abs=0.1)
    assert "−0.0020 [−0.0100, +0.0060] undecided" in root.find(f"{SVG}desc").text


def test_forest_without_delta_has_no_band() -> None:
    assert "delta" not in str(forest([Effect("+se", 0.01, 0.0, 0.02, "undecided")], "difference", None, 4))


@pytest.mark.parametrize(("minimise", "kinds"), [(False, ["up", "down", "failed"]), (True, ["down", "up", "failed"])])
def test_slopes_know_which_way_is_better(minimise: bool, kinds: list[str]) -> None:
    pairs = [Pair(0, 0.90, 0.95), Pair(1, 0.93, 0.91), Pair(2, 0.9, 0.8, failed=True)]
    (panel,) = slopes([("+se", pairs)], "val/oa", minimise)
    groups = [
        group.get("class").split()[1] for group in parse(panel).iter(f"{SVG}g") if "pair" in group.get("class", "")
    ]
    assert groups == kinds
    assert f"better in {2 if minimise else 1} of 3 blocks" in str(panel)


def test_arrows_start_alone_and_end_in_company() -> None:
    root = parse(arrows([Arrow("+se", 0.002, 0.010), Arrow("+ema", 0.004, 0.004)], "difference", 0.005, 4))
    lines = [line for line in root.iter(f"{SVG}line") if line.get("class") == "shaft"]
    assert len(lines) == 1
    assert float(lines[0].get("x1")) < float(lines[0].get("x2"))
    assert "interaction +0.0040, p .016<" in str(arrows([Arrow("+se", 0.002, 0.010, 0.016)], "difference", None, 4))


def test_curves_carry_axis_series_and_a_legend_that_can_be_pressed() -> None:
    x = np.array([0.0, 1.0, 2.0])
    curve = average("<img src=x>", 1, [(x, x * 2), (x, x * 4)])
    root = parse(curve_drawing([curve], title="t", x_label="epochs", y_label="loss", axis="epochs", zero=True))
    assert root.get("data-axis") == "epochs"
    keys = [group for group in root.iter(f"{SVG}g") if group.get("role") == "button"]
    assert [key.get("data-series") for key in keys] == ["<img src=x>"]
    assert keys[0].get("tabindex") == "0"
    mean = next(line for line in root.iter(f"{SVG}path") if line.get("class") == "mean")
    runs = [line for line in root.iter(f"{SVG}path") if line.get("class") == "run"]
    assert len(runs) == 2
    assert mean.get("d").startswith("M64.0 ")
    found = hover_data([curve])
    assert found["series"][0]["y"] == [0.0, 3.0, 6.0]
    assert found["range"] == {"all": [0.0, 2.0], "late": [1.0, 2.0]}


def test_late_part_is_enlarged_and_clipped() -> None:
    x = np.linspace(0.0, 10.0, 11)
    curve = average("a", 0, [(x, 1 - np.exp(-x))])
    look = {"title": "t", "x_label": "x", "y_label": "y", "axis": "samples"}
    whole, late = (str(curve_drawing([curve], part=part, **look)) for part in ("all", "late"))
    assert ">0.2<" in whole
    assert ">0.2<" not in late
    assert "clip-path" in late


def test_path_of_nothing_is_valid() -> None:
    assert str(path([])) == '<path d="" fill="none"/>'


def test_scale_of_a_single_value_does_not_divide_by_zero() -> None:
    assert Scale(1.0, 1.0, 0.0, 10.0)(1.0) == 0.0


def test_a_name_that_is_too_long_keeps_both_ends() -> None:
    from tricklab.lab.report.effects import shortened

    names = [f"+distill(teacher=runs/almanac/recipe-32/baseline, mode={mode})" for mode in ("soft", "hard")]
    cut = [shortened(name) for name in names]
    assert [len(name) for name in cut] == [23, 23]
    assert cut == ["+distill(teach…de=soft)", "+distill(teach…de=hard)"]
    assert shortened("+swa(start=0.75)") == "+swa(start=0.75)"
