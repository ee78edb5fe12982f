"""Loss and metrics along the straight line through the last and the averaged weights of a finished run."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tricklab.engine.classical import is_classical
from tricklab.engine.clock import run_clock
from tricklab.engine.evaluation import evaluating
from tricklab.engine.finish import load_weights
from tricklab.engine.load import LoadedRun
from tricklab.engine.prepared import Prepared, sibling
from tricklab.engine.statistics_batches import forward_on_device, statistics_batches
from tricklab.errors import UserError
from tricklab.inference.ensemble import member_count
from tricklab.ops.denormals import flushing_denormals
from tricklab.optim.averaging import State, parameter_names, plain_state
from tricklab.optim.freezing import Freezing
from tricklab.optim.statistics_update import has_running_statistics, reestimate_statistics
from tricklab.records import load_tree

MARGIN = 0.5


@dataclass(frozen=True)
class WeightLine:
    """What was found along the line; ``t`` 0 is the last weights, 1 the averaged ones.

    Attributes:
        split: the items that were scored.
        average: file of the averaged weights.
        points: for each ``t``, rising: ``{"t": …, "values": {name: value}}``.
        distance: relative distance of the averaged to the last parameters.
        statistics_reestimated: whether running statistics were estimated anew at every point, the two ends included.
    """

    split: str
    average: str
    points: list[dict[str, Any]]
    distance: float
    statistics_reestimated: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def weight_line(loaded: LoadedRun, split: str, steps: int = 10, average: str | None = None) -> WeightLine:
    """Score a model with weights (1 - t) * last + t * averaged, for t from -0.5 to 1.5 (Izmailov et al., figure 3).

    Only parameters move along the line. Buffers are those of the last weights; running statistics of batch
    normalisation are estimated anew from the training items at each point, as they would not fit.

    Args:
        loaded: a finished run with an average.
        split: train (without augmentation), val or test.
        steps: points from one end to the other, at least 1; the two ends are among them.
        average: which average, where the training has several: a file's name such as ``average-ema-1f3a2c``.

    Raises:
        UserError: there is no average, there are several and none is named, or it is an ensemble.
    """
    prepared = loaded.prepared
    if is_classical(prepared):
        raise UserError("a model without gradients has no average of weights", where=str(loaded.run.path))
    source = sibling(loaded.run) or loaded.run
    place = _average_file(loaded, source.checkpoint("weights").parent, average)
    model, _ = load_weights(prepared, source.checkpoint("weights"))
    averaged = {name: tensor.to(prepared.device).float() for name, tensor in load_tree(place).items()}
    if member_count(averaged):
        raise UserError("an ensemble averages probabilities: its weights lie on no line", where=str(place))
    last = {name: tensor.clone() for name, tensor in plain_state(model).items()}
    names = [name for name in last if name in parameter_names(model) and last[name].is_floating_point()]
    anew = has_running_statistics(model)
    _freeze_as_trained(prepared, model)
    if split == "test":
        loaded.run.event("test_touched", step=(loaded.run.result() or {}).get("steps"), by="line")
    points = []
    for number in range(-round(MARGIN * steps), round((1 + MARGIN) * steps) + 1):
        t = number / steps
        # lerp is exact at both ends
        state: State = {**last, **{name: torch.lerp(last[name], averaged[name], t) for name in names}}
        points.append({"t": t, "values": _scored(loaded, model, state, split, anew)})
    square = sum(float((averaged[name].double() - last[name].double()).square().sum()) for name in names)
    norm = sum(float(last[name].double().square().sum()) for name in names)
    return WeightLine(split, place.stem, points, (square / norm if norm > 0 else square) ** 0.5, anew)


def _scored(loaded: LoadedRun, model: Any, state: State, split: str, anew: bool) -> dict[str, float]:
    chosen = loaded.prepared.settings.evaluate
    with flushing_denormals():
        model.load_state_dict(copy.copy(state), strict=True)
        if anew:
            batches = statistics_batches(loaded.prepared)
            reestimate_statistics(model, batches, forward_on_device(loaded.task))
        with evaluating(model):
            return loaded.task.evaluate(model, split, loaded.prepared.postprocess, chosen.method).values


def _freeze_as_trained(prepared: Prepared, model: nn.Module) -> None:
    """Put frozen normalisations into the mode of the training's last step, in which they keep their statistics."""
    train = prepared.settings.train
    if train.freeze:
        clock = run_clock(train.model_dump(), prepared.task.loader("train").batch_sampler.samples)
        last = clock.total_steps - 1
        freezing = Freezing(model.train(), [item.model_dump() for item in train.freeze], clock)
        freezing.apply(clock.branches.along_path(last) if clock.branches else last)


def _average_file(loaded: LoadedRun, folder: Path, name: str | None) -> Path:
    found = sorted(folder.glob("average-*.safetensors"))
    own = loaded.prepared.averaging_key
    if name is None and own is not None:
        name = f"average-{own}"
    if name is None and len(found) == 1:
        return found[0]
    chosen = next((place for place in found if place.stem == name), None)
    if chosen is not None:
        return chosen
    if not found:
        raise UserError(
            "this training has no averaged weights", where=str(loaded.run.path), fix="train with +ema, +swa or +soup"
        )
    known = ", ".join(place.stem for place in found)
    raise UserError(
        "there are several averages" if name is None else f"there is no average {name!r}",
        where=str(loaded.run.path),
        fix=f"--average: {known}",
    )
