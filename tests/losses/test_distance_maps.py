"""Distances to regions against all pairs of pixels, and what losses of distances are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tricklab.losses.distance_maps import distance_by_rows, distance_to, rim_distance, signed_distance

Distance = Callable[[torch.Tensor], torch.Tensor]


def regions(share: float, shape: tuple[int, ...] = (3, 2, 37, 53)) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(4)) < share


@pytest.mark.parametrize("of", [distance_to, distance_by_rows])
@pytest.mark.parametrize("share", [0.0005, 0.01, 0.5, 0.98])
def test_distances_are_the_least_over_all_pixels(share: float, of: Distance) -> None:
    found = regions(share)
    places = torch.stack(torch.meshgrid(torch.arange(37.0), torch.arange(53.0), indexing="ij"), dim=-1).double()
    for region, distance in zip(found.flatten(0, 1), of(found).flatten(0, 1), strict=True):
        if not region.any():
            assert distance.isinf().all()
            continue
        expected = torch.cdist(places.flatten(0, 1), places[region]).amin(dim=1).view(37, 53)
        torch.testing.assert_close(distance.double(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("of", [distance_to, distance_by_rows])
def test_one_far_pixel_is_found_over_all_rows(of: Distance) -> None:
    region = torch.zeros(2, 100, 7, dtype=torch.bool)
    region[0, 99, 6] = True
    region[1, :, 0] = True
    found = of(region)
    assert found[0, 0, 0].item() == pytest.approx((99**2 + 6**2) ** 0.5)
    assert found[1].equal(torch.arange(7.0).expand(100, 7))


@pytest.mark.parametrize("of", [distance_to, distance_by_rows])
def test_maps_of_one_row_one_column_and_none(of: Distance) -> None:
    assert of(torch.tensor([[False, True, False, False]])).tolist() == [[1.0, 0.0, 1.0, 2.0]]
    assert of(torch.tensor([[False], [True], [False]])).tolist() == [[1.0], [0.0], [1.0]]
    assert of(torch.zeros(0, 4, 5, dtype=torch.bool)).shape == (0, 4, 5)


def test_a_map_that_is_cut_out_of_another_is_measured_alone() -> None:
    region = regions(0.1)[:, 1:, 3:20, ::2]
    assert distance_to(region).equal(distance_to(region.clone()))


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
