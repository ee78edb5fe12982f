"""The time from images and masks to a training batch, against torchvision's transforms v2 on ``tv_tensors``.

    python benchmarks/mask_loading.py [--json] [--quick] [--data DIR] [--batch 8] [--crop 192 256] [--only flip]

DIR holds CamVid (``train``, ``trainannot``); without it pictures of 360 × 480 are drawn. Both sides read the same files
(torchvision by its own decoder), change image and mask by the same transforms, cut, and normalise: tricklab's
``MaskDataset``, and a data set that gives ``tv_tensors`` to one ``Compose``. A second line for each set leaves the
reading out: pixels are in memory on both sides. The last line is of drawn images as large as those of Cityscapes, in
memory, cut at 512 × 1024.

Times are the best of several batches in processor time on one thread. The sides take turns, and the ratio is the
median of the turns' ratios, so that a busy machine disturbs both alike.
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
from image_loading import MEAN, STD
from PIL import Image
from torchvision import tv_tensors
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

from tricklab.data.mask_dataset import MaskDataset
from tricklab.data.mask_layouts.synthetic_masks import SyntheticMasks
from tricklab.data.mask_list import IGNORE
from tricklab.data.segmentation import SegmentationData
from tricklab.seeds import Seeds

Size = tuple[int, int]
SIZE = (360, 480)
LARGE, LARGE_CROP, LARGE_BATCH, LARGE_SET = (1024, 2048), (512, 1024), 2, "multi-scale, flip"
UNLABELLED = 11
FILL = {tv_tensors.Image: 0, tv_tensors.Mask: IGNORE}
FLIP, JITTER = {"type": "HorizontalFlip"}, {"type": "ColourJitter"}
RESIZE = {"type": "RandomResize", "ratio_range": [0.5, 2.0]}


def multi_scale(size: Size) -> list[Any]:
    """torchvision's, of images of a size."""
    return [v2.ScaleJitter(size, (0.5, 2.0), antialias=True), v2.RandomHorizontalFlip()]


# name: (ours, theirs before the crop, for images of a size)
SETS: dict[str, tuple[list[dict[str, Any]], Callable[[Size], list[Any]]]] = {
    "crop": ([], lambda _: []),
    "flip": ([FLIP], lambda _: [v2.RandomHorizontalFlip()]),
    "multi-scale, flip": ([RESIZE, FLIP], multi_scale),
    "multi-scale, flip, jitter": ([RESIZE, FLIP, JITTER], multi_scale),
}


def draw_files(folder: Path, count: int, size: Size = SIZE) -> None:
    """Drawn scenes as ``train`` and ``trainannot``."""
    drawn = SyntheticMasks(classes=11, images=count, size=size).read()
    for name in ("train", "trainannot"):
        (folder / name).mkdir()
    for number in range(count):
        mask = drawn.read_mask(number)
        Image.fromarray(drawn.read_image(number)).save(folder / "train" / f"v_{number}.png")
        Image.fromarray(np.where(mask == IGNORE, UNLABELLED, mask).astype(np.uint8)).save(
            folder / "trainannot" / f"v_{number}.png"
        )


def ours(root: Path, crop: Size, cache: Any) -> Callable[[list[dict[str, Any]]], MaskDataset]:
    """tricklab's training images, by their augmentation; the files are looked at once."""
    common: dict[str, Any] = {
        "root": str(root),
        "images": {"type": "CamVidMasks"},
        "split": {"type": "RandomImages", "train": 0.9, "val": 0.1},
        "crop": crop,
        "cache": cache,
        "normalise": {"mean": list(MEAN), "std": list(STD)},
    }
    fold = SegmentationData(**common).prepare(Seeds(0, 0))

    def changed(augment: list[dict[str, Any]]) -> MaskDataset:
        transforms = SegmentationData(**common, augment=augment).transforms()
        return MaskDataset(fold.store, fold.members["train"], fold.normalisation, transforms, crop, seeds=fold.seeds)

    return changed


