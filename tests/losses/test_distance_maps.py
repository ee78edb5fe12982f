"""Distances to regions against scipy's exact ones, and what losses of distances are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from tricklab.losses.distance_maps import distance_to, rim_distance, signed_distance


def regions(share: float, shape: tuple[int, ...] = (3, 2, 37, 53)) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(4)) < share


@pytest.mark.parametrize("share", [0.0005, 0.01, 0.5, 0.98])
def test_distances_are_scipys(share: float) -> None:
    found = regions(share)
    for region, distance in zip(found.flatten(0, 1), distance_to(found).flatten(0, 1), strict=True):
        if not region.any():
            assert distance.isinf().all()
            continue
        expected = ndimage.distance_transform_edt(~region.numpy())
        np.testing.assert_allclose(distance.numpy(), expected, rtol=1e-6)


def test_one_far_pixel_is_found_over_all_rows() -> None:
    region = torch.zeros(2, 100, 7, dtype=torch.bool)
    region[0, 99, 6] = True
    region[1, :, 0] = True
    found = distance_to(region)
    assert found[0, 0, 0].item() == pytest.approx((99**2 + 6**2) ** 0.5)
    assert found[1].equal(torch.arange(7.0).expand(100, 7))


def test_maps_of_one_row_one_column_and_none() -> None:
    assert distance_to(torch.tensor([[False, True, False, False]])).tolist() == [[1.0, 0.0, 1.0, 2.0]]
    assert distance_to(torch.tensor([[False], [True], [False]])).tolist() == [[1.0], [0.0], [1.0]]
    assert distance_to(torch.zeros(0, 4, 5, dtype=torch.bool)).shape == (0, 4, 5)


def test_the_rim_has_0_and_the_inside_is_negative() -> None:
    region = torch.zeros(7, 7, dtype=torch.bool)
    region[1:6, 1:6] = True
    found = signed_distance(region)
    assert found[3].tolist() == [1.0, 0.0, -1.0, -2.0, -1.0, 0.0, 1.0]
    assert rim_distance(region)[3].tolist() == [1.0, 1.0, 2.0, 3.0, 2.0, 1.0, 1.0]


@pytest.mark.parametrize("whole", [False, True])
def test_without_a_rim_distances_are_0(whole: bool) -> None:
    region = torch.full((2, 5, 6), whole)
    assert not signed_distance(region).any()
    assert not rim_distance(region).any()
