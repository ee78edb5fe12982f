"""An experiment's folder: its immutable plan, its looks, and the runs of its arms and blocks."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tricklab.errors import UserError
from tricklab.records import lock as locks
from tricklab.records.atomic import clear_leftovers, write_atomic
from tricklab.records.json_lines import append_line, read_lines
from tricklab.records.json_text import dumps, plain, read_json
from tricklab.records.scan import RunSummary, scan


class Experiment:
    """``<path>/plan.json``, ``looks.jsonl`` and ``<path>/<arm>/<block>/``. Make one with ``create`` or ``open``."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | os.PathLike[str], plan: dict[str, Any]) -> Experiment:
        """Declare an experiment. The same plan again opens it; the plan cannot change afterwards.

        Args:
            plan: metric, delta, arms, design, blocks, looks, ... as plain data; the key ``hash`` is added to the file.

        Raises:
            UserError: another plan lives under this name; names the keys that differ.
        """
        experiment = cls(path)
        plan = plain(plan)
        if "hash" in plan:
            raise ValueError("a plan's hash is computed, not given")
        experiment.path.mkdir(parents=True, exist_ok=True)
        if not experiment._planned_as(plan):
            with experiment.lock():
                if not experiment._planned_as(plan):
                    write_atomic(experiment.path / "plan.json", dumps({**plan, "hash": plan_hash(plan)}, indent=1))
        return experiment

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Experiment:
        """Open an existing experiment.

        Raises:
            UserError: there is no plan, or it was edited after it was declared.
        """
        experiment = cls(path)
        if not (experiment.path / "plan.json").is_file():
            raise UserError("this is not an experiment", where=str(path), fix="give a folder that holds plan.json")
        _ = experiment.plan
        return experiment

    @property
    def plan(self) -> dict[str, Any]:
        """The declaration as it was given to ``create``."""
        found = read_json(self.path / "plan.json")
        known = found.pop("hash", None)
        if plan_hash(found) != known:
            raise UserError(
                "this plan was edited after it was declared",
                where=str(self.path / "plan.json"),
                fix="put it back, or declare the new plan under another name",
            )
        return found

    @property
    def hash(self) -> str:
        """Hash of the plan."""
        return plan_hash(self.plan)

    def append_look(self, look: dict[str, Any]) -> dict[str, Any]:
        """Record that the results were looked at; waits for the disk, since looks decide the level of the next."""
        return append_line(self.path / "looks.jsonl", look, sync=True)

    def looks(self) -> list[dict[str, Any]]:
        """All looks so far, in order."""
        return read_lines(self.path / "looks.jsonl")

    def run_path(self, arm: str, block: int) -> Path:
        """Folder of one run.

        Raises:
            UserError: the arm's name cannot be the name of a folder.
        """
        if not arm or arm in (".", "..") or "/" in arm or "\0" in arm or arm.startswith("."):
            raise UserError(f"{arm!r} cannot name an arm", where=str(self.path), fix="leave out '/' and leading dots")
        return self.path / arm / str(block)

    def runs(self) -> list[RunSummary]:
        """All runs of this experiment, sorted by arm and block."""
        return scan(self.path)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the experiment for writing.

        Raises:
            UserError: somebody holds it; names the process.
        """
        with locks.locked(self.path / "lock", "experiment"):
            clear_leftovers(self.path)
            yield

    def _planned_as(self, plan: dict[str, Any]) -> bool:
        if not (self.path / "plan.json").exists():
            return False
        known = self.plan
        other = sorted(key for key in {*known, *plan} if known.get(key) != plan.get(key))
        if other:
            raise UserError(
                f"another plan is declared under this name; it differs in {', '.join(other)}",
                where=str(self.path / "plan.json"),
                fix="choose another name: a plan cannot change once it is declared",
            )
        return True

    def __repr__(self) -> str:
        return f"Experiment({str(self.path)!r})"


def plan_hash(plan: dict[str, Any]) -> str:
    """Hex hash of a plan, independent of the order of its keys."""
    text = json.dumps(json.loads(dumps(plan)), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).hexdigest()
