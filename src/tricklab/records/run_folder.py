"""One run's folder: what was asked for, what happened, what came out. No database stands beside it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tricklab.errors import UserError, nearest
from tricklab.records import lock as locks
from tricklab.records.atomic import clear_leftovers, replacing, write_atomic
from tricklab.records.json_lines import append_line, read_lines, rewrite_lines
from tricklab.records.json_text import dumps, plain, read_json
from tricklab.records.recipe_text import dump_recipe, load_recipe

if TYPE_CHECKING:
    import numpy as np

STATES = ("planned", "running", "finished", "failed", "interrupted", "not_live", "refused")
ROW_KEYS = ("phase", "step", "epoch", "samples_seen", "wall_s")
_CHECKPOINT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=-]*\Z")


class RunFolder:
    """Writers and readers of one run folder; several objects may look at the same folder.

    Make one with ``create`` or ``open``. Nothing is cached: every reader reads the disk. Writers want ``lock()`` held.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        recipe: dict[str, Any],
        block: int,
        arm: str,
        experiment: str,
        tricks: list[dict[str, Any]],
        observers: list[dict[str, Any]] | None = None,
        fit_from: str | None = None,
    ) -> RunFolder:
        """Declare a run: writes ``recipe.yaml``, ``provenance.json`` and the status ``planned``.

        A folder that holds the same declaration already is opened as it is, so that declaring twice is harmless.

        Args:
            recipe: the resolved tree, tricks applied.
            tricks: one mapping a trick: ``name``, ``arguments``, ``writes``.
            observers: averaging configurations of other arms that watch this fit.
            fit_from: ``<arm>/<block>`` of the run whose trained weights this one evaluates, or None to train.

        Raises:
            UserError: another run lives there.
        """
        folder = cls(path)
        text = dump_recipe(recipe)
        declared = plain(
            {
                "block": block,
                "arm": arm,
                "experiment": experiment,
                "tricks": tricks,
                "observers": observers or [],
                "fit_from": fit_from,
                "recipe_digest": _digest(text),
            }
        )
        folder.path.mkdir(parents=True, exist_ok=True)
        if folder._declared_as(declared):
            return folder
        with locks.locked(folder.path / "lock", "run"):
            if not folder._declared_as(declared):
                write_atomic(folder.path / "recipe.yaml", text)
                write_atomic(folder.path / "provenance.json", dumps({"declared": declared}, indent=1))
                folder.set_status("planned")
        return folder

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """Open an existing run folder.

        Raises:
            UserError: there is no run folder; says where runs lie below it, if there are any.
        """
        folder = cls(path)
        if not (folder.path / "status.json").is_file():
            inside = sorted(str(found.parent) for found in folder.path.glob("*/*/status.json"))[:3]
            fix = f"runs inside it: {', '.join(inside)}" if inside else "give a folder that holds status.json"
            raise UserError("this is not a run folder", where=str(path), fix=fix)
        return folder

    @property
    def recipe(self) -> dict[str, Any]:
        """The resolved recipe as a tree of plain data.

        Raises:
            UserError: ``recipe.yaml`` is gone, or was changed after the run was declared.
        """
        place = self.path / "recipe.yaml"
        if not place.is_file():
            raise UserError("the recipe of this run is missing", where=str(place))
        text = place.read_text(encoding="utf-8")
        if _digest(text) != self.declared.get("recipe_digest"):
            raise UserError(
                "this recipe was changed after its run was declared",
                where=str(place),
                fix="put it back, or train the changed recipe as a run of its own",
            )
        return load_recipe(text)

    @property
    def declared(self) -> dict[str, Any]:
        """``block``, ``arm``, ``experiment``, ``tricks``, ``observers``, ``fit_from`` as given to ``create``."""
        return self.provenance()["declared"]

    def provenance(self) -> dict[str, Any]:
        """``provenance.json``: the declaration, and what ``add_provenance`` added."""
        return read_json(self.path / "provenance.json")

    def add_provenance(self, found: dict[str, Any]) -> None:
        """Add or replace top-level entries of ``provenance.json``; the declaration cannot be replaced."""
        if "declared" in found:
            raise ValueError("the declaration of a run is immutable")
        write_atomic(self.path / "provenance.json", dumps({**self.provenance(), **found}, indent=1))

    def status(self) -> dict[str, Any]:
        """``status.json``: ``state``, ``updated`` (UTC) and whatever the writer added."""
        return read_json(self.path / "status.json")

    def set_status(self, state: str, **more: Any) -> None:
        """Replace the status. ``state`` is one of ``STATES``."""
        if state not in STATES:
            raise ValueError(f"unknown state {state!r}; {nearest(state, STATES)}")
        write_atomic(self.path / "status.json", dumps({"state": state, "updated": _now(), **more}))

    def append_metrics(self, row: dict[str, Any]) -> dict[str, Any]:
        """Append a row to ``metrics.jsonl`` and flush it; returns the row as it reads back.

        Raises:
            ValueError: ``phase``, ``step``, ``epoch``, ``samples_seen`` or ``wall_s`` is missing.
        """
        missing = [key for key in ROW_KEYS if key not in row]
        if missing:
            raise ValueError(f"a metrics row needs {', '.join(missing)}")
        return append_line(self.path / "metrics.jsonl", row)

    def metrics(self) -> list[dict[str, Any]]:
        """All rows of ``metrics.jsonl``; a torn last line is left out."""
        return read_lines(self.path / "metrics.jsonl")

    def drop_metrics_after(self, step: int) -> int:
        """Drop the rows whose step lies beyond ``step`` (the checkpoint's); returns how many went."""
        rows = self.metrics()
        kept = [row for row in rows if row["step"] <= step]
        if len(kept) < len(rows):
            rewrite_lines(self.path / "metrics.jsonl", kept)
        return len(rows) - len(kept)

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Append an event (a fact, a finding, a probe, a failure) to ``events.jsonl``; returns it as it reads back."""
        return append_line(self.path / "events.jsonl", {"kind": kind, "time": round(time.time(), 3), **fields})

    def fact(self, name: str, value: Any) -> dict[str, Any]:
        """Record a named fact for Evidence; the last record of a name wins."""
        return self.event("fact", name=name, value=value)

    def events(self) -> list[dict[str, Any]]:
        """All events in order."""
        return read_lines(self.path / "events.jsonl")

    def write_result(self, result: dict[str, Any]) -> None:
        """Write ``result.json`` in one piece."""
        write_atomic(self.path / "result.json", dumps(result))

    def result(self) -> dict[str, Any] | None:
        """``result.json``, or None while there is none."""
        place = self.path / "result.json"
        return read_json(place) if place.exists() else None

    def save_scores(self, **arrays: Any) -> None:
        """Write named arrays (per image, per pixel) into ``scores.npz``."""
        import numpy as np

        found = {name: np.asarray(array) for name, array in arrays.items()}
        for name, array in found.items():
            if array.dtype.hasobject:
                raise TypeError(f"scores {name!r} are Python objects, not numbers or text")
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **found)  # type: ignore[arg-type]
        write_atomic(self.path / "scores.npz", buffer.getvalue())

    def scores(self) -> dict[str, np.ndarray]:
        """The arrays of ``scores.npz``; none if it was not written."""
        import numpy as np

        place = self.path / "scores.npz"
        if not place.exists():
            return {}
        try:
            with np.load(place, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (ValueError, OSError) as error:
            raise UserError(f"the scores cannot be read: {error}", where=str(place)) from None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for writing; clears what killed writers left behind.

        Raises:
            UserError: somebody holds it; names the process.
        """
        with locks.locked(self.path / "lock", "run"):
            clear_leftovers(self.path)
            clear_leftovers(self.path / "checkpoints")
            yield

    def holder(self) -> int | None:
        """Process id of whoever holds the lock now, or None: a run that is ``running`` without one was killed."""
        return locks.holder(self.path / "lock")

    def checkpoint(self, name: str) -> Path:
        """Path of ``checkpoints/<name>.safetensors``; the folder exists afterwards, the file perhaps not."""
        if not _CHECKPOINT_NAME.match(name):
            raise ValueError(f"{name!r} is no name for a checkpoint")
        return self._folder("checkpoints") / f"{name}.safetensors"

    @property
    def figures(self) -> Path:
        """Folder for figures; made when asked for."""
        return self._folder("figures")

    @property
    def predictions(self) -> Path:
        """Folder for predictions; made when asked for."""
        return self._folder("predictions")

    def replacing(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Temporary path that becomes ``name`` in this folder when the block ends; for writers that want a path."""
        return replacing(self.path / name)

    def _declared_as(self, declared: dict[str, Any]) -> bool:
        """Whether the folder holds this declaration already; False if it holds none."""
        if not (self.path / "status.json").exists():
            return False
        known = self.declared
        other = sorted(key for key in {*known, *declared} if known.get(key) != declared.get(key))
        if other:
            raise UserError(
                f"another run lives in this folder; it differs in {', '.join(other)}",
                where=str(self.path),
                fix="choose another name, or move that folder away",
            )
        return True

    def _folder(self, name: str) -> Path:
        place = self.path / name
        place.mkdir(exist_ok=True)
        return place

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).hexdigest()
