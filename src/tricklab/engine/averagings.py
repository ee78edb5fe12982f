"""Averages of the weights that watch a training; they never touch it, so one training can carry several."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from tricklab import registry
from tricklab.engine.clock import RunClock
from tricklab.optim.averaging import Averaging, plain_state
from tricklab.optim.averaging_key import averaging_key as averaging_key
from tricklab.optim.statistics_update import reestimate_statistics

State = dict[str, torch.Tensor]


class Averagings:
    """Any number of averagings over one model, by key.

    Args:
        configs: recipe sections of kind averaging; equal ones are watched once.
        model: the model with its initial weights, of which a copy is kept to measure distances.
        clock: the training's length.
        batches: training batches for averages that need new running statistics.
        forward: runs a model on such a batch.
    """

    def __init__(
        self,
        configs: Sequence[Mapping[str, Any]],
        model: nn.Module,
        clock: RunClock,
        batches: Callable[[], Iterable[Any]],
        forward: Callable[[nn.Module, Any], object],
    ) -> None:
        unique = {averaging_key(config): config for config in configs}
        self.watching: dict[str, Averaging] = {
            key: registry.build("averaging", config, model=model, clock=clock) for key, config in unique.items()
        }
        self._initial = {name: t.clone() for name, t in plain_state(model).items()} if unique else {}
        self._batches, self._forward = batches, forward

    def update(self, model: nn.Module, moved: bool = True) -> None:
        """Take in the weights after an optimizer step; ``moved`` is False where loss scaling skipped it."""
        for averaging in self.watching.values():
            averaging.update(model, moved)

    def weights(self, key: str, model: nn.Module) -> State:
        """Averaged weights under the model's own names, running statistics re-estimated where they need it."""
        averaging = self.watching[key]
        weights = averaging.weights()
        if averaging.updates and averaging.needs_statistics_update(model):
            # in float32, as they are evaluated, whatever the training's precision
            single = copy.deepcopy(model).float()
            single.load_state_dict(weights, strict=True)
            reestimate_statistics(single, self._batches(), self._forward)
            weights = plain_state(single)
        return weights

    def distance(self, key: str, model: nn.Module) -> dict[str, Any]:
        """Relative distance of the average to the raw and to the initial weights, and what of the latter it holds."""
        averaging = self.watching[key]
        return {
            "to_raw": averaging.distance_to(model),
            "to_initial": averaging.distance_to(self._initial),
            "updates": averaging.updates,
            "initial_share": averaging.initial_share(),
        }

    def state_dict(self) -> dict[str, Any]:
        """State of every averaging, for a checkpoint."""
        return {key: averaging.state_dict() for key, averaging in self.watching.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        for key, averaging in self.watching.items():
            averaging.load_state_dict(state[key])


@contextlib.contextmanager
def carrying(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> Iterator[nn.Module]:
    """Put other weights into a model for the ``with`` block; afterwards it has its own again, bit for bit."""
    own = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(weights, strict=True)
    try:
        yield model
    finally:
        model.load_state_dict(own, strict=True)
