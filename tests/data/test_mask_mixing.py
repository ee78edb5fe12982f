"""Mixed images and masks against rules written out pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tricklab.data.batch_transforms.mixing import one_hot
from tricklab.data.mask_batch_transforms.objects import drawn_objects, object_numbers
from tricklab.data.mask_list import IGNORE
from tricklab.errors import UserError
from tricklab.losses import Losses
from tricklab.observe import listening
from tricklab.registry import build, entries

NAMES = ("ground", "road", "car", "pole")
EVERY: list[dict[str, Any]] = [
    {"type": "Mixup"},
    {"type": "CutMix"},
    {"type": "CutMix", "minmax": [0.3, 0.8]},
    {"type": "ClassMix"},
    {"type": "CopyPaste", "paste": ["car", "pole"], "p": 1.0},
    {"type": "CopyPaste", "paste": ["car", "pole"], "p": 1.0, "objects": 0.5},
]


def batch(count: int, height: int = 9, width: int = 12) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(count)
    target = torch.randint(0, 5, (count, height, width), generator=generator)
    return {
        "image": torch.randn(count, 3, height, width, generator=generator),
        "target": target.where(target < 4, IGNORE),
        "index": torch.arange(count),
        "drawn": {"HorizontalFlip": torch.ones(count, dtype=torch.bool)},
    }


def made(config: dict[str, Any], **more: Any) -> Any:
    return build("mask_batch_transform", {**config, **more}, classes=4, names=NAMES)


@pytest.mark.parametrize("count", [1, 2, 5, 6])
@pytest.mark.parametrize("config", EVERY, ids=str)
def test_a_batch_is_left_alone_and_its_kin_reported(config: dict[str, Any], count: int) -> None:
    given = batch(count)
    before = given["image"].clone(), given["target"].clone()
    for seed in range(5):
        found = made(config)(given, np.random.default_rng(seed), 0.0)
        assert torch.equal(given["image"], before[0])
        assert torch.equal(given["target"], before[1])
        changed = found["drawn"][config["type"]]
        assert (changed.dtype, changed.shape) == (torch.bool, (count,))
        assert torch.equal(found["image"][~changed], before[0][~changed])
        assert torch.equal(found["target"][~changed], before[1][~changed])
        assert set(found["drawn"]) == {"HorizontalFlip", config["type"]}
        assert found["target"].dtype == torch.int64
        again = made(config)(given, np.random.default_rng(seed), 0.0)
        assert torch.equal(found["image"], again["image"])


@pytest.mark.parametrize("config", EVERY, ids=str)
def test_nothing_is_mixed_from_off_epoch_on(config: dict[str, Any]) -> None:
    given = batch(4)
    transform = made(config, off_epoch=2.0)
    with listening() as heard:
        assert transform(given, np.random.default_rng(0), 2.0)["image"] is given["image"]
    assert heard.drain()["mix/changed"]["max"] == 0
    assert transform(given, np.random.default_rng(0), 1.9)["drawn"][config["type"]].any()
    with pytest.raises(UserError, match=r"off_epoch: it would never mix"):
        made(config, off_epoch=0.0)


def partner_pixels(given: dict[str, Any], found: dict[str, Any]) -> np.ndarray:
    """Which pixels show the partner's, bool (N, H, W); each pixel must be one or the other, label and all channels."""
    own, other = given["image"].numpy(), given["image"].numpy()[::-1]
    image = found["image"].numpy()
    mine, theirs = (image == own).all(axis=1), (image == other).all(axis=1)
    assert (mine | theirs).all()
    target = np.where(theirs, given["target"].numpy()[::-1], given["target"].numpy())
    np.testing.assert_array_equal(found["target"].numpy(), target)
    return theirs


@pytest.mark.parametrize("mode", ["batch", "pair", "elem"])
def test_cutmix_moves_boxes_with_their_labels(mode: str) -> None:
    sides = []
    for seed in range(20):
        given = batch(6)
        transform = made({"type": "CutMix"}, mode=mode)
        found = transform(given, np.random.default_rng(seed), 0.0)
        theirs = partner_pixels(given, found)
        _, _, boxes = transform.mixer.draw(6, 9, 12, np.random.default_rng(seed))
        for image, (top, left, bottom, right) in zip(theirs, boxes, strict=True):
            wanted = np.zeros((9, 12), dtype=bool)
            wanted[top:bottom, left:right] = True
            np.testing.assert_array_equal(image, wanted)
        sides.append(theirs.mean())
    assert 0.1 < np.mean(sides) < 0.6


