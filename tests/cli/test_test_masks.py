"""tricklab test on masks: the table, the scores and the figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.mask_runs import train_masks
from tricklab.cli.main import main


@pytest.mark.slow
def test_the_report_of_masks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train_masks(tmp_path)
    capsys.readouterr()
    assert main(["test", str(run), "--on", "val", "--json"]) == 0, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)
    confusion = np.array(found["confusion"])
    ious = [row["iou"] for row in found["classes"]]
    hits, union = np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1) - np.diag(confusion)
    assert ious == pytest.approx([h / u if u else None for h, u in zip(hits, union, strict=True)])
    assert found["values"]["miou"] == pytest.approx(np.mean([iou for iou in ious if iou is not None]))
    assert found["pixels"] == confusion.sum() == sum(row["support"] for row in found["classes"])
    assert found["values"]["miou_per_image"] == pytest.approx(np.mean([row["iou"] for row in found["images"]]))
    assert found["trivial"]["boundary_f"] == 0
    assert [Path(path).name for path in found["figures"]] == [
        "confusion_val.png", "classes_val.png", "worst_val.png", "worst_val.html",
    ]  # fmt: skip
    assert all(Path(path).stat().st_size > 5000 for path in found["figures"])
    assert main(["test", str(run), "--on", "val"]) == 0
    text = capsys.readouterr().out
    assert f"miou {found['values']['miou']:.4f}" in text
    assert f"always the commonest training class: aacc {found['trivial']['aacc']:.4f}" in text
    assert text.splitlines()[0].split() == [
        "class", "F-score", "precision", "recall", "IoU", "Acc", "pixels", "predicted",
    ]  # fmt: skip
    assert f"standard errors, were other images drawn: miou {found['standard_errors']['miou']:.4f}" in text
    assert f"means over images: miou_per_image {found['values']['miou_per_image']:.4f}" in text
    assert "outlines, within 0.75% of the diagonal: boundary_f" in text


@pytest.mark.slow
def test_the_figures_of_a_run_on_masks_are_drawn_again_and_only_of_the_same_masks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train_masks(tmp_path, "evaluate.boundary_tolerance=2")
    assert json.loads((run / "result.json").read_text())["scoring"]["boundary_tolerance"] == 2
    capsys.readouterr()
    assert main(["report", str(run), "--json"]) == 0, capsys.readouterr().err
    (found,) = json.loads(capsys.readouterr().out)["runs"]
    names = ["curves.png", "confusion.png", "classes.png", "worst.png", "worst.html"]
    assert [Path(path).name for path in found["figures"]] == names
    assert found["left_out"] is None
    scores = dict(np.load(run / "scores.npz"))
    np.savez(run / "scores.npz", **{**scores, "truth": scores["truth"] + 1})
    assert main(["report", str(run)]) == 2
    assert "are not those that were scored" in capsys.readouterr().err
