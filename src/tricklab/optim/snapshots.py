"""Ensembles of one training's weights at several moments."""

from __future__ import annotations

from torch import nn

from tricklab.optim.clock import RunLength
from tricklab.optim.cycles import Shape, cycles_of
from tricklab.optim.members import Members
from tricklab.registry import component


@component("averaging", source="Huang et al., ICLR 2017; Garipov et al., NeurIPS 2018", given=("model", "clock"))
class Snapshots(Members):
    """Average the class probabilities of the model at the lowest point of each cycle of the learning rate.

    The moments are those at which the schedule ``EqualCycles`` of the same cycles, start and shape is lowest. Under
    another schedule they are moments like any others. Every member keeps its own running statistics.

    Args:
        cycles: members of the ensemble.
        start: share of the run after which the cycles begin.
        shape: of the cycles: ``triangle`` is lowest in its middle, the others at their end.
    """

    def __init__(
        self, cycles: int, start: float = 0.0, shape: Shape = "cosine", *, model: nn.Module, clock: RunLength
    ) -> None:
        moments = [cycle.low for cycle in cycles_of(cycles, start, shape, clock, "averaging, Snapshots")]
        super().__init__(moments, model, clock)

    def is_ensemble(self) -> bool:
        return True
