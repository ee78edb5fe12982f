"""Windows that slide over an image: batched, blended, for images of any size, a strip of rows in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tricklab.errors import UserError
from tricklab.inference.mask_scores import single
from tricklab.observe import observe

Scores = Callable[[Tensor], Tensor]
"""images (N, C, H, W), normalised → logits (N, K, H, W)."""
Read = Callable[[int, int], Tensor]
"""top, bottom → rows top … bottom - 1 of the images, float32 (N, C, bottom - top, W)."""
Blend = Literal["hann", "mean"]


@dataclass(frozen=True)
class Side:
    """Windows along one side of an image.

    Attributes:
        starts: first pixel of each window.
        length: of every window.
        weights: float32 (windows, length); those that fall on one pixel sum to 1.
    """

    starts: tuple[int, ...]
    length: int
    weights: Tensor


@dataclass(frozen=True)
class Sliding:
    """How windows lie over an image, and how what they say about a pixel is put together.

    Window i begins at i times the stride; the last one ends with the image (OpenMMLab's ``slide_inference``). An image
    smaller than a window is one window of its own size. Logits are averaged with weights that are a product of one for
    the row and one for the column, so no map of counts is needed. Where a network's output depends on what lies at
    most ``margin`` pixels away, and its strides divide the windows' starts, the logits are those of the whole image.

    Args:
        window: (height, width) of a window in pixels.
        stride: (down, right) from one window to the next; at most the window less both margins.
        blend: ``hann``: a pixel counts the less the nearer it is to a side of the window inside the image, as half a
            Hann window; ``mean``: all alike, as in OpenMMLab.
        margin: pixels at a window's sides inside the image that count nothing.
        batch: windows that go through the network at once.

    Observes ``slide/windows``, how many windows an image had.

    Raises:
        UserError: numbers below 1, a negative margin, or pixels between the windows that would belong to none.

    >>> plan = Sliding(window=(4, 4), stride=(2, 2))
    >>> plan.along(9, 0).starts
    (0, 2, 4, 5)
    >>> logits = plan.around(lambda images: images.sum(dim=1, keepdim=True))(torch.ones(1, 3, 9, 7))
    >>> logits.shape, round(float(logits.min()), 4), round(float(logits.max()), 4)
    (torch.Size([1, 1, 9, 7]), 3.0, 3.0)
    """

    window: tuple[int, int]
    stride: tuple[int, int]
    blend: Blend = "hann"
    margin: int = 0
    batch: int = 8

    def __post_init__(self) -> None:
        for name, values in (("window", self.window), ("stride", self.stride), ("batch_size", (self.batch,))):
            if min(values) < 1:
                raise UserError(f"{name} must be at least 1, not {min(values)}", where=f"evaluate.{name}")
        if self.margin < 0:
            raise UserError(f"a margin cannot be {self.margin}", where="evaluate.margin", fix="0 or more pixels")
        for side, (length, step) in enumerate(zip(self.window, self.stride, strict=True)):
            if step > length - 2 * self.margin:
                told = f", of which {self.margin} at each end count nothing" if self.margin else ""
                raise UserError(
                    f"windows of {length} pixels{told}, {step} pixels apart, leave pixels without an answer",
                    where=f"evaluate.stride.{side}",
                    fix=f"a stride of at most {max(length - 2 * self.margin, 1)}"
                    if length > 2 * self.margin
                    else f"a margin below {length / 2:g}",
                )

    def along(self, size: int, side: int) -> Side:
        """The windows along a side (0: down, 1: right) of so many pixels."""
        length, step = min(self.window[side], size), self.stride[side]
        count = -(-(size - length) // step) + 1
        starts = tuple(min(place * step, size - length) for place in range(count))
        first = torch.tensor(starts)[:, None]
        pixel = torch.arange(length, dtype=torch.float64)[None]
        # a side of the image is no border: what lies beyond it is the same for the whole image
        before = torch.where(first > 0, pixel, torch.inf)
        behind = torch.where(first + length < size, length - 1 - pixel, torch.inf)
        inside = torch.minimum(before, behind) - self.margin
        weights = (inside >= 0).double()
        if self.blend == "hann":
            half = max(length / 2 - self.margin, 0.5)
            weights *= torch.sin(torch.pi / 2 * ((inside + 0.5) / half).clamp(0, 1)).square()
        places = (first + torch.arange(length)[None]).reshape(-1)
        total = torch.zeros(size, dtype=torch.float64).index_add_(0, places, weights.reshape(-1))
        assert bool((total > 0).all())
        return Side(starts, length, (weights / total[places].view_as(weights)).float())

    def count(self, size: tuple[int, int]) -> int:
        """Windows of an image of (height, width)."""
        return len(self.along(size[0], 0).starts) * len(self.along(size[1], 1).starts)

    def around(self, scores: Scores) -> Scores:
        """The same question, asked window by window; the logits are float32, on the network's device."""

        def slid(images_NCHW: Tensor) -> Tensor:
            height, width = images_NCHW.shape[-2:]
            out: Tensor | None = None
            for top, rows in sliding_rows(scores, lambda top, end: images_NCHW[:, :, top:end], (height, width), self):
                if out is None:
                    out = rows.new_empty(*rows.shape[:2], height, width)
                out[:, :, top : top + rows.shape[2]] = rows
            assert out is not None
            return out

        return slid


def sliding_rows(scores: Scores, read: Read, size: tuple[int, int], plan: Sliding) -> Iterator[tuple[int, Tensor]]:
    """Finished rows of logits from top to bottom, while only the rows of one line of windows are in memory.

    Args:
        scores: asks the network.
        read: gives rows of the images.
        size: (height, width) of the images.
        plan: the windows.

    Yields:
        (top, float32 (N, K, rows, W)): each row once.

    Raises:
        UserError: the network's logits do not have the size of the window that it was given.
    """
    down, right = plan.along(size[0], 0), plan.along(size[1], 1)
    observe("slide/windows", float(len(down.starts) * len(right.starts)))
    open_rows: Tensor | None = None
    for place, top in enumerate(down.starts):
        sums = _across(scores, read(top, top + down.length), right, plan.batch)
        sums *= down.weights[place].to(sums.device)[:, None]
        if open_rows is not None:
            sums[:, :, : open_rows.shape[2]] += open_rows
        done = (down.starts[place + 1] if place + 1 < len(down.starts) else size[0]) - top
        yield top, sums[:, :, :done]
        open_rows = sums[:, :, done:].clone()
        del sums  # else it would lie beside the next line of windows


def _across(scores: Scores, strip: Tensor, right: Side, batch: int) -> Tensor:
    """Blended logits (N, K, h, W) of one line of windows over a strip (N, C, h, W)."""
    images, height, width = len(strip), strip.shape[2], strip.shape[3]
    at_once = max(batch // images, 1)
    sums: Tensor | None = None
    for begin in range(0, len(right.starts), at_once):
        starts = right.starts[begin : begin + at_once]
        found = single(scores(torch.cat([strip[:, :, :, start : start + right.length] for start in starts])))
        if found.ndim != 4 or tuple(found.shape[-2:]) != (height, right.length):
            raise UserError(
                f"the network answers windows of {height} × {right.length} pixels with {tuple(found.shape[1:])}",
                where="evaluate.method",
                fix="sliding windows need logits of the size of the input",
            )
        if sums is None:
            sums = found.new_zeros(images, found.shape[1], height, width)
        weights = right.weights.to(found.device)
        for number, (start, logits) in enumerate(zip(starts, found.split(images), strict=True), start=begin):
            sums[:, :, :, start : start + right.length].addcmul_(logits, weights[number])
    assert sums is not None
    return sums