class Pairs(torch.utils.data.Dataset[Any]):
    """Images and masks as ``tv_tensors`` through one transform, from files or from memory."""

    def __init__(self, paths: list[Path], transform: Any, keep: bool) -> None:
        self.paths, self.transform = paths, transform
        self.classes = torch.arange(256, dtype=torch.uint8)
        self.classes[UNLABELLED] = IGNORE
        self.kept = [self.read(path) for path in paths] if keep else None

    def read(self, path: Path) -> tuple[Any, Any]:
        """Image uint8 (3, H, W) and mask uint8 (H, W), 255 where nothing is labelled."""
        image = decode_image(str(path), ImageReadMode.RGB)
        mask = decode_image(str(path.parent.parent / f"{path.parent.name}annot" / path.name))[0]
        return tv_tensors.Image(image), tv_tensors.Mask(self.classes[mask.long()])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        image, mask = self.read(self.paths[index]) if self.kept is None else self.kept[index]
        image, mask = self.transform(image, mask)
        return image, mask.long()


def theirs(crop: Size, before: list[Any], jitter: bool) -> Any:
    """One transform for image and mask; the border of small images is normalised to about zero on both sides."""
    fill = {**FILL, tv_tensors.Image: [round(255 * value) for value in MEAN]}
    cut = v2.RandomCrop(crop, pad_if_needed=True, fill=fill)
    values = [v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True), v2.Normalize(MEAN, STD)]
    return v2.Compose([*before, cut, *([v2.ColorJitter(0.4, 0.4, 0.4)] if jitter else []), *values])


def batches(data: Any, batch: int) -> Callable[[], Any]:
    """One batch after another."""
    step = 0

    def one() -> Any:
        nonlocal step
        index = (np.arange(step * batch, (step + 1) * batch) % len(data)).tolist()
        step += 1
        if isinstance(data, MaskDataset):
            return data.__getitems__([(step, item, 0) for item in index])
        return torch.utils.data.default_collate([data[item] for item in index])

    return one


def measure(
    root: Path, size: Size, crop: Size, batch: int, repeats: int, names: Sequence[str], memories: Sequence[bool]
) -> list[Row]:
    """Some sets of transforms, from files (False) and from memory."""
    rows: list[Row] = []
    paths = sorted((root / "train").glob("*.png"))
    for memory in memories:
        own, kept = ours(root, crop, "memory" if memory else "none"), Pairs(paths, None, keep=memory)
        for name in names:
            augment, before = SETS[name]
            kept.transform = theirs(crop, before(size), JITTER in augment)
            times = times_in_turns_s({"ours": batches(own(augment), batch), "v2": batches(kept, batch)}, repeats)
            source = f"{'memory' if memory else 'files'} of {size[0]} × {size[1]}"
            what = f"{name}, {source} to a batch of {batch} at {crop[0]} × {crop[1]}"
            row = time_row(what, "torchvision v2, tv_tensors", min(times["ours"]), min(times["v2"]), 1.0)
            turns = zip(times["v2"], times["ours"], strict=True)
            rows.append({**row, "ratio": statistics.median(other / mine for other, mine in turns)})
    return rows


def main() -> int:
    """Measure and print."""
    options = parser("images and masks to training batches")
    options.add_argument("--data", type=Path, help="folder of CamVid, instead of drawn pictures")
    options.add_argument("--batch", type=int, default=8)
    options.add_argument("--crop", type=int, nargs=2, default=(192, 256), metavar=("HEIGHT", "WIDTH"))
    options.add_argument("--only", choices=SETS, help="one set of transforms")
    asked = options.parse_args()
    torch.set_num_threads(1)
    repeats = 5 if asked.quick else 15
    names = list(SETS) if asked.only is None else [asked.only]
    with tempfile.TemporaryDirectory() as drawn, tempfile.TemporaryDirectory() as large:
        if asked.data is None:
            draw_files(Path(drawn), 24)
        root, crop = asked.data or Path(drawn), (asked.crop[0], asked.crop[1])
        rows = measure(root, SIZE, crop, asked.batch, repeats, names, (False, True))
        if LARGE_SET in names:
            draw_files(Path(large), 24, LARGE)
            rows += measure(Path(large), LARGE, LARGE_CROP, LARGE_BATCH, repeats, [LARGE_SET], (True,))
        return show(rows, asked.json)


if __name__ == "__main__":
    raise SystemExit(main())
