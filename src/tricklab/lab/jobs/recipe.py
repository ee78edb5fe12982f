"""A run of a recipe: the engine trains, evaluates and settles the folder."""

from __future__ import annotations

from pathlib import Path

from tricklab.errors import UserError


def run(folder: str, threads: int, device: str) -> None:
    """Execute the run in ``folder``; the engine writes how it ended, bad input too."""
    from tricklab import engine
    from tricklab.ops.host_memory import keep_freed_memory

    keep_freed_memory()
    try:
        engine.execute(Path(folder), threads=threads, device=device, progress=False)
    except UserError as error:
        print(error)