def test_the_middle_of_an_odd_batch_stays() -> None:
    for config in EVERY[:4]:
        given = batch(5)
        for seed in range(5):
            found = made(config)(given, np.random.default_rng(seed), 0.0)
            assert torch.equal(found["image"][2], given["image"][2])
            assert torch.equal(found["target"][2], given["target"][2])


def test_classmix_moves_whole_classes_half_of_them() -> None:
    given = batch(6)
    other = given["target"].numpy()[::-1]
    chosen: set[tuple[int, ...]] = set()
    for seed in range(30):
        theirs = partner_pixels(given, made({"type": "ClassMix"})(given, np.random.default_rng(seed), 0.0))
        for image, mask in zip(theirs, other, strict=True):
            moved = sorted(set(mask[image].tolist()))
            np.testing.assert_array_equal(image, np.isin(mask, moved))
            assert len(moved) == 2
            assert IGNORE not in moved
            chosen.add(tuple(moved))
    assert len(chosen) == 6


def test_classmix_of_one_or_three_classes_rounds_down() -> None:
    given = batch(2)
    given["target"] = torch.zeros_like(given["target"])
    found = made({"type": "ClassMix"})(given, np.random.default_rng(0), 0.0)
    assert not found["drawn"]["ClassMix"].any()
    given["target"][:, 0, 0], given["target"][:, 0, 1] = 1, 2
    theirs = partner_pixels(given, made({"type": "ClassMix"})(given, np.random.default_rng(1), 0.0))
    for image in theirs:
        assert len(set(given["target"][0].numpy()[image].tolist())) == 1


def test_copy_paste_against_a_loop() -> None:
    config = {"type": "CopyPaste", "paste": ["pole"], "p": 0.7, "shift": 0.4}
    pasted = 0
    for seed in range(12):
        given = batch(4)
        found = made(config)(given, np.random.default_rng(seed), 0.0)
        rng = np.random.default_rng(seed)
        done = rng.random(4) < 0.7
        moves = rng.integers([-3, -4], [4, 5], (4, 2))
        mirrored = rng.random(4) < 0.5
        image, target = given["image"].clone(), given["target"].clone()
        for n in range(4):
            for h in range(9):
                for w in range(12):
                    row, column = h - moves[n, 0], w - moves[n, 1]
                    column = 11 - column if mirrored[n] else column
                    if not (done[n] and 0 <= row < 9 and 0 <= column < 12):
                        continue
                    if given["target"][3 - n, row, column] == 3:
                        image[n, :, h, w], target[n, h, w] = given["image"][3 - n, :, row, column], 3
                        pasted += 1
        assert torch.equal(found["image"], image)
        assert torch.equal(found["target"], target)
    assert pasted > 100


def test_mixup_blends_the_shares_of_each_pixel() -> None:
    for seed in range(6):
        given = batch(4)
        transform = made({"type": "Mixup", "alpha": 1.0}, mode="pair")
        found = transform(given, np.random.default_rng(seed), 0.0)
        share, _, _ = transform.mixer.draw(4, 9, 12, np.random.default_rng(seed))
        image, target = given["image"].double().numpy(), given["target"].numpy()
        soft = np.zeros((4, 4, 9, 12))
        for n in range(4):
            for k in range(4):
                soft[n, k] = share[n] * (target[n] == k) + (1 - share[n]) * (target[3 - n] == k)
        blended = share[:, None, None, None] * image + (1 - share)[:, None, None, None] * image[::-1]
        np.testing.assert_allclose(found["soft_target"].numpy(), soft, atol=1e-6)
        np.testing.assert_allclose(found["image"].numpy(), blended, atol=1e-6)
        assert torch.equal(found["target"], given["target"])


def test_boxes_move_blended_labels_too() -> None:
    given = batch(4)
    blended = made({"type": "Mixup", "alpha": 1.0})(given, np.random.default_rng(0), 0.0)
    found = made({"type": "CutMix"})(blended, np.random.default_rng(1), 0.0)
    taken = (found["image"] == blended["image"].flip(0)).all(dim=1, keepdim=True)
    assert 0 < taken.float().mean() < 1
    wanted = torch.where(taken, blended["soft_target"].flip(0), blended["soft_target"])
    assert torch.equal(found["soft_target"], wanted)


