"""Models that are fitted in one go: support vector machines, forests. They are refitted, never stored."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tricklab import registry
from tricklab.engine.evaluation import Scored
from tricklab.engine.finish import Origin, conclude
from tricklab.engine.fit import DONE
from tricklab.engine.journal import Sink, peak_memory_mb
from tricklab.engine.prepared import Prepared
from tricklab.errors import UserError
from tricklab.tasks.base import Evaluation

DIGEST = "classical/prediction_digest"


def is_classical(prepared: Prepared) -> bool:
    """Whether the recipe's model is fitted without gradients."""
    return not getattr(registry.load("model", prepared.settings.model["type"]), "trained_by_gradient", True)


def fit_classical(prepared: Prepared, started: float, sinks: Sequence[Sink] = ()) -> dict[str, Any]:
    """Fit on the training windows, evaluate, write the result; the row goes to ``sinks`` too.

    Raises:
        NotLive: a trick did nothing.
        UserError: the recipe asks for something that such a model cannot have, or the model cannot be fitted.
    """
    refuse_unused(prepared)
    judge = prepared.judge
    begin = time.perf_counter()
    model = refit(prepared)
    train_s = time.perf_counter() - begin
    begin = time.perf_counter()
    evaluation = prepared.task.evaluate_classical(model, prepared.split)
    judge.fact(DIGEST, prediction_digest(evaluation))
    judge.fact("model/parameters", 0)
    samples = prepared.task.sizes()["train"]
    done = {"steps": 1, "epochs": 1.0, "samples_seen": samples, "train_s": round(train_s, 3)}
    judge.fact(DONE, {**done, "peak_memory_mb": peak_memory_mb(prepared.device)})
    origin = Origin(prepared.run, [], judge.facts())
    return conclude(prepared, origin, Scored(evaluation, None, ()), {}, begin, started, sinks)


def refit(prepared: Prepared) -> Any:
    """The fitted model; the same run gives the same one."""
    model = prepared.task.build_model()
    prepared.task.fit_classical(model, prepared.seeds.integer("init"))
    return model


def refit_checked(prepared: Prepared) -> Any:
    """The fitted model of a finished run.

    Raises:
        UserError: it predicts something else than it did, so libraries or data have changed.
    """
    model = refit(prepared)
    recorded = prepared.judge.facts().get(DIGEST)
    found = prediction_digest(prepared.task.evaluate_classical(model, prepared.split))
    if recorded != found:
        raise UserError(
            "the refitted model predicts something else than the run recorded",
            where=str(prepared.run.path),
            fix="use the versions of numpy and scikit-learn in its provenance.json, or run it again",
        )
    return model


def prediction_digest(evaluation: Evaluation) -> str:
    """Hash of the predictions of an evaluation, 32 hexadecimal digits."""
    assert evaluation.predictions is not None
    return hashlib.blake2b(np.ascontiguousarray(evaluation.predictions, "<i8").tobytes(), digest_size=16).hexdigest()


def refuse_unused(prepared: Prepared) -> None:
    """Refuse what would silently do nothing.

    Raises:
        UserError: augmentation, inserted blocks, schedules, averaging or postprocessing with a model without gradients,
            or a trick that changes nothing that such a model reads.
    """
    chosen = prepared.settings
    name = chosen.model["type"]
    if chosen.metric.monitor.endswith("/loss"):
        raise UserError(f"{name} has no loss", where="metric.monitor", fix="declare oa, aa or kappa")
    asked = {
        "data.augment": chosen.data.get("augment"),
        "model.insert": chosen.model.get("insert"),
        "schedule": chosen.schedule,
        "evaluate.averaging": chosen.evaluate.averaging,
        "evaluate.postprocess": chosen.evaluate.postprocess,
    }
    for path, value in asked.items():
        if value:
            raise UserError(
                f"{name} is not trained by gradient, so {path} would do nothing", where=path, fix="leave it out"
            )
    for call in prepared.run.declared["tricks"]:
        if call["writes"] and not any(_is_read(path) for path in call["writes"]):
            raise UserError(
                f"{name} is not trained by gradient, so the trick {call['name']!r} would do nothing",
                where=", ".join(call["writes"]),
                fix="leave it out",
            )


def _is_read(path: str) -> bool:
    """Whether a model without gradients depends on a path of the recipe."""
    return path.split(".")[0] not in ("losses", "optimizer", "schedule", "train", "evaluate") and not path.startswith(
        ("data.augment", "data.sampler", "model.insert")
    )
