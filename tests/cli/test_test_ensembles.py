"""tricklab test of several runs: each alone, all together, and what is no ensemble."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.cli import image_runs, mask_runs
from tricklab.cli.main import main
from tricklab.engine import load_run
from tricklab.engine.run_ensemble import load_ensemble

FIXED = ("data.normalise=half", "data.split={type: RandomImages, train: 0.5, val: 0.25, test: 0.25}")
NARROW = "model={type: EncoderDecoder, backbone: {type: ResNetV1c, depth: 18, base_channels: 4, stem_channels: 4}, " + (
    "decode_head: {type: FCNHead, channels: 4, num_convs: 2}}"
)


def trained(folder: Path, text: str, name: str, *words: str) -> Path:
    place = folder / f"{name}.yaml"
    place.write_text(text)
    code = main(["train", str(place), *words, "--out", str(folder), "--name", name, "--threads", "1"])
    assert code == 0
    return folder / name / "run" / "0"


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["test", *words, "--json"]) == 0, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two networks of different widths, trained on the same images."""
    folder = tmp_path_factory.mktemp("masks")
    return trained(folder, mask_runs.TINY, "a", *FIXED), trained(folder, mask_runs.TINY, "b", *FIXED, NARROW)


@pytest.mark.slow
def test_networks_of_masks_are_scored_alone_and_together(
    masks: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = map(str, masks)
    alone = [told(capsys, run, "--on", "val")["values"] for run in (first, second)]
    for average in ("probabilities", "logits"):
        found = told(capsys, first, second, "--on", "val", "--average", average, "--weights", "3,1")
        about = found["ensemble"]
        assert [row["run"] for row in about["members"]] == [first, second]
        assert [row["weight"] for row in about["members"]] == [0.75, 0.25]
        assert about["members"][0]["parameters"] > about["members"][1]["parameters"]
        for row, values in zip(about["members"], alone, strict=True):
            assert row["values"] == pytest.approx(values)
        runs = [load_run(run) for run in masks]
        fold = vars(runs[0].task)["fold"]
        confusion = np.zeros((3, 3), dtype=np.int64)
        for index in range(len(fold.members["val"])):
            with torch.inference_mode():
                logits = [run.model(fold.values("val", index))["main"].double() for run in runs]
            some = logits if average == "logits" else [one.softmax(1) for one in logits]
            said = (0.75 * some[0] + 0.25 * some[1]).argmax(1)[0].numpy().ravel()
            truth = fold.truth("val", index).numpy().ravel()
            np.add.at(confusion, (truth[truth != 255], said[truth != 255]), 1)
        assert np.abs(np.array(found["confusion"]) - confusion).sum() <= 4  # ties of two classes in single precision
        best = max(values["miou"] for values in alone)
        assert about["gain"] == pytest.approx(about["values"]["miou"] - best)
        assert about["paired"]["images"] == len(fold.members["val"])
    assert main(["test", first, second, "--on", "val"]) == 0
    text = capsys.readouterr().out
    assert "mean of probabilities" in text
    assert "than that of the best run" in text
    assert "standard error of the paired" in " ".join(text.split())


@pytest.mark.slow
def test_one_network_with_itself_is_itself_and_a_look_is_noted_in_every_run(
    masks: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "c" / "run" / "0"
    shutil.copytree(masks[0], copy)
    both = load_ensemble([masks[0], copy])
    each, together = both.evaluate("test")
    assert together.values == pytest.approx(each[0].values, abs=1e-6)
    assert together.values == pytest.approx(each[1].values, abs=1e-6)
    looks = [sum(event["kind"] == "test_touched" for event in run.events()) for run in both.runs]
    assert looks[0] == looks[1] > 0
    assert both.asked_otherwise == ()


@pytest.mark.slow
def test_what_is_no_ensemble_of_masks(
    masks: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = map(str, masks)
    other_split = trained(tmp_path, mask_runs.TINY, "s", *FIXED, "seed=5")
    other_values = trained(tmp_path, mask_runs.TINY, "n", FIXED[1])
    slid = trained(
        tmp_path, mask_runs.TINY, "w", *FIXED, "evaluate={method: slide, window: [24, 24], stride: [16, 16]}"
    )
    unfinished = tmp_path / "u"
    shutil.copytree(second, unfinished)
    status = json.loads((unfinished / "status.json").read_text())
    (unfinished / "status.json").write_text(json.dumps({**status, "state": "interrupted"}))
    for words, message in (
        ([first, first], "named twice"),
        ([first, str(other_split)], "other val images"),
        ([first, str(other_values)], "normalise"),
        ([first, str(unfinished)], "interrupted"),
        ([first, str(tmp_path / "nothing")], "nothing"),
        ([first, second, "--weights", "1,x"], "no weights of 2 runs"),
        ([first, second, "--weights", "1"], "no weights of 2 runs"),
        ([first, second, "--weights", "1,-1"], "no weights of 2 runs"),
        ([first, second, "--average", "median"], "probabilities or logits"),
        ([first, second, "--top-k", "2"], "--top-k"),
        ([first, second, "--grad-cam", "2"], "for one run"),
        ([first, "--average", "logits"], "for several runs"),
    ):
        capsys.readouterr()
        code = main(["test", *words, "--on", "val"])
        error = capsys.readouterr().err
        assert code != 0, words
        assert message in " ".join(error.split()), (words, error)
        assert "Traceback" not in error
    found = told(capsys, first, str(slid), "--on", "val")
    assert found["ensemble"]["asked_otherwise"] == [str(slid)]
    assert told(capsys, str(slid), "--on", "val")["other_windows"]["windows"] == [[24, 24], [40, 40]]
    assert main(["test", str(slid), "--on", "val"]) == 0
    assert "windows of 24 × 24 against 40 × 40 pixels: " in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_networks_of_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fixed = "data.normalise=imagenet"
    first = trained(tmp_path, image_runs.TINY, "a", fixed)
    second = trained(tmp_path, image_runs.TINY, "b", fixed, "model={type: timm, name: resnet14t}")
    found = told(capsys, str(first), str(second), "--average", "logits")
    runs = [load_run(run) for run in (first, second)]
    fold = vars(runs[0].task)["fold"]
    dataset = fold.dataset("test", augment=False)
    images = dataset.__getitems__(list(range(len(dataset))))["image"]
    with torch.inference_mode():
        said = (runs[0].model(images)["main"] + runs[1].model(images)["main"]).argmax(1)
    wanted = float((said == fold.targets["test"]).float().mean())
    assert found["ensemble"]["values"]["accuracy"] == pytest.approx(wanted)
    assert found["accuracy"] == pytest.approx(wanted)
    assert found["ranking"] is not None
    capsys.readouterr()
    assert main(["test", str(first), str(second), "--on", "val"]) == 0
    assert "timm resnet14t" in capsys.readouterr().out
    trained_on_them = trained(tmp_path, image_runs.TINY, "c", fixed, "seed=3")
    masked = trained(tmp_path, mask_runs.TINY, "m", "data.normalise=half")
    for other, message in ((trained_on_them, "was trained on"), (masked, "run on images is needed")):
        assert main(["test", str(first), str(other)]) != 0
        assert message in " ".join(capsys.readouterr().err.split())
