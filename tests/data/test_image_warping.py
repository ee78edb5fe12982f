"""Moved images against Pillow's and torchvision's, and RandAugment and TrivialAugment against theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from timm.data import auto_augment
from torchvision.transforms import v2

from tests.data.image_batches import differences, draws, from_pictures, noise, pictures, smooth
from tricklab.data.image_transforms import rand_augment, trivial_augment
from tricklab.data.image_transforms.operations import OPERATIONS, apply_operations
from tricklab.data.image_transforms.rand_augment import RandAugment
from tricklab.data.image_transforms.random_crop import RandomCrop
from tricklab.data.image_transforms.rotation import Rotation
from tricklab.data.image_transforms.trivial_augment import TrivialAugment
from tricklab.data.image_transforms.warping import rotations, shears, translations, warp

FILL = (124, 116, 104)
IMAGES = smooth(6)
AMOUNTS = torch.tensor([-0.9, -0.3, -0.05, 0.1, 0.3, 0.7], dtype=torch.float64)
NONE = torch.zeros(6, dtype=torch.float64)


def affine(one: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    return one.transform(one.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=FILL)


@pytest.mark.parametrize(
    ("maps", "theirs"),
    [
        (shears(AMOUNTS, NONE), lambda one, k: affine(one, (1, k, 0, 0, 1, 0))),
        (shears(NONE, AMOUNTS), lambda one, k: affine(one, (1, 0, 0, k, 1, 0))),
        (translations(20 * AMOUNTS, NONE), lambda one, k: affine(one, (1, 0, 20 * k, 0, 1, 0))),
        (translations(NONE, 20 * AMOUNTS), lambda one, k: affine(one, (1, 0, 0, 0, 1, 20 * k))),
        (
            rotations(150 * AMOUNTS, 33, 40),
            lambda one, k: one.rotate(150 * k, Image.Resampling.BILINEAR, fillcolor=FILL),
        ),
    ],
)
def test_maps_are_pillows(maps: torch.Tensor, theirs: Callable[[Image.Image, float], Image.Image]) -> None:
    expected = from_pictures([theirs(one, k) for one, k in zip(pictures(IMAGES), AMOUNTS.tolist(), strict=True)])
    found = warp(IMAGES, maps, FILL)
    # Pillow cuts the fraction off where ours rounds
    assert differences(found, expected).max() <= 1
    filled = (expected == torch.tensor(FILL).view(1, 3, 1, 1)).all(1)
    assert filled.any()
    assert ((found == torch.tensor(FILL).view(1, 3, 1, 1)).all(1) == filled).float().mean() > 0.995


def test_a_map_in_float64_by_hand() -> None:
    images, maps = noise(3, 9, 7), rotations(torch.tensor([-71.0, 10.0, 33.3]), 9, 7)
    found = warp(images, maps, (1, 2, 3))
    for n in range(3):
        matrix, image = maps[n].numpy(), images[n].numpy().astype(np.float64)
        for y in range(9):
            for x in range(7):
                u, v = matrix @ [x + 0.5, y + 0.5, 1]
                if not (0 <= u < 7 and 0 <= v < 9):
                    assert found[n, :, y, x].tolist() == [1, 2, 3]
                    continue
                left, top = int(np.floor(u - 0.5)), int(np.floor(v - 0.5))
                a, b = u - 0.5 - left, v - 0.5 - top
                columns, rows = np.clip([left, left + 1], 0, 6), np.clip([top, top + 1], 0, 8)
                corners = image[:, rows][:, :, columns]
                expected = np.array([1 - b, b]) @ corners @ np.array([1 - a, a])
                assert np.abs(found[n, :, y, x].numpy() - expected).max() <= 0.5 + 1e-3


def test_a_quarter_turn_and_no_turn_are_exact() -> None:
    images = noise(2, 8, 8)
    assert torch.equal(warp(images, rotations(torch.tensor([90.0, 90.0]), 8, 8), FILL), images.rot90(1, (2, 3)))
    assert torch.equal(warp(images, rotations(torch.zeros(2), 8, 8), FILL), images)


def test_rotation_draws_evenly_and_fills() -> None:
    transform = Rotation(60.0, fill=FILL)
    found, _ = transform(IMAGES.clone(), draws(range(6)))
    angles = torch.from_numpy(draws(range(6))(2)[:, 1] * 120 - 60)
    assert torch.equal(found, warp(IMAGES, rotations(angles, 33, 40), FILL))
    assert angles.min() < -20
    assert angles.max() > 20


@pytest.mark.parametrize(("border", "mode"), [("black", "constant"), ("reflect", "reflect"), ("edge", "edge")])
def test_random_crop_is_torchvisions_pad_and_crop(border: Any, mode: str) -> None:
    images = noise(60, 11, 9)
    found, flags = RandomCrop(4, border)(images.clone(), draws(range(60)))
    shift = np.floor(draws(range(60))(2) * 9).astype(int)
    for n, (top, left) in enumerate(shift.tolist()):
        padded = v2.functional.pad(images[n], [4, 4, 4, 4], padding_mode=mode)
        assert torch.equal(found[n], v2.functional.crop(padded, top, left, 11, 9))
        assert bool(flags[n]) == ((top, left) != (4, 4))
    assert shift.min() == 0
    assert shift.max() == 8


TIMM = {
    "AutoContrast": "AutoContrast", "Equalise": "Equalize", "Invert": "Invert", "Rotate": "Rotate",
    "Posterise": "Posterize", "Solarise": "Solarize", "SolariseAdd": "SolarizeAdd", "Saturation": "Color",
    "Contrast": "Contrast", "Brightness": "Brightness", "Sharpness": "Sharpness", "ShearX": "ShearX",
    "ShearY": "ShearY", "TranslateX": "TranslateXRel", "TranslateY": "TranslateYRel",
}  # fmt: skip


@pytest.mark.parametrize("increasing", [True, False])
@pytest.mark.parametrize("name", TIMM)
def test_operations_are_timms(name: str, increasing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = np.array([0.3, 2.0, 4.9, 7.5, 9.0, 9.7])
    theirs = TIMM[name]
    if increasing and theirs in ("Posterize", "Solarize", "Color", "Contrast", "Brightness", "Sharpness"):
        theirs += "Increasing"
    for sign in (-1.0, 1.0):
        monkeypatch.setattr(auto_augment, "_randomly_negate", lambda value, sign=sign: sign * value)
        arguments = rand_augment.argument_of(name, levels / 10, np.full(6, sign), increasing, (33, 40))
        found = IMAGES.clone()
        apply_operations(found, (name,), np.zeros(6, dtype=np.int64), arguments, FILL)
        compared = []
        for n, (one, level) in enumerate(zip(pictures(IMAGES), levels.tolist(), strict=True)):
            if name == "Posterise" and arguments[n] == 1 and int(level / 10 * 4) == 0 and not increasing:
                continue  # timm asks Pillow for an image of no bits
            hparams = {"img_mean": FILL, "interpolation": Image.Resampling.BILINEAR}
            operation = auto_augment.AugmentOp(theirs, prob=1.0, magnitude=level, hparams=hparams)
            compared.append(differences(found[n], from_pictures([operation(one)])[0]).max().item())
        moved = name in ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")
        assert len(compared) >= 4
        assert max(compared) <= (1 if moved else 0)


def test_randaugment_draws_as_timm_does(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def keep(images: torch.Tensor, names: Any, choice: np.ndarray, arguments: np.ndarray, fill: Any) -> None:
        seen.append((choice, arguments))

    monkeypatch.setattr(rand_augment, "apply_operations", keep)
    RandAugment()(torch.zeros(6000, 3, 1, 1, dtype=torch.uint8), draws(range(6000)))
    assert len(seen) == 2
    assert not np.array_equal(seen[0][0], seen[1][0])
    choice, arguments = np.concatenate([one for one, _ in seen]), np.concatenate([two for _, two in seen])
    assert abs((choice == -1).mean() - 0.5) < 0.02
    shares = np.bincount(choice[choice >= 0], minlength=15) / (choice >= 0).sum()
    assert np.abs(shares - 1 / 15).max() < 0.01
    rotate = arguments[choice == 3]
    level = np.abs(rotate) / 3
    assert abs(level.mean() - 9) < 0.1
    assert abs(level.std() - 0.5) < 0.06
    assert level.max() <= 10
    assert abs((rotate < 0).mean() - 0.5) < 0.08
    assert set(np.unique(arguments[choice == 4])) <= {1.0, 2.0}


def test_randaugment_applies_its_layers_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rand_augment, "_OPERATIONS", ("Invert", "Posterise"))
    images = noise(40)
    found, _ = RandAugment(magnitude=10.0, magnitude_std=0.0, layers=3)(images.clone(), draws(range(40)))
    draw = draws(range(40))
    expected = pictures(images)
    for _ in range(3):
        for n, lots in enumerate(draw(5)):
            if lots[0] < 0.5:
                expected[n] = ImageOps.invert(expected[n]) if lots[1] < 0.5 else ImageOps.posterize(expected[n], 1)
    assert torch.equal(found, from_pictures(expected))


def test_trivial_augment_is_torchvisions_space(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"Saturation": "Color", "Posterise": "Posterize", "Solarise": "Solarize", "Equalise": "Equalize"}
    space = v2.TrivialAugmentWide._AUGMENTATION_SPACE
    assert {names.get(name, name) for name in trivial_augment._OPERATIONS} == set(space)
    assert set(trivial_augment._OPERATIONS) <= set(OPERATIONS)
    share = np.arange(31) / 30
    for name in trivial_augment._OPERATIONS:
        magnitudes, signed = space[names.get(name, name)]
        theirs = magnitudes(31, 224, 224)
        ours = trivial_augment.argument_of(name, share, np.ones(31))
        if theirs is None:
            assert not ours.any()
            continue
        expected = np.asarray(theirs, dtype=np.float64)
        if name in ("Brightness", "Saturation", "Contrast", "Sharpness"):
            expected = 1 + expected
        elif name == "Solarise":
            expected = 255 * expected
        elif name.startswith("Translate"):
            # torchvision's half of 32 is 15.999999 in float32
            expected = np.trunc(expected + 1e-4)
        assert ours == pytest.approx(expected, abs=2e-5), name
        assert signed == (name not in ("Posterise", "Solarise"))


@pytest.mark.parametrize("name", ["ShearX", "TranslateY", "Rotate"])
def test_trivial_augment_moves_the_way_torchvision_does(name: str) -> None:
    share, sign = np.full(6, 0.2), np.full(6, 1.0)
    found = IMAGES.clone()
    arguments = trivial_augment.argument_of(name, share, sign)
    apply_operations(found, (name,), np.zeros(6, dtype=np.int64), arguments, (0, 0, 0))
    # a positive translation moves torchvision's images down and ours up; the sign is drawn evenly
    magnitude = {"ShearX": 0.99, "TranslateY": -32.0, "Rotate": 135.0}[name] * 0.2
    transform = v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR)
    expected = torch.stack([
        transform._apply_image_or_video_transform(one, name, magnitude, transform.interpolation, transform._fill)
        for one in IMAGES
    ])  # fmt: skip
    inner = differences(found, expected)[:, :, 8:-8, 10:-10]
    assert (inner <= 2).float().mean() > 0.97


def test_trivial_augment_applies_one_operation_to_each() -> None:
    images = smooth(120)
    found, flags = TrivialAugment()(images.clone(), draws(range(120)))
    lots = draws(range(120))(3)
    choice = np.floor(lots[:, 0] * 14).astype(int)
    assert set(choice) == set(range(14))
    assert not flags[torch.from_numpy(choice == 0)].any()
    bright = np.flatnonzero(choice == 6)
    for n in bright:
        factor = 1 + 0.99 * np.floor(lots[n, 1] * 31) / 30 * (-1 if lots[n, 2] < 0.5 else 1)
        expected = ImageEnhance.Brightness(pictures(images[[n]])[0]).enhance(float(factor))
        assert torch.equal(found[n], from_pictures([expected])[0])
    assert len(bright) > 3
