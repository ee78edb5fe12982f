"""A recipe's ``losses`` section: several terms, each on the output it names, and their weighted total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from tricklab import registry
from tricklab.errors import UserError, nearest


class Losses(nn.Module):
    """The weighted sum of loss terms.

    Args:
        configs: one mapping a term: ``type``, ``on``, ``weight`` and the term's own keys.
        class_counts: training samples a class, for class weights; None if unknown.

    Raises:
        UserError: there is no term, or one is wrong.
    """

    def __init__(self, configs: Sequence[Mapping[str, Any]], class_counts: Sequence[int] | None) -> None:
        super().__init__()
        if not configs:
            raise UserError("a training needs at least one loss", where="losses")
        self.terms = nn.ModuleList([registry.build("loss", config, class_counts=class_counts) for config in configs])
        self.names: list[str] = []
        for term in self.terms:
            base = name = f"{type(term).__name__}.{term.on}"
            number = 2
            while name in self.names:
                name, number = f"{base}#{number}", number + 1
            self.names.append(name)

    def forward(
        self, outputs: Mapping[str, torch.Tensor], batch: Mapping[str, Any]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """(total, {"CrossEntropyLoss.main": term}); terms carry their weight, so that they add up to the total.

        Raises:
            UserError: a term reads an output that the model does not give; lists those it gives.
        """
        found: dict[str, torch.Tensor] = {}
        for index, (name, module) in enumerate(zip(self.names, self.terms, strict=True)):
            term: Any = module
            if term.on not in outputs:
                raise UserError(
                    f"the model has no output {term.on!r}; it has {', '.join(map(repr, outputs))}",
                    where=f"losses.{index}.on",
                    fix=nearest(str(term.on), outputs),
                )
            found[name] = term.weight * term(outputs[term.on], batch)
        return torch.stack(list(found.values())).sum(), found

    def expected_initial(self, classes: int) -> float:
        """The total of a network that gives all classes the same score."""
        terms: list[Any] = list(self.terms)
        return float(sum(term.weight * term.expected_initial(classes) for term in terms))
