"""The laboratory: declares, runs and judges ablations of recipes, functions and command lines."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tricklab.lab.ablation import ablate, resume
    from tricklab.lab.declaring import Command
    from tricklab.lab.result import Result, experiment_result

__all__ = ["Command", "Result", "ablate", "experiment_result", "resume"]
# imported when first asked for: the process that starts runs needs none of it
_PUBLIC = {
    "Command": "declaring",
    "Result": "result",
    "ablate": "ablation",
    "experiment_result": "result",
    "resume": "ablation",
}


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f"tricklab.lab.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
