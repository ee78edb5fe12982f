"""Going back to the branch point: the weights and the optimizer as they were, whatever came after."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tricklab.optim.branches import Branches


class Branching:
    """Keeps a model and its optimizer at the branch point and puts them back where a new branch begins.

    Samples, order, augmentation and dropout are not put back: each branch goes on with its own.

    Args:
        branches: where to go back; None does nothing at all.
    """

    def __init__(self, branches: Branches | None) -> None:
        self.branches = branches
        self._kept: dict[str, Any] | None = None
        self._begun = -1

    def before_batch(self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Call before each micro-batch of the step that follows ``step`` finished ones."""
        if self.branches is None or step == self._begun:
            return
        if step == self.branches.point:
            self._kept = {"model": _copied(model.state_dict()), "optimizer": copy.deepcopy(optimizer.state_dict())}
        elif self.branches.goes_back(step):
            assert self._kept is not None
            model.load_state_dict(self._kept["model"], strict=True)
            # the optimizer takes tensors over as they are and then writes into them
            optimizer.load_state_dict(copy.deepcopy(self._kept["optimizer"]))
        self._begun = step

    def state_dict(self) -> dict[str, Any]:
        """What a training that goes on between two steps needs."""
        return {"kept": self._kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self._kept = state["kept"]


def _copied(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}
