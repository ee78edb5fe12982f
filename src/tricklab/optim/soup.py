"""Model soup: the ends of several continuations of one training, mixed."""

from __future__ import annotations

from typing import Literal

from torch import nn

from tricklab.errors import UserError
from tricklab.optim.clock import RunLength
from tricklab.optim.members import Members
from tricklab.optim.statistics_update import has_running_statistics
from tricklab.registry import component


@component("averaging", source="Wortsman et al., ICML 2022", given=("model", "clock", "branches"))
class Soup(Members):
    """Mix the ends of the branches of ``train.branches``.

    Running statistics of batch normalisation are estimated anew for the mixed weights.

    Args:
        mix: ``uniform``: the mean of all ends' weights; ``greedy``: beginning with the end that scores best on the
            validation set, each next one stays in the mean if the score does not fall; ``ensemble``: the mean of all
            ends' class probabilities, which costs as many passes as there are branches.
    """

    def __init__(
        self,
        mix: Literal["uniform", "greedy", "ensemble"] = "uniform",
        *,
        model: nn.Module,
        clock: RunLength,
        branches: tuple[int, ...],
    ) -> None:
        if not branches:
            raise UserError(
                "a soup needs a training that branches",
                where="evaluate.averaging, Soup",
                fix="+soup, or train.branches={members: 3, start: 0.5}",
            )
        super().__init__(branches, model, clock)
        self.mix = mix

    def is_ensemble(self) -> bool:
        return self.mix == "ensemble"

    def needs_statistics_update(self, model: nn.Module) -> bool:
        return not self.is_ensemble() and has_running_statistics(model)
