"""Windows that slide over rasters: memory on one of 10,000 × 10,000 pixels, equality, time against the plain loop.

    python benchmarks/sliding_windows.py [--json] [--quick] [--threads 2] [--side 10000]

1. A raster of side × side pixels goes through a network of under a million parameters into a mapped file of float32
   logits, larger than 2 GiB, in a process of its own; its peak resident memory must stay below 2 GiB.
2. On a smaller image the logits must equal those of the whole image to 1e-4, with margins as wide as the network sees.
3. The same image as OpenMMLab has it: one window after the other, padded to the whole image and added, with a map of
   counts.
4. A network that pools over all it sees has no such margin. How much its answers change with the size of the windows is
   printed; there is nothing to pass.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _compare import Row, Side, memory_row, parser, show, time_row, turns_s
from torch import Tensor, nn
from torch.nn import functional

from tricklab.inference.disagreement import window_disagreement
from tricklab.inference.raster import predict_raster
from tricklab.inference.sliding import Sliding

LIMIT = 2 * 2**30
TOLERANCE = 1e-4
CLASSES = 6
# what lies further away than this says nothing to a pixel: 1 + 2 + 4 · 5, and one cell of the bilinear enlargement
MARGIN = 28


class Local(nn.Module):
    """A small network of convolutions at a quarter of the resolution."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128, 128, 64)) -> None:
        super().__init__()
        ends = (3, *widths)
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2 if place < 2 else 1, padding=1)
            for place, (before, after) in enumerate(zip(ends, widths, strict=False))
        )
        self.last = nn.Conv2d(widths[-1], CLASSES, 3, padding=1)

    def features(self, images: Tensor) -> Tensor:
        for layer in self.layers:
            images = layer(images).relu()
        return images

    def forward(self, images: Tensor) -> Tensor:
        logits = self.last(self.features(images))
        return functional.interpolate(logits, images.shape[-2:], mode="bilinear", align_corners=False)


class Pooling(Local):
    """The same, and every pixel also hears the mean of all features."""

    def features(self, images: Tensor) -> Tensor:
        found = super().features(images)
        return found + found.mean(dim=(2, 3), keepdim=True)


def network(kind: type[Local] = Local) -> Local:
    """With the same weights each time, scaled so that logits are of the order of 1."""
    torch.manual_seed(0)
    made = kind()
    for module in made.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return made.eval()


def picture(side: int) -> Tensor:
    """Smooth ground with noise, (1, 3, side, side)."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(1, 3, side // 32, side // 32, generator=generator)
    smooth = functional.interpolate(coarse, (side, side), mode="bilinear")
    return smooth + 0.3 * torch.randn(1, 3, side, side, generator=generator)


def large(side: int, threads: int, folder: str) -> None:
    """Predict a large raster; the process's peak memory goes into a file of the folder."""
    torch.set_num_threads(threads)
    place, net = Path(folder), network()
    drawn = np.random.default_rng(0)

    made = np.lib.format.open_memmap(place / "raster.npy", mode="w+", dtype=np.uint8, shape=(side, side, 3))
    for top in range(0, side, 500):
        # mapped anew, as the pages that were written would count as this process's memory
        made = np.load(place / "raster.npy", mmap_mode="r+")
        made[top : top + 500] = drawn.integers(0, 256, made[top : top + 500].shape, dtype=np.uint8)
    del made

    def read(top: int, bottom: int) -> Tensor:
        rows = np.load(place / "raster.npy", mmap_mode="r")[top:bottom]
        return torch.from_numpy(np.moveaxis(rows, 2, 0)[None].astype(np.float32)).div_(64).sub_(2)

    plan = Sliding((512, 512), (448, 448), margin=MARGIN)
    found = predict_raster(net, read, (side, side), plan, place / "logits.npy", "logits")
    told = {
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "file_bytes": found.path.stat().st_size,
        "windows": found.windows,
        "pixels": int(found.counts.sum()),
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
    }
    (place / "told.json").write_text(json.dumps(told))


def raster_row(side: int, threads: int) -> Row:
    """The memory of a large raster against the limit."""
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(target=large, args=(side, threads, folder))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(f"the large raster ended with {process.exitcode}")
        told = json.loads((Path(folder) / "told.json").read_text())
    assert told["pixels"] == side * side
    assert told["parameters"] < 1_000_000
    name = f"{side:,} × {side:,} pixels, {told['windows']} windows, {told['file_bytes'] / 2**30:.2f} GiB of logits"
    return memory_row(name, "2 GiB", told["peak_bytes"], LIMIT, bar=1.0, parameters=told["parameters"])


PLAN = Sliding((256, 256), (192, 192), margin=MARGIN)


def blended(side: int) -> Callable[[], Tensor]:
    """Ours."""
    net, image = network(), picture(side)

    def step() -> Tensor:
        with torch.inference_mode():
            return PLAN.around(net)(image)

    return step


def padded(side: int) -> Callable[[], Tensor]:
    """OpenMMLab's loop."""
    net, image = network(), picture(side)
    starts = PLAN.along(side, 0).starts

    def step() -> Tensor:
        with torch.inference_mode():
            total, count = image.new_zeros(1, CLASSES, side, side), image.new_zeros(1, 1, side, side)
            for top in starts:
                for left in starts:
                    logits = net(image[:, :, top : top + 256, left : left + 256])
                    total += functional.pad(logits, (left, side - left - 256, top, side - top - 256))
                    count[:, :, top : top + 256, left : left + 256] += 1
            return total / count

    return step


def smaller_row(side: int, threads: int, repeats: int) -> Row:
    """Time on an image that fits, after a check of its logits."""
    ours, peer = Side(blended, side, threads=threads), Side(padded, side, threads=threads)
    try:
        ours_s, peer_s = turns_s([ours, peer], repeats)
        with torch.inference_mode():
            difference = float((ours.result() - network()(picture(side))).abs().max())
    finally:
        ours.close()
        peer.close()
    if difference > TOLERANCE:
        raise SystemExit(f"logits in windows differ from those of the whole image by {difference:.2g}")
    name = f"{side:,} × {side:,} pixels in windows of 256 (logits as of the whole image to {difference:.1g})"
    return time_row(name, "one window at a time, padded and counted", ours_s, peer_s, largest_difference=difference)


def disagreements(side: int) -> list[Row]:
    """Two sizes of windows, for a network that sees little and for one that pools over all it sees."""
    image, found = picture(side), []
    for name, kind in (("convolutions alone", Local), ("pooling over all it sees", Pooling)):
        for first, second in ((128, 256), (256, 384)):
            plans = [Sliding((length, length), (length // 2,) * 2, margin=MARGIN) for length in (first, second)]
            told = window_disagreement(network(kind), image, *plans)
            found.append({"network": name, "windows": [first, second], "text": str(told), **vars(told)})
    return found


def main() -> int:
    """Measure and print."""
    options = parser("windows that slide over rasters")
    options.add_argument("--side", type=int, default=10_000, help="of the large raster")
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    side = min(asked.side, 3_000) if asked.quick else asked.side
    rows = [smaller_row(1024, asked.threads, 1 if asked.quick else 5), raster_row(side, asked.threads)]
    apart = disagreements(512)
    if asked.json:
        print(json.dumps({"results": rows, "disagreements": apart}, indent=1))
        return int(any(row["bar"] is not None and row["ratio"] < row["bar"] for row in rows))
    code = show(rows, as_json=False)
    for one in apart:
        print(f"windows of {one['windows'][0]} and {one['windows'][1]}, {one['network']}: {one['text']}")
    return code


if __name__ == "__main__":
    sys.exit(main())
