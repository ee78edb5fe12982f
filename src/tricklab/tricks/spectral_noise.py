"""Noise on the values of training windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("spectral_noise", tasks="hyperspectral", source="DeepHyperX, datasets.py, radiation_noise (sigma 1/25)")
def spectral_noise(recipe: Recipe, sigma: Positive = 0.04, per: Literal["pixel", "band"] = "pixel") -> Recipe:
    """Add normal noise of this standard deviation to training windows, after PCA and whitening.

    ``per=band`` draws one number for each band of a window instead of one for each value.
    """
    return recipe.append("data.augment", {"type": "SpectralNoise", "sigma": sigma, "per": per})


@spectral_noise.probe(when="fit")
def noise_was_added(evidence: Evidence) -> Proof:
    """A share of the training windows got noise."""
    return was_drawn(evidence, "SpectralNoise")
