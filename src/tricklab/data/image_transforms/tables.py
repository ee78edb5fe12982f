"""Changes that replace each byte by another, on batches, equal to Pillow's ``ImageOps``.

Every function takes uint8 (N, 3, H, W) and gives a new uint8 (N, 3, H, W).
"""

from __future__ import annotations

import torch
from torch import Tensor


def invert(images_N3HW: Tensor) -> Tensor:
    """255 minus each byte."""
    return images_N3HW.bitwise_not()


def posterise(images_N3HW: Tensor, bits_N: Tensor) -> Tensor:
    """Keep that many of the highest bits of each byte: 8 changes nothing."""
    dropped = 8 - bits_N.to(torch.int64)
    mask = (255 - ((1 << dropped) - 1)).to(torch.uint8)
    return images_N3HW & mask.view(-1, 1, 1, 1)


def solarise(images_N3HW: Tensor, threshold_N: Tensor) -> Tensor:
    """Invert the bytes at and above a threshold; 256 changes nothing."""
    # a byte at or above a threshold of 1.5 is one at or above 2
    least = threshold_N.ceil().to(torch.int16).view(-1, 1, 1, 1)
    return torch.where(images_N3HW >= least, images_N3HW.bitwise_not(), images_N3HW)


def solarise_add(images_N3HW: Tensor, added_N: Tensor, below: int = 128) -> Tensor:
    """Add to the bytes below a bound, up to 255."""
    sums = images_N3HW.to(torch.int16).add_(added_N.to(torch.int16).view(-1, 1, 1, 1)).clamp_(max=255)
    return torch.where(images_N3HW < below, sums.to(torch.uint8), images_N3HW)


def autocontrast(images_N3HW: Tensor) -> Tensor:
    """Stretch each channel to 0 … 255; a channel of one value stays."""
    low = images_N3HW.amin(dim=(2, 3)).to(torch.float64)
    high = images_N3HW.amax(dim=(2, 3)).to(torch.float64)
    flat = high <= low
    # a tensor above the line: torch turns a number into a product with the reciprocal, which rounds twice
    scale = torch.tensor(255.0, dtype=torch.float64) / (high - low).where(~flat, 1.0)
    # the offset is rounded by itself, as Pillow does it: the highest byte may end at 254
    table = torch.arange(256, dtype=torch.float64) * scale.unsqueeze(2) + (-low * scale).unsqueeze(2)
    return _look_up(images_N3HW, table.clamp_(0.0, 255.0).to(torch.uint8), flat)


def equalise(images_N3HW: Tensor) -> Tensor:
    """Spread each channel's bytes so that all are about equally frequent."""
    count = images_N3HW.shape[0] * 3
    numbered = images_N3HW.reshape(count, -1).to(torch.int64)
    offset = 256 * torch.arange(count).unsqueeze(1)
    found = torch.bincount((numbered + offset).flatten(), minlength=256 * count).view(-1, 3, 256)
    last = images_N3HW.amax(dim=(2, 3)).to(torch.int64).unsqueeze(2)
    step = (found.sum(dim=2, keepdim=True) - found.gather(2, last)) // 255
    safe = step.clamp(min=1)
    before = found.cumsum(dim=2) - found
    table = ((safe // 2 + before) // safe).clamp_(max=255).to(torch.uint8)
    return _look_up(images_N3HW, table, step.squeeze(2) == 0)


def _look_up(images_N3HW: Tensor, tables_N3T: Tensor, same_N3: Tensor) -> Tensor:
    """Each channel through its own table of 256 bytes; those marked ``same`` stay as they are."""
    count, channels = images_N3HW.shape[:2]
    identity = torch.arange(256, dtype=torch.uint8).expand_as(tables_N3T)
    tables = torch.where(same_N3.unsqueeze(2), identity, tables_N3T).flatten()
    offset = (256 * torch.arange(count * channels, dtype=torch.int32)).view(count, channels, 1, 1)
    return tables.index_select(0, (images_N3HW.to(torch.int32) + offset).flatten()).view_as(images_N3HW)
