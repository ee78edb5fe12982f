"""What holds for every augmentation of images: numbers of its own for each item, true flags, checked arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.data.image_batches import draws, noise
from tricklab import registry
from tricklab.data.classification import check_order
from tricklab.errors import UserError
from tricklab.registry import build, entries

CONFIGS: list[dict[str, Any]] = [
    {"type": "HorizontalFlip"},
    {"type": "VerticalFlip"},
    {"type": "RandomGrey", "p": 0.5},
    {"type": "Rotation", "degrees": 40.0, "p": 0.8},
    {"type": "ColourJitter", "hue": 0.2, "p": 0.9},
    {"type": "RandomCrop", "padding": 3},
    {"type": "RandomCrop", "padding": 3, "border": "reflect"},
    {"type": "RandAugment"},
    {"type": "RandAugment", "layers": 3, "increasing": False, "magnitude": 5.0},
    {"type": "TrivialAugment"},
    {"type": "Cutout"},
    {"type": "Cutout", "value": "mean"},
    {"type": "Cutout", "value": 17, "square": 0.5},
    {"type": "RandomErasing", "p": 0.6},
    {"type": "RandomErasing", "p": 0.6, "mode": "rand"},
    {"type": "RandomErasing", "p": 0.6, "mode": "const"},
    {"type": "Noise", "p": 0.5},
]
NAMES = [f"{config['type']}-{'-'.join(str(v) for k, v in config.items() if k != 'type')}" for config in CONFIGS]


def values(transform: Any, count: int) -> torch.Tensor:
    images = noise(count)
    return images.to(torch.float32) / 100 if transform.stage == "tensor" else images


def test_every_transform_is_tested_here() -> None:
    shipped = {entry.name for entry in entries("image_transform")}
    assert shipped == {config["type"] for config in CONFIGS} | {"RandomResizedCrop"}


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_an_item_is_bit_equal_in_any_batch_and_differs_by_epoch_occurrence_and_block(config: dict[str, Any]) -> None:
    transform = build("image_transform", config)
    whole, flags = transform(values(transform, 60), draws(range(60)))
    chosen = [7, 3, 51]
    again, its_flags = transform(values(transform, 60)[chosen], draws(chosen))
    assert torch.equal(again, whole[chosen])
    assert torch.equal(its_flags, flags[chosen])
    for other in ({"epoch": 1}, {"occurrence": 1}, {"block": 1}):
        found, _ = transform(values(transform, 60), draws(range(60), **other))
        assert not torch.equal(found, whole)


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_the_flag_says_which_images_changed(config: dict[str, Any]) -> None:
    transform = build("image_transform", config)
    plain = values(transform, 200)
    found, flags = transform(plain.clone(), draws(range(200)))
    assert found.dtype == plain.dtype
    assert found.shape == plain.shape
    assert flags.dtype == torch.bool
    assert torch.equal(flags, (found != plain).flatten(1).any(1))
    assert 0.3 < flags.float().mean() <= 1


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_one_image_or_none_is_a_batch_too(config: dict[str, Any]) -> None:
    transform = build("image_transform", config)
    for items in ([], [4]):
        found, flags = transform(values(transform, 5)[items], draws(items))
        assert found.shape == (len(items), 3, 24, 20)
        assert flags.shape == (len(items),)


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_torch_and_numpy_generators_are_left_alone(config: dict[str, Any]) -> None:
    transform = build("image_transform", config)
    torch.manual_seed(3)
    first, state = torch.initial_seed(), torch.get_rng_state()
    transform(values(transform, 20), draws(range(20)))
    assert torch.initial_seed() == first
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("name", "dimension"), [("HorizontalFlip", -1), ("VerticalFlip", -2)])
def test_flips_mirror_their_share(name: str, dimension: int) -> None:
    images = noise(400, 6, 5)
    found, flags = build("image_transform", {"type": name, "p": 0.3})(images.clone(), draws(range(400)))
    assert torch.equal(found[flags], images[flags].flip(dimension))
    assert torch.equal(found[~flags], images[~flags])
    assert abs(flags.float().mean() - 0.3) < 0.06


def test_noise_has_its_standard_deviation_and_no_value_twice() -> None:
    plain = torch.zeros(50, 3, 24, 20)
    found, _ = build("image_transform", {"type": "Noise", "sigma": 0.3})(plain.clone(), draws(range(50)))
    assert abs(found.std().item() - 0.3) < 0.003
    assert abs(found.mean().item()) < 0.004
    assert len(found.unique()) > 0.98 * found.numel()


@pytest.mark.parametrize(
    "config",
    [
        {"type": "HorizontalFlip", "p": 0.0},
        {"type": "VerticalFlip", "p": 1.5},
        {"type": "RandomGrey", "p": -0.1},
        {"type": "Rotation", "degrees": 0.0},
        {"type": "Rotation", "fill": [0, 0, 256]},
        {"type": "ColourJitter", "hue": 0.6},
        {"type": "ColourJitter", "brightness": -0.1},
        {"type": "ColourJitter", "brightness": 0.0, "contrast": 0.0, "saturation": 0.0},
        {"type": "RandomCrop", "padding": 0},
        {"type": "RandAugment", "magnitude": 11.0},
        {"type": "RandAugment", "magnitude_std": -1.0},
        {"type": "RandAugment", "layers": 0},
        {"type": "Cutout", "area": [0.5, 0.2]},
        {"type": "Cutout", "ratio": [0.0, 2.0]},
        {"type": "Cutout", "value": 256},
        {"type": "Cutout", "value": "grau"},
        {"type": "Cutout", "square": 0.0},
        {"type": "Cutout", "square": 0.5, "area": [0.1, 0.2]},
        {"type": "RandomErasing", "area": [0.1, 1.2]},
        {"type": "RandomErasing", "mode": "pixels"},
        {"type": "Noise", "sigma": 0.0},
        {"type": "RandomResizedCrop", "scale": [0.0, 1.0]},
        {"type": "RandomResizedCrop", "ratio": [2.0, 1.0]},
    ],
    ids=str,
)
def test_bad_arguments(config: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        build("image_transform", config)


def test_a_border_as_wide_as_the_image_is_refused() -> None:
    with pytest.raises(UserError, match=r"RandomCrop\.padding"):
        build("image_transform", {"type": "RandomCrop", "padding": 20})(noise(2), draws([0, 1]))


def test_a_hole_before_normalisation_may_not_stand_after_one_behind_it() -> None:
    stages = {
        name: registry.load("image_transform", name).stage for name in ("Cutout", "RandomErasing", "RandomResizedCrop")
    }
    assert list(stages.values()) == ["image", "tensor", "geometry"]
    with pytest.raises(UserError, match="Cutout works on bytes and stands after RandomErasing"):
        check_order(["RandomErasing", "Cutout"], ["tensor", "image"])


def test_noise_numbers_do_not_depend_on_numpys_global_state() -> None:
    np.random.seed(0)
    transform = build("image_transform", {"type": "Noise"})
    one, _ = transform(torch.zeros(2, 3, 4, 4), draws([0, 1]))
    np.random.seed(1)
    other, _ = transform(torch.zeros(2, 3, 4, 4), draws([0, 1]))
    assert torch.equal(one, other)
    assert not torch.equal(one[0], one[1])
