"""What weight averages share: plain names, which tensors are averaged and which copied, distances, state."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.optim.clock import RunLength

State = dict[str, torch.Tensor]


class Averaging(abc.ABC):
    """A running average of a model's weights, beside the model and never in its way.

    Floating-point parameters are averaged, in float32 or the model's own precision if that is higher; everything that
    is not floating point is copied. Names are those of the bare model, whatever wraps it (torch.compile, DDP).

    Args:
        model: the model at its initial weights.
        clock: length of the run.
    """

    def __init__(self, model: nn.Module, clock: RunLength) -> None:
        self.clock = clock
        self.steps = 0
        self.updates = 0
        state = plain_state(model)
        self._dtypes = {name: tensor.dtype for name, tensor in state.items()}
        averaged = set(self.averaged_names(model, state))
        self._average = {n: _wide(t).clone() for n, t in state.items() if n in averaged}
        self._copied = {n: t.clone() for n, t in state.items() if n not in averaged}

    @abc.abstractmethod
    def update(self, model: nn.Module, moved: bool = True) -> None:
        """Take in the model after an optimizer step. Call it after every one.

        Args:
            model: the model after the step.
            moved: False for a step that loss scaling skipped: the weights are those of before.
        """

    @abc.abstractmethod
    def initial_share(self) -> float:
        """Weight that the initial weights have in the average now: 1 before the first update, towards 0 after many."""

    @abc.abstractmethod
    def averaged_names(self, model: nn.Module, state: Mapping[str, torch.Tensor]) -> list[str]:
        """Which tensors of a plain state are averaged."""

    @abc.abstractmethod
    def needs_statistics_update(self, model: nn.Module) -> bool:
        """Whether the averaged weights need new running statistics (``reestimate_statistics``) before they are used."""

    def numbers(self) -> dict[str, Any]:
        """What else a kind of average has to say about itself, for the records."""
        return {}

    def weights(self) -> State:
        """The averaged model as a plain state dict in the model's order and precision; tensors are copies."""
        found = {**self._average, **self._copied}
        return {name: found[name].to(dtype, copy=True) for name, dtype in self._dtypes.items()}

    def distance_to(self, other: nn.Module | Mapping[str, torch.Tensor]) -> float:
        """Relative distance of the averaged tensors to those of a model or plain state dict.

        The root of the summed squares of the differences over that of ``other``; absolute where ``other`` is all zero.
        """
        state = plain_state(other) if isinstance(other, nn.Module) else other
        self._same_names(state)
        # float64 sums: the difference of nearly equal weights must not drown in rounding
        square, norm = 0.0, 0.0
        for name, mean in self._average.items():
            there = state[name].to(mean.device).double()
            square += float((mean.double() - there).square().sum())
            norm += float(there.square().sum())
        return (square / norm if norm > 0 else square) ** 0.5

    def state_dict(self) -> dict[str, Any]:
        """Everything that ``load_state_dict`` needs to go on bit for bit; ``average`` has the plain names."""
        return {
            "steps": self.steps,
            "updates": self.updates,
            "average": {name: tensor.clone() for name, tensor in self._average.items()},
            "copied": {name: tensor.clone() for name, tensor in self._copied.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state_dict``.

        Raises:
            UserError: it is the average of another model.
        """
        self._same_names({**state["average"], **state["copied"]})
        self.steps, self.updates = state["steps"], state["updates"]
        for own, given in ((self._average, state["average"]), (self._copied, state["copied"])):
            for name, tensor in own.items():
                tensor.copy_(given[name])

    def _pairs(self, model: nn.Module) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Averages and the model's tensors in the averages' precision; the copied tensors are refreshed on the way."""
        state = plain_state(model)
        self._same_names(state)
        for name, tensor in self._copied.items():
            tensor.copy_(state[name])
        return list(self._average.values()), [state[n].to(mean.dtype) for n, mean in self._average.items()]

    def _same_names(self, state: Mapping[str, Any]) -> None:
        other = sorted(set(state) ^ set(self._dtypes))
        if other:
            raise UserError(
                f"the average is of another model: {len(other)} names differ, such as {other[0]}", where="averaging"
            )


def bare(model: nn.Module) -> nn.Module:
    """The model inside torch.compile, DDP and DataParallel."""
    while True:
        if isinstance(getattr(model, "_orig_mod", None), nn.Module):
            model = model._orig_mod  # type: ignore[assignment]
        elif isinstance(model, nn.parallel.DistributedDataParallel | nn.DataParallel):
            model = model.module
        else:
            return model


def plain_state(model: nn.Module) -> State:
    """A model's state dict under its bare names: no ``module.`` of DDP, no ``_orig_mod.`` of torch.compile."""
    state = bare(model).state_dict()
    return {_plain_name(name): tensor.detach() for name, tensor in state.items() if isinstance(tensor, torch.Tensor)}


def parameter_names(model: nn.Module) -> set[str]:
    """Bare names of a model's parameters."""
    return {_plain_name(name) for name, _ in bare(model).named_parameters(remove_duplicate=False)}


def _plain_name(name: str) -> str:
    # a compiled part inside the model keeps its prefix in the middle of a name
    return name.replace("_orig_mod.", "")


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
