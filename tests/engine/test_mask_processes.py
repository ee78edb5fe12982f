"""Two processes score masks as one does, and to the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.engine.conftest import MakeRun
from tests.engine.test_mask_resume import recipe
from tests.ops.processes import on_ranks
from tricklab.engine import execute
from tricklab.engine.finish import evaluate_weights
from tricklab.engine.prepared import prepare
from tricklab.ops.ranks import Ranks
from tricklab.records import RunFolder

pytestmark = pytest.mark.slow


def _scores(found: Ranks, folder: str) -> tuple[dict[str, float], dict[str, np.ndarray], list[list[int]]]:
    prepared = prepare(RunFolder.open(folder), "cpu")
    scored, _ = evaluate_weights(prepared, prepared.run)
    return scored.raw.values, scored.raw.arrays, scored.raw.confusion.tolist()


def test_two_processes_score_masks_as_one_does(make_run: MakeRun, tmp_path: Path) -> None:
    # windows and images of two at once: shares that do not come out even
    chosen = [
        "train.iterations=2", "data.split={type: RandomImages, train: 0.6, val: 0.4}", "evaluate.batch_size=2",
        "evaluate.method=slide", "evaluate.window=[24, 24]", "evaluate.stride=[16, 16]",
    ]  # fmt: skip
    run = make_run("trained", chosen, tree=recipe())
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    for name in ("alone", "both"):
        (tmp_path / name).mkdir()
    ((values, arrays, confusion),) = on_ranks(1, _scores, tmp_path / "alone", str(run.path))
    for found, counts, table in on_ranks(2, _scores, tmp_path / "both", str(run.path)):
        assert found == pytest.approx(values, abs=1e-12)
        assert table == confusion == run.result()["confusion"]
        assert counts.keys() == arrays.keys()
        assert all(np.array_equal(counts[name], arrays[name]) for name in counts)
    recorded = {key.split("/")[1]: value for key, value in run.result()["values"].items()}
    assert values == pytest.approx(recorded, abs=1e-12)
