"""Figures of runs on images: reliability, the worst mistakes, large confusion matrices."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tricklab import registry
from tricklab.errors import UserError
from tricklab.lab.report.confusion_figure import confusion_figure
from tricklab.lab.report.image_figures import image_figures
from tricklab.lab.report.reliability_figure import reliability_figure
from tricklab.lab.report.shown_images import ImageScores, most_confident_mistakes, shown_images
from tricklab.metrics.report.reliability import Reliability
from tricklab.seeds import Seeds

CLASSES = ("a<b>", "circle $x$", "third")


def painted(folder: Path) -> Path:
    """Six images, two of each class, each of one grey."""
    for number, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for place in range(4):
            grey = 60 * number + 10 * place
            Image.new("RGB", (40 + 10 * place, 30), (grey, grey, grey)).save(folder / name / f"{place}.png")
    return folder


def fold_of(folder: Path) -> object:
    data = {"type": "classification", "root": str(folder), "size": 8, "duplicates": "keep",
            "split": {"type": "Stratified", "train": 0.5, "val": 0.5}}  # fmt: skip
    return registry.build("data", data).prepare(Seeds(0, 0))


def scores_of(fold: object, confidence: np.ndarray | None) -> ImageScores:
    targets = fold.targets["val"].numpy()  # type: ignore[attr-defined]
    predictions = np.where(np.arange(len(targets)) % 2 == 0, targets, (targets + 1) % 3)
    return ImageScores("val", np.arange(len(targets)), targets, predictions, confidence)


def test_the_most_confident_mistakes_come_first() -> None:
    scores = ImageScores("val", np.arange(5), np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 0]),
                         np.array([0.99, 0.5, 0.9, 0.8, 0.7]))  # fmt: skip
    assert most_confident_mistakes(scores).tolist() == [2, 4, 1]
    assert most_confident_mistakes(scores, 2).tolist() == [2, 4]
    without = ImageScores("val", scores.index, scores.targets, scores.predictions, None)
    assert most_confident_mistakes(without).tolist() == [1, 2, 4]


def test_all_figures_of_a_scored_set(tmp_path: Path) -> None:
    fold = fold_of(painted(tmp_path / "images"))
    scores = scores_of(fold, np.linspace(0.4, 0.9, 6))
    written = image_figures(scores, list(CLASSES), tmp_path, fold, "-val")  # type: ignore[arg-type]
    names = ["confusion-val.png", "reliability-val.png", "worst-val.png", "worst-val.html"]
    assert [path.name for path in written] == names
    for path in written[:3]:
        with Image.open(path) as image:
            assert np.asarray(image.convert("RGB")).std() > 5
    page = written[3].read_text()
    assert page.count("data:image/jpeg;base64,") == 3
    assert "3 of 6 images of the val set are taken for another class" in page
    assert "a&lt;b&gt;" in page
    assert "<b>" not in page
    said = [float(text) for text in re.findall(r'taken for .*?class="soft">([0-9.]+)<', page)]
    assert said == sorted(said, reverse=True)


def test_a_perfect_set_has_an_empty_gallery(tmp_path: Path) -> None:
    fold = fold_of(painted(tmp_path / "images"))
    targets = fold.targets["val"].numpy()  # type: ignore[attr-defined]
    scores = ImageScores("val", np.arange(6), targets, targets, None)
    written = image_figures(scores, list(CLASSES), tmp_path, fold)  # type: ignore[arg-type]
    assert [path.name for path in written] == ["confusion.png", "worst.png", "worst.html"]
    assert "No mistake among 6 images" in written[-1].read_text()


def test_images_are_shown_as_they_lie_on_the_disk(tmp_path: Path) -> None:
    folder = painted(tmp_path / "images")
    fold = fold_of(folder)
    scores = scores_of(fold, None)
    wide = shown_images(scores, np.arange(6), fold)  # type: ignore[arg-type]
    for one in wide:
        with Image.open(folder / one.name) as image:
            assert one.pixels is not None
            assert one.pixels.shape[1] / one.pixels.shape[0] == pytest.approx(image.width / image.height, rel=0.02)
            assert one.pixels[0, 0].tolist() == list(image.getpixel((0, 0)))  # type: ignore[arg-type]
            assert one.label == Path(one.name).parent.name
    (folder / wide[1].name).write_bytes(b"")
    assert shown_images(scores, np.array([1]), fold)[0].pixels is None  # type: ignore[arg-type]


def test_the_reliability_of_an_overconfident_model_is_drawn(tmp_path: Path) -> None:
    found = Reliability()
    found.add(np.full(50, 0.95), np.arange(50) < 25)
    with Image.open(reliability_figure(found, tmp_path / "r.png")) as image:
        assert min(image.size) > 500


@pytest.mark.parametrize("count", [60, 200])
def test_many_classes_still_make_a_picture(tmp_path: Path, count: int) -> None:
    place = confusion_figure(np.eye(count, dtype=int) * 3, [f"class {k}" for k in range(count)], tmp_path / "c.png")
    with Image.open(place) as image:
        assert 2000 < image.width < 3600


def test_a_scene_is_asked_for_where_there_is_none(tmp_path: Path) -> None:
    from tests.cli.image_runs import train_images
    from tricklab.lab.report.figures import scene_of

    with pytest.raises(UserError, match="classification has no scene"):
        scene_of(train_images(tmp_path))
