"""The time to count a set of masks into a confusion matrix, against torchmetrics and a plain numpy bincount.

    python benchmarks/confusion.py [--json] [--quick] [--height 1024] [--width 2048] [--classes 19] [--images 8]

Targets are uint8 with 255 for one pixel in ten, predictions int64 as argmax gives them. Every way must give the same
counts. ``plain bincount`` is what segmentation scripts pass around: pick the known pixels, then count; OpenMMLab's
three histograms of intersections, predictions and labels have no confusions. Times are medians of processor time over
turns, one thread.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from _compare import medians_s, parser, show, time_row
from torchmetrics.classification import MulticlassConfusionMatrix

from tricklab.metrics.segmentation import MaskScores

IGNORE = 255
Pair = tuple[np.ndarray, np.ndarray]


def plain(pairs: list[Pair], classes: int) -> np.ndarray:
    """Pick the known pixels, then one bincount an image."""
    total = np.zeros((classes, classes), dtype=np.int64)
    for target, prediction in pairs:
        known = target != IGNORE
        codes = classes * target[known].astype(np.int64) + prediction[known]
        total += np.bincount(codes, minlength=classes**2).reshape(classes, classes)
    return total


def theirs(pairs: list[Pair], classes: int) -> np.ndarray:
    """torchmetrics, as its page says it: one update an image."""
    metric = MulticlassConfusionMatrix(classes, ignore_index=IGNORE)
    for target, prediction in pairs:
        metric.update(torch.from_numpy(prediction), torch.from_numpy(target).long())
    return metric.compute().numpy()


def histograms(pairs: list[Pair], classes: int) -> np.ndarray:
    """OpenMMLab's way: torch.histc of intersections, predictions and labels (3, K)."""
    total = torch.zeros(3, classes)
    for target, prediction in pairs:
        label, said = torch.from_numpy(target), torch.from_numpy(prediction)
        known = label != IGNORE
        label, said = label[known], said[known]
        for place, found in enumerate((said[said == label], said, label)):
            total[place] += torch.histc(found.float(), bins=classes, min=0, max=classes - 1)
    return total.long().numpy()


def ours(pairs: list[Pair], classes: int) -> MaskScores:
    """One streamed count, with each image's own scores."""
    scores = MaskScores(classes, tolerance=None)
    for target, prediction in pairs:
        scores.add(target, prediction)
    return scores


def main() -> int:
    """Measure and print."""
    options = parser("confusion matrices of masks")
    for name, value in (("height", 1024), ("width", 2048), ("classes", 19), ("images", 8)):
        options.add_argument(f"--{name}", type=int, default=value)
    asked = options.parse_args()
    torch.set_num_threads(1)
    rng, shape, classes = np.random.default_rng(0), (asked.height, asked.width), asked.classes
    pairs = []
    for _ in range(asked.images):
        blocks = rng.integers(0, classes, (asked.height // 16, asked.width // 16), dtype=np.uint8)
        target = np.kron(blocks, np.ones((16, 16), dtype=np.uint8))
        prediction = np.where(rng.random(target.shape) < 0.8, target, rng.integers(0, classes, target.shape))
        target[rng.random(target.shape) < 0.1] = IGNORE
        pairs.append((target, prediction.astype(np.int64)))
    confusion = ours(pairs, classes).confusion
    if not (np.array_equal(confusion, plain(pairs, classes)) and np.array_equal(confusion, theirs(pairs, classes))):
        raise SystemExit("the ways count differently")
    marginals = np.stack([np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)])
    if not np.array_equal(marginals, histograms(pairs, classes)):
        raise SystemExit("histograms count differently")
    found = medians_s(
        {
            "ours": lambda: ours(pairs, classes),
            "plain numpy bincount": lambda: plain(pairs, classes),
            "torchmetrics MulticlassConfusionMatrix": lambda: theirs(pairs, classes),
            "OpenMMLab's histograms (no confusions)": lambda: histograms(pairs, classes),
        },
        2 if asked.quick else 7,
    )
    name = f"count {asked.images} masks of {shape[0]} × {shape[1]}, {classes} classes"
    mine = found.pop("ours")
    return show([time_row(name, peer, mine, taken) for peer, taken in found.items()], asked.json)


if __name__ == "__main__":
    sys.exit(main())
