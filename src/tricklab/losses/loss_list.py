"""A recipe's ``losses`` section: several terms, each on the output it names, and their weighted total."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
        self, outputs: Mapping[str, torch.Tensor], batch: Mapping[str, Any], names: Collection[str] | None = None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """(total, {"CrossEntropyLoss.main": term}); terms carry their weight, so that they add up to the total.

        Args:
            names: of the terms to compute, at least one; all if not given.

        Raises:
            UserError: a term reads an output that the model does not give; lists those it gives.
        """
        found: dict[str, torch.Tensor] = {}
        for index, (name, module) in enumerate(zip(self.names, self.terms, strict=True)):
            if names is not None and name not in names:
                continue
            term: Any = module
            if term.on not in outputs:
                raise UserError(
                    f"the model has no output {term.on!r}; it has {', '.join(map(repr, outputs))}",
                    where=f"losses.{index}.on",
                    fix=nearest(str(term.on), outputs),
                )
            found[name] = term.weight * term(outputs[term.on], batch)
        return torch.stack(list(found.values())).sum(), found

    def evaluated(self, outputs: Collection[str]) -> list[str]:
        """Names of the terms that exist in an evaluation: they read one of its outputs, and labels alone.

        Args:
            outputs: names of what the model gives in evaluation mode.
        """
        terms: list[Any] = list(self.terms)
        return [
            name
            for name, term in zip(self.names, terms, strict=True)
            if term.on in outputs and not getattr(term, "training_only", False)
        ]

    @property
    def teachers(self) -> dict[str, dict[str, Any]]:
        """The teachers that terms learn from: what their scores are called in a batch, and who they are."""
        terms: list[Any] = list(self.terms)
        return {term.teacher_key: term.teacher for term in terms if hasattr(term, "teacher_key")}

    @property
    def taught(self) -> dict[str, str]:
        """{name of a term: what the scores of its teacher are called in a batch}."""
        terms: list[Any] = list(self.terms)
        pairs = zip(self.names, terms, strict=True)
        return {name: term.teacher_key for name, term in pairs if hasattr(term, "teacher_key")}

    @property
    def outputs(self) -> list[str]:
        """What an evaluation asks the model for: ``main``, and what else is read by terms that exist there."""
        terms: list[Any] = list(self.terms)
        read = {str(term.on) for term in terms if not getattr(term, "training_only", False)}
        return ["main", *sorted(read - {"main"})]

    def expected_initial(self, classes: int) -> float | None:
        """The total of a network that gives all classes the same score; None where a term cannot say its own."""
        terms: list[Any] = list(self.terms)
        each = [term.expected_initial(classes) for term in terms]
        if any(value is None for value in each):
            return None
        return float(sum(term.weight * value for term, value in zip(terms, each, strict=True)))
