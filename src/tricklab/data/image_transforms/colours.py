"""Changes of colour on batches of bytes, equal to Pillow's ``ImageEnhance``, which torchvision and timm call.

Every function takes uint8 (N, 3, H, W) and one factor per image, and gives a new uint8 (N, 3, H, W).
"""

from __future__ import annotations

import torch
from torch import Tensor

from tricklab.data.image_transforms.tables import look_up


def luminance(images_N3HW: Tensor) -> Tensor:
    """Grey values uint8 (N, 1, H, W): Pillow's mode L, (19595 R + 38470 G + 7471 B) / 65536, rounded."""
    red, green, blue = images_N3HW.to(torch.float32).unbind(1)
    # whole numbers below 2^24: float32 is exact
    grey = red.mul_(19595).add_(green, alpha=38470).add_(blue, alpha=7471).add_(32768).div_(65536)
    return grey.to(torch.uint8).unsqueeze(1)


def grey(images_N3HW: Tensor) -> Tensor:
    """The grey values in all three channels."""
    return luminance(images_N3HW).expand_as(images_N3HW).contiguous()


def brightness(images_N3HW: Tensor, factor_N: Tensor) -> Tensor:
    """Towards black below 1, brighter above."""
    return _blend_with(torch.zeros(len(factor_N)), images_N3HW, factor_N)


def contrast(images_N3HW: Tensor, factor_N: Tensor) -> Tensor:
    """Towards the image's mean grey below 1, away from it above."""
    grey_N1HW = luminance(images_N3HW)
    mean = (grey_N1HW.sum(dim=(1, 2, 3)) / grey_N1HW[0].numel() + 0.5).floor_()
    return _blend_with(mean, images_N3HW, factor_N)


def saturation(images_N3HW: Tensor, factor_N: Tensor) -> Tensor:
    """Towards grey below 1, more colourful above."""
    return _blend(luminance(images_N3HW).to(torch.float32), images_N3HW, factor_N)


def sharpness(images_N3HW: Tensor, factor_N: Tensor) -> Tensor:
    """Towards smooth below 1 (3 × 3, centre 5 of 13; the border stays), sharper above."""
    smooth = images_N3HW.to(torch.float32)
    if min(images_N3HW.shape[-2:]) >= 3:
        across = smooth[..., :-2] + smooth[..., 1:-1]
        across += smooth[..., 2:]
        inner = across[:, :, :-2] + across[:, :, 1:-1]
        inner += across[:, :, 2:]
        inner.add_(smooth[:, :, 1:-1, 1:-1], alpha=4.0)
        smooth[:, :, 1:-1, 1:-1] = inner.div_(13.0).add_(0.5).floor_()
    return _blend(smooth, images_N3HW, factor_N)


def hue(images_N3HW: Tensor, turn_N: Tensor) -> Tensor:
    """Turn the hue by a share of the circle, -0.5 to 0.5; value and saturation stay.

    In float32, where Pillow rounds hue and saturation to bytes.
    """
    values = images_N3HW.to(torch.float32)
    red, green, blue = values.unbind(1)
    high, low = values.amax(dim=1), values.amin(dim=1)
    chroma = high - low
    safe = chroma.clamp(min=1.0)
    sixth = torch.where(
        high == red,
        (green - blue) / safe,
        torch.where(high == green, (blue - red) / safe + 2.0, (red - green) / safe + 4.0),
    )
    sixth = sixth + 6.0 * turn_N.to(torch.float32).view(-1, 1, 1)
    channels = []
    for start in (5.0, 3.0, 1.0):
        place = (sixth + start).remainder_(6.0)
        weight = torch.minimum(place, 4.0 - place).clamp_(0.0, 1.0)
        channels.append(high - chroma * weight)
    return torch.stack(channels, dim=1).round_().to(torch.uint8)


def _blend(start: Tensor, images_N3HW: Tensor, factor_N: Tensor) -> Tensor:
    """start + factor (images - start), cut to 0 … 255 and then to whole numbers, as Pillow's ``Image.blend``."""
    difference = images_N3HW.to(torch.float32).sub_(start)
    return _to_bytes(difference.mul_(factor_N.to(torch.float32).view(-1, 1, 1, 1)).add_(start))


def _blend_with(start_N: Tensor, images_N3HW: Tensor, factor_N: Tensor) -> Tensor:
    """The same with one number per image: the 256 bytes that there are, blended once."""
    bytes_T = torch.arange(256, dtype=torch.float32)
    tables = start_N.unsqueeze(1) + factor_N.to(torch.float32).unsqueeze(1) * (bytes_T - start_N.unsqueeze(1))
    return look_up(images_N3HW, _to_bytes(tables).unsqueeze(1).expand(-1, 3, -1))


def _to_bytes(values: Tensor) -> Tensor:
    return values.clamp_(0.0, 255.0).to(torch.uint8)
