"""Batches of images for the tests of augmentations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from tricklab.data.draws import Draw, item_draw
from tricklab.seeds import Seeds


def draws(items: Sequence[int], name: str = "any", epoch: int = 0, occurrence: int = 0, block: int = 0) -> Draw:
    """The numbers that a transform of that name gets for these items."""
    ones = np.ones(len(items), dtype=np.int64)
    return item_draw(Seeds(0, block), name, epoch * ones, np.asarray(items), occurrence * ones)


def noise(count: int, height: int = 24, width: int = 20) -> torch.Tensor:
    """uint8 (N, 3, H, W) of independent bytes."""
    return torch.randint(0, 256, (count, 3, height, width), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def smooth(count: int, height: int = 33, width: int = 40) -> torch.Tensor:
    """uint8 (N, 3, H, W) like photographs: blurred, some of little contrast, one with a flat channel."""
    generator = np.random.default_rng(2)
    coarse = generator.integers(0, 256, (count, 7, 9, 3), dtype=np.uint8)
    found = np.stack(
        [np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.BICUBIC)) for one in coarse]
    )
    found[1] = found[1] // 3 + 40
    found[2, :, :, 0] = 7
    return torch.from_numpy(found).permute(0, 3, 1, 2).contiguous()


def pictures(images: torch.Tensor) -> list[Image.Image]:
    """The same as Pillow images."""
    return [Image.fromarray(np.ascontiguousarray(one.permute(1, 2, 0).numpy())) for one in images]


def from_pictures(found: Sequence[Image.Image]) -> torch.Tensor:
    """uint8 (N, 3, H, W) of Pillow images."""
    return torch.stack([torch.from_numpy(np.array(one)).permute(2, 0, 1) for one in found])


def differences(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """Absolute differences of bytes, int64."""
    return (ours.long() - theirs.long()).abs()
