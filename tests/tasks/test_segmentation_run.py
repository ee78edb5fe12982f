"""A whole run on masks: trained, scored, recorded, loaded again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.tricks.arguments import RECIPES
from tricklab.cli.main import main
from tricklab.engine import load_run
from tricklab.metrics.segmentation import MaskScores, mask_metric_code
from tricklab.records import RunFolder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of the tiny recipe."""
    place = tmp_path_factory.mktemp("runs")
    recipe = place / "tiny.yaml"
    recipe.write_text(json.dumps(RECIPES["segmentation"]))
    assert main(["train", str(recipe), "--out", str(place), "--name", "t", "--threads", "1"]) == 0
    return RunFolder.open(place / "t" / "run" / "0")


@pytest.mark.slow
def test_what_a_run_records_is_what_was_scored(finished: RunFolder) -> None:
    result, scores = finished.result(), finished.scores()
    assert result is not None
    assert result["metric_code"] == mask_metric_code()
    assert result["loss_terms"] == ["CrossEntropyLoss.aux", "CrossEntropyLoss.main"]
    again = MaskScores(len(result["classes"]))
    again.extend(np.array(result["confusion"]), scores)
    values = again.values()
    assert result["metric"]["value"] == pytest.approx(values["miou"])
    assert result["values"]["val/boundary_f"] == pytest.approx(values["boundary_f"], nan_ok=True)
    assert result["values"]["val/loss"] == pytest.approx(float(scores["loss"].mean()))
    assert result["trivial"]["val/miou"] > 0
    assert set(scores) == {"index", "hits", "truth", "predicted", "outlines", "loss"}


@pytest.mark.slow
def test_a_loaded_run_scores_the_same(finished: RunFolder) -> None:
    result = finished.result()
    assert result is not None
    found = load_run(finished.path).evaluate("val")
    assert found.confusion.tolist() == result["confusion"]
    assert found.values["miou"] == result["metric"]["value"]
