"""Time and memory of the context blocks against the number of positions; those of few nodes must be linear.

    python benchmarks/context_blocks.py [--json] [--quick] [--threads 1] [--device cuda]

Forward and backward of one map of 64 channels. Memory is what autograd keeps for the backward pass, each storage
counted once, which no machine changes; time is the processor's own on a CPU, so that other programs do not count, the
best of some turns. An order is the slope of the logarithms over the logarithm of the number of positions, by least
squares.

Blocks with few nodes, and those that look along lines or into windows, must stay below a bar in both orders; those that
compare all pairs of positions are measured beside them on smaller maps, and NonLocal must show that the bar can be
missed.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time

import torch
from _compare import parser
from torch import nn

from tricklab import registry

CHANNELS = 64
LINEAR = ["A2", "APCNet", "CGNL", "ChannelAttention", "EMAttention", "GCU", "GloRe", "LatentGNN", "LocalRelation"]
LINEAR += ["MPM", "OCR", "SGR", "SPM"]
LINES = ["CCNet"]
SQUARE = ["DANet", "NonLocal", "OCNet", "PSA", "PositionAttention"]
SIDES = dict.fromkeys(LINEAR + LINES, (40, 60, 90)) | dict.fromkeys(SQUARE, (20, 30, 45))
# a copy of every window: beyond some megabytes a CPU's caches and page faults are what is timed
SIDES["LocalRelation"] = (20, 30, 45)
MOST_MEMORY = dict.fromkeys(LINEAR, 1.1) | dict.fromkeys(LINES, 1.6)
MOST_TIME = dict.fromkeys(LINEAR, 1.3) | dict.fromkeys(LINES, 1.7)
LEAST_TIME = {"NonLocal": 1.5}


def kept_bytes(block: nn.Module, x: torch.Tensor) -> int:
    """Bytes that autograd keeps for the backward pass, less those of the weights."""
    own = {weight.untyped_storage().data_ptr() for weight in block.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = block(x)  # held until the sizes are read: no address is used twice
    assert y.requires_grad
    return sum(kept.values())


def seconds(block: nn.Module, x: torch.Tensor, turns: int) -> float:
    """Best time of forward and backward."""
    clock = time.perf_counter if x.is_cuda else time.process_time
    best = math.inf
    for _ in range(turns + 1):
        start = clock()
        block(x).sum().backward()
        if x.is_cuda:
            torch.cuda.synchronize()
        best = min(best, clock() - start)
    return best


def order(sides: tuple[int, ...], values: list[float]) -> float:
    """Slope of the logarithms over that of the number of positions."""
    return statistics.linear_regression([math.log(side**2) for side in sides], [math.log(v) for v in values]).slope


def measure(name: str, device: torch.device, turns: int) -> dict[str, object]:
    """The line of one block."""
    torch.manual_seed(0)
    block = registry.build("context", {"type": name}, channels=CHANNELS).to(device).train()
    sides = SIDES[name]
    maps = [torch.randn(1, CHANNELS, side, side, device=device, requires_grad=True) for side in sides]
    block(maps[0])
    memory = order(sides, kept := [float(kept_bytes(block, x)) for x in maps])
    duration = order(sides, times := [seconds(block, x, turns) for x in maps])
    passed = memory <= MOST_MEMORY.get(name, math.inf)
    passed &= LEAST_TIME.get(name, 0.0) <= duration <= MOST_TIME.get(name, math.inf)
    return {
        "name": name,
        "positions": [side**2 for side in sides],
        "ms": [round(1e3 * value, 3) for value in times],
        "mb": [round(value / 1e6, 3) for value in kept],
        "order_of_time": round(duration, 2),
        "order_of_memory": round(memory, 2),
        "most": [MOST_TIME.get(name), MOST_MEMORY.get(name)],
        "least": LEAST_TIME.get(name),
        "passed": passed,
    }


def main() -> int:
    """Measure and print; 1 where a bar is missed."""
    options = parser("context blocks against the number of positions")
    options.set_defaults(threads=1)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    names = [*LINEAR, *LINES, *SQUARE]
    rows = []
    for name in names:
        row = measure(name, torch.device(asked.device), 1 if asked.quick else 3)
        rows.append(row)
        if not asked.json:
            bar = f"at most {MOST_TIME[name]} and {MOST_MEMORY[name]}" if name in MOST_TIME else ""
            bar = f"time at least {LEAST_TIME[name]}" if name in LEAST_TIME else bar
            verdict = f" ({bar}: {'passed' if row['passed'] else 'missed'})" if bar else ""
            print(
                f"{name:18} {row['positions']} positions: {row['ms']} ms, {row['mb']} MB kept; "
                f"order of time {row['order_of_time']}, of memory {row['order_of_memory']}{verdict}",
                flush=True,
            )
    if asked.json:
        print(json.dumps({"results": rows}, indent=1))
    return 0 if all(row["passed"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
