"""GroupMamba's training step and inference, against the straightforward port and timm models of like size.

    python benchmarks/groupmamba.py [--json] [--quick] [--threads 2] [--device cuda] [--batch 2] [--size 224]

The port calls the same scan once for each group, on pixels that it transposes, flips and copies, as the published code
does. Every side trains on the same random images by AdamW, each in a process of its own; steps alternate. Times are
those of the best step. ``--quick`` takes 8 images of 64 pixels; without it also 2 of 224.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from _compare import Row, Side, parser, show, time_row
from torch import Tensor, nn
from torch.nn import functional

from tricklab.models.groupmamba import SIZES, GroupMamba
from tricklab.ops.host_memory import keep_freed_memory
from tricklab.ops.selective_scan import selective_scan

CLASSES = 1000
PORT = "the straightforward port"
PEERS = {PORT: 1.3, "timm convnext_tiny": None, "timm swin_tiny_patch4_window7_224": None}


def one_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor) -> Tensor:
    """The same scan as ours, of one group that has been put in order."""
    return selective_scan(u, delta, A, B.unsqueeze(2), C.unsqueeze(2), D, bias)


def plain() -> ModuleType:
    """The port that the tests compare with."""
    place = Path(__file__).resolve().parents[1] / "tests" / "models" / "plain_groupmamba.py"
    spec = importlib.util.spec_from_file_location("plain_groupmamba", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def network(name: str, side: int) -> nn.Module:
    """A network without stochastic depth."""
    if name == "ours":
        return GroupMamba("tiny", drop_path=0.0, classes=CLASSES)
    if name == PORT:
        tiny = SIZES["tiny"]
        shape = (tiny.stem_hidden_dim, tiny.embed_dims, tiny.depths, tiny.mlp_ratios)
        return plain().PlainGroupMamba(CLASSES, *shape, scan=one_scan)
    import timm

    kind = name.removeprefix("timm ")
    more: dict[str, Any] = {"img_size": side} if kind.startswith("swin") else {}
    return timm.create_model(kind, num_classes=CLASSES, drop_path_rate=0.0, **more)


def logits(output: Tensor | dict[str, Tensor]) -> Tensor:
    return output["main"] if isinstance(output, dict) else output


def both(name: str, batch: int, side: int, device: str) -> Callable[[], tuple[float, float]]:
    """A training step and then an inference of the same images; returns the seconds of each."""
    keep_freed_memory()
    torch.manual_seed(0)
    model = network(name, side).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    images = torch.randn(batch, 3, side, side, device=device)
    targets = torch.arange(batch, device=device)

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        loss = functional.cross_entropy(logits(model(images)), targets)
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device

    def infer() -> None:
        model.eval()
        with torch.inference_mode():
            logits(model(images)).sum().item()

    def step() -> tuple[float, float]:
        begin = time.perf_counter()
        train()
        between = time.perf_counter()
        infer()
        return between - begin, time.perf_counter() - between

    return step


def best_s(sides: list[Side], repeats: int, warm: int = 2) -> list[tuple[float, float]]:
    """Best times of a training step and of an inference of each side; they take turns."""
    times: list[list[tuple[float, float]]] = [[] for _ in sides]
    for turn in range(warm + repeats):
        for side, found in zip(sides, times, strict=True):
            side.step_s()
            if turn >= warm:
                found.append(side.result())
    return [(min(first for first, _ in found), min(second for _, second in found)) for found in times]


def measure(threads: int, quick: bool, device: str, batch: int | None, size: int | None) -> list[Row]:
    """All lines."""
    cases = [(8, 64)] if quick else [(8, 64), (2, 224)]
    if batch is not None or size is not None:
        cases = [(batch or cases[0][0], size or cases[0][1])]
    results = []
    for images, pixels in cases:
        sides = [Side(both, name, images, pixels, device, threads=threads) for name in ("ours", *PEERS)]
        ours, *peers = best_s(sides, 5 if quick else 10)
        for side in sides:
            side.close()
        for what, ours_s, peers_s in zip(("a training step", "inference"), ours, zip(*peers, strict=True), strict=True):
            name = f"GroupMamba tiny, {what}, {images} images of {pixels} x {pixels}, {device}"
            for (peer, bar), peer_s in zip(PEERS.items(), peers_s, strict=True):
                more = {"threads": threads, "images_per_s": images / ours_s, "peer_images_per_s": images / peer_s}
                results.append(time_row(name, peer, ours_s, peer_s, bar if what == "a training step" else None, **more))
    return results


def main() -> int:
    """Measure and print."""
    options = parser("training and inference of GroupMamba against the straightforward port and timm's models")
    options.add_argument("--device", default="cpu", help="cpu or cuda")
    options.add_argument("--batch", type=int, help="images of a step")
    options.add_argument("--size", type=int, help="height and width of an image")
    asked = options.parse_args()
    return show(measure(asked.threads, asked.quick, asked.device, asked.batch, asked.size), asked.json)


if __name__ == "__main__":
    sys.exit(main())
