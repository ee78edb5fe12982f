"""The time of an optimizer's step with merged parameter groups, against one group for each parameter.

    python benchmarks/parameter_groups.py [--json] [--quick] [--threads 1] [--device cpu]
        [--models resnet50 cityscapes-pspnet-r50]

The same rules (head × 10, no decay for normalisations) give as many groups as there are different settings, or, as
OpenMMLab's constructor makes them, one for each parameter. Gradients are constant, so the steps must end in the same
weights. Each side is a process of its own; times are the best of steps in turns. SGD with momentum and AdamW.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import timm
import torch
from _compare import Row, Side, parser, show, time_row, turns_s
from torch import nn

from tricklab.optim import build_optimizer
from tricklab.recipe import load, shipped
from tricklab.registry import build

SECTIONS = {
    "SGD": {"type": "SGD", "lr": 0.01, "momentum": 0.9},
    "AdamW": {"type": "AdamW", "lr": 1e-3},
}


def network(name: str) -> tuple[nn.Module, str]:
    """A recipe's network or timm's, of nineteen classes, and what its head is called."""
    if name not in shipped():
        return timm.create_model(name, num_classes=19), "fc"
    model: nn.Module = build("model", load(name).get("model"), classes=19, channels=3)
    return model, "head"


def prepare(kind: str, merged: bool, name: str, device: str) -> Callable[[], tuple[int, list[float]]]:
    """A step that gives the number of groups and some weights."""
    torch.manual_seed(0)
    model, head = network(name)
    model.to(device)
    rules = {"custom_keys": {head: {"lr_mult": 10.0}}, "paramwise": {"norm_decay_mult": 0.0}}
    optimizer = build_optimizer({**SECTIONS[kind], "weight_decay": 5e-4, **rules}, model)
    if not merged:
        groups = [
            {**group, "params": [parameter], "names": [own]}
            for group in optimizer.param_groups
            for parameter, own in zip(group["params"], group["names"], strict=True)
        ]
        optimizer = type(optimizer)(groups)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 1e-3)
    few = list(model.parameters())[::20]

    def step() -> tuple[int, list[float]]:
        optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()
        return len(optimizer.param_groups), [float(parameter.detach().view(-1)[0]) for parameter in few]

    return step


def compare(kind: str, name: str, device: str, threads: int, repeats: int) -> Row:
    """One optimizer, both ways."""
    sides = [Side(prepare, kind, merged, name, device, threads=threads) for merged in (True, False)]
    mine, its = turns_s(sides, repeats, warm=3)
    (ours, one), (theirs, other) = (side.result() for side in sides)
    for side in sides:
        side.close()
    if any(abs(a - b) > 1e-5 * abs(a) + 1e-7 for a, b in zip(one, other, strict=True)):
        raise SystemExit(f"the weights differ: {one} and {other}")
    return time_row(f"{kind}, {name}, {ours} groups", f"{theirs} groups", mine, its)


def main() -> int:
    """Measure and print."""
    options = parser("optimizer steps of merged parameter groups")
    options.add_argument(
        "--models",
        nargs="+",
        default=["resnet50", "cityscapes-pspnet-r50"],
        help="timm's names of networks whose head is called fc, or segmentation recipes that come with tricklab",
    )
    options.add_argument("--device", default="cpu")
    asked = options.parse_args()
    repeats = 5 if asked.quick else 20
    rows = [compare(kind, name, asked.device, asked.threads, repeats) for name in asked.models for kind in SECTIONS]
    return show(rows, asked.json)


if __name__ == "__main__":
    sys.exit(main())
