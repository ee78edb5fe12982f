"""The bootstrap over images against what is known of means, and against Owen's variance for crossed samples."""

from __future__ import annotations

import numpy as np
import pytest

from tricklab.errors import UserError
from tricklab.statistics import survives_other_images


def test_other_images_with_the_same_blocks() -> None:
    differences = np.random.default_rng(0).normal(0.02, 0.3, (5, 800))
    found = survives_other_images(list(differences))
    per_image = differences.mean(axis=0)
    error = per_image.std(ddof=1) / np.sqrt(800)
    assert found.effect == pytest.approx(differences.mean())
    assert found.interval == pytest.approx((found.effect - 1.96 * error, found.effect + 1.96 * error), abs=0.15 * error)
    assert found.crossed is None
    assert (found.images, found.blocks) == (800, 5)


def test_crossed_from_ten_blocks_on_sees_the_blocks_too() -> None:
    rng = np.random.default_rng(1)
    block = rng.normal(0.0, 0.05, (20, 1))
    image = rng.normal(0.0, 0.2, (1, 400))
    differences = 0.1 + block + image + rng.normal(0.0, 0.1, (20, 400))
    found = survives_other_images(list(differences), draws=4000)
    assert found.crossed is not None
    noise = 0.1**2 / 8000
    owen = block.var() / 20 + image.var() / 400 + 3 * noise
    width = found.crossed[1] - found.crossed[0]
    assert width == pytest.approx(2 * 1.96 * np.sqrt(owen), rel=0.12)
    assert width > found.interval[1] - found.interval[0]


def test_blocks_with_other_images_are_told_apart_by_ids() -> None:
    rng = np.random.default_rng(2)
    world = rng.normal(0.05, 0.3, 1000)
    ids = [rng.permutation(1000)[:500] for _ in range(6)]
    found = survives_other_images([world[chosen] for chosen in ids], ids)
    unlinked = survives_other_images([world[c] for c in ids], [c + 1000 * k for k, c in enumerate(ids)])
    assert found.images == len(np.unique(np.concatenate(ids)))
    assert found.interval[1] - found.interval[0] > 1.2 * (unlinked.interval[1] - unlinked.interval[0])
    same = survives_other_images([world, world], [np.arange(1000), np.arange(1000)])
    assert same == survives_other_images([world, world])


def test_coverage_of_the_image_interval() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for trial in range(200):
        found = survives_other_images([rng.normal(0.1, 1.0, 300) for _ in range(1)], draws=400, seed=trial)
        inside += found.interval[0] <= 0.1 <= found.interval[1]
    assert inside / 200 > 0.90


def test_seeded_and_zero() -> None:
    differences = [np.random.default_rng(4).normal(size=50) for _ in range(3)]
    assert survives_other_images(differences) == survives_other_images(differences)
    assert survives_other_images(differences) != survives_other_images(differences, seed=1)
    nothing = survives_other_images([np.zeros(50)] * 12)
    assert (nothing.effect, nothing.interval, nothing.crossed) == (0.0, (0.0, 0.0), (0.0, 0.0))


@pytest.mark.parametrize(
    ("differences", "ids", "message"),
    [
        ([], None, "no per-image"),
        ([[]], None, "no per-image"),
        ([[0.1] * 10], None, "too few"),
        ([[0.1] * 30, [0.1] * 31], None, "different numbers"),
        ([[float("nan")] * 30], None, "finite"),
        ([[0.1] * 30], [list(range(29))], "different lengths"),
        ([[0.1] * 30], [[0] * 30], "twice"),
    ],
)
def test_bad_input(differences: list[list[float]], ids: list[list[int]] | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        survives_other_images(differences, ids)
