"""The selective scan, forward and backward, at the shapes of GroupMamba-tiny, against what else computes it.

    python benchmarks/selective_scan.py [--json] [--quick] [--threads 1] [--device cuda]

Four groups walk in the four directions, order 1, batch 8. Peers get pixels that are already in the order of the walks:
they need not flip or copy. Every way's y and gradients must agree with ours to 1e-3 of the largest value, else the
benchmark fails. Ways take turns within one process; times are those of the best turn: processor time on one CPU
thread, which what else the machine does disturbs least, else wall-clock time. On a GPU the share of the copy bandwidth
is that of the bytes that must move: u, delta, dy read and y, du, ddelta written, u and delta twice.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Sequence

import torch
from _compare import Row, parser, show, time_row
from torch import Tensor
from torch.nn import functional

from tricklab.ops.selective_scan import DIRECTIONS, selective_scan
from tricklab.ops.selective_scan.parallel import recurrence_loop, recurrence_parallel

SHAPES = [(16, 56, 56), (32, 28, 28), (87, 14, 14), (112, 7, 7)]  # channels of a group, height, width
BATCH, GROUPS = 8, 4
LOOP, PARALLEL, TORCH_SCAN = "a loop over unbind", "a log-step parallel scan in torch", "torch's associative_scan"
SLICING, CUDA = "a loop that slices a[:, t] (not a peer: O(L²) in backward)", "mamba_ssm's CUDA kernel"
Recurrence = Callable[[Tensor, Tensor], Tensor]


def inputs(channels: int, length: int, device: torch.device) -> list[Tensor]:
    """u, delta, A, B, C, D, delta_bias, as after initialisation."""
    torch.manual_seed(0)
    wide = GROUPS * channels
    u, delta = torch.randn(BATCH, length, wide), 0.5 * torch.randn(BATCH, length, wide)
    B, C = torch.randn(2, BATCH, length, GROUPS, 1).unbind(0)
    bias = torch.empty(wide).uniform_(-6.9, -2.25)  # softplus of it is from 0.001 to 0.1
    tensors = (u, delta, -torch.rand(wide, 1) - 0.5, B.contiguous(), C.contiguous(), torch.ones(wide), bias)
    return [tensor.to(device).requires_grad_() for tensor in tensors]


def scan_of(recurrence: Recurrence) -> Callable[..., Tensor]:
    """The whole operation in torch around a way to compute h ← a · h + b."""

    def scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor) -> Tensor:
        step = functional.softplus(delta + bias)
        gate = torch.exp(step * A[:, 0])
        drive = (step * u).unflatten(2, (GROUPS, -1)) * B
        h = recurrence(gate, drive.flatten(2)).unflatten(2, (GROUPS, -1))
        return (h * C).flatten(2) + D * u

    return scan


def slicing_loop(gate: Tensor, drive: Tensor) -> Tensor:
    """The loop that is written first."""
    state = torch.zeros_like(drive[:, 0])
    states = []
    for t in range(gate.shape[1]):
        state = gate[:, t] * state + drive[:, t]
        states.append(state)
    return torch.stack(states, dim=1)


def torch_associative(gate: Tensor, drive: Tensor) -> Tensor:
    """The prototype in torch; the pointwise mode is for compiled code on a GPU."""
    from torch._higher_order_ops.associative_scan import associative_scan

    def join(left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return left[0] * right[0], right[0] * left[1] + right[1]

    return associative_scan(join, (gate, drive), dim=1, combine_mode="generic")[1]


def cuda_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor) -> Tensor:
    """The published kernel; it wants channels before pixels."""
    published = importlib.import_module("mamba_ssm.ops.selective_scan_interface").selective_scan_fn
    last = [B.permute(0, 2, 3, 1).contiguous(), C.permute(0, 2, 3, 1).contiguous()]
    y = published(u.mT.contiguous(), delta.mT.contiguous(), A, *last, D, delta_bias=bias, delta_softplus=True)
    return y.mT


def ordered(tensors: Sequence[Tensor], walks: Sequence[Tensor]) -> list[Tensor]:
    """The tensors with every group's pixels in the order of its walk, as leaves of their own."""
    found = []
    for tensor in tensors:
        data = tensor.detach()
        if data.ndim > 2:
            parts = data.reshape(*data.shape[:2], GROUPS, -1).unbind(2)
            moved = torch.stack([part[:, walk] for part, walk in zip(parts, walks, strict=True)], dim=2)
            data = moved.reshape(data.shape)
        found.append(data.clone().requires_grad_())
    return found


