"""PNG figures of one run: drawn from the folder, seen by their pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tricklab.errors import UserError
from tricklab.lab.report import class_map_figure, run_figures, split_figure
from tricklab.lab.report.canvas import class_colours
from tricklab.lab.report.confusion_figure import confusion_figure
from tricklab.lab.report.map_figures import RIGHT, SPLITS, WRONG
from tricklab.lab.report.scene_maps import scene_maps
from tricklab.records import RunFolder


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def share_of(path: Path, colour: tuple[float, ...]) -> float:
    """Share of the picture's pixels that have this colour (0..1 each)."""
    wanted = np.round(255 * np.asarray(colour))
    return float((np.abs(pixels(path).astype(int) - wanted).max(axis=-1) <= 2).mean())


@dataclass
class Block:
    """A fold of 6 × 8 pixels: three classes in stripes, the upper row trains, the rest is evaluated."""

    labels: np.ndarray
    centres: dict[str, np.ndarray]


@pytest.fixture
def block() -> Block:
    labels = np.repeat(np.array([0, 0, 1, 1, 2, -1])[:, None], 8, axis=1)
    centres = {
        "train": np.argwhere((labels >= 0) & (np.arange(8) < 2)),
        "val": np.argwhere((labels >= 0) & (np.arange(8) >= 2)),
        "test": np.empty((0, 2), dtype=int),
    }
    return Block(labels, centres)


def test_run_figures_of_a_finished_run(experiment: Path) -> None:
    drawn = run_figures(experiment / "baseline" / "0")
    assert [path.name for path in drawn] == ["curves.png", "confusion.png"]
    for path in drawn:
        assert pixels(path).std() > 5
        assert min(pixels(path).shape[:2]) > 400


def test_run_figures_of_a_failed_run_shows_how_far_it_came(experiment: Path) -> None:
    assert [path.name for path in run_figures(experiment / "+se" / "3")] == ["curves.png"]


def test_run_figures_with_the_data_draws_the_maps(experiment: Path, block: Block) -> None:
    run = RunFolder.open(experiment / "baseline" / "1")
    prediction = block.labels[tuple(block.centres["val"].T)].copy()
    prediction[:3] = 2
    run.save_scores(index=np.arange(len(prediction)), prediction=prediction)
    drawn = run_figures(run.path, block)
    assert [path.name for path in drawn] == ["curves.png", "confusion.png", "split.png", "class_map.png"]


def test_scene_maps_put_scores_back_where_their_pixels_lie(block: Block) -> None:
    scores = {"index": np.array([1, 0, 5]), "prediction": np.array([2, 1, 0])}
    maps = scene_maps(block, scores, "val")
    assert maps.prediction is not None
    assert (maps.prediction >= 0).sum() == 3
    assert maps.prediction[0, 3] == 2
    assert maps.prediction[0, 2] == 1
    assert maps.prediction[0, 7] == 0
    assert (maps.split == 1).sum() == 10
    assert (maps.split == 2).sum() == 30
    assert scene_maps(block, {}, "val").prediction is None


def test_class_map_shows_classes_in_their_colours_and_errors_in_red(tmp_path: Path, block: Block) -> None:
    right, wrong = block.labels.copy(), block.labels.copy()
    wrong[0, :4] = 2
    clean = class_map_figure(block.labels, right, ["a", "b", "c"], tmp_path / "clean.png")
    dirty = class_map_figure(block.labels, wrong, ["a", "b", "c"], tmp_path / "dirty.png")
    assert share_of(clean, WRONG) == 0
    assert share_of(dirty, WRONG) == pytest.approx(share_of(dirty, RIGHT) * 4 / 36, rel=0.1)
    for colour in class_colours(3):
        assert share_of(clean, tuple(colour)) > 0.02


def test_class_map_of_labels_alone_and_of_many_classes(tmp_path: Path) -> None:
    labels = np.arange(30).reshape(5, 6)
    assert class_map_figure(labels, None, [], tmp_path / "many.png").stat().st_size > 1000
    assert len({tuple(colour) for colour in class_colours(30)}) == 30
    assert len({tuple(colour) for colour in class_colours(16)}) == 16


@pytest.mark.parametrize(
    ("labels", "prediction", "message"),
    [
        (None, None, "neither labels nor a prediction"),
        (np.zeros((3, 4), int), np.zeros((4, 3), int), r"prediction has shape \(4, 3\)"),
        (np.zeros((3, 4, 2), int), None, r"labels has shape \(3, 4, 2\)"),
    ],
)
def test_maps_that_do_not_fit_are_refused(
    tmp_path: Path, labels: np.ndarray | None, prediction: np.ndarray | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        class_map_figure(labels, prediction, [], tmp_path / "map.png")
    assert not (tmp_path / "map.png").exists()


def test_split_figure(tmp_path: Path) -> None:
    split = np.zeros((20, 30), int)
    split[:10] = 3
    split[:2] = 1
    path = split_figure(split, tmp_path / "split.png")
    train, test = share_of(path, SPLITS[0][1]), share_of(path, SPLITS[2][1])
    assert train == pytest.approx(test / 4, rel=0.15)
    with pytest.raises(UserError, match="0 unused, 1 train"):
        split_figure(split + 3, tmp_path / "wrong.png")


def test_confusion_needs_a_square(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="square"):
        confusion_figure(np.zeros((2, 3)), [], tmp_path / "confusion.png")


def test_no_run_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        run_figures(tmp_path)
