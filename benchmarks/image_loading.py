"""The time from image files to a training batch, against torchvision's ImageFolder with the same transforms.

    python benchmarks/image_loading.py [--json] [--quick] [--data DIR] [--size 224] [--batch 64] [--only ColourJitter]

Each side reads the same files, brings them to one size, changes them and normalises them: tricklab's ``ImageDataset``
without a cache, ``ImageFolder`` with transforms on Pillow images, and ``ImageFolder`` with transforms v2 on tensors. A
second table leaves the reading out: pictures are in memory, as they are from a run's first epoch on with tricklab's
``cache: memory`` (bytes at the network's size) and as a list of Pillow images for the other sides.

Times are the best of several batches in processor time, all threads together. The sides take turns, and the ratio is
the median of the turns' ratios, so that a busy machine disturbs all of them alike. RandAugment stands against timm's,
whose space it has; torchvision's own draws other operations, and its default moves images to the nearest pixel: here
all interpolate bilinearly.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _compare import Row, parser, show, time_row, times_in_turns_s
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from torchvision import transforms as pillow
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from tricklab.data.classification import ImageData
from tricklab.data.image_dataset import ImageDataset
from tricklab.seeds import Seeds

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BILINEAR = pillow.InterpolationMode.BILINEAR
TIMM = {"img_mean": (124, 116, 104), "interpolation": Image.Resampling.BILINEAR}
# name: (ours, transforms on Pillow images at the network's size, transforms v2; None where there is no equal)
SETS: dict[str, tuple[list[dict[str, Any]], Callable[[int], list[Any]], Callable[[int], list[Any]] | None]] = {
    "nothing": ([], lambda size: [], lambda size: []),
    "HorizontalFlip": (
        [{"type": "HorizontalFlip"}],
        lambda size: [pillow.RandomHorizontalFlip()],
        lambda size: [v2.RandomHorizontalFlip()],
    ),
    "RandomCrop": (
        [{"type": "RandomCrop", "padding": 8}],
        lambda size: [pillow.RandomCrop(size, padding=8)],
        lambda size: [v2.RandomCrop(size, padding=8)],
    ),
    "Rotation": (
        [{"type": "Rotation", "degrees": 30.0}],
        lambda size: [pillow.RandomRotation(30, BILINEAR)],
        lambda size: [v2.RandomRotation(30, BILINEAR)],
    ),
    "ColourJitter": (
        [{"type": "ColourJitter"}],
        lambda size: [pillow.ColorJitter(0.4, 0.4, 0.4)],
        lambda size: [v2.ColorJitter(0.4, 0.4, 0.4)],
    ),
    "ColourJitter with hue": (
        [{"type": "ColourJitter", "hue": 0.1}],
        lambda size: [pillow.ColorJitter(0.4, 0.4, 0.4, 0.1)],
        lambda size: [v2.ColorJitter(0.4, 0.4, 0.4, 0.1)],
    ),
    "RandAugment": (
        [{"type": "RandAugment"}],
        lambda size: [rand_augment_transform("rand-m9-mstd0.5-inc1", {**TIMM, "translate_const": int(0.45 * size)})],
        None,
    ),
    "TrivialAugment": (
        [{"type": "TrivialAugment"}],
        lambda size: [pillow.TrivialAugmentWide(interpolation=BILINEAR)],
        lambda size: [v2.TrivialAugmentWide(interpolation=BILINEAR)],
    ),
    "flip, jitter, RandAugment": (
        [{"type": "HorizontalFlip"}, {"type": "RandAugment"}, {"type": "ColourJitter"}],
        lambda size: [
            pillow.RandomHorizontalFlip(),
            rand_augment_transform("rand-m9-mstd0.5-inc1", TIMM),
            pillow.ColorJitter(0.4, 0.4, 0.4),
        ],
        None,
    ),
}
CUT = (
    [{"type": "RandomResizedCrop"}, {"type": "HorizontalFlip"}],
    lambda size: [pillow.RandomResizedCrop(size), pillow.RandomHorizontalFlip()],
    lambda size: [v2.RandomResizedCrop(size, antialias=True), v2.RandomHorizontalFlip()],
)


def draw_files(folder: Path, count: int) -> None:
    """Two classes of smooth noisy pictures of about 256 × 320, half JPEG and half PNG."""
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
        size = (int(rng.integers(280, 360)), int(rng.integers(220, 300)))
        smooth = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), dtype=np.float64)
        pixels = np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
        place = folder / "ab"[number % 2] / f"{number}.{'jpg' if number % 4 < 2 else 'png'}"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place)


def ours(root: Path, size: int, augment: list[dict[str, Any]], cache: str) -> ImageDataset:
    """tricklab's training images of a folder."""
    data = ImageData(
        root=str(root), split={"type": "Stratified", "train": 0.99, "val": 0.01}, duplicates="keep",
        contradictions="keep", size=size, cache=cache, augment=augment, normalise={"mean": MEAN, "std": STD},
    )  # fmt: skip
    return data.prepare(Seeds(0, 0)).dataset("train")


