"""Time and memory of the context blocks against the number of positions; those of few nodes must be linear.

    python benchmarks/context_blocks.py [--json] [--quick] [--threads 1] [--device cuda]

Forward and backward of one map of 64 channels. Time is the best of some turns; memory is what autograd keeps for the
backward pass, each storage counted once, which no machine changes. An order is the slope of the logarithms between the
smaller and the larger map. The order of memory of blocks with few nodes, and of those that look along lines or into
windows, must stay below its bar, else the benchmark fails.
"""

from __future__ import annotations

import json
import math
import sys
import time

import torch
from _compare import parser
from torch import nn

from tricklab import registry

CHANNELS, SIDES = 64, (24, 48)
LINEAR = ["A2", "APCNet", "CGNL", "ChannelAttention", "EMAttention", "GCU", "GloRe", "LatentGNN", "LocalRelation"]
LINEAR += ["MPM", "OCR", "SGR", "SPM"]
LINES = ["CCNet"]
SQUARE = ["DANet", "NonLocal", "OCNet", "PSA", "PositionAttention"]
BARS = dict.fromkeys(LINEAR, 1.1) | dict.fromkeys(LINES, 1.6)


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
    best = math.inf
    for _ in range(turns + 1):
        start = time.perf_counter()
        block(x).sum().backward()
        if x.is_cuda:
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def measure(name: str, device: torch.device, turns: int) -> dict[str, object]:
    """The line of one block."""
    torch.manual_seed(0)
    block = registry.build("context", {"type": name}, channels=CHANNELS).to(device).train()
    maps = [torch.randn(1, CHANNELS, side, side, device=device, requires_grad=True) for side in SIDES]
    block(maps[0])
    memory = [kept_bytes(block, x) for x in maps]
    times = [seconds(block, x, turns) for x in maps]
    steps = math.log(SIDES[1] ** 2 / SIDES[0] ** 2)
    order = math.log(memory[1] / memory[0]) / steps
    bar = BARS.get(name)
    return {
        "name": name,
        "positions": [side**2 for side in SIDES],
        "ms": [round(1e3 * value, 3) for value in times],
        "mb": [round(value / 1e6, 3) for value in memory],
        "order_of_time": round(math.log(times[1] / times[0]) / steps, 2),
        "order_of_memory": round(order, 2),
        "bar": bar,
        "passed": bar is None or order <= bar,
    }


def main() -> int:
    """Measure and print; 1 where a bar is missed."""
    options = parser("context blocks against the number of positions")
    options.set_defaults(threads=1)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    names = [*LINEAR, *LINES, *SQUARE]
    rows = [measure(name, torch.device(asked.device), 1 if asked.quick else 5) for name in names]
    if asked.json:
        print(json.dumps({"results": rows}, indent=1))
    else:
        for row in rows:
            verdict = "" if row["bar"] is None else f" (bar {row['bar']}: {'passed' if row['passed'] else 'missed'})"
            print(
                f"{row['name']:18} {row['positions']} positions: {row['ms']} ms, {row['mb']} MB kept; "
                f"order of time {row['order_of_time']}, of memory {row['order_of_memory']}{verdict}"
            )
    return 0 if all(row["passed"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
