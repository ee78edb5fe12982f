"""tricklab test on images: ranking, top-k, calibration, galleries, where the network looks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score, top_k_accuracy_score

from tests.cli.image_runs import train_images
from tests.cli.runs import train
from tricklab.cli.main import main
from tricklab.engine import load_run
from tricklab.records import RunFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    many = "data.images={type: SyntheticImages, classes: 6, per_class: 20, size: 24}"
    return train_images(tmp_path_factory.mktemp("runs"), many, "train.epochs=1")


def report_of(run: Path, *words: str, capsys: pytest.CaptureFixture[str]) -> dict:
    assert main(["test", str(run), *words, "--json"]) == 0, capsys.readouterr().err
    found: dict = json.loads(capsys.readouterr().out)
    return found


def test_scores_are_those_of_scikit_learn(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = report_of(run, "--on", "val", "--top-k", "2", capsys=capsys)
    scored = load_run(run).evaluate("val")
    probabilities, targets = scored.probabilities, scored.targets
    assert probabilities is not None
    ranking = found["ranking"]
    wide = probabilities.astype(np.float64)
    wide /= wide.sum(axis=1, keepdims=True)
    macro = roc_auc_score(targets, wide, multi_class="ovr", average="macro")
    assert ranking["macro_auroc"] == pytest.approx(macro, abs=1e-6)
    each = [average_precision_score(targets == k, probabilities[:, k]) for k in range(6)]
    assert [row["average_precision"] for row in found["classes"]] == pytest.approx(each)
    assert ranking["macro_average_precision"] == pytest.approx(np.mean(each))
    top = top_k_accuracy_score(targets, probabilities, k=2)
    assert found["top_k"] == {
        "k": 2,
        "accuracy": pytest.approx(top),
        "commonest": pytest.approx(1 / 3),
        "warning": None,
    }
    assert found["calibration"]["ece"] == pytest.approx(scored.values["ece"], abs=1e-9)
    assert sum(row["count"] for row in found["calibration"]["bins"]) == len(targets)
    wrong = scored.confusion - np.diag(np.diag(scored.confusion))
    assert found["confused"][0]["count"] == wrong.max()
    assert found["items"] == "images"
    names = ["confusion.png", "reliability.png", "worst.png", "worst.html"]
    assert [Path(path).name for path in found["figures"]] == names


def test_for_a_person_on_the_test_set(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(run), "--grad-cam", "4"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"class +precision +recall +F1 +AUROC +AP +support", out)
    assert re.search(r"macro AUROC 0\.\d{4}", out)
    assert "warning: top-5 of 6 classes says little" in out
    assert re.search(r"calibration error 0\.\d{4}", out)
    assert "looks at the test set so far: 1" in out
    with Image.open(run / "figures" / "grad-cam-test.png") as image:
        assert np.asarray(image.convert("RGB")).std() > 10
    assert (run / "figures" / "worst-test.html").is_file()


def test_the_report_of_a_run_draws_what_was_recorded(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("worst.html", "reliability.png"):
        (run / "figures" / name).unlink(missing_ok=True)
    assert main(["report", str(run), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["runs"]
    drawn = {Path(path).name for path in found["figures"]}
    assert drawn == {"curves.png", "confusion.png", "reliability.png", "worst.png", "worst.html"}
    scores = RunFolder.open(run).scores()
    wrong = int((scores["target"] != scores["prediction"]).sum())
    assert f"{wrong} of {len(scores['target'])} images" in (run / "figures" / "worst.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [(("--top-k", "6"), "always among the first 6"), (("--layer", "layer1"), "a layer is for --grad-cam"),
     (("--grad-cam", "2", "--layer", "layr1"), "no module named 'layr1'")],
)  # fmt: skip
def test_bad_input(run: Path, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(run), "--on", "val", *words]) == 2
    assert message in capsys.readouterr().err


def test_options_for_images_are_refused_for_scenes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = train(tmp_path)
    assert main(["test", str(scene), "--top-k", "2"]) == 2
    assert "--top-k: this is for runs on images" in capsys.readouterr().err
