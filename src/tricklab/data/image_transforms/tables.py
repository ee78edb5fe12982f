"""Changes that replace each byte by another, on batches, equal to Pillow's ``ImageOps``.

Every function takes uint8 (N, 3, H, W) and gives a new uint8 (N, 3, H, W).
"""

from __future__ import annotations

import torch
from torch import Tensor

from tricklab.data.image_transforms import kernels


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
    byte_T = torch.arange(256)
    return look_up(images_N3HW, _alike(torch.where(byte_T >= threshold_N.unsqueeze(1), 255 - byte_T, byte_T)))


def solarise_add(images_N3HW: Tensor, added_N: Tensor) -> Tensor:
    """Add up to 128 to the bytes below 128."""
    byte_T = torch.arange(256)
    return look_up(
        images_N3HW,
        _alike(torch.where(byte_T < 128, byte_T + added_N.to(torch.int64).unsqueeze(1), byte_T).clamp_(max=255)),
    )


def autocontrast(images_N3HW: Tensor) -> Tensor:
    """Stretch each channel to 0 … 255; a channel of one value stays."""
    low = images_N3HW.amin(dim=(2, 3)).to(torch.float64)
    high = images_N3HW.amax(dim=(2, 3)).to(torch.float64)
    flat = high <= low
    # a tensor above the line: torch turns a number into a product with the reciprocal, which rounds twice
    scale = torch.tensor(255.0, dtype=torch.float64) / (high - low).where(~flat, 1.0)
    # the offset is rounded by itself, as Pillow does it: the highest byte may end at 254
    table = torch.arange(256, dtype=torch.float64) * scale.unsqueeze(2) + (-low * scale).unsqueeze(2)
    return look_up(images_N3HW, _where_not(flat, table.clamp_(0.0, 255.0).to(torch.uint8)))


def equalise(images_N3HW: Tensor) -> Tensor:
    """Spread each channel's bytes so that all are about equally frequent."""
    found = torch.empty(len(images_N3HW), 3, 256, dtype=torch.int64)
    kernels.count_bytes(images_N3HW.flatten(0, 1).flatten(1).numpy(), found.flatten(0, 1).numpy())
    last = images_N3HW.amax(dim=(2, 3)).to(torch.int64).unsqueeze(2)
    step = (found.sum(dim=2, keepdim=True) - found.gather(2, last)) // 255
    safe = step.clamp(min=1)
    before = found.cumsum(dim=2) - found
    table = ((safe // 2 + before) // safe).clamp_(max=255).to(torch.uint8)
    return look_up(images_N3HW, _where_not(step.squeeze(2) == 0, table))


def look_up(images_N3HW: Tensor, tables_N3T: Tensor) -> Tensor:
    """Each channel through its own table of 256 bytes, uint8 (N, 3, 256)."""
    found = torch.empty(images_N3HW.shape, dtype=torch.uint8)
    channels = (part.flatten(0, 1).flatten(1).numpy() for part in (images_N3HW, tables_N3T.contiguous(), found))
    kernels.look_up(*channels)
    return found


def _alike(tables_NT: Tensor) -> Tensor:
    """The same table for all three channels, uint8 (N, 3, 256)."""
    return tables_NT.to(torch.uint8).unsqueeze(1).expand(-1, 3, -1)


def _where_not(same_N3: Tensor, tables_N3T: Tensor) -> Tensor:
    """The tables; the identity where they are to change nothing."""
    return torch.where(same_N3.unsqueeze(2), torch.arange(256, dtype=torch.uint8), tables_N3T)
