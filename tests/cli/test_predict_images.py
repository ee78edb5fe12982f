"""tricklab predict on images: rows in CSV and JSON, files that are no images, folders as truth."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from tests.cli.image_runs import train_images
from tricklab.cli.main import main
from tricklab.engine import load_run
from tricklab.engine.image_network import open_image_network, predicted_batches
from tricklab.errors import UserError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_images(tmp_path_factory.mktemp("runs"), "evaluate.batch_size=7", "+tta", "+ema(decay=0.8)")


@pytest.fixture(scope="module")
def fold(run: Path) -> object:
    return load_run(run).task.fold  # type: ignore[attr-defined]


@pytest.fixture
def folder(tmp_path: Path, fold: object) -> Path:
    """The run's own validation images as files: one folder a class, one level down."""
    images, classes = fold.images, fold.classes  # type: ignore[attr-defined]
    for number in fold.members["val"].tolist():  # type: ignore[attr-defined]
        place = tmp_path / "images" / "deep" / classes[images.labels[number]]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images.read(number)).save(place / f"{number}.png")
    return tmp_path / "images"


def predicted(run: Path, *words: str, capsys: pytest.CaptureFixture[str]) -> dict:
    assert main(["predict", str(run), *words, "--json"]) == 0, capsys.readouterr().err
    found: dict = json.loads(capsys.readouterr().out)
    return found


def test_files_are_predicted_as_the_run_scored_them(
    run: Path, fold: object, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = (str(folder), "--out", str(out), "--top-k", "2", "--all", "--truth", "folders")
    found = predicted(run, *words, capsys=capsys)
    with (out / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    document = json.loads((out / "predictions.json").read_text())
    scored = load_run(run).evaluate("val")
    assert scored.probabilities is not None
    classes = fold.classes  # type: ignore[attr-defined]
    by_number = {int(Path(row["path"]).stem): row for row in rows}
    members = fold.members["val"].tolist()  # type: ignore[attr-defined]
    assert sorted(by_number) == members
    for place, number in enumerate(members):
        row = by_number[number]
        wanted = scored.probabilities[place]
        assert [float(row[f"probability of {name}"]) for name in classes] == pytest.approx(wanted.tolist(), abs=1e-5)
        assert (row["class"], row["class_2"]) == tuple(classes[k] for k in np.argsort(-wanted)[:2])
        assert float(row["probability"]) == pytest.approx(wanted.max(), abs=1e-5)
        assert row["label"] == classes[scored.targets[place]]
    assert [one["path"] for one in document["images"]] == [row["path"] for row in rows]
    assert document["classes"] == list(classes)
    assert found["images"] == len(members) == sum(found["predicted"].values())
    truth, said = scored.targets, scored.predictions
    assert found["scores"]["accuracy"] == pytest.approx(accuracy_score(truth, said))
    assert found["scores"]["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, said))
    assert found["scores"]["macro_f1"] == pytest.approx(f1_score(truth, said, average="macro"))
    assert found["scores"]["calibration"]["ece"] == pytest.approx(scored.values["ece"], abs=1e-5)
    assert document["scores"]["confusion"] == scored.confusion.tolist()


def test_files_that_are_no_images(run: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = next(folder.rglob("*.png"))
    whole = good.read_bytes()
    (good.parent / "half.png").write_bytes(whole[: len(whole) // 2])
    (good.parent / "empty.jpg").write_bytes(b"")
    out = tmp_path / "out"
    assert main(["predict", str(run), str(folder), "--out", str(out)]) == 2
    err = capsys.readouterr().err
    assert ".jpg" in err or ".png" in err
    assert not list(out.glob("*"))
    found = predicted(run, str(folder), "--out", str(out), "--unreadable", "skip", "--format", "json", capsys=capsys)
    assert {Path(one["path"]).name for one in found["unreadable"]} == {"half.png", "empty.jpg"}
    document = json.loads((out / "predictions.json").read_text())
    assert document["unreadable"] == found["unreadable"]
    assert len(document["images"]) == found["images"] == len(list(folder.rglob("*.png"))) - 1
    assert [path.name for path in out.iterdir()] == ["predictions.json"]
    assert main(["predict", str(run), str(folder), "--out", str(out), "--unreadable", "skip"]) == 0
    assert "2 files cannot be read as images" in capsys.readouterr().out


def test_only_a_few_batches_are_read_ahead(run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tricklab.engine import image_network

    network, read = open_image_network(run), []
    real = image_network.read_image
    monkeypatch.setattr(image_network, "read_image", lambda path: (read.append(path), real(path))[1])
    paths = sorted(folder.rglob("*.png")) * 20
    batches = predicted_batches(network, paths)
    first = next(batches)
    assert len(first.paths) == 7
    assert len(read) <= 4 * 7
    assert len(paths) > 100
    batches.close()
    assert torch.equal(torch.from_numpy(first.probabilities).sum(1).round(decimals=5), torch.ones(7))


def test_the_images_of_the_training_are_not_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = tmp_path / "pictures"
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        (pictures / name).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(pictures / name / f"{number}.png")
    run = train_images(
        tmp_path, "data.images={type: ClassFolders}", f"data.root={pictures}", "train.epochs=1", "data.resize=pad",
        "data.split={type: Stratified, train: 0.5, val: 0.5, test: 0}", "data.duplicates=keep",
        "data.normalise=running",
    )  # fmt: skip
    capsys.readouterr()
    kept = tmp_path / "kept.png"
    (pictures / "one" / "0.png").rename(kept)
    for place in pictures.rglob("*.png"):
        place.unlink()
    found = predicted(run, str(kept), capsys=capsys)
    assert found["images"] == 1
    assert (run / "predictions" / "predictions.csv").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name files or folders"),
        (("nowhere.png",), "nowhere.png: no such file or folder"),
        (("IMAGES", "--top-k", "4"), "there are 3 classes"),
        (("IMAGES", "--method", "dense"), "--method: this is for scenes"),
        (("IMAGES", "--format", "geotiff"), "csv or json"),
        (("IMAGES", "--truth", "names"), "--truth: unknown value 'names'"),
        (("IMAGES", "--unreadable", "drop"), "error or skip"),
    ],
)
def test_bad_input(
    run: Path, folder: Path, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tuple(str(folder) if word == "IMAGES" else word for word in words)
    assert main(["predict", str(run), *words]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_that_is_no_class_is_no_truth(run: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = folder / "other"
    other.mkdir()
    next(folder.rglob("*.png")).rename(other / "x.png")
    assert main(["predict", str(run), str(folder), "--truth", "folders"]) == 2
    assert "the folder 'other' is no class of this run" in capsys.readouterr().err


def test_models_without_weights_are_refused(tmp_path: Path) -> None:
    run = train_images(tmp_path, "model={type: PatchForest, trees: 5}")
    with pytest.raises(UserError, match="PatchForest keeps no weights"):
        open_image_network(run)
