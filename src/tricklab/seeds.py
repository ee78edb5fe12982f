"""Stateless random streams: one per purpose, the same whatever was drawn before.

Every stream is seeded by a blake2b hash of (recipe seed, block, purpose, keys). Two arms of one block therefore
share the split, the initial weights, the order, the augmentation and the dropout, however many numbers a trick draws.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ACTIVE: list[Seeds] = []


def hash_integer(*parts: object) -> int:
    """A 63-bit integer from any printable parts; the same on every machine and Python version.

    >>> hash_integer(0, 1, "order") == hash_integer(0, 1, "order")
    True
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


@dataclass(frozen=True)
class Seeds:
    """Everything random of one block of a recipe.

    Args:
        seed: the recipe's seed.
        block: the block's number, 0 and up.

    >>> Seeds(0, 3).integer("order", 1) == Seeds(0, 3).integer("order", 1)
    True
    """

    seed: int
    block: int

    def integer(self, purpose: str, *keys: object) -> int:
        """A 63-bit seed for one purpose."""
        return hash_integer(int(self.seed), int(self.block), purpose, *keys)

    def numpy(self, purpose: str, *keys: object) -> np.random.Generator:
        """A NumPy generator for one purpose."""
        return np.random.default_rng(self.integer(purpose, *keys))

    def torch(self, purpose: str, *keys: object) -> torch.Generator:
        """A torch CPU generator for one purpose."""
        import torch

        return torch.Generator().manual_seed(self.integer(purpose, *keys))

    def uniforms(
        self, purpose: str, epoch: int, index: np.ndarray, columns: int, occurrence: np.ndarray | None = None
    ) -> np.ndarray:
        """Uniform numbers that depend only on (purpose, epoch, item), never on the batch an item happens to sit in.

        Args:
            index: item numbers, integer, shape (N,).
            columns: how many numbers each item gets.
            occurrence: how often the item came before in this epoch, shape (N,); zeros if not given.

        Returns:
            float64 in [0, 1), shape (N, columns). Source of the mixing function: SplitMix64 (Steele et al. 2014).
        """
        key = np.uint64(self.integer(purpose, epoch))
        items = np.asarray(index).astype(np.uint64)
        repeats = np.zeros_like(items) if occurrence is None else np.asarray(occurrence).astype(np.uint64)
        with np.errstate(over="ignore"):
            state = _mix(_mix(items * _GOLDEN ^ key) + repeats * _GOLDEN)
            steps = np.arange(1, columns + 1, dtype=np.uint64) * _GOLDEN
            bits = _mix(state[:, None] + steps[None, :])
        return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53

    @contextlib.contextmanager
    def initialising(self) -> Iterator[None]:
        """Seed torch's default generator for building a model; the generator outside is untouched."""
        import torch

        _ACTIVE.append(self)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.random.default_generator.manual_seed(self.integer("init"))
                yield
        finally:
            _ACTIVE.pop()


@contextlib.contextmanager
def aside(name: str) -> Iterator[None]:
    """Build the modules that a trick adds from a stream of their own, so that all shared weights stay bit-equal.

    Args:
        name: the place of the added module in the host, for example ``"conv2d.SE"``.
    """
    import torch

    root = _ACTIVE[-1].integer("init", name) if _ACTIVE else hash_integer(torch.initial_seed(), "init", name)
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(root)
        yield


def _mix(value: Any) -> Any:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
