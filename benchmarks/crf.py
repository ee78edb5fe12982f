"""The mean field of a mask's conditional random field: one image of 360 × 480 pixels and 11 classes, five updates.

    python benchmarks/crf.py [--json] [--quick] [--threads 1]

1. Compiled loops over rows against a tensor operation for each pair of places, the way that other devices use.
2. The same against the usual few lines of PyTorch: windows unfolded, one class at a time, times their kernels.
3. Against pydensecrf, where it is installed: its field reaches all pixels by a lattice that approximates. Beside the
   times stands the share of pixels that both give one class, and the share that either of them changed.

All must agree with (2) to 1e-3 in a probability.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from _compare import Row, Side, parser, show, time_row, turns_s
from torch import Tensor
from torch.nn import functional

from tricklab.inference.mean_field import mean_field
from tricklab.inference.pairwise import Pairwise

TERMS = Pairwise(10.0, 80.0, 13.0, 3.0, 3.0, radius=5, dilation=3, normalise="symmetric")
ITERATIONS, CLASSES, TOLERANCE, BAR = 5, 11, 1e-3, 2.0


def scene(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Patches of colour with noise, and log-probabilities of a network that is right about most of them."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, CLASSES, height // 24, width // 24, generator=generator)
    truth = functional.interpolate(coarse, (height, width), mode="bilinear").argmax(dim=1)
    paints = 255 * torch.rand(CLASSES, 3, generator=generator)
    colours = paints[truth].permute(0, 3, 1, 2) + 6 * torch.randn(1, 3, height, width, generator=generator)
    logits = functional.one_hot(truth, CLASSES).permute(0, 3, 1, 2).float() * 2
    noise = torch.randn(1, CLASSES, height, width, generator=generator)
    return (logits + noise).log_softmax(dim=1), colours.clamp(0, 255).round()


def ours(height: int, width: int, backend: Any) -> Callable[[], Tensor]:
    """The library's field."""
    unary, colours = scene(height, width)

    def step() -> Tensor:
        with torch.inference_mode():
            return mean_field(unary, colours, TERMS, ITERATIONS, backend=backend)

    return step


def unfolded(height: int, width: int) -> Callable[[], Tensor]:
    """Windows by ``unfold``."""
    unary, colours = scene(height, width)
    reach, middle = TERMS.radius, (2 * TERMS.radius + 1) ** 2 // 2

    def windows(planes: Tensor, dilation: int) -> Tensor:
        return functional.unfold(planes, 2 * reach + 1, dilation, reach * dilation).view(1, -1, height, width)

    def kernel(dilation: int, position: float, colour: float | None) -> Tensor:
        place = torch.arange(-reach, reach + 1.0) * dilation
        apart = ((place[:, None] ** 2 + place[None] ** 2) / (2 * position**2)).reshape(1, -1, 1, 1)
        if colour is not None:
            apart = apart + sum(
                (windows(one, dilation) - one) ** 2 / (2 * colour**2) for one in colours.split(1, dim=1)
            )
        found = (-apart).exp() * windows(torch.ones(1, 1, height, width), dilation)
        found[:, middle] = 0
        scale = found.sum(dim=1, keepdim=True).clamp(min=1e-20).rsqrt()
        return found * scale * windows(scale, dilation)

    def step() -> Tensor:
        with torch.inference_mode():
            near, smooth = kernel(TERMS.dilation, TERMS.position, TERMS.colour), kernel(1, TERMS.deviation, None)
            found = unary
            for _ in range(ITERATIONS):
                said = [
                    TERMS.appearance * (windows(one, TERMS.dilation) * near).sum(dim=1, keepdim=True)
                    + TERMS.smoothness * (windows(one, 1) * smooth).sum(dim=1, keepdim=True)
                    for one in found.exp().split(1, dim=1)
                ]
                found = (unary + torch.cat(said, dim=1)).log_softmax(dim=1)
            return found

    return step


def lattice(height: int, width: int) -> Callable[[], Tensor]:
    """pydensecrf with the same terms."""
    from pydensecrf import densecrf

    unary, colours = scene(height, width)
    energy = np.ascontiguousarray(-unary[0].reshape(CLASSES, -1).numpy())
    picture = np.ascontiguousarray(colours[0].permute(1, 2, 0).numpy().astype(np.uint8))

    def step() -> Tensor:
        field = densecrf.DenseCRF2D(width, height, CLASSES)
        field.setUnaryEnergy(energy)
        field.addPairwiseGaussian(sxy=TERMS.deviation, compat=TERMS.smoothness)
        field.addPairwiseBilateral(sxy=TERMS.position, srgb=TERMS.colour, rgbim=picture, compat=TERMS.appearance)
        found = np.array(field.inference(ITERATIONS)).reshape(1, CLASSES, height, width)
        return torch.from_numpy(found).log()

    return step


def compared(height: int, width: int, threads: int, repeats: int) -> list[Row]:
    """Time against every peer, after a check of the probabilities."""
    size = (height, width)
    peers: dict[str, tuple[Any, ...]] = {
        "a tensor operation for each pair": (ours, *size, "torch"),
        "windows unfolded": (unfolded, *size),
    }
    if importlib.util.find_spec("pydensecrf"):
        peers["pydensecrf"] = (lattice, *size)
    sides = [Side(ours, *size, "auto", threads=threads)]
    sides += [Side(prepare, *arguments, threads=threads) for prepare, *arguments in peers.values()]
    try:
        own_s, *peers_s = turns_s(sides, repeats)
        own, *others = (side.result().exp() for side in sides)
    finally:
        for side in sides:
            side.close()
    before, rows = scene(*size)[0].argmax(dim=1), []
    for name, taken, other in zip(peers, peers_s, others, strict=True):
        apart = float((own - other).abs().max())
        exact = name != "pydensecrf"
        if exact and apart > TOLERANCE:
            raise SystemExit(f"probabilities differ from {name} by {apart:.2g}")
        same = float((own.argmax(dim=1) == other.argmax(dim=1)).float().mean())
        changed = [float((one.argmax(dim=1) != before).float().mean()) for one in (own, other)]
        told = f"largest difference {apart:.1g}" if exact else (
            f"one class at {same:.2%} of the pixels; changed {changed[0]:.2%} and {changed[1]:.2%}"
        )  # fmt: skip
        title = f"{height} × {width} pixels, {CLASSES} classes, {ITERATIONS} updates ({told})"
        more = {"largest_difference": apart, "same_class": same, "changed": changed}
        rows.append(time_row(title, name, own_s, taken, bar=BAR if exact else None, **more))
    return rows


def main() -> int:
    """Measure and print."""
    asked = parser("the mean field of masks").parse_args()
    size = (120, 168) if asked.quick else (360, 480)
    rows = compared(*size, asked.threads, 1 if asked.quick else 3)
    if not importlib.util.find_spec("pydensecrf") and not asked.json:
        print("pydensecrf is not installed: not compared", file=sys.stderr)
    if asked.json:
        print(json.dumps({"results": rows}, indent=1))
        return int(any(row["bar"] is not None and row["ratio"] < row["bar"] for row in rows))
    return show(rows, as_json=False)


if __name__ == "__main__":
    sys.exit(main())