def walks_of(height: int, width: int) -> list[Tensor]:
    """Raster indices of the four walks."""
    raster = torch.arange(height * width)
    columns = raster.reshape(height, width).T.flatten()
    return [raster, columns, raster.flip(0), columns.flip(0)]


def step_of(scan: Callable[..., Tensor], tensors: Sequence[Tensor], dy: Tensor) -> Callable[[], list[Tensor]]:
    """Forward and backward; gives y and all gradients."""

    def step() -> list[Tensor]:
        y = scan(*tensors)
        found = [y.detach(), *torch.autograd.grad(y, list(tensors), dy)]
        if y.is_cuda:
            torch.cuda.synchronize()
        return found

    return step


def best_s(ways: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float]) -> dict[str, float]:
    """Best time of each way; they take turns, each with its own tensors in the caches as in a training step."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(repeats):
        for name, way in ways.items():
            way()
            start = clock()
            way()
            best[name] = min(best[name], clock() - start)
    return best


def largest_difference(ours: Sequence[Tensor], peer: Sequence[Tensor]) -> float:
    """As a share of the largest value of each tensor."""
    pairs = zip(ours, peer, strict=True)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def measure_shape(shape: tuple[int, int, int], device: torch.device, repeats: int) -> list[Row]:
    """All lines of one shape."""
    channels, height, width = shape
    length, walks = height * width, walks_of(height, width)
    ours_in = inputs(channels, length, device)
    dy = torch.randn_like(ours_in[0])
    theirs_in, (their_dy,) = ordered(ours_in, walks), ordered([dy], walks)

    def ours(*tensors: Tensor) -> Tensor:
        return selective_scan(*tensors, directions=DIRECTIONS, size=(height, width))

    scans = {LOOP: scan_of(recurrence_loop), PARALLEL: scan_of(recurrence_parallel)}
    scans[TORCH_SCAN] = scan_of(torch_associative)
    if device.type == "cuda":
        scans[CUDA] = cuda_scan
    if length <= 49:
        scans[SLICING] = scan_of(slicing_loop)
    ways = {"ours": step_of(ours, ours_in, dy)}
    found = ways["ours"]()
    expected = [t.detach() for t in ordered([t.requires_grad_() for t in found[:3]], walks)] + found[3:]
    expected[4:6] = [t.detach() for t in ordered(found[4:6], walks)]
    for name, scan in scans.items():
        way = step_of(scan, theirs_in, their_dy.detach())
        try:
            difference = largest_difference(expected, way())
        except Exception as error:  # a prototype and a package that may be absent: any fault means no comparison
            if name in (LOOP, PARALLEL, SLICING):
                raise
            print(f"{name} is left out: {type(error).__name__}: {str(error).splitlines()[0]}", file=sys.stderr)
            continue
        if not difference <= 1e-3:
            raise SystemExit(f"{shape}: {name} differs by {difference:.2g} of the largest value")
        ways[name] = way
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    times = best_s(ways, repeats, time.process_time if alone else time.perf_counter)
    bars = {LOOP: 4.0, PARALLEL: 2.0} if device.type == "cpu" else {CUDA: 1.0}
    label = f"scan forward+backward ({BATCH}, {GROUPS}×{channels}, {height}×{width})"
    numbers = BATCH * GROUPS * channels * length
    more = {"device": device.type, "threads": torch.get_num_threads(), "ns_per_number": times["ours"] / numbers * 1e9}
    if device.type == "cuda":
        more["share_of_copy_bandwidth"] = 8 * 4 * numbers / times["ours"] / copy_bytes_per_s(device)
    return [
        time_row(label, name, times["ours"], times[name], bars.get(name), **more) for name in ways if name != "ours"
    ]


def copy_bytes_per_s(device: torch.device) -> float:
    """Bytes read and written per second by a large copy."""
    source = torch.empty(2**28, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)
        torch.cuda.synchronize()

    return 2 * source.nbytes / best_s({"copy": copy}, 10, time.perf_counter)["copy"]


def measure(device: str, threads: int, quick: bool) -> list[Row]:
    """All lines."""
    torch.set_num_threads(threads)
    shapes = SHAPES[2:] if quick else SHAPES
    return [row for shape in shapes for row in measure_shape(shape, torch.device(device), 5 if quick else 15)]


def main() -> int:
    """Measure and print."""
    options = parser("the selective scan against other ways to compute it")
    options.set_defaults(threads=1)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = options.parse_args()
    results = measure(asked.device, asked.threads, asked.quick)
    if not asked.json:
        for row in results:
            if "share_of_copy_bandwidth" in row:
                print(f"{row['name']}: {row['share_of_copy_bandwidth']:.0%} of the copy bandwidth")
    return show(results, asked.json)


if __name__ == "__main__":
    sys.exit(main())
