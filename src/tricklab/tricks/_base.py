"""What a trick is: a pure patch of the recipe, a proof that it is on, and where it comes from."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tricklab.errors import UserError
from tricklab.recipe.recipe import Recipe

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence

Stage = Literal["fit", "evaluate"]
When = Literal["first_steps", "fit", "evaluate"]
Patch = Callable[..., Recipe]
STAGES = ("fit", "evaluate")
WHENS = ("first_steps", "fit", "evaluate")


@dataclass(frozen=True)
class Proof:
    """What a probe found: whether the trick is really on, in one sentence, with the numbers behind it."""

    live: bool
    text: str
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Parameter:
    """An argument of a trick; ``default`` is ``inspect.Parameter.empty`` where it must be given."""

    name: str
    annotation: str
    default: Any

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True)
class Probe:
    """A function of Evidence, and of those arguments of the trick that it names, that returns a Proof."""

    when: When
    function: Callable[..., Proof]

    def bind(self, arguments: Mapping[str, Any]) -> Callable[[Evidence], Proof]:
        """The probe as a function of Evidence alone."""
        wanted = {key: arguments[key] for key in list(inspect.signature(self.function).parameters)[1:]}

        def bound(evidence: Evidence) -> Proof:
            return self.function(evidence, **wanted)

        bound.__name__ = self.function.__name__
        bound.__doc__ = self.function.__doc__
        return bound


@dataclass(frozen=True)
class Trick:
    """A named patch. Call it with a recipe to get the patched one.

    Attributes:
        name: what users write after ``+``.
        patch: the function; its parameters after the recipe are the trick's arguments.
        tasks: the tasks it fits, or "all".
        stage: "fit" changes the training; "evaluate" only what is done with the trained weights.
        source: where it was published.
        trains_with: arguments with which a trick of stage "evaluate" changes the training after all, unless they are
            left at null.
        probes: filled by ``probe``.
    """

    name: str
    patch: Patch
    tasks: tuple[str, ...] | Literal["all"]
    stage: Stage
    source: str
    trains_with: tuple[str, ...] = ()
    probes: list[Probe] = field(default_factory=list, compare=False)

    def __call__(self, recipe: Recipe, **arguments: Any) -> Recipe:
        return self.patch(recipe, **arguments)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.patch) or "").split("\n")[0]

    @property
    def description(self) -> str:
        """The whole docstring."""
        return inspect.getdoc(self.patch) or ""

    @property
    def file(self) -> str:
        """The file that defines it."""
        return inspect.getsourcefile(self.patch) or "?"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The arguments, in order."""
        listed = list(inspect.signature(self.patch).parameters.values())[1:]
        return tuple(Parameter(item.name, str(item.annotation), item.default) for item in listed)

    def fits(self, task: str) -> bool:
        """Whether it may be turned on for a task."""
        return self.tasks == "all" or task in self.tasks

    def probe(self, when: When) -> Callable[[Callable[..., Proof]], Callable[..., Proof]]:
        """Declare a liveness probe.

        Args:
            when: the earliest moment it can judge: after the "first_steps", after the "fit", or after "evaluate".

        The function takes Evidence and may name arguments of the trick, which it gets with their values in the call.
        """
        if when not in WHENS:
            raise UserError(
                f"a probe's when must be one of {', '.join(WHENS)}, not {when!r}", where=f"trick {self.name}"
            )

        def declare(function: Callable[..., Proof]) -> Callable[..., Proof]:
            known = {parameter.name for parameter in self.parameters}
            asked = list(inspect.signature(function).parameters)[1:]
            if unknown := [key for key in asked if key not in known]:
                raise UserError(f"its probe {function.__name__} names {unknown[0]!r}", where=f"trick {self.name}")
            self.probes.append(Probe(when, function))
            return function

        return declare


REGISTERED: dict[str, Trick] = {}


def trick(
    name: str,
    *,
    tasks: tuple[str, ...] | str = "all",
    stage: Stage = "fit",
    source: str = "",
    trains_with: tuple[str, ...] = (),
) -> Callable[[Patch], Trick]:
    """Declare a trick.

    Args:
        name: what users write after ``+``.
        tasks: "all", or the names of the tasks it fits.
        stage: "fit" or "evaluate"; an evaluate trick may write only below ``evaluate``.
        source: paper, book or official code.
        trains_with: arguments that lift this limit where they are not null.

    The function takes a recipe and returns a patched one; it must be pure. Its other parameters are the trick's
    arguments, checked strictly against their annotations.

    Raises:
        UserError: another trick has that name, the stage is unknown, or ``trains_with`` names no argument.
    """
    if stage not in STAGES:
        raise UserError(f"a trick's stage must be fit or evaluate, not {stage!r}", where=f"trick {name}")
    chosen: tuple[str, ...] | Literal["all"] = (
        "all" if tasks == "all" else (tasks,) if isinstance(tasks, str) else tuple(tasks)
    )

    def declare(patch: Patch) -> Trick:
        for parameter in inspect.signature(patch).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise UserError(f"its parameter {parameter} would swallow misspelt arguments", where=f"trick {name}")
        unknown = [key for key in trains_with if key not in inspect.signature(patch).parameters]
        if unknown:
            raise UserError(f"trains_with names {unknown[0]!r}, which is no argument", where=f"trick {name}")
        made = Trick(name, patch, chosen, stage, source, tuple(trains_with))
        known = REGISTERED.get(name)
        if known is not None and (known.file, known.patch.__qualname__) != (made.file, patch.__qualname__):
            raise UserError(
                f"two tricks are named {name!r}", where=f"{known.file} and {made.file}", fix="give one another name"
            )
        REGISTERED[name] = made
        return made

    return declare
