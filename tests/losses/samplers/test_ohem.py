"""The sampler alone: what it keeps of given probabilities, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tricklab import registry
from tricklab.errors import UserError


def kept(chance: list[list[float]], known: list[list[bool]] | None = None, **config: Any) -> list[list[bool]]:
    log_chance = torch.tensor(chance, dtype=torch.float64).log()
    labelled = torch.ones_like(log_chance, dtype=torch.bool) if known is None else torch.tensor(known)
    sampler = registry.build("pixel_sampler", {"type": "OHEMPixelSampler", **config})
    found: list[list[bool]] = sampler.kept(log_chance, -log_chance, labelled).tolist()
    return found


def test_everything_below_the_threshold_is_kept_beyond_the_least_number() -> None:
    assert kept([[0.1, 0.2, 0.3, 0.9]], thresh=0.7, min_kept=1) == [[True, True, True, False]]


def test_where_few_are_below_it_the_hardest_fill_up() -> None:
    assert kept([[0.95, 0.1, 0.8, 0.9]], thresh=0.7, min_kept=3) == [[False, True, True, True]]


def test_equally_hard_ones_are_kept_from_the_first() -> None:
    assert kept([[1.0, 1.0, 1.0, 1.0]], thresh=0.7, min_kept=2) == [[True, True, False, False]]


def test_unlabelled_pixels_are_never_kept_however_hard() -> None:
    known = [[False, True, True, True]]
    assert kept([[0.01, 0.9, 0.8, 0.95]], known, thresh=0.7, min_kept=2) == [[False, True, True, False]]
    assert kept([[0.01, 0.9, 0.8, 0.95]], [[False] * 4], thresh=0.7, min_kept=2) == [[False] * 4]


def test_none_need_be_kept_with_a_threshold_alone() -> None:
    assert kept([[0.9, 0.8]], thresh=0.7, min_kept=0) == [[False, False]]


@pytest.mark.parametrize("thresh", [0.7, None])
def test_what_is_not_a_number_is_hardest(thresh: float | None) -> None:
    nan = math.nan
    assert kept([[0.9, nan, 0.8, 0.95]], thresh=thresh, min_kept=2) == [[False, True, True, False]]
    assert kept([[nan] * 4], thresh=thresh, min_kept=1)[0][0]
    assert kept([[nan, 0.9]], [[False, True]], thresh=thresh, min_kept=1) == [[False, True]]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"thresh": 0.0}, "thresh: must lie in"),
        ({"thresh": 1.5}, "thresh: must lie in"),
        ({"min_kept": -1, "thresh": 0.5}, "min_kept: must be above 0"),
        ({"min_kept": 0}, "min_kept: must be above 0"),
        ({"divisor": "keep"}, "divisor"),
        ({"threshold": 0.7}, "unknown key 'threshold'"),
    ],
)
def test_wrong_settings_are_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        registry.build("pixel_sampler", {"type": "OHEMPixelSampler", **config})
