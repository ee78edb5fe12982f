"""A training that branches: from one point several continuations, one after the other, inside one budget of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tricklab.errors import UserError
from tricklab.optim.clock import RunLength
from tricklab.optim.cycles import first_step


@dataclass(frozen=True)
class Branches:
    """Where a training of ``total_steps`` steps goes back to its branch point.

    Steps are numbered through: samples, order and augmentation go on from branch to branch, so each branch sees its
    own. The schedule counts along the path from the run's start through the branch point to the branch's end.

    Args:
        point: steps of the common trunk.
        ends: finished steps at the end of each branch; the last one is the run's end.
        lr_ratios: factor on the learning rate of each branch.

    >>> branches = Branches.plan(members=2, start=0.5, lr_ratios=None, total_steps=20)
    >>> branches.ends, branches.path_length, [branches.along_path(step) for step in (9, 10, 14, 15, 19)]
    ((15, 20), 15, [9, 10, 14, 10, 14])
    """

    point: int
    ends: tuple[int, ...]
    lr_ratios: tuple[float, ...]

    @classmethod
    def plan(cls, members: int, start: float, lr_ratios: Sequence[float] | None, total_steps: int) -> Branches:
        """Share the steps after the share ``start`` of a run among ``members`` branches of equal length.

        Raises:
            UserError: there is not a step for each branch, or not a ratio for each.
        """
        if lr_ratios is not None and len(lr_ratios) != members:
            raise UserError(
                f"{len(lr_ratios)} learning rates are given for {members} branches", where="train.branches.lr_ratios"
            )
        length = (total_steps - first_step(start, total_steps)) // members
        if length < 1:
            raise UserError(
                f"the last {total_steps - first_step(start, total_steps)} steps cannot be shared by {members} branches",
                where="train.branches",
                fix="fewer members, an earlier start, or a longer training",
            )
        # what is left over by the division is spent before the branch point
        point = total_steps - members * length
        ends = tuple(point + length * (number + 1) for number in range(members))
        return cls(point, ends, tuple(float(ratio) for ratio in lr_ratios or [1.0] * members))

    @property
    def path_length(self) -> int:
        """Steps from the run's start through the branch point to the end of a branch."""
        return self.ends[0]

    def number(self, step: int) -> int | None:
        """Branch of the step that follows ``step`` finished ones, from 0; None on the trunk."""
        if step < self.point:
            return None
        return min((step - self.point) // (self.path_length - self.point), len(self.ends) - 1)

    def along_path(self, step: int) -> int:
        """Finished steps along that step's path."""
        number = self.number(step)
        if number is None:
            return step
        return step - number * (self.path_length - self.point)

    def goes_back(self, step: int) -> bool:
        """Whether the step after ``step`` finished ones begins at the branch point again."""
        return step in self.ends[:-1]

    def lr_ratio(self, step: int) -> float:
        """Factor on the learning rate of that step."""
        number = self.number(step)
        return 1.0 if number is None else self.lr_ratios[number]


@dataclass(frozen=True)
class PathLength:
    """The length of one path of a branching run, in place of the run's own.

    Args:
        run: the whole run.
        total_steps: steps of the path.
    """

    run: RunLength
    total_steps: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        return self.run.steps_per_epoch

    def samples_at(self, step: int) -> int:
        """Samples seen after ``step`` steps."""
        return self.run.samples_at(step)