@pytest.mark.parametrize("config", EVERY, ids=str)
def test_mixed_batches_train_the_cross_entropy(config: dict[str, Any]) -> None:
    found = made(config)(batch(4), np.random.default_rng(0), 0.0)
    losses = Losses([{"type": "CrossEntropyLoss", "ignore_index": IGNORE}], [1, 1, 1, 1])
    logits = torch.randn(4, 4, 9, 12, generator=torch.Generator().manual_seed(0)).requires_grad_()
    total, _ = losses({"main": logits}, found)
    total.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    # pixels without a label on both sides teach nothing
    soft = found.get("soft_target", one_hot(found["target"], 4))
    silent = soft.sum(dim=1) == 0
    assert silent.any()
    assert (logits.grad.movedim(1, -1)[silent] == 0).all()


def flooded(target: np.ndarray, classes: list[int]) -> list[frozenset[tuple[int, int, int]]]:
    """The objects of some classes, pixel by pixel."""
    left = {place for place in np.ndindex(*target.shape) if target[place] in classes}
    found = []
    while left:
        reached = [left.pop()]
        for n, row, column in reached:
            for beside in [(n, row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]:
                if beside in left and target[beside] == target[reached[0]]:
                    left.remove(beside)
                    reached.append(beside)
        found.append(frozenset(reached))
    return found


def test_objects_are_what_a_flood_reaches() -> None:
    rng = np.random.default_rng(3)
    for classes in ([2], [2, 3], [0, 1, 2, 3]):
        target = rng.choice([0, 1, 2, 3, IGNORE], (3, 8, 11), p=[0.5, 0.1, 0.2, 0.1, 0.1])
        numbers, image = object_numbers(target, np.array(classes))
        objects = [frozenset(map(tuple, np.argwhere(numbers == one + 1).tolist())) for one in range(len(image))]
        assert set(objects) == set(flooded(target, classes))
        assert [{place[0] for place in one} for one in objects] == [{n} for n in image.tolist()]
    numbers, image = object_numbers(np.full((2, 3, 3), IGNORE), np.array([0]))
    assert not numbers.any()
    assert not len(image)


def test_every_image_with_objects_gives_at_least_one() -> None:
    image, lots = np.array([0, 0, 0, 2, 2, 5]), np.array([0.9, 0.7, 0.8, 0.2, 0.95, 0.6])
    assert drawn_objects(image, lots, 0.3).tolist() == [False, True, False, True, False, True]
    assert drawn_objects(image, lots, 0.85).tolist() == [False, True, True, True, False, True]
    assert drawn_objects(np.zeros(0, dtype=np.int64), np.zeros(0), 0.5).tolist() == []


def test_whole_objects_are_pasted_and_others_left_behind() -> None:
    config = {"type": "CopyPaste", "paste": ["car", "pole"], "p": 1.0, "shift": 0.0, "flip": False, "objects": 0.4}
    taken, left = 0, 0
    for seed in range(8):
        given = batch(4)
        objects = flooded(given["target"].numpy(), [2, 3])
        found = made(config)(given, np.random.default_rng(seed), 0.0)
        whole = made({**config, "objects": 1.0})(given, np.random.default_rng(seed), 0.0)
        plain = made({**config, "objects": None})(given, np.random.default_rng(seed), 0.0)
        assert torch.equal(whole["image"], plain["image"])
        for one in objects:
            source = np.array(sorted(one)).T
            here = (3 - source[0], source[1], source[2])
            same = (
                found["image"][here[0], :, here[1], here[2]] == given["image"][source[0], :, source[1], source[2]]
            ).all(1)
            assert same.all() or not same.any()
            taken, left = taken + bool(same.all()), left + (not same.any())
    assert taken > 40
    assert left > 40


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"type": "ClassMix", "p": 0.0}, r"ClassMix\.p: a chance must be above 0"),
        ({"type": "CopyPaste", "paste": ["pol"]}, r"CopyPaste\.paste: unknown class 'pol'\. did you mean 'pole'"),
        ({"type": "CopyPaste", "paste": []}, "none of the classes would be copied"),
        ({"type": "CopyPaste", "paste": list(NAMES)}, "all of the classes would be copied"),
        ({"type": "CopyPaste", "paste": ["pole"], "shift": 1.0}, r"CopyPaste\.shift"),
        ({"type": "CopyPaste", "paste": ["pole"], "objects": 0.0}, r"CopyPaste\.objects.*null copies all pixels"),
        ({"type": "CutMix", "alpha": 0.0}, "it would mix nothing"),
        ({"type": "CutMix", "correct_lam": False}, "unknown key 'correct_lam'"),
    ],
)
def test_what_cannot_be_is_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        made(config)


def test_every_transform_has_a_summary_and_a_source() -> None:
    found = entries("mask_batch_transform")
    assert {entry.name for entry in found} >= {"Mixup", "CutMix", "ClassMix", "CopyPaste"}
    assert all(entry.summary and entry.source for entry in found)
