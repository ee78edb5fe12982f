"""How the contract tests turn each trick on: its arguments, and what the recipe must say for it to matter."""

from __future__ import annotations

from pathlib import Path

from tricklab import tricks

# arguments where a trick needs some, or where its defaults would do nothing in so short a run
ARGUMENTS = {
    "step_decay": "(at=[1])",
    "warmup": "(epochs=2)",
    "dropout": "(p=0.2)",
    "clip_norm": "(value=0.05)",
    "sgd": "(lr=0.05)",
    "weight_decay": "(value=1e-3)",
    "ema": "(decay=0.9)",
    "swa": "(start=0.3)",
}
# what the baseline must say so that the trick changes it
BASELINE = {"whiten": ["data.whiten=false"]}


def call_of(name: str) -> str:
    """The trick's text on the command line."""
    return f"+{name}{ARGUMENTS.get(name, '')}"


def own_tricks() -> list[tricks.Trick]:
    """tricklab's own catalogue, without what other tests declare for themselves."""
    folder = Path(tricks.__file__).parent
    return [trick for trick in tricks.catalogue() if Path(trick.file).parent == folder]
