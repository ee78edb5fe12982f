"""Pictures of masks: what is laid where, and what ignored pixels look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tricklab.errors import UserError
from tricklab.lab.report.class_figure import class_figure
from tricklab.lab.report.confusion_figure import confusion_figure
from tricklab.lab.report.curve_figure import curve_figure
from tricklab.lab.report.mask_figures import IGNORED, RIGHT, SHARE, WRONG, ShownMask, error_map, mask_figure, overlay
from tricklab.lab.report.mask_page import mask_page
from tricklab.lab.report.shown_masks import worst_first
from tricklab.records import Evidence


def test_an_overlay_colours_what_has_a_class_only() -> None:
    pixels = np.full((1, 3, 3), 0.5)
    colours = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    found = overlay(pixels, np.array([[0, 1, 255]]), colours)
    low, high = 0.5 * (1 - SHARE), 0.5 * (1 - SHARE) + SHARE
    assert found[0].tolist() == [[high, low, low], [low, low, high], [0.5, 0.5, 0.5]]
    assert (pixels == 0.5).all()


def test_errors_are_red_and_ignored_pixels_are_neither() -> None:
    found = error_map(np.array([[0, 0, 255]]), np.array([[0, 1, 1]]))
    assert found[0].tolist() == [list(RIGHT), list(WRONG), list(IGNORED)]


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_a_figure_has_a_row_for_each_image(tmp_path: Path, channels: int) -> None:
    generator = np.random.default_rng(0)
    heights = []
    for count in (1, 3):
        shown = [
            ShownMask(
                f"image {place}",
                generator.integers(0, 4000, (20, 30, channels)).astype(np.uint16),
                generator.choice([0, 1, 255], (20, 30)),
                generator.integers(0, 2, (20, 30)),
                "IoU 0.5",
            )
            for place in range(count)
        ]
        path = mask_figure(shown, ["road", "sky"], "the worst", tmp_path / f"{count}.png")
        with Image.open(path) as picture:
            heights.append(picture.size[1])
    assert heights[1] > 1.8 * heights[0]


def test_maps_of_several_sizes_are_refused(tmp_path: Path) -> None:
    shown = ShownMask("a", np.zeros((4, 5, 3)), np.zeros((4, 5)), np.zeros((4, 6)))
    with pytest.raises(UserError, match="label and prediction of a differ in size"):
        mask_figure([shown], ["road"], "", tmp_path / "a.png")
    with pytest.raises(UserError, match="no image"):
        mask_figure([], ["road"], "", tmp_path / "a.png")


def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written into axes from now on."""
    from matplotlib.axes import Axes

    written: list[str] = []
    text, title = Axes.text, Axes.set_title

    def wrote(self: Axes, x: float, y: float, said: str, **options: object) -> object:
        written.append(said)
        return text(self, x, y, said, **options)

    def titled(self: Axes, said: str, **options: object) -> object:
        written.append(said)
        return title(self, said, **options)

    monkeypatch.setattr(Axes, "text", wrote)
    monkeypatch.setattr(Axes, "set_title", titled)
    return written


def test_bars_say_what_no_mean_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = texts(monkeypatch)
    confusion = np.array([[90, 0, 6, 0], [4, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    class_figure(confusion, ["road", "never", "only said", "a$b"], tmp_path / "classes.png", 0.24)
    assert written == [
        "96.00% of the labels",
        "4.00% of the labels, never predicted",
        "in no label, predicted 6.00%",
        "in no label and no prediction: in no mean",
    ]


def test_the_confusions_name_the_pixels_without_a_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = texts(monkeypatch)
    confusion = np.array([[1_000_000, 200_000], [0, 300_000]])
    confusion_figure(confusion, ["a", "b"], tmp_path / "c.png", ignored=500_000)
    assert written[:3] == ["1.00M", "200k", "300k"]
    assert written[3] == (
        "1300000 of 1500000 right (86.67 %)\n500000 pixels without a label (25.00 % of all) count nowhere"
    )


def test_the_lowest_iou_comes_first_and_images_without_labels_not_at_all() -> None:
    truth = np.array([[4, 4], [0, 0], [4, 4], [8, 0]])
    hits = np.array([[4, 4], [0, 0], [1, 1], [8, 0]])
    predicted = np.array([[4, 4], [0, 0], [4, 4], [8, 0]])
    order, iou = worst_first({"hits": hits, "truth": truth, "predicted": predicted})
    assert order.tolist() == [2, 0, 3]
    assert iou.tolist() == pytest.approx([1 / 7, 1.0, 1.0])


def test_the_page_needs_nothing_else_and_escapes_names(tmp_path: Path) -> None:
    label = np.array([[0, 1, 255], [0, 1, 1]])
    shown = ShownMask("<b>x.png", np.zeros((2, 3, 3), dtype=np.uint8), label, np.ones((2, 3)), "IoU 0.5000")
    text = mask_page([shown], ["ro&ad", "sky"], "Lowest IoU", "note", tmp_path / "worst.html").read_text()
    assert "&lt;b&gt;x.png" in text
    assert "<b>x.png" not in text
    assert "ro&amp;ad" in text
    assert text.count("data:image/jpeg;base64,") == 1
    assert "http" not in text.replace("http-equiv", "")
    assert "There are none" in mask_page([], ["a", "b"], "t", "n", tmp_path / "none.html").read_text()


def test_training_is_drawn_without_the_terms_that_no_evaluation_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.axes import Axes

    drawn: dict[str, list[float]] = {}
    plot = Axes.plot

    def seen(self: Axes, x: object, y: np.ndarray, **options: object) -> object:
        drawn[str(options["label"])] = list(y)
        return plot(self, x, y, **options)

    monkeypatch.setattr(Axes, "plot", seen)
    written = texts(monkeypatch)
    rows = [
        {"phase": "train", "epoch": 1.0 + n, "step": n, "loss": 3.0, "loss/A.main": 2.0 - n, "loss/A.aux": 1.0 + n}
        for n in range(2)
    ]
    rows.append({"phase": "val", "epoch": 2.0, "step": 2, "val/loss": 1.1, "val/miou": 0.5})
    facts = {"evaluate/loss_terms": {"scored": ["A.main"], "left_out": ["A.aux"]}}
    recipe = {"metric": {"monitor": "val/miou"}}
    curve_figure(Evidence(rows=rows, facts=facts, recipe=recipe), tmp_path / "c.png")
    assert drawn["training, per row"] == [2.0, 1.0]
    assert "loss without A.aux" in written
    curve_figure(Evidence(rows=rows, recipe=recipe), tmp_path / "c.png")
    assert drawn["training, per row"] == [3.0, 3.0]
