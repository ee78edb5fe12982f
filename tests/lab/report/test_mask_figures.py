"""Pictures of masks: what is laid where, and what ignored pixels look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tricklab.errors import UserError
from tricklab.lab.report.mask_figures import IGNORED, RIGHT, SHARE, WRONG, ShownMask, error_map, mask_figure, overlay


def test_an_overlay_colours_what_has_a_class_only() -> None:
    pixels = np.full((1, 3, 3), 0.5)
    colours = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    found = overlay(pixels, np.array([[0, 1, 255]]), colours)
    low, high = 0.5 * (1 - SHARE), 0.5 * (1 - SHARE) + SHARE
    assert found[0].tolist() == [[high, low, low], [low, low, high], [0.5, 0.5, 0.5]]
    assert (pixels == 0.5).all()


def test_errors_are_red_and_ignored_pixels_are_neither() -> None:
    found = error_map(np.array([[0, 0, 255]]), np.array([[0, 1, 1]]))
    assert found[0].tolist() == [list(RIGHT), list(WRONG), list(IGNORED)]


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_a_figure_has_a_row_for_each_image(tmp_path: Path, channels: int) -> None:
    generator = np.random.default_rng(0)
    heights = []
    for count in (1, 3):
        shown = [
            ShownMask(
                f"image {place}",
                generator.integers(0, 4000, (20, 30, channels)).astype(np.uint16),
                generator.choice([0, 1, 255], (20, 30)),
                generator.integers(0, 2, (20, 30)),
                "IoU 0.5",
            )
            for place in range(count)
        ]
        path = mask_figure(shown, ["road", "sky"], "the worst", tmp_path / f"{count}.png")
        with Image.open(path) as picture:
            heights.append(picture.size[1])
    assert heights[1] > 1.8 * heights[0]


def test_maps_of_several_sizes_are_refused(tmp_path: Path) -> None:
    shown = ShownMask("a", np.zeros((4, 5, 3)), np.zeros((4, 5)), np.zeros((4, 6)))
    with pytest.raises(UserError, match="label and prediction of a differ in size"):
        mask_figure([shown], ["road"], "", tmp_path / "a.png")
    with pytest.raises(UserError, match="no image"):
        mask_figure([], ["road"], "", tmp_path / "a.png")
