"""Changes of colour on batches of bytes, equal to Pillow's ``ImageEnhance``, which torchvision and timm call.

Every function takes uint8 (N, 3, H, W) and one factor per image, and gives a new uint8 (N, 3, H, W).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tricklab.data.image_transforms import kernels
from tricklab.data.image_transforms.tables import look_up


def luminance(images_N3HW: Tensor) -> Tensor:
    """Grey values uint8 (N, 1, H, W): Pillow's mode L, (19595 R + 38470 G + 7471 B) / 65536, rounded."""
    found = torch.empty(len(images_N3HW), 1, *images_N3HW.shape[2:], dtype=torch.uint8)
    kernels.luminance(images_N3HW.flatten(2).numpy(), found.flatten(1).numpy())
    return found


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
    return _changed(kernels.saturate, images_N3HW.flatten(2), factor_N).view_as(images_N3HW)


def sharpness(images_N3HW: Tensor, factor_N: Tensor) -> Tensor:
    """Towards smooth below 1 (3 × 3, centre 5 of 13; the border stays), sharper above."""
    if min(images_N3HW.shape[-2:]) < 3:
        return images_N3HW.clone()
    return _changed(kernels.sharpen, images_N3HW, factor_N)


def hue(images_N3HW: Tensor, turn_N: Tensor) -> Tensor:
    """Turn the hue by a share of the circle, -0.5 to 0.5; value and saturation stay.

    In float32, where Pillow rounds hue and saturation to bytes.
    """
    return _changed(kernels.turn_hue, images_N3HW.flatten(2), turn_N).view_as(images_N3HW)


def _changed(kernel: Callable[..., None], images: Tensor, amount_N: Tensor) -> Tensor:
    found = torch.empty(images.shape, dtype=torch.uint8)
    kernel(images.contiguous().numpy(), amount_N.to(torch.float32).numpy(), found.numpy())
    return found


def _blend_with(start_N: Tensor, images_N3HW: Tensor, factor_N: Tensor) -> Tensor:
    """start + factor (images - start), cut to 0 … 255 and then to whole numbers, as Pillow's ``Image.blend``.

    One start for each image: the 256 bytes that there are, blended once.
    """
    bytes_T = torch.arange(256, dtype=torch.float32)
    tables = start_N.unsqueeze(1) + factor_N.to(torch.float32).unsqueeze(1) * (bytes_T - start_N.unsqueeze(1))
    return look_up(images_N3HW, tables.clamp_(0.0, 255.0).to(torch.uint8).unsqueeze(1).expand(-1, 3, -1))
