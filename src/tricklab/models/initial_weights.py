"""Where a model's first weights come from: a file, published weights, or nothing; what was taken is remembered."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.models.weight_files import read_state_dict

Head = Callable[[str, Tensor], bool]
_MEMORY = "initial_weights"
_SKIPPING: ContextVar[bool] = ContextVar("skipping_initial_weights", default=False)
_CHUNK = 1 << 22


@dataclass(frozen=True)
class LoadedWeights:
    """What came from where.

    Attributes:
        source: the file, or the name under which the weights are published.
        entry: the entry of the file, ``""`` for a bare state dict.
        loaded: names that were taken.
        kept: names of the model that keep their fresh values.
        unused: names of the file that the model has no use for.
    """

    source: str
    entry: str
    loaded: tuple[str, ...]
    kept: tuple[str, ...]
    unused: tuple[str, ...]

    def fact(self) -> dict[str, Any]:
        """As recorded under ``model/weights_loaded``; names only where they are few in every network."""
        return {
            "source": self.source,
            "entry": self.entry,
            "loaded": len(self.loaded),
            "kept": list(self.kept),
            "unused": list(self.unused),
        }


def load_weights(
    model: nn.Module,
    path: str | os.PathLike[str],
    *,
    is_head: Head,
    entry: str | None = None,
    spare: tuple[str, ...] = (),
    refuse_unknown: bool = True,
    digest: str | None = None,
) -> LoadedWeights:
    """Load weights from a file into a model, every name accounted for; the model remembers what was taken.

    Args:
        path: as for :func:`tricklab.models.weight_files.read_state_dict`.
        is_head: whether a weight (name, tensor of the model) belongs to a classifier: it is taken only where it fits
            and may be absent on either side.
        entry: which of several state dicts in the file.
        spare: beginnings of names that the file may hold and the model need not.
        refuse_unknown: whether other names that the model does not have are an error; else they are listed.
        digest: hash that the file must have, from :func:`file_digest`.

    Raises:
        UserError: no such file or entry, another file than the digest says, a file that holds objects other than plain
            data, a weight that is missing, has another shape or is unknown; the model is then unchanged.
    """
    place = os.fspath(path)
    if digest is not None and Path(path).is_file() and file_digest(path) != digest:
        raise UserError(
            "this file of weights is not the one that the recipe was resolved with",
            where=place,
            fix="put it back, or leave model.weights_digest out to train with the new one",
        )
    found_entry, given = read_state_dict(path, entry)
    own = model.state_dict()
    fresh = {
        name
        for name, tensor in own.items()
        if is_head(name, tensor) and (name not in given or given[name].shape != tensor.shape)
    }
    missing = [name for name in own if name not in given and name not in fresh]
    wrong = [name for name in own if name in given and name not in fresh and own[name].shape != given[name].shape]
    unused = [name for name in given if name not in own or name in fresh]
    unknown = [n for n in unused if n not in own and not n.startswith(spare) and not is_head(n, given[n])]
    faults = {"are missing": missing, "have another shape": wrong, "are unknown": unknown if refuse_unknown else []}
    for what, names in faults.items():
        if names:
            raise UserError(
                f"{len(names)} weights {what}, the first is {names[0]!r}",
                where=place,
                fix="build the model with the size and switches that the weights were trained with",
            )
    model.load_state_dict({name: own[name] if name in fresh else given[name] for name in own})
    found = LoadedWeights(
        place, found_entry, tuple(name for name in own if name not in fresh), tuple(sorted(fresh)), tuple(unused)
    )
    remember(model, found)
    return found


def remember(model: nn.Module, found: LoadedWeights) -> None:
    """Note on a model where its first weights came from."""
    setattr(model, _MEMORY, found)


def remembered(model: nn.Module) -> LoadedWeights | None:
    """Where a model's first weights came from; None if they were drawn."""
    found = getattr(model, _MEMORY, None)
    return found if isinstance(found, LoadedWeights) else None


@contextlib.contextmanager
def skipping_initial_weights() -> Iterator[None]:
    """Build models without their first weights, for those that get others at once: no file or network is needed."""
    token = _SKIPPING.set(True)
    try:
        yield
    finally:
        _SKIPPING.reset(token)


def skips_initial_weights() -> bool:
    """Whether first weights are not wanted now."""
    return _SKIPPING.get()


def with_weights_digest(config: Mapping[str, Any]) -> dict[str, Any]:
    """A model's checked keys with the path of ``weights`` absolute and ``weights_digest`` filled in.

    Raises:
        UserError: there is no such file, or published weights are asked for as well.
    """
    values = dict(config)
    if values.get("weights") is None:
        values["weights_digest"] = None
        return values
    if values.get("pretrained"):
        raise UserError("weights come from a file or are the published ones, not both", where="weights")
    place = Path(values["weights"]).expanduser().resolve()
    values["weights"] = str(place)
    if values.get("weights_digest") is None:
        if not place.is_file():
            raise UserError(f"there is no file {str(place)!r}", where="weights")
        values["weights_digest"] = file_digest(place)
    return values


def file_digest(path: str | os.PathLike[str]) -> str:
    """Blake2b of a file's bytes, 32 hexadecimal digits."""
    place = Path(path).resolve()
    about = place.stat()
    return _digest(place, about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=64)
def _digest(place: Path, _modified: int, _size: int) -> str:
    state = hashlib.blake2b(digest_size=16)
    with place.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()
