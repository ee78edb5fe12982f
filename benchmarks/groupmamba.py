"""GroupMamba's training step and inference, against the straightforward port and timm models of like size.

    python benchmarks/groupmamba.py [--json] [--quick] [--threads 2] [--device cuda] [--batch 2] [--size 224]

The port calls the same scan once for each group, on pixels that it transposes, flips and copies, as the published code
does. Every side trains on the same random images by AdamW, each in a process of its own; steps alternate. Times are
those of the best step. ``--quick`` takes 8 images of 64 pixels; without it also 2 of 224.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import timm
import torch
from _compare import Row, Side, parser, show, time_row, turns_s
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
    kind = name.removeprefix("timm ")
    more: dict[str, Any] = {"img_size": side} if kind.startswith("swin") else {}
    return timm.create_model(kind, num_classes=CLASSES, drop_path_rate=0.0, **more)


def logits(output: Tensor | dict[str, Tensor]) -> Tensor:
    return output["main"] if isinstance(output, dict) else output


def training(name: str, batch: int, side: int, device: str) -> Callable[[], float]:
    """One optimizer step; returns the loss."""
    keep_freed_memory()
    torch.manual_seed(0)
    model = network(name, side).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, foreach=True)
    images = torch.randn(batch, 3, side, side, device=device)
    targets = torch.arange(batch, device=device)

    def step() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(logits(model(images)), targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def inference(name: str, batch: int, side: int, device: str) -> Callable[[], float]:
    """One forward pass."""
    keep_freed_memory()
    torch.manual_seed(0)
    model = network(name, side).to(device).eval()
    images = torch.randn(batch, 3, side, side, device=device)

    def step() -> float:
        with torch.inference_mode():
            return logits(model(images)).sum().item()

    return step


def measure(threads: int, quick: bool, device: str, batch: int | None, size: int | None) -> list[Row]:
    """All lines."""
    repeats = 4 if quick else 8
    cases = [(8, 64)] if quick else [(8, 64), (2, 224)]
    if batch is not None or size is not None:
        cases = [(batch or cases[0][0], size or cases[0][1])]
    results = []
    for images, side in cases:
        for prepare, what in ((training, "a training step"), (inference, "inference")):
            sides = [Side(prepare, name, images, side, device, threads=threads) for name in ("ours", *PEERS)]
            ours_s, *peers_s = turns_s(sides, repeats, warm=2)
            for found in sides:
                found.close()
            name = f"GroupMamba tiny, {what}, {images} images of {side} x {side}, {device}"
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
