"""Run the Triton kernels in Triton's interpreter, on the CPU, and print their largest errors as JSON.

    TRITON_INTERPRET=1 python -m tests.ops.selective_scan.triton_on_cpu '[[1, 2, 3, 5, 1]]'

A case is batch, height, width, channels of a group, orders; four groups walk in the four directions.
"""

from __future__ import annotations

import json
import sys

import torch

from tests.ops.selective_scan.cases import inputs, largest_error, results
from tricklab.ops.selective_scan import gpu


def small_tiles(channels: int, orders: int) -> dict[str, int]:
    """Several tiles and channel blocks within a small input: the interpreter computes number by number."""
    return {"ORDERS": orders, "ORDERS_UP": 1 << (orders - 1).bit_length(), "BLOCK": 4, "TILE": 4}


def main() -> None:
    """Every case in float32 and bfloat16, with and without the optional inputs."""
    torch.set_num_threads(1)
    gpu.tile_sizes = small_tiles
    found = []
    for batch, height, width, channels, orders in json.loads(sys.argv[1]):
        size = (height, width)
        whole = [tensor.bfloat16().double() for tensor in inputs(batch, height * width, channels, orders)]
        for dtype, tensors in (
            (torch.float32, whole),
            (torch.bfloat16, whole),
            (torch.float32, [*whole[:5], None, None]),
        ):
            expected = results(tensors, size, "reference")
            got = results(tensors, size, "triton", dtype)
            dtypes = sorted({str(tensor.dtype) for tensor in got})
            found.append({"dtypes": dtypes, "error": largest_error(got, expected)})
    print(json.dumps(found))


if __name__ == "__main__":
    main()
