"""Mean field of a conditional random field whose pixels know the pixels in a window around them."""

from __future__ import annotations

import torch
from torch import Tensor

from tricklab.inference.pairwise import Pairwise
from tricklab.inference.window_messages import Backend, Messages, window_messages

MEMORY_LIMIT = 2**29


def mean_field(
    log_probabilities: Tensor,
    colours: Tensor,
    terms: Pairwise,
    iterations: int,
    memory_limit: int = MEMORY_LIMIT,
    backend: Backend = "auto",
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
        backend: see :func:`~tricklab.inference.window_messages.window_messages`.

    Returns:
        (N, K, H, W), normalised over K.

    Time is O(N · K · H · W · (2 radius + 1)²), memory O(H · W · (2 radius + 1)²) up to the limit. On a CPU the
    number of threads changes no bit.

    >>> same = Pairwise(1.0, 1e6, 1e6, 0.0, 1.0, radius=1, dilation=1, normalise="none")
    >>> unary = torch.tensor([[[[0.9, 0.4]], [[0.1, 0.6]]]]).log()
    >>> mean_field(unary, torch.zeros(1, 1, 1, 2), same, iterations=1).exp()[0, 0, 0].round(decimals=2)
    tensor([0.8800, 0.6000])
    """
    images = zip(log_probabilities, colours, strict=True)
    each = [
        _updated(unary, window_messages(colour, terms, memory_limit, backend), terms, iterations)
        for unary, colour in images
    ]
    return torch.stack(each)


def _updated(unary_KHW: Tensor, messages: Messages, terms: Pairwise, iterations: int) -> Tensor:
    ones, ways = torch.ones_like(unary_KHW[:1]), []
    for weight, message in ((terms.appearance, messages.appearance), (terms.smoothness, messages.smoothness)):
        if weight:
            sums = message(ones)
            # a pixel without partners has nothing to divide
            scale = sums.clamp(min=1e-20).rsqrt() * (sums > 0) if terms.normalise == "symmetric" else ones
            ways.append((message, scale, weight * scale))
    found = unary_KHW.log_softmax(dim=0)
    for _ in range(iterations):
        probabilities, total = found.exp_(), unary_KHW.clone()
        for message, before, behind in ways:
            total.addcmul_(behind, message(before * probabilities))
        found = total.log_softmax(dim=0)
    return found
