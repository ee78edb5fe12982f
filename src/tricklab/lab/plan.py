"""The plan of an experiment: what is declared before anything runs, and never changed after."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tricklab.errors import UserError
from tricklab.lab.arms import Arm
from tricklab.lab.designs import cell_name

FORMAT = 1
KINDS = ("recipe", "function", "command")


@dataclass(frozen=True)
class CellPlan:
    """One cell: the arms that stand in it and what its runs are.

    Attributes:
        arms: names of the arms, in the experiment's order; none for the baseline.
        folder: name of its folder in the experiment.
        recipe: what the run folder declares: the resolved recipe, or a function's or command's description.
        tricks: name, arguments and writes of every applied trick.
        observers: averaging configurations of other cells that watch this cell's training.
        fit_from: folder of the cell whose trained run of the same block this cell evaluates; None trains its own.
        digest: identity of the fit half and of the evaluate half.
        writes: recipe paths in which the cell differs from the baseline.
    """

    arms: tuple[str, ...]
    folder: str
    recipe: dict[str, Any]
    tricks: list[dict[str, Any]] = field(default_factory=list)
    observers: list[dict[str, Any]] = field(default_factory=list)
    fit_from: str | None = None
    digest: dict[str, str] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return cell_name(self.arms)


@dataclass(frozen=True)
class Plan:
    """An experiment's declaration; ``plan.json`` holds it and nothing else.

    Attributes:
        kind: ``recipe``, ``function`` or ``command``; ``subject`` names it.
        metric: name, ``direction`` ``max`` or ``min``; ``delta`` the smallest effect worth having, in its unit.
        looks: numbers of blocks at which verdicts are given: (N, 2N), or (N,) when ``--final`` was declared.
        workers, threads, device, per_device: how runs share the machine; part of what makes runs comparable.
        notes: what was decided for the user, in sentences.
    """

    experiment: str
    kind: str
    subject: str
    metric: str
    direction: str
    delta: float | None
    design: str
    arms: tuple[Arm, ...]
    cells: tuple[CellPlan, ...]
    looks: tuple[int, ...]
    workers: int
    threads: int
    device: str
    per_device: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        plain = dataclasses.asdict(self)
        plain["arms"] = [arm.to_dict() for arm in self.arms]
        return {"format": FORMAT, **plain}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Plan:
        known = {field.name for field in dataclasses.fields(cls)}
        try:
            fields = {key: value for key, value in plain.items() if key in known}
            fields["arms"] = tuple(Arm.from_dict(arm) for arm in plain["arms"])
            fields["cells"] = tuple(CellPlan(**{**cell, "arms": tuple(cell["arms"])}) for cell in plain["cells"])
            fields |= {"looks": tuple(plain["looks"]), "notes": tuple(plain.get("notes", ()))}
            return cls(**fields)
        except (KeyError, TypeError) as error:
            raise UserError(
                f"this is not the plan of an ablation as this version writes it ({error})",
                where="plan.json",
                fix="use the version that wrote it, or another folder",
            ) from None

    @property
    def baseline(self) -> CellPlan | None:
        """The cell without arms, which every design has; None only in a plan of another making."""
        return next((cell for cell in self.cells if not cell.arms), None)

    def cell(self, folder: str) -> CellPlan:
        """The cell that lives in a folder of this experiment."""
        return next(cell for cell in self.cells if cell.folder == folder)

    @property
    def trainings(self) -> list[CellPlan]:
        """The cells that train; the others evaluate a training of one of these."""
        return [cell for cell in self.cells if cell.fit_from is None]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two plans (as ``to_dict``), one line each; where the data lie is no difference.

    >>> differences({"delta": 0.005, "looks": [5, 10]}, {"delta": 0.005, "looks": [10, 20]})
    ['looks: [5, 10] there, [10, 20] asked for']
    """
    before, after = dict(_leaves(old)), dict(_leaves(new))
    lines = []
    for path in dict.fromkeys([*before, *after]):
        here, there = before.get(path, "absent"), after.get(path, "absent")
        if here != there and not path.endswith(("recipe.data.root", "notes")) and path != "experiment":
            lines.append(f"{path}: {here} there, {there} asked for")
    return lines


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a tree by its dotted path; lists of plain values stay whole."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for place, item in enumerate(value):
            label = item.get("folder") or item.get("name") or place if isinstance(item, Mapping) else place
            yield from _leaves(item, f"{path}.{label}")
    else:
        yield path, list(value) if isinstance(value, tuple) else value
