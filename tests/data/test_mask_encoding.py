"""Colours of masks: declared, found, checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.mask_trees import picture, values, write
from tricklab.data.mask_encoding import ColourEncoding, declared_encoding, inferred_encoding
from tricklab.errors import UserError

RED, GREEN, BLACK = (200, 0, 0), (0, 200, 0), (0, 0, 0)


def coloured(*colours: tuple[int, int, int]) -> np.ndarray:
    return np.array(colours, dtype=np.uint8)[values(*range(len(colours)))]


def test_colours_become_label_values_against_a_loop() -> None:
    encoding = ColourEncoding((RED, BLACK), (GREEN,))
    pixels = coloured(GREEN, RED, BLACK)
    known = {RED: 0, BLACK: 1, GREEN: -1}
    wanted = [[known[tuple(pixel)] for pixel in row] for row in pixels.tolist()]
    found = encoding.encode(pixels, "m.png")
    assert found.tolist() == wanted
    assert found.dtype == np.int32


def test_a_colour_of_no_class_names_file_colour_and_count() -> None:
    pixels = coloured(RED, GREEN, GREEN)
    with pytest.raises(UserError, match=r"m\.png: 1 colour is of no class: #00c800 \(32 pixels\)"):
        ColourEncoding((RED, BLACK)).encode(pixels, "m.png")
    # a colour that sorts behind every known one
    with pytest.raises(UserError, match="#ffffff"):
        ColourEncoding((RED, BLACK)).encode(coloured((255, 255, 255), RED), "m.png")


def test_found_colours_rise_and_leave_the_ignored_out(tmp_path: Path) -> None:
    masks = [
        str(write(tmp_path / "a.png", coloured(RED, BLACK))),
        str(write(tmp_path / "b.png", coloured(GREEN, BLACK))),
    ]
    assert inferred_encoding(masks, [], "data.images") == ColourEncoding((BLACK, GREEN, RED))
    assert inferred_encoding(masks, [list(BLACK)], "data.images") == ColourEncoding((GREEN, RED), (BLACK,))
    assert inferred_encoding(masks, [], "x").names == ("#000000", "#00c800", "#c80000")


def test_blended_colours_and_mixed_files_are_refused(tmp_path: Path) -> None:
    blended = str(write(tmp_path / "a.png", picture(size=(40, 40))))
    with pytest.raises(UserError, match=r"a\.png: 1,6\d\d colours here.*blended edges"):
        inferred_encoding([blended], [], "data.images")
    masks = [str(write(tmp_path / "b.png", coloured(RED))), str(write(tmp_path / "c.png", values(0, 1)))]
    with pytest.raises(UserError, match=r"c\.png: it holds label values"):
        inferred_encoding(masks, [], "data.images")


@pytest.mark.parametrize(
    ("colours", "said"),
    [
        ({"a": [0, 0]}, r"data\.images\.colours\.a: a colour is three numbers"),
        ({"a": [0, 0, 256]}, r"data\.images\.colours\.a: a colour is three numbers"),
        ({"a": [1, 2, 3], "b": [1, 2, 3]}, "the colour #010203 is listed twice"),
    ],
)
def test_declared_colours_are_checked(colours: dict[str, list[int]], said: str) -> None:
    with pytest.raises(UserError, match=said):
        declared_encoding(colours, [], "data.images")
