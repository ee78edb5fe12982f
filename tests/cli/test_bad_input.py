"""What a user can get wrong: one clear error that names the place, and exit code 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tricklab.cli.main import main

RECIPE = """\
task: hyperspectral
seed: 0
data:
  scene: {type: MatScene, image: cube.mat, labels: labels.mat}
  window: 9
  pca: 13
  split: {type: RandomPixels, train: 0.2}
model: {type: HybridSN}
losses: [{type: CrossEntropyLoss, on: main}]
optimizer: {type: Adam, lr: 1e-3}
train: {epochs: 1, batch_size: 32}
metric: {monitor: test/oa, delta: 0.01}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 8)[:, None].repeat(20, axis=1).astype(np.uint8)
    cube = draw.normal(size=(24, 20, 16)).astype(np.float32) + labels[..., None]
    savemat(tmp_path / "cube.mat", {"cube": cube})
    savemat(tmp_path / "labels.mat", {"gt": labels})
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


Run = Callable[..., str]


@pytest.fixture
def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command that must be refused; give its error text."""

    def run(command: str, *arguments: str) -> str:
        code = main([command, str(folder / "recipe.yaml"), *arguments])
        printed = capsys.readouterr().err
        assert code == 2, printed
        assert "Traceback" not in printed
        *before, error = printed.strip().splitlines()
        assert error.startswith("error: ")
        assert all(line.startswith(("warning: ", "note: ")) for line in before), "findings may come first, nothing else"
        return error

    return run


def train(folder: Path) -> tuple[str, ...]:
    return ("--data", str(folder), "--out", str(folder / "runs"))


def rewrite(folder: Path, old: str, new: str) -> None:
    text = RECIPE.replace(old, new)
    assert text != RECIPE
    (folder / "recipe.yaml").write_text(text)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("batch_size: 32", "batchsize: 32", ["recipe.yaml:11", "train.batchsize", "did you mean 'batch_size'"]),
        ("lr: 1e-3", "lr: fast", ["recipe.yaml:10", "optimizer.lr", "'fast'"]),
        ("seed: 0", "seed: 0\nseed: 1", ["recipe.yaml:3", "seed", "twice"]),
        ("window: 9", "window: 9.5", ["recipe.yaml:5", "data.window"]),
        ("type: HybridSN", "type: HybridSM", ["recipe.yaml:8", "model", "did you mean 'HybridSN'"]),
        ("epochs: 1, ", "epochs: 1, samples: 9, ", ["train", "epochs", "samples"]),
        ("task: hyperspectral", "task: hyperspectal", ["recipe.yaml:1", "did you mean 'hyperspectral'"]),
        ("on: main", "on: [main", ["recipe.yaml:"]),
    ],
    ids=[
        "misspelt key",
        "wrong type",
        "duplicate key",
        "float window",
        "unknown model",
        "two lengths",
        "task",
        "broken yaml",
    ],
)
def test_recipe_errors(folder: Path, refused: Run, old: str, new: str, expected: list[str]) -> None:
    rewrite(folder, old, new)
    error = refused("train", *train(folder))
    for words in expected:
        assert words in error, error


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["+sse"], ["unknown trick 'sse'", "'se'"]),
        (["+se(reducton=4)"], ["reducton", "did you mean 'reduction'"]),
        (["+se(after=conv9)"], ["conv9", "conv2d"]),
        (["+ema", "+swa"], ["+ema", "+swa", "both write evaluate.averaging"]),
        (["train.batch_sise=3"], ["train.batch_sise", "did you mean 'batch_size'"]),
        (["train.batch_size=many"], ["train.batch_size", "'many'"]),
    ],
    ids=["unknown trick", "trick argument", "no such module", "one path twice", "override key", "override type"],
)
def test_command_line_errors(folder: Path, refused: Run, arguments: list[str], expected: list[str]) -> None:
    error = refused("train", *arguments, *train(folder))
    for words in expected:
        assert words in error, error


def test_trick_for_another_task(folder: Path, refused: Run) -> None:
    (folder / "mine.py").write_text(
        "from tricklab.recipe import Recipe\n"
        "from tricklab.tricks import trick\n\n\n"
        "@trick('only_boxes', tasks=('detection',), stage='fit', source='nowhere')\n"
        "def only_boxes(recipe: Recipe) -> Recipe:\n"
        "    '''A trick of another task.'''\n"
        "    return recipe.set('train.epochs', 2)\n"
    )
    rewrite(folder, "seed: 0", "seed: 0\nimports: [mine.py]")
    error = refused("train", "+only_boxes", *train(folder))
    assert "only_boxes" in error
    assert "detection" in error
    assert "hyperspectral" in error


def test_missing_recipe_and_file(folder: Path, refused: Run) -> None:
    (folder / "cube.mat").unlink()
    error = refused("train", *train(folder))
    assert "cube.mat" in error
    assert "labels.mat" in error, "what is there is listed"
    (folder / "recipe.yaml").unlink()
    assert "recipe.yaml" in refused("train", *train(folder))


def save(folder: Path, cube: np.ndarray | None = None, labels: np.ndarray | None = None) -> None:
    if cube is not None:
        savemat(folder / "cube.mat", {"cube": cube})
    if labels is not None:
        savemat(folder / "labels.mat", {"gt": labels})


def cube_with_nan() -> np.ndarray:
    cube = np.ones((24, 20, 16), np.float32)
    cube[3, 4, 5] = np.nan
    return cube


def labels_with_a_lonely_class() -> np.ndarray:
    labels = np.repeat(np.arange(3), 8)[:, None].repeat(20, axis=1).astype(np.uint8)
    labels[0, 0] = 9
    return labels


@pytest.mark.parametrize(
    ("cube", "labels", "expected"),
    [
        (np.ones((4, 4), np.float32), None, ["cube.mat", "cube 4×4"]),
        (None, np.ones((23, 20), np.uint8), ["labels.mat", "23", "24"]),
        (cube_with_nan(), None, ["cube.mat", "row 3", "column 4", "band"]),
        (None, labels_with_a_lonely_class(), ["class 9 has one pixel", "data.ignore"]),
        (None, np.zeros((24, 20), np.uint8), ["labels.mat", "ignore"]),
    ],
    ids=["no usable array", "label map of another size", "NaN", "class with one pixel", "all ignored"],
)
def test_data_errors(
    folder: Path, refused: Run, cube: np.ndarray | None, labels: np.ndarray | None, expected: list[str]
) -> None:
    save(folder, cube, labels)
    error = refused("train", *train(folder))
    for words in expected:
        assert words in error, error


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ablat"]) == 2
    assert "did you mean 'ablate'" in capsys.readouterr().err