class Listed(torch.utils.data.Dataset[Any]):
    """Pictures in memory and a transform."""

    def __init__(self, pictures: Sequence[Image.Image], transform: Any) -> None:
        self.pictures, self.transform = pictures, transform

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.pictures[index]), 0


def batches(data: Any, batch: int) -> Callable[[], Any]:
    """One batch after another: tricklab takes a batch at once, the usual data sets one item at a time."""
    step = 0

    def one() -> Any:
        nonlocal step
        index = np.arange(step * batch, (step + 1) * batch) % len(data)
        step += 1
        if isinstance(data, ImageDataset):
            return data.__getitems__([(step, item, 0) for item in index.tolist()])
        return torch.utils.data.default_collate([data[item] for item in index.tolist()])

    return one


def peers(size: int, build: Callable[[int], list[Any]], build_v2: Any, cuts: bool) -> dict[str, Any]:
    """The transforms of each other side."""
    fit = [] if cuts else [pillow.Resize((size, size))]
    found = {"Pillow": pillow.Compose([*fit, *build(size), pillow.ToTensor(), pillow.Normalize(MEAN, STD)])}
    if build_v2 is not None:
        fit = [] if cuts else [v2.Resize((size, size), antialias=True)]
        values = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
        found["v2"] = v2.Compose([v2.ToImage(), *fit, *build_v2(size), *values])
    return found


def measure(root: Path, size: int, batch: int, repeats: int, only: str | None) -> list[Row]:
    """Every set of transforms, from files and from memory."""
    rows: list[Row] = []
    everything = ImageFolder(str(root))
    fitted = [picture.resize((size, size), Image.Resampling.BILINEAR) for picture, _ in everything]
    for name, (augment, build, build_v2) in {**SETS, "RandomResizedCrop": CUT}.items():
        if only is not None and name != only:
            continue
        cuts = name == "RandomResizedCrop"
        for reading in (True, False):
            if cuts and not reading:
                continue
            sides: dict[str, Any] = {"ours": ours(root, size, augment, "none" if reading else "memory")}
            for peer, transform in peers(size, build, build_v2, cuts or not reading).items():
                sides[peer] = ImageFolder(str(root), transform) if reading else Listed(fitted, transform)
            times = times_in_turns_s({side: batches(data, batch) for side, data in sides.items()}, repeats)
            for peer in times:
                if peer != "ours":
                    what = f"{name}, {'files' if reading else 'memory'} to a batch of {batch} at {size} × {size}"
                    row = time_row(what, f"torchvision, {peer}", min(times["ours"]), min(times[peer]), 1.0)
                    turns = zip(times[peer], times["ours"], strict=True)
                    rows.append({**row, "ratio": statistics.median(theirs / own for theirs, own in turns)})
    return rows


def main() -> int:
    """Measure and print."""
    options = parser("image files to training batches")
    options.add_argument("--data", type=Path, help="folder with one folder a class, instead of drawn pictures")
    options.add_argument("--size", type=int, default=224)
    options.add_argument("--batch", type=int, default=32)
    options.add_argument("--only", choices=[*SETS, "RandomResizedCrop"])
    asked = options.parse_args()
    torch.set_num_threads(1)
    repeats = 5 if asked.quick else 9
    with tempfile.TemporaryDirectory() as drawn:
        if asked.data is None:
            draw_files(Path(drawn), 2 * asked.batch)
        return show(measure(asked.data or Path(drawn), asked.size, asked.batch, repeats, asked.only), asked.json)


if __name__ == "__main__":
    raise SystemExit(main())
