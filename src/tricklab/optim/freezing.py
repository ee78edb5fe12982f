"""Parts of a model that do not train, for a while or to the end."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from tricklab.errors import UserError, nearest
from tricklab.optim.clock import RunLength, Unit, steps_until
from tricklab.optim.layer_numbers import layer_numbers

_NORM = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True)
class FrozenPart:
    """One item of ``train.freeze``.

    Attributes:
        text: what the recipe said, such as ``match: layer1``.
        names: the parameters that do not train.
        norms: the batch normalisations that are in evaluation mode meanwhile.
        until: the first step (counted from 0) that trains them; None: they stay as they are to the end.
    """

    text: str
    names: tuple[str, ...]
    norms: tuple[str, ...]
    until: int | None

    def frozen(self, step: int) -> bool:
        """Whether it does not train in the step that follows ``step`` finished ones."""
        return self.until is None or step < self.until


class Freezing:
    """Which parameters of a model train in which step; a function of the step alone.

    The optimizer holds every parameter from the start. A frozen one asks for no gradient, so that neither its value nor
    its state in the optimizer changes, weight decay included, and layers below the last trained one are not computed
    backwards. Batch normalisations of a frozen part are in evaluation mode: their running statistics do not change
    either. Dropout goes on. A parameter is frozen while any item says so.

    Args:
        model: as it will be trained; parameters that want no gradient to begin with never train.
        items: each with ``match``, the name of a module or parameter or a pattern with ``*`` and ``?``, or ``layers``:
            so many from the input, or, below zero, all but so many at the head, as ``layer_numbers`` counts them; with
            ``until``, such as ``{"epochs": 2}``, or None; and ``batch_norm``: ``eval`` or ``train``.
        clock: length of the run.

    Raises:
        UserError: an item matches nothing that could train (lists what there is), lasts beyond the run, or all of them
            leave nothing to train in the first step.

    >>> from tricklab.optim.clock import Clock
    >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    >>> freezing = Freezing(model, [{"layers": 1, "until": {"epochs": 1}}], Clock(4, 8, 8))
    >>> freezing.apply(0)
    >>> [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    ['1.weight', '1.bias']
    >>> freezing.apply(4)
    >>> all(parameter.requires_grad for parameter in model.parameters())
    True
    """

    def __init__(self, model: nn.Module, items: Sequence[Mapping[str, Any]], clock: RunLength) -> None:
        self.model = model
        self._trainable = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        self.parts = tuple(self._part(item, f"train.freeze.{place}", clock) for place, item in enumerate(items))
        self._applied: tuple[bool, ...] | None = None
        if items and set(self._trainable) <= self.frozen(0):
            raise UserError(
                "nothing is left to train in the first step",
                where="train.freeze",
                fix="leave the head out, such as layers: -1",
            )

    def frozen(self, step: int) -> set[str]:
        """Parameters that do not train in the step that follows ``step`` finished ones."""
        return {name for part in self.parts if part.frozen(step) for name in part.names}

    def apply(self, step: int) -> None:
        """Put parameters and batch normalisations into their state for the step that follows ``step`` finished ones."""
        states = tuple(part.frozen(step) for part in self.parts)
        if states == self._applied:
            return
        self._applied = states
        frozen = self.frozen(step)
        for name in self._trainable:
            self.model.get_parameter(name).requires_grad_(name not in frozen)
        resting = {name for part, still in zip(self.parts, states, strict=True) if still for name in part.norms}
        for name in {name for part in self.parts for name in part.norms}:
            self.model.get_submodule(name).train(name not in resting)

    def describe(self) -> list[dict[str, Any]]:
        """The fact ``freeze/parts``: of each item what was said, ``until`` which step, and how much it freezes."""
        return [
            {
                "item": part.text,
                "until": part.until,
                "tensors": len(part.names),
                "elements": sum(self.model.get_parameter(name).numel() for name in part.names),
                "first": part.names[0],
                "batch_norms": len(part.norms),
            }
            for part in self.parts
        ]

    def _part(self, item: Mapping[str, Any], where: str, clock: RunLength) -> FrozenPart:
        if item.get("match") is not None:
            text, found, modules = f"match: {item['match']}", *self._matching(item["match"], where)
        else:
            text, found, modules = f"layers: {item['layers']}", self._first_layers(item["layers"], where), set[str]()
        names = tuple(name for name in self._trainable if name in found)
        if not names:
            raise UserError(f"{text} has no parameter that could train", where=where, fix=self._there_is())
        norms = () if item.get("batch_norm", "eval") == "train" else self._norms(found, modules)
        return FrozenPart(text, names, norms, _until(item.get("until"), f"{where}.until", clock))

    def _matching(self, pattern: str, where: str) -> tuple[set[str], set[str]]:
        """Parameters that a pattern means, by their own names or those of modules that hold them, and the modules."""
        names = [name for name, _ in self.model.named_parameters()]
        modules = [name for name, _ in self.model.named_modules() if name]
        held = {pattern} if pattern in modules else set(fnmatch.filter(modules, pattern))
        found = {pattern} if pattern in names else set(fnmatch.filter(names, pattern))
        if not held and not found:
            hint = nearest(pattern, modules)
            raise UserError(
                f"no module or parameter of {type(self.model).__name__} is named {pattern!r}",
                where=f"{where}.match",
                fix=f"{hint} {self._there_is()}" if hint.startswith("did") else self._there_is(),
            )
        return found | {name for name in names if any(name.startswith(f"{module}.") for module in held)}, held

    def _first_layers(self, count: int, where: str) -> set[str]:
        numbers = layer_numbers(self.model)
        layers = max(numbers.values()) + 1
        if abs(count) >= layers:
            raise UserError(
                f"layers: {count} of a model of {layers} layers",
                where=f"{where}.layers",
                fix=f"1 to {layers - 1} from the input, or -1 to {1 - layers}: all but so many at the head",
            )
        return {name for name, number in numbers.items() if number < (count if count > 0 else layers + count)}

    def _norms(self, names: set[str], modules: set[str]) -> tuple[str, ...]:
        """Batch normalisations in matched modules, and those whose own parameters are all frozen."""
        found = []
        for name, module in self.model.named_modules():
            if isinstance(module, _NORM):
                own = [f"{name}.{key}" for key, _ in module.named_parameters(recurse=False)]
                inside = any(name == part or name.startswith(f"{part}.") for part in modules)
                if inside or (own and names.issuperset(own)):
                    found.append(name)
        return tuple(found)

    def _there_is(self) -> str:
        tops = [name for name, part in self.model.named_children() if next(part.parameters(), None) is not None]
        return f"its parts are {', '.join(tops)}; names below them and patterns such as {tops[0]}.* work too"


def _until(moment: Mapping[str, Any] | None, where: str, clock: RunLength) -> int | None:
    given = {unit: amount for unit, amount in (moment or {}).items() if amount is not None}
    if not given:
        return None
    ((unit, amount),) = given.items()
    step = steps_until(amount, cast(Unit, unit), clock)
    if step >= clock.total_steps:
        raise UserError(
            f"{amount} {unit} are the whole training or more",
            where=where,
            fix="until: null if it is never to train, or train longer",
        )
    return step
