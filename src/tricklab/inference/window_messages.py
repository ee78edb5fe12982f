"""What the pixels of a window tell the pixel in its middle, in two ways that agree up to rounding."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tricklab.inference.pairwise import Pairwise

Backend = Literal["auto", "numba", "torch"]
FARTHEST = 60.0
"""Kernels below exp(-60) are none: they change no bit of a sum that single precision has."""
_LANES = 16
_THREAD_PIXELS = 2**14


class Messages(Protocol):
    """Sums over a window of one image, for values float (K, H, W); a pixel never hears itself."""

    def appearance(self, values: Tensor) -> Tensor:
        """Σ_j exp(-|p_i - p_j|² / 2 position² - |I_i - I_j|² / 2 colour²) · values_j."""
        ...

    def smoothness(self, values: Tensor) -> Tensor:
        """Σ_j exp(-|p_i - p_j|² / 2 deviation²) · values_j."""
        ...


def window_messages(colours: Tensor, terms: Pairwise, memory_limit: int, backend: Backend = "auto") -> Messages:
    """Messages between the pixels of an image.

    Args:
        colours: (C, H, W), floating point.
        terms: of the field.
        memory_limit: bytes for kernels of appearance; those that find no room are made again for each message.
        backend: ``numba``: compiled, on CPUs; ``torch``: on any device; ``auto``: the first on CPUs.
    """
    if backend == "numba" or (backend == "auto" and colours.device.type == "cpu"):
        return CompiledMessages(colours, terms, memory_limit)
    return TorchMessages(colours, terms, memory_limit)


def window_pairs(size: tuple[int, int], radius: int, dilation: int) -> list[tuple[int, int]]:
    """(down, right) of each unordered pair of places in a window that fits into an image, once.

    >>> window_pairs((2, 9), radius=1, dilation=2)
    [(0, 2)]
    """
    shifts = itertools.product(range(0, radius + 1), range(-radius, radius + 1))
    scaled = [(down * dilation, right * dilation) for down, right in shifts if down or right > 0]
    return [(down, right) for down, right in scaled if down < size[0] and abs(right) < size[1]]


class TorchMessages:
    """A tensor operation for each pair of places.

    Args:
        colours: (C, H, W).
        terms: of the field.
        memory_limit: bytes for kernels.
    """

    def __init__(self, colours: Tensor, terms: Pairwise, memory_limit: int) -> None:
        self.terms, self.scaled = terms, colours / (2**0.5 * terms.colour)
        self.pairs = window_pairs((colours.shape[1], colours.shape[2]), terms.radius, terms.dilation)
        size = len(self.pairs) * colours[0].numel() * colours.element_size()
        self.kept = list(self._kernels()) if size <= memory_limit else None

    def appearance(self, values: Tensor) -> Tensor:
        """See ``Messages``."""
        total = torch.zeros_like(values)
        for (here, there), kernel in self.kept or self._kernels():
            total[..., *here].addcmul_(kernel, values[..., *there])
            total[..., *there].addcmul_(kernel, values[..., *here])
        return total

    def smoothness(self, values: Tensor) -> Tensor:
        """See ``Messages``."""
        taps = _taps(self.terms, self.terms.radius).to(values)
        taps = torch.cat([taps[1:].flip(0), taps])
        flat = values[:, None]
        down = functional.conv2d(flat, taps.view(1, 1, -1, 1), padding=(self.terms.radius, 0))
        across = functional.conv2d(down, taps.view(1, 1, 1, -1), padding=(0, self.terms.radius))
        return across[:, 0] - values

    def _kernels(self) -> Iterator[tuple[Any, Tensor]]:
        height, width = self.scaled.shape[1:]
        for down, right in self.pairs:
            left, beyond = slice(0, width - abs(right)), slice(abs(right), width)
            columns = (left, beyond) if right >= 0 else (beyond, left)
            here, there = (slice(0, height - down), columns[0]), (slice(down, height), columns[1])
            apart = (self.scaled[..., *here] - self.scaled[..., *there]).square().sum(dim=0)
            apart.add_((down**2 + right**2) / (2 * self.terms.position**2))
            yield (here, there), apart.masked_fill_(apart > FARTHEST, torch.inf).neg_().exp_()


class CompiledMessages:
    """Loops over rows, see ``message_kernels``.

    Args:
        colours: (C, H, W), on the CPU, float32 or float64.
        terms: of the field.
        memory_limit: bytes for kernels.
    """

    def __init__(self, colours: Tensor, terms: Pairwise, memory_limit: int) -> None:
        self.terms, (height, width) = terms, colours.shape[1:]
        self.pairs = window_pairs((height, width), terms.radius, terms.dilation)
        reach = min(terms.radius, max(height, width) - 1)
        self.border = max(reach, *(max(down, abs(right)) for down, right in self.pairs), 1) if self.pairs else 1
        self.taps = _taps(terms, reach).to(colours.dtype).numpy()
        self.blocks = -(-width // _LANES)
        self.rows, self.width = height + 2 * self.border, _LANES * (self.blocks + 1) + 2 * self.border
        self.plane, self.inside = self.rows * self.width, (height, width)
        self.colours = self._bordered(colours / (2**0.5 * terms.colour))
        at_once = max(memory_limit // (self.plane * colours.element_size()), 1)
        groups = [self.pairs[start : start + at_once] for start in range(0, len(self.pairs), at_once)]
        self.groups = groups
        self.kept = [self._table(group) for group in groups] if len(groups) == 1 else None

    def appearance(self, values: Tensor) -> Tensor:
        """See ``Messages``."""
        from tricklab.inference.message_kernels import gather

        padded = self._bordered(values)
        total = torch.zeros_like(padded)
        for number, group in enumerate(self.groups):
            table = self.kept[number] if self.kept else self._table(group)
            back = np.array([down * len(group) * self.width + right for down, right in group])
            ends = self._shifts(group), back
            self._by_rows(gather, _flat(table), *ends, _flat(padded), self.plane, self.width, len(values), _flat(total))
        return self._inner(total)

    def smoothness(self, values: Tensor) -> Tensor:
        """See ``Messages``."""
        from tricklab.inference.message_kernels import blur

        padded = self._bordered(values)
        total = torch.empty_like(padded)
        self._by_rows(blur, self.taps, _flat(padded), self.plane, self.width, len(values), _flat(total))
        return self._inner(total)

    def _table(self, group: list[tuple[int, int]]) -> Tensor:
        """Kernels (rows, pairs, width); whatever is in the border is finite."""
        from tricklab.inference.message_kernels import exponents

        colours = self.colours
        table = colours.new_zeros(self.rows - self.border, len(group), self.width)
        places = [(down**2 + right**2) / (2 * self.terms.position**2) for down, right in group]
        minus = -np.array(places, dtype=self.taps.dtype)
        shifts = self._shifts(group)
        self._by_rows(exponents, _flat(colours), len(colours), self.plane, self.width, shifts, minus, _flat(table))
        # an exponential that is 0, so that no product becomes a denormal number
        return torch.threshold_(table, -FARTHEST, -1e4).exp_()

    def _shifts(self, group: list[tuple[int, int]]) -> np.ndarray:
        return np.array([down * self.width + right for down, right in group])

    def _bordered(self, planes: Tensor) -> Tensor:
        found = planes.new_zeros(len(planes), self.rows, self.width)
        self._inner(found).copy_(planes)
        return found

    def _inner(self, planes: Tensor) -> Tensor:
        height, width = self.inside
        return planes[:, self.border : self.border + height, self.border : self.border + width]

    def _by_rows(self, kernel: Callable[..., None], *arguments: Any) -> None:
        height, width = self.inside
        threads = max(min(torch.get_num_threads(), height, height * width // _THREAD_PIXELS), 1)
        bounds = [self.border + height * part // threads for part in range(threads + 1)]

        def work(part: int) -> None:
            kernel(*arguments, self.border, self.blocks, bounds[part], bounds[part + 1])

        if threads == 1:
            return work(0)
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(work, range(threads)):
                pass


def _taps(terms: Pairwise, radius: int) -> Tensor:
    """float64 (radius + 1,): the Gaussian from the middle on."""
    return (-torch.arange(radius + 1, dtype=torch.float64).square() / (2 * terms.deviation**2)).exp()


def _flat(tensor: Tensor) -> np.ndarray:
    return tensor.view(-1).numpy()
