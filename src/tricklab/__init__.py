"""tricklab: turn any vision training trick on with one line, and know honestly whether it helped."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# name -> module that holds it; imported when first asked for, so that `import tricklab` stays light
_PUBLIC = {
    "ablate": "tricklab.lab",
    "load": "tricklab.recipe",
    "resolve": "tricklab.recipe",
    "UserError": "tricklab.errors",
    "component": "tricklab.registry",
    "trick": "tricklab.tricks",
    "observe": "tricklab.observe",
    "Seeds": "tricklab.seeds",
    "AverageMeter": "tricklab.metrics",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'tricklab' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
