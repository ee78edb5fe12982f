"""A run of a recipe: the engine trains, evaluates and settles the folder."""

from __future__ import annotations

from pathlib import Path

from tricklab.errors import UserError
from tricklab.records import RunFolder


def run(folder: str, threads: int, device: str) -> None:
    """Execute the run in ``folder``; bad input (a layer that is not there, a missing file) makes it ``refused``."""
    from tricklab import engine

    try:
        engine.execute(Path(folder), threads=threads, device=device, progress=False)
    except UserError as error:
        RunFolder.open(folder).set_status("refused", reason=str(error))
