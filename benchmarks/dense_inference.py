"""A whole scene's logits with shared convolutions, against window by window.

    python benchmarks/dense_inference.py [--json] [--quick] [--threads 2]

The peer is the published network with PyTorch's own layers on batches of 256 windows, gathered in one indexing call. A
second line has it on batches of 16, which stay in the caches: often its fastest, if seldom what people take.
``--quick`` times it on 768 pixels and scales to the scene; so does the full run on 6,144, spread over the scene. Dense
logits must equal those of the peer with the same weights to 1e-4, else the benchmark fails.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from _compare import Row, Side, parser, show, time_row, turns_s
from _script import PlainHybridSN

from tricklab.inference.dense import predict_scene
from tricklab.inference.windows import predict_windows
from tricklab.models.hybridsn import HybridSN
from tricklab.models.insert import apply_inserts
from tricklab.ops.windows import gather_windows
from tricklab.seeds import aside

TOLERANCE = 1e-4
Scene = tuple[int, int, int, int, int]


def network(scene: Scene, se: bool) -> tuple[PlainHybridSN, HybridSN, torch.Tensor]:
    """The peer's and our network with the same weights, and a padded cube."""
    height, width, bands, window, classes = scene
    torch.manual_seed(0)
    plain = PlainHybridSN(bands, window, classes, se).eval()
    model = HybridSN(bands=bands, window=window, classes=classes)
    apply_inserts(model, [{"type": "SE", "after": "conv2d"}] if se else [], aside)
    weights = {name.replace("se.", "conv2d.inserted.0."): value for name, value in plain.state_dict().items()}
    model.load_state_dict(weights)
    return plain, model.eval(), torch.randn(bands, height + window - 1, width + window - 1)


def by_windows(scene: Scene, se: bool, centres: torch.Tensor, batch: int = 256) -> Callable[[], torch.Tensor]:
    """The peer."""
    plain, _, cube = network(scene, se)

    def step() -> torch.Tensor:
        with torch.inference_mode():
            parts = centres.split(batch)
            return torch.cat([plain(gather_windows(cube, part, scene[3]).unsqueeze(1)) for part in parts])

    return step


def our_windows(scene: Scene, se: bool, centres: torch.Tensor) -> Callable[[], torch.Tensor]:
    """Our own window by window."""
    _, model, cube = network(scene, se)
    return lambda: predict_windows(model, cube, scene[3], centres)


def densely(scene: Scene, se: bool, centres: torch.Tensor) -> Callable[[], torch.Tensor]:
    """The whole scene at once; gives back the logits of the peer's pixels."""
    _, model, cube = network(scene, se)
    rows, columns = centres.T
    return lambda: predict_scene(model, cube, scene[3])[:, rows, columns].T


def measure(threads: int, quick: bool) -> list[Row]:
    """All lines."""
    scenes = [("145x145x30, S=25", (145, 145, 30, 25, 16)), ("Salinas-A 83x86x15, S=15", (83, 86, 15, 15, 6))]
    results = []
    for name, scene in scenes:
        for se in (False, True):
            bar = (20.0 if se else 40.0) if scene[0] == 145 else None
            pixels = scene[0] * scene[1]
            sample = min(768 if quick else 6144, pixels)
            spots = torch.linspace(0, pixels - 1, sample).long()
            centres = torch.stack([spots // scene[1], spots % scene[1]], dim=1)
            sides = [Side(way, scene, se, centres, threads=threads) for way in (densely, our_windows, by_windows)]
            sides.append(Side(by_windows, scene, se, centres, 16, threads=threads))
            dense_s, windows_s, peer_s, small_s = turns_s(sides, 2 if quick else 3)
            dense, own, peer = (side.result() for side in sides[:3])
            for side in sides:
                side.close()
            difference = float(max((dense - peer).abs().max(), (own - peer).abs().max()))
            if not difference <= TOLERANCE:
                raise SystemExit(f"{name}: logits differ by {difference:.2g}, more than {TOLERANCE:g}")
            whole = pixels / sample
            label = f"all {pixels} pixels of {name}{', with SE' if se else ''}"
            more = {"threads": threads, "largest_difference": difference, "peer_pixels_timed": sample}
            results.append(time_row(label, "window by window, plain network", dense_s, peer_s * whole, bar, **more))
            results.append(time_row(label, "the same in batches of 16", dense_s, small_s * whole, None, **more))
            results.append(time_row(label, "our own window by window", dense_s, windows_s * whole, None, **more))
    return results


def main() -> int:
    """Measure and print."""
    asked = parser("dense inference of a whole scene against window by window").parse_args()
    return show(measure(asked.threads, asked.quick), asked.json)


if __name__ == "__main__":
    sys.exit(main())
