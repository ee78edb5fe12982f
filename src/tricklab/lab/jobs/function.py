"""A run of a Python function: ``fn(seed=…, block=…, **levels)`` returns a number or a mapping of numbers."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import random
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import PathFinder
from numbers import Real
from typing import Any

from tricklab.errors import UserError
from tricklab.lab.jobs.settling import settle
from tricklab.records import RunFolder
from tricklab.seeds import Seeds

IN_MEMORY: dict[str, Callable[..., Any]] = {}


def address(function: Callable[..., Any]) -> str | None:
    """``module:qualified.name`` under which a fresh process finds the function, or None if it cannot."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or module == "__main__" or "<" in name:
        return None
    package = module.partition(".")[0]
    if package not in sys.builtin_module_names and PathFinder.find_spec(package) is None:
        return None  # loaded here in a way of its own, which a fresh process does not know
    try:
        return f"{module}:{name}" if find(f"{module}:{name}") is function else None
    except (ImportError, AttributeError):
        return None


def find(where: str) -> Callable[..., Any]:
    """The function at an address, or the one held in memory under that name."""
    if where in IN_MEMORY:
        return IN_MEMORY[where]
    module, _, name = where.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def check(function: Callable[..., Any], factors: Mapping[str, Any]) -> dict[str, Any]:
    """Check that the function takes ``seed`` and every factor; returns its defaults of the factors that have one."""
    name = getattr(function, "__qualname__", repr(function))
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        raise UserError("the signature of this function cannot be read", where=name, fix="wrap it in a def") from None
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    if not open_ended and "seed" not in parameters:
        raise UserError(
            "the function takes no seed, so every block would repeat the same run",
            where=name,
            fix="take seed (an integer) as a keyword and draw everything random from it",
        )
    fixed = next((key for key in factors if key in ("seed", "block")), None)
    if fixed is not None:
        raise UserError(
            f"{fixed!r} is the laboratory's own and no factor", where=f"factors[{fixed!r}]", fix="name another keyword"
        )
    unknown = [key for key in factors if key not in parameters and not open_ended]
    if unknown:
        raise UserError(
            f"the function takes no keyword {unknown[0]!r}", where=name, fix=f"it takes {', '.join(parameters)}"
        )
    required = [
        key
        for key, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and key not in ("seed", "block")
    ]
    if required:
        raise UserError(
            f"the function's parameter {required[0]!r} has no default, so there is no baseline",
            where=name,
            fix="give it the baseline's value as default",
        )
    return {
        key: parameters[key].default
        for key in factors
        if key in parameters and parameters[key].default is not inspect.Parameter.empty
    }


def code_digest(function: Callable[..., Any]) -> str | None:
    """A digest of the function's source and of the plain values in its defaults and closure; None without a source."""
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        return None
    bare = inspect.unwrap(function)
    kept = [*(getattr(bare, "__defaults__", None) or ()), *(getattr(bare, "__kwdefaults__", None) or {}).values()]
    for cell in getattr(bare, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # not filled yet
            kept.append(cell.cell_contents)
    plain = [value for value in kept if value is None or isinstance(value, bool | int | float | str)]
    return hashlib.blake2b(f"{text}\0{plain!r}".encode(), digest_size=8).hexdigest()


def block_seed(seed: int, block: int) -> int:
    """The seed that every arm of a block gets; 31 bits, as all generators accept."""
    return Seeds(seed, block).integer("run") & 0x7FFFFFFF


def run(folder: str, threads: int) -> None:
    """Call the function that the folder declares and settle the folder."""
    place = RunFolder.open(folder)
    declared = place.recipe
    function = find(declared["function"])
    given_seed = block_seed(declared["seed"], place.declared["block"])
    given = {"seed": given_seed, "block": place.declared["block"]}
    parameters = inspect.signature(function).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        given = {key: value for key, value in given.items() if key in parameters}
    _limit_threads(threads)
    # one that lives in memory cannot change, but the file that its source is read from can
    code = declared["source"] if declared["function"] in IN_MEMORY else code_digest(function)

    def work() -> dict[str, Any]:
        if code != declared["source"]:
            raise UserError(
                "the function is not the one that the plan was declared with",
                where=declared["function"],
                fix="put it back as it was, or choose another name for the experiment",
            )
        _seed_globals(given_seed)
        return _numbers(function(**given, **declared["levels"]), declared["metric"]["name"], declared["function"])

    settle(place, work, threads=threads, metric_code=code)


def _numbers(returned: Any, metric: str, where: str) -> dict[str, Any]:
    if isinstance(returned, Mapping):
        numbers = {str(key): _number(value) for key, value in returned.items()}
        numbers = {key: value for key, value in numbers.items() if value is not None}
        if metric not in numbers:
            raise UserError(
                f"the function returned no number {metric!r}",
                where=where,
                fix=f"it returned {', '.join(numbers) or 'no numbers'}; name one of them as the metric",
            )
        return numbers
    number = _number(returned)
    if number is None:
        raise UserError(
            f"the function returned {type(returned).__name__}", where=where, fix="return a number or a dict of numbers"
        )
    return {metric: number}


def _number(value: Any) -> float | None:
    if isinstance(value, Real):
        return float(value)
    if hasattr(value, "item") and getattr(value, "size", None) == 1:  # a NumPy array of one element
        return float(value.item())
    if hasattr(value, "numel") and value.numel() == 1:
        return float(value.item())
    return None


def _seed_globals(seed: int) -> None:
    """Seed the global generators: a forked process has its server's state, so that all runs would draw the same."""
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def _limit_threads(threads: int) -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
