"""How this package's loops are compiled by numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called.

    The machine code is kept beside the source, or else in the user's cache folder; where neither can be written, it is
    compiled anew in each process. The interpreter's lock is free while it runs, and a division by zero gives what
    numpy gives.

    >>> compiled(lambda x, y: x + y)(1.5, 2.0)
    3.5
    """
    try:
        return numba.njit(function, cache=True, **OPTIONS)
    except RuntimeError:  # neither place can be written
        return numba.njit(function, **OPTIONS)
