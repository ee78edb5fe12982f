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
from tricklab.engine.greedy_soup import greedy_members
from tricklab.errors import UserError
from tricklab.inference.ensemble import member_count, shaped_for
from tricklab.optim.averaging import Averaging, State, plain_state
from tricklab.optim.averaging_key import averaging_key as averaging_key
from tricklab.optim.soup import Soup
from tricklab.optim.statistics_update import reestimate_statistics


class Averagings:
    """Any number of averagings over one model, by key.

    Args:
        configs: recipe sections of kind averaging; equal ones are watched once.
        model: the model with its initial weights, of which a copy is kept to measure distances.
        clock: the training's length, and where it branches.
        batches: training batches for averages that need new running statistics.
        forward: runs a model on such a batch.
        select: how good a model is on the validation set, higher is better; for greedy soups.

    Raises:
        UserError: an average along a training that goes back to a branch point.
    """

    def __init__(
        self,
        configs: Sequence[Mapping[str, Any]],
        model: nn.Module,
        clock: RunClock,
        batches: Callable[[], Iterable[Any]],
        forward: Callable[[nn.Module, Any], object],
        select: Callable[[nn.Module], float] | None = None,
    ) -> None:
        unique = {averaging_key(config): config for config in configs}
        ends = clock.branches.ends if clock.branches else ()
        self.watching: dict[str, Averaging] = {
            key: registry.build("averaging", config, model=model, clock=clock, branches=ends)
            for key, config in unique.items()
        }
        along = [type(one).__name__ for one in self.watching.values() if ends and not isinstance(one, Soup)]
        if along:
            raise UserError(
                f"{along[0]} averages along a training, and this one goes back to its branch point",
                where="evaluate.averaging",
                fix="use Soup, or train.branches=null",
            )
        self._initial = {name: t.clone() for name, t in plain_state(model).items()} if unique else {}
        self._batches, self._forward, self._select = batches, forward, select
        self.notes: dict[str, dict[str, Any]] = {}

    def update(self, model: nn.Module, moved: bool = True) -> None:
        """Take in the weights after an optimizer step; ``moved`` is False where loss scaling skipped it."""
        for averaging in self.watching.values():
            averaging.update(model, moved)

    def weights(self, key: str, model: nn.Module) -> State:
        """Averaged weights under the model's own names, running statistics re-estimated where they need it."""
        averaging = self.watching[key]
        if isinstance(averaging, Soup) and averaging.mix == "greedy" and averaging.members:
            return self._greedy(key, averaging, model)
        weights = averaging.weights()
        if averaging.updates and averaging.needs_statistics_update(model):
            weights = plain_state(self._single(averaging, weights, model, mixed=True))
        return weights

    def members(self, key: str) -> dict[str, torch.Tensor] | None:
        """The members of a soup, named as those of an ensemble; None where ``weights`` has them or there are none."""
        averaging = self.watching[key]
        if not isinstance(averaging, Soup) or averaging.is_ensemble() or not averaging.members:
            return None
        return averaging.member_tree()

    def _greedy(self, key: str, soup: Soup, model: nn.Module) -> State:
        assert self._select is not None
        select = self._select
        chosen, alone = greedy_members(soup, lambda weights, mixed: select(self._single(soup, weights, model, mixed)))
        self.notes[key] = {"chosen": chosen, "alone": alone}
        return plain_state(self._single(soup, soup.mean_of(chosen), model, mixed=len(chosen) > 1))

    def _single(self, averaging: Averaging, weights: State, model: nn.Module, mixed: bool) -> nn.Module:
        # in float32, as they are evaluated, whatever the training's precision
        single = copy.deepcopy(model).float()
        single.load_state_dict(weights, strict=True)
        if mixed and averaging.needs_statistics_update(model):
            reestimate_statistics(single, self._batches(), self._forward)
        return single

    def distance(self, key: str, model: nn.Module) -> dict[str, Any]:
        """Relative distance of the average to the raw and to the initial weights, and what of the latter it holds."""
        averaging = self.watching[key]
        return {
            "to_raw": averaging.distance_to(model),
            "to_initial": averaging.distance_to(self._initial),
            "updates": averaging.updates,
            "initial_share": averaging.initial_share(),
            **averaging.numbers(),
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
    """Put other weights into a model for the ``with`` block; afterwards it has its own again, bit for bit.

    Yields:
        The model, or an ensemble of copies of it where the weights are those of one.
    """
    if member_count(weights):
        ensemble = shaped_for(model, weights)
        ensemble.load_state_dict(weights, strict=True)
        yield ensemble
        return
    own = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(weights, strict=True)
    try:
        yield model
    finally:
        model.load_state_dict(own, strict=True)
