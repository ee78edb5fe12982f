"""Weights of several moments of a run, kept whole: what ensembles and soups are made of."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from tricklab.optim.averaging import Averaging, State, parameter_names, plain_state
from tricklab.optim.clock import RunLength

ENSEMBLE = "ensemble_members"


class Members(Averaging):
    """Keep a copy of the model, running statistics included, at each of some moments, and the mean of its parameters.

    Copies lie in the CPU's memory. Until the first is kept the mean is the initial weights (``updates`` is 0).

    Args:
        moments: finished steps after which a copy is kept.
        model: the model at its initial weights.
        clock: length of the run.
    """

    def __init__(self, moments: Sequence[int], model: nn.Module, clock: RunLength) -> None:
        super().__init__(model, clock)
        self.moments = tuple(moments)
        self.members: list[State] = []

    @abc.abstractmethod
    def is_ensemble(self) -> bool:
        """Whether ``weights`` are those of an ensemble of the members instead of one model's."""

    def update(self, model: nn.Module, moved: bool = True) -> None:
        self.steps += 1
        if self.steps not in self.moments:
            return
        means, now = self._pairs(model)
        torch._foreach_lerp_(means, now, 1 / (self.updates + 1))
        self.members.append({name: tensor.to("cpu", copy=True) for name, tensor in plain_state(model).items()})
        self.updates += 1

    def weights(self) -> State:
        """The mean as a plain state dict, or every member under ``ensemble_members.<number>.<name>``."""
        if not self.is_ensemble():
            return super().weights()
        return self.member_tree() if self.members else _tree([super().weights()])

    def member_tree(self) -> State:
        """Every member under ``ensemble_members.<number>.<name>``; tensors are copies."""
        return _tree(self.members)

    def mean_of(self, chosen: Sequence[int]) -> State:
        """The plain mean of some members' parameters; buffers are those of the last of them."""
        states = [self.members[number] for number in chosen]
        found = dict(states[-1])
        for name in self._average:
            wide = torch.stack([state[name].double() for state in states]).mean(0)
            found[name] = wide.to(states[-1][name].dtype)
        return found

    def initial_share(self) -> float:
        return 0.0 if self.updates else 1.0

    def averaged_names(self, model: nn.Module, state: Mapping[str, torch.Tensor]) -> list[str]:
        parameters = parameter_names(model)
        return [name for name, tensor in state.items() if tensor.is_floating_point() and name in parameters]

    def needs_statistics_update(self, model: nn.Module) -> bool:
        return False

    def numbers(self) -> dict[str, Any]:
        """``spread``: the smallest relative distance between two members' parameters, None for fewer than two."""
        return {"spread": min(self._distances(), default=None)}

    def _distances(self) -> list[float]:
        found = []
        for place, one in enumerate(self.members):
            for other in self.members[:place]:
                square = sum(float((one[n].double() - other[n].double()).square().sum()) for n in self._average)
                norm = sum(float(other[n].double().square().sum()) for n in self._average)
                found.append((square / norm if norm > 0 else square) ** 0.5)
        return found

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "members": [dict(state) for state in self.members]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.members = [{name: t.to("cpu", copy=True) for name, t in kept.items()} for kept in state["members"]]


def _tree(members: Sequence[State]) -> State:
    return {f"{ENSEMBLE}.{i}.{name}": t.clone() for i, state in enumerate(members) for name, t in state.items()}
