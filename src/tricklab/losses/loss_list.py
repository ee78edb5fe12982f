"""A recipe's ``losses`` section: several terms, each on the output it names, and their weighted total."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from tricklab import registry
from tricklab.errors import UserError, nearest
from tricklab.losses.targets import NO_LABEL


class Losses(nn.Module):
    """The weighted sum of loss terms.

    Args:
        configs: one mapping a term: ``type``, ``on``, ``weight``, ``name`` and the term's own keys.
        class_counts: training samples (pixels) a class, for class weights; None if unknown.
        ignore_index: the target that means "no label" in this task. A term's own is one more, of that term alone.

    Raises:
        UserError: there is no term, one is wrong or weighs nothing, or two have one name.

    Every term is part of the total, whatever it is called. (OpenMMLab adds up what has ``loss`` in its name, so that a
    loss named ``dice`` is shown and never trained.)
    """

    def __init__(
        self,
        configs: Sequence[Mapping[str, Any]],
        class_counts: Sequence[int] | None,
        ignore_index: int = NO_LABEL,
    ) -> None:
        super().__init__()
        if not configs:
            raise UserError("a training needs at least one loss", where="losses")
        self.terms = nn.ModuleList([registry.build("loss", config, class_counts=class_counts) for config in configs])
        for place, (config, module) in enumerate(zip(configs, self.terms, strict=True)):
            term: Any = module
            if not (math.isfinite(term.weight) and term.weight > 0):
                raise UserError(
                    f"a term that weighs {term.weight:g} trains nothing that was asked for",
                    where=f"losses.{place}.weight",
                    fix="give it a weight above 0, or leave the term out",
                )
            if hasattr(term, "ignore_index") and config.get("ignore_index") is None:
                term.ignore_index = ignore_index
        self.ignore_index, self.names = ignore_index, _named(list(self.terms))

    def forward(
        self, outputs: Mapping[str, torch.Tensor], batch: Mapping[str, Any], names: Collection[str] | None = None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """(total, {"CrossEntropyLoss.main": term}); terms carry their weight, so that they add up to the total.

        Args:
            names: of the terms to compute, at least one; all if not given.

        Raises:
            UserError: a term reads an output that the model does not give (lists those it gives), or has no gradient.
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
            value = self.value(term, outputs[term.on], batch)
            if torch.is_grad_enabled() and outputs[term.on].requires_grad and not value.requires_grad:
                raise UserError(
                    f"{name} has no gradient, so that it never trains what gives {term.on!r}",
                    where=f"losses.{index}",
                    fix="leave it out, or compute it from the scores with differentiable operations",
                )
            found[name] = term.weight * value
        return torch.stack(list(found.values())).sum(), found

    def value(self, term: Any, logits: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
        """One of ``terms``, without its weight; what the task ignores is ignored by a term with an index of its own.

        Raises:
            UserError: a term ignores a class, and the batch has distributions over the classes.
        """
        own, target = getattr(term, "ignore_index", self.ignore_index), batch.get("target")
        if own != self.ignore_index and (soft := batch.get("soft_target")) is not None and 0 <= own < soft.shape[1]:
            raise UserError(
                f"{type(term).__name__} ignores class {own}, but mixing has made distributions over all classes",
                where="data.batch_augment",
                fix="mix by regions (CutMix, ClassMix), or name the label value in data.ignore",
            )
        if own != self.ignore_index and target is not None:
            batch = {**batch, "target": target.masked_fill(target == self.ignore_index, own)}
        found: torch.Tensor = term(logits, batch)
        return found

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


def _named(terms: Sequence[Any]) -> list[str]:
    """What each term is called: as it says, or ``Type.output``, with a number where that is taken."""
    own = [term.name for term in terms if getattr(term, "name", None) is not None]
    for name in own:
        if not re.fullmatch(r"[\w.-]+", name) or name.endswith("_mean"):
            raise UserError(
                f"{name!r} cannot name a loss", where="losses, name", fix="letters, digits, '_', '-', '.'; no '_mean'"
            )
    names: list[str] = []
    for term in terms:
        if getattr(term, "name", None) is not None:
            if term.name in names:
                raise UserError(f"two terms are named {term.name!r}", where="losses, name")
            names.append(term.name)
            continue
        base = name = f"{type(term).__name__}.{term.on}"
        number = 2
        while name in names or name in own:
            name, number = f"{base}#{number}", number + 1
        names.append(name)
    return names
