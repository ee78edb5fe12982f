"""What two pixels of one class are worth to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Pairwise:
    """What two pixels of one class are worth, as DenseCRF has it.

    For pixels i and j with positions p and colours I the sum of

    - appearance: ``weight · exp(-|p_i - p_j|² / 2 position² - |I_i - I_j|² / 2 colour²)``,
    - smoothness: ``weight · exp(-|p_i - p_j|² / 2 deviation²)``,

    each with i's and j's kernel sums divided out where ``normalise`` is ``symmetric``.

    Attributes:
        appearance: weight of the first term.
        position: standard deviation in pixels.
        colour: standard deviation, in the unit of the colours.
        smoothness: weight of the second term.
        deviation: standard deviation in pixels.
        radius: a pixel's partners are those of a square of 2 · radius + 1 pixels around it.
        dilation: the first term's partners are so many pixels apart, so that they lie so many times as far away.
        normalise: ``symmetric``: k_ij / √(Σ_j k_ij · Σ_i k_ij); ``none``: as published first.
    """

    appearance: float
    position: float
    colour: float
    smoothness: float
    deviation: float
    radius: int
    dilation: int
    normalise: Literal["symmetric", "none"]
