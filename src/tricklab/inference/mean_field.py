"""Mean field of a conditional random field whose pixels know the pixels in a window around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

MEMORY_LIMIT = 2**29
Pair = tuple[tuple[slice, slice], tuple[slice, slice]]
"""Rows and columns of pixels, and those of their partners: the same number of both."""


@dataclass(frozen=True)
class Pairwise:
    """What two pixels of one class are worth, as DenseCRF has it.

    For pixels i and j with positions p and colours I the sum of

    - appearance: ``weight · exp(-|p_i - p_j|² / 2 position² - |I_i - I_j|² / 2 colour²)``,
    - smoothness: ``weight · exp(-|p_i - p_j|² / 2 deviation²)``,

    each with i's and j's kernel sums divided out where ``normalise`` is ``symmetric``.

    Attributes:
        appearance: weight of the first term.
        position: standard deviation in pixels.
        colour: standard deviation, in the unit of the colours.
        smoothness: weight of the second term.
        deviation: standard deviation in pixels.
        radius: a pixel's partners are those of a square of 2 · radius + 1 pixels around it.
        dilation: the first term's partners are so many pixels apart, so that they lie so many times as far away.
        normalise: ``symmetric``: k_ij / √(Σ_j k_ij · Σ_i k_ij); ``none``: as published first.
    """

    appearance: float
    position: float
    colour: float
    smoothness: float
    deviation: float
    radius: int
    dilation: int
    normalise: Literal["symmetric", "none"]


def mean_field(
    log_probabilities: Tensor, colours: Tensor, terms: Pairwise, iterations: int, memory_limit: int = MEMORY_LIMIT
) -> Tensor:
    """Log-probabilities after so many updates of all pixels at once.

    ``Q_i(l) ∝ P_i(l) · exp(Σ_{j≠i} k_ij Q_j(l))``, the update of Krähenbühl & Koltun (NIPS 2011, algorithm 1) for Potts
    labels; theirs reaches all pixels, by a lattice that approximates, here partners lie in a window and are exact
    (ConvCRF: Teichmann & Cipolla, BMVC 2019). With a window as large as the image it is the field of all pairs.

    Args:
        log_probabilities: (N, K, H, W), floating point, of the network.
        colours: (N, C, H, W), the same type.
        terms: of the field.
        iterations: updates.
        memory_limit: bytes for appearance kernels; those of an image that are larger are made again for each update.

    Returns:
        (N, K, H, W), normalised over K.

    Time and memory are O(N · H · W · (2 radius + 1)²), memory half of it.

    >>> same = Pairwise(1.0, 1e6, 1e6, 0.0, 1.0, radius=1, dilation=1, normalise="none")
    >>> unary = torch.tensor([[[[0.9, 0.4]], [[0.1, 0.6]]]]).log()
    >>> mean_field(unary, torch.zeros(1, 1, 1, 2), same, iterations=1).exp()[0, 0, 0].round(decimals=2)
    tensor([0.8800, 0.6000])
    """
    pairs = list(_pairs(log_probabilities.shape[2:], terms.radius, terms.dilation))
    one_image = len(pairs) * colours[0, 0].numel() * colours.element_size()
    at_once = max(memory_limit // max(one_image, 1), 1)
    parts = zip(log_probabilities.split(at_once), colours.split(at_once), strict=True)
    keep = one_image <= memory_limit
    return torch.cat([_updated(some, colour, terms, iterations, pairs, keep) for some, colour in parts])


def _updated(unary: Tensor, colours: Tensor, terms: Pairwise, iterations: int, pairs: list[Pair], keep: bool) -> Tensor:
    kernels = list(_kernels(colours, terms, pairs)) if keep else None
    ones = torch.ones_like(unary[:, :1])

    def appearance(values: Tensor) -> Tensor:
        total = torch.zeros_like(values)
        for (here, there), kernel in zip(pairs, kernels or _kernels(colours, terms, pairs), strict=True):
            total[..., *here].addcmul_(kernel, values[..., *there])
            total[..., *there].addcmul_(kernel, values[..., *here])
        return total

    def smoothness(values: Tensor) -> Tensor:
        return _blurred(values, terms.radius, terms.deviation) - values

    messages = []
    for weight, message in ((terms.appearance, appearance), (terms.smoothness, smoothness)):
        if weight:
            sums = message(ones)
            # a pixel without partners has nothing to divide
            scale = sums.clamp(min=1e-20).rsqrt() * (sums > 0) if terms.normalise == "symmetric" else ones
            messages.append((weight, message, scale))
    found = unary.log_softmax(dim=1)
    for _ in range(iterations):
        probabilities, total = found.exp(), unary
        for weight, message, scale in messages:
            total = total + weight * scale * message(scale * probabilities)
        found = total.log_softmax(dim=1)
    return found


def _pairs(size: torch.Size, radius: int, dilation: int) -> Iterator[Pair]:
    """Each unordered pair of places in a window once."""
    height, width = size
    for down in range(0, radius + 1):
        for right in range(-radius if down else 1, radius + 1):
            rows, columns = down * dilation, abs(right) * dilation
            if rows >= height or columns >= width:
                continue
            left, beyond = slice(0, width - columns), slice(columns, width)
            here, there = (left, beyond) if right >= 0 else (beyond, left)
            yield (slice(0, height - rows), here), (slice(rows, height), there)


def _kernels(colours: Tensor, terms: Pairwise, pairs: list[Pair]) -> Iterator[Tensor]:
    """(N, 1, h, w) for each pair."""
    scaled = colours / (2**0.5 * terms.colour)
    for here, there in pairs:
        rows, columns = ((b.start - a.start) ** 2 for a, b in zip(here, there, strict=True))
        place = (rows + columns) / (2 * terms.position**2)
        apart = (scaled[..., *here] - scaled[..., *there]).square().sum(dim=1, keepdim=True)
        yield apart.add_(place).neg_().exp_()


def _blurred(values: Tensor, radius: int, deviation: float) -> Tensor:
    """The sum of a window, weighted by a Gaussian that is 1 in the middle; nothing lies outside the image."""
    place = torch.arange(-radius, radius + 1, dtype=values.dtype, device=values.device)
    taps = (-place.square() / (2 * deviation**2)).exp()
    flat = values.flatten(0, 1)[:, None]
    down = functional.conv2d(flat, taps.view(1, 1, -1, 1), padding=(radius, 0))
    return functional.conv2d(down, taps.view(1, 1, 1, -1), padding=(0, radius)).view_as(values)
