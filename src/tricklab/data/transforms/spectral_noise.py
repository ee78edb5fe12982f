"""Noise on the values of a window."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.errors import UserError
from tricklab.registry import component


@component("transform", source="radiation noise: DeepHyperX datasets.py, radiation_noise (gain [0.9, 1.1], sigma 1/25)")
class SpectralNoise:
    """Add normal noise, and multiply each window by a random gain.

    ``x' = gain · x + sigma · n``. DeepHyperX's radiation noise is ``sigma: 0.04, gain: [0.9, 1.1]``. The windows are
    those after PCA and whitening, so sigma is in standard deviations of a component there.

    Args:
        sigma: standard deviation of the noise.
        gain: range of the factor, drawn evenly once per window; [1, 1] for none.
        p: chance that a window is changed at all.
        per: ``pixel`` draws noise for every value, ``band`` one number per band for the whole window.
    """

    def __init__(
        self,
        sigma: float = 0.04,
        gain: tuple[float, float] = (1.0, 1.0),
        p: float = 1.0,
        per: Literal["pixel", "band"] = "pixel",
    ) -> None:
        if sigma < 0:
            raise UserError(f"sigma must be 0 or more, not {sigma}", where="SpectralNoise.sigma")
        if not 0 <= p <= 1:
            raise UserError(f"a chance must be between 0 and 1, not {p}", where="SpectralNoise.p")
        if not gain[0] <= gain[1]:
            raise UserError(f"the range {list(gain)} is upside down", where="SpectralNoise.gain")
        if sigma == 0 and tuple(gain) == (1, 1):
            raise UserError("no noise and no gain: it would do nothing", where="SpectralNoise")
        self.sigma = sigma
        self.gain = (float(gain[0]), float(gain[1]))
        self.p = p
        self.per = per

    def __call__(self, images_NBSS: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Disturb some windows of a batch; see :class:`tricklab.data.windows.WindowTransform`."""
        count, bands, height, width = images_NBSS.shape
        lots = draw(2)
        chosen = torch.from_numpy(lots[:, 0] < self.p)
        low, high = self.gain
        factor = torch.from_numpy(np.where(lots[:, 0] < self.p, low + (high - low) * lots[:, 1], 1.0))
        images_NBSS *= factor.to(images_NBSS.dtype)[:, None, None, None]
        if self.sigma:
            shape = (count, bands, height, width) if self.per == "pixel" else (count, bands, 1, 1)
            columns = int(np.prod(shape[1:]))
            noise = _normal(draw(columns + columns % 2))[:, :columns].reshape(shape)
            images_NBSS += torch.from_numpy(noise * (self.sigma * chosen.numpy())[:, None, None, None]).float()
        return images_NBSS, chosen


def _normal(uniform: np.ndarray) -> np.ndarray:
    """Standard normal numbers from uniform ones by Box and Muller's transform, (N, even number of columns)."""
    half = uniform.shape[1] // 2
    radius = np.sqrt(-2 * np.log1p(-uniform[:, :half]))
    turn = 2 * np.pi * uniform[:, half:]
    return np.concatenate([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
