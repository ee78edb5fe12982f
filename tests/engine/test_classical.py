from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tests.engine.conftest import MakeRun
from tricklab.engine import execute
from tricklab.engine.classical import refit_checked
from tricklab.engine.prepared import prepare
from tricklab.errors import UserError
from tricklab.records import Evidence


@pytest.mark.parametrize("model", ["PixelSVM", "PatchSVM", "PixelForest"])
def test_fits_scores_and_refits_the_same(make_run: MakeRun, model: str) -> None:
    trees = ", trees: 20" if model == "PixelForest" else ""
    run = make_run(overrides=[f"model={{type: {model}{trees}}}"])
    result = execute(run.path, threads=1, progress=False)
    assert result["state"] == "finished"
    assert result["metric"]["value"] > result["trivial"]["val/oa"]
    assert result["values"].keys() == {"val/oa", "val/aa", "val/kappa"}
    assert [row["phase"] for row in run.metrics()] == ["val"]
    assert run.scores()["prediction"].shape == run.scores()["target"].shape
    prepared = prepare(run, "cpu")
    model_again = refit_checked(prepared)
    again = prepared.task.evaluate_classical(model_again, "val")
    assert np.array_equal(again.predictions, run.scores()["prediction"])


def test_pixel_svm_equals_scikit_learn(make_run: MakeRun) -> None:
    run = make_run(overrides=["model=PixelSVM"])
    execute(run.path, threads=1, progress=False)
    fold = prepare(run, "cpu").task.fold

    def spectra(split: str) -> np.ndarray:
        rows, columns = fold.centres[split].numpy().T
        return fold.planes[:, rows, columns].T

    peer = make_pipeline(StandardScaler(), SVC(C=100.0)).fit(spectra("train"), fold.targets["train"].numpy())
    # ours takes the argmax of the decision values, which differs from the votes on ties only
    assert (peer.predict(spectra("val")) == run.scores()["prediction"]).mean() > 0.98


@pytest.mark.parametrize(
    "asked", ["data.augment=[{type: FlipWindows}]", "evaluate.averaging={type: Ema}", "schedule=[Cosine]"]
)
def test_what_would_do_nothing_is_refused(make_run: MakeRun, asked: str) -> None:
    run = make_run(overrides=["model=PixelSVM", asked])
    with pytest.raises(UserError, match=f"PixelSVM is not trained by gradient, so {asked.split('=')[0]}"):
        execute(run.path, threads=1, progress=False)


def test_a_loss_cannot_be_its_metric(make_run: MakeRun) -> None:
    run = make_run(overrides=["model=PixelSVM", "metric.monitor=val/loss", "metric.mode=min"])
    with pytest.raises(UserError, match="PixelSVM has no loss"):
        execute(run.path, threads=1, progress=False)


def test_a_changed_prediction_is_noticed(make_run: MakeRun) -> None:
    run = make_run(overrides=["model=PixelSVM"])
    execute(run.path, threads=1, progress=False)
    run.event("fact", name="classical/prediction_digest", value="0" * 32)
    assert Evidence.from_folder(run.path).fact("classical/prediction_digest") == "0" * 32
    with pytest.raises(UserError, match="predicts something else"):
        refit_checked(prepare(run, "cpu"))


@pytest.mark.parametrize(
    "call", ["+adamw", "+bf16", "+class_balanced", "+class_weights", "+label_smoothing", "+clip_norm"]
)
def test_a_trick_that_such_a_model_does_not_read_is_refused(make_run: MakeRun, call: str) -> None:
    run = make_run(overrides=["model=PixelSVM"], calls=[call])
    with pytest.raises(UserError, match=f"so the trick '{call[1:]}' would do nothing"):
        execute(run.path, threads=1, progress=False)


def test_tricks_that_it_reads_are_probed(make_run: MakeRun) -> None:
    run = make_run(overrides=["model=PixelSVM"], calls=["+no_whiten"])
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    probes = [(event["trick"], event["live"]) for event in run.events() if event["kind"] == "probe"]
    assert probes == [("no_whiten", True)]


def test_its_row_reaches_observers(make_run: MakeRun) -> None:
    run = make_run(overrides=["model=PixelSVM"])
    seen: list[dict[str, object]] = []
    execute(run.path, threads=1, progress=False, observers=[seen.append])
    assert seen == run.metrics()
