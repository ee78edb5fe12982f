"""Mixed batches against timm's rules, written out image by image in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from timm.data import mixup as timm_mixup
from timm.loss import SoftTargetCrossEntropy

from tricklab.data.batch_transforms.mixing import Mixer, mix, one_hot
from tricklab.errors import UserError
from tricklab.observe import listening
from tricklab.registry import build

CONFIGS: list[dict[str, Any]] = [
    {"type": "Mixup"},
    {"type": "CutMix"},
    {"type": "CutMix", "correct_lam": False},
    {"type": "CutMix", "minmax": [0.2, 0.8]},
    {"type": "MixupOrCutMix"},
    {"type": "MixupOrCutMix", "cutmix_minmax": [0.3, 0.9], "switch_prob": 0.3},
]


def batch(count: int, height: int = 12, width: int = 10, classes: int = 5) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(count)
    return {
        "image": torch.randn(count, 3, height, width, generator=generator),
        "target": torch.randint(0, classes, (count,), generator=generator),
        "index": torch.arange(count),
        "drawn": {"HorizontalFlip": torch.ones(count, dtype=torch.bool)},
    }


def mixer(config: dict[str, Any], **more: Any) -> Mixer:
    return build("batch_transform", {**config, **more}, classes=5).mixer


def by_hand(
    given: dict[str, Any], share: np.ndarray, cut: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    images, target = given["image"].double().numpy(), given["target"].tolist()
    count = len(images)
    found, soft = images.copy(), np.zeros((count, 5))
    for i in range(count):
        j = count - i - 1
        if cut[i] and share[i] < 1:
            top, left, bottom, right = boxes[i]
            found[i, :, top:bottom, left:right] = images[j, :, top:bottom, left:right]
        else:
            found[i] = images[i] * share[i] + images[j] * (1 - share[i])
        soft[i, target[i]] += share[i]
        soft[i, target[j]] += 1 - share[i]
    return found, soft


@pytest.mark.parametrize("count", [1, 2, 7, 8])
@pytest.mark.parametrize("mode", ["batch", "pair", "elem"])
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_images_and_targets_are_mixed_as_drawn(config: dict[str, Any], mode: str, count: int) -> None:
    transform = mixer(config, mode=mode)
    for seed in range(6):
        given = batch(count)
        before = given["image"].clone()
        found = transform(given, np.random.default_rng(seed), 0.0)
        share, cut, boxes = transform.draw(count, 12, 10, np.random.default_rng(seed))
        assert torch.equal(given["image"], before)
        images, soft = by_hand(given, share, cut, boxes)
        np.testing.assert_allclose(found["image"].numpy(), images, atol=1e-6)
        np.testing.assert_allclose(found.get("soft_target", one_hot(given["target"], 5)).numpy(), soft, atol=1e-6)
        assert torch.equal(found["target"], given["target"])
        changed = found["drawn"][config["type"]]
        assert changed.tolist() == (share < 1).tolist()
        assert torch.equal(found["image"][~changed], before[~changed])
        assert set(found["drawn"]) == {"HorizontalFlip", config["type"]}
        if count % 2:
            assert not changed[count // 2]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_draws_are_shared_by_batch_pair_or_nobody(config: dict[str, Any]) -> None:
    def drawn(mode: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return mixer(config, mode=mode).draw(40, 100, 90, np.random.default_rng(3))

    share, cut, boxes = drawn("batch")
    assert len(np.unique(share)) == len(np.unique(cut)) == len(np.unique(boxes, axis=0)) == 1
    share, cut, boxes = drawn("pair")
    assert np.array_equal(share, share[::-1])
    assert np.array_equal(cut, cut[::-1])
    assert np.array_equal(boxes, boxes[::-1])
    assert len(np.unique(share)) > 15
    assert len(np.unique(drawn("elem")[0])) > 30


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_shares_and_boxes_are_distributed_as_timms(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    chance = {"prob" if config["type"] == "MixupOrCutMix" else "p": 0.7}
    ours = mixer(config, mode="elem", **chance)
    share, cut, boxes = ours.draw(4000, 60, 44, np.random.default_rng(0))
    boxed = cut & (share < 1)
    np.random.seed(0)
    theirs = timm_mixup.Mixup(
        mixup_alpha=ours.mixup_alpha,
        cutmix_alpha=ours.cutmix_alpha,
        cutmix_minmax=ours.cutmix_minmax,
        prob=0.7,
        switch_prob=ours.switch_prob,
        mode="elem",
        correct_lam=ours.correct_lam,
    )
    areas: list[float] = []
    original = timm_mixup.cutmix_bbox_and_lam

    def keep(*given: Any, **more: Any) -> Any:
        (top, bottom, left, right), lam = original(*given, **more)
        areas.append((bottom - top) * (right - left))
        return (top, bottom, left, right), lam

    monkeypatch.setattr(timm_mixup, "cutmix_bbox_and_lam", keep)
    expected = theirs._mix_elem(torch.zeros(4000, 1, 60, 44)).numpy().ravel()
    assert (share < 1).mean() == pytest.approx((expected < 1).mean(), abs=0.04)
    share, expected = share[share < 1], expected[expected < 1]
    for quantile in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert np.quantile(share, quantile) == pytest.approx(np.quantile(expected, quantile), abs=0.05)
    here = boxes[boxed]
    found = (here[:, 2] - here[:, 0]) * (here[:, 3] - here[:, 1])
    if areas:
        for quantile in (0.1, 0.5, 0.9):
            assert np.quantile(found, quantile) == pytest.approx(np.quantile(areas, quantile), abs=0.04 * 60 * 44)
    assert bool(areas) == cut.any()


def test_boxes_lie_inside_and_their_area_is_the_share() -> None:
    for more in ({}, {"minmax": [0.2, 0.7]}):
        share, _, boxes = mixer({"type": "CutMix", **more}, mode="elem").draw(500, 31, 45, np.random.default_rng(1))
        assert (boxes >= 0).all()
        assert (boxes[:, 2] <= 31).all()
        assert (boxes[:, 3] <= 45).all()
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        np.testing.assert_allclose(share, 1 - area / (31 * 45))
    drawn, _, boxes = mixer({"type": "CutMix", "correct_lam": False}, mode="elem").draw(
        500, 31, 45, np.random.default_rng(1)
    )
    cut_off = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (31 * 45)
    assert (1 - drawn - cut_off > -0.01).all()
    assert (1 - drawn - cut_off > 0.05).any()


@pytest.mark.parametrize("count", [6, 7])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_smoothed_loss_of_a_mixed_batch_is_timms(count: int, smoothing: float) -> None:
    given = batch(count)
    mixed = mixer({"type": "Mixup"})(given, np.random.default_rng(3), 0.0)
    even = count // 2 * 2
    # timm refuses odd batches: what it makes of the two halves around the middle image, which stays
    pairs = torch.cat([torch.arange(even // 2), torch.arange(count - even // 2, count)])
    share = float(mixer({"type": "Mixup"}).draw(count, 12, 10, np.random.default_rng(3))[0][0])
    expected = torch.empty(count, 5)
    expected[pairs] = timm_mixup.mixup_target(given["target"][pairs], 5, share, smoothing)
    if count % 2:
        middle = given["target"][count // 2 : count // 2 + 1]
        expected[count // 2] = timm_mixup.one_hot(middle, 5, 1 - smoothing + smoothing / 5, smoothing / 5)[0]
    logits = torch.randn(count, 5, generator=torch.Generator().manual_seed(1))
    loss = build("loss", {"type": "CrossEntropyLoss", "label_smoothing": smoothing}, class_counts=None)(logits, mixed)
    assert loss.item() == pytest.approx(SoftTargetCrossEntropy()(logits, expected).item(), rel=1e-6)
    assert 0 < share < 1


def test_mixing_twice_keeps_targets_a_distribution() -> None:
    given = batch(9)
    once = build("batch_transform", {"type": "Mixup", "mode": "elem"}, classes=5)(given, np.random.default_rng(0), 0.0)
    twice = build("batch_transform", {"type": "CutMix", "mode": "elem"}, classes=5)(once, np.random.default_rng(1), 0.0)
    share, cut, boxes = mixer({"type": "CutMix"}, mode="elem").draw(9, 12, 10, np.random.default_rng(1))
    part = torch.from_numpy(share).float().unsqueeze(1)
    expected = once["soft_target"] * part + once["soft_target"].flip(0) * (1 - part)
    torch.testing.assert_close(twice["soft_target"], expected)
    torch.testing.assert_close(twice["soft_target"].sum(1), torch.ones(9))
    torch.testing.assert_close(twice["image"], mix(once["image"], share, cut, boxes))
    assert set(twice["drawn"]) == {"HorizontalFlip", "Mixup", "CutMix"}


def test_what_is_reported_is_of_mixed_images_alone() -> None:
    transform = mixer({"type": "Mixup"}, mode="elem", p=0.5)
    with listening() as listener:
        transform(batch(201), np.random.default_rng(2), 0.0)
    share, _, _ = transform.draw(201, 12, 10, np.random.default_rng(2))
    found = listener.drain()
    assert found["mix/lambda"]["count"] == (share < 1).sum()
    assert found["mix/lambda"]["mean"] == pytest.approx(share[share < 1].mean(), rel=1e-5)
    assert found["mix/lambda"]["max"] < 1
    assert found["mix/changed"]["mean"] == pytest.approx((share < 1).mean())
    assert 0.35 < (share < 1).mean() < 0.65


def test_a_batch_that_is_not_mixed_keeps_its_classes() -> None:
    given = batch(6)
    untouched = mixer({"type": "Mixup"}, off_epoch=3.0)(given, np.random.default_rng(0), 3.0)
    assert "soft_target" not in untouched
    assert untouched["image"] is given["image"]
    assert not untouched["drawn"]["Mixup"].any()
    assert "soft_target" in mixer({"type": "Mixup"}, off_epoch=3.0)(given, np.random.default_rng(0), 2.99)
    seeds = [
        s for s in range(20) if "soft_target" not in mixer({"type": "Mixup"}, p=0.5)(given, np.random.default_rng(s), 0)
    ]
    assert 3 < len(seeds) < 17


def test_unlabelled_images_give_no_target() -> None:
    given = batch(4)
    given["target"] = torch.tensor([-1, 2, 255, 3])
    found = mixer({"type": "Mixup"})(given, np.random.default_rng(0), 0.0)
    share = mixer({"type": "Mixup"}).draw(4, 12, 10, np.random.default_rng(0))[0][0]
    expected = torch.zeros(4, 5)
    expected[0, 3], expected[1, 2], expected[2, 2], expected[3, 3] = 1 - share, share, 1 - share, share
    torch.testing.assert_close(found["soft_target"], expected)


def test_half_precision_images_stay_half() -> None:
    given = batch(6)
    given["image"] = given["image"].to(torch.bfloat16)
    for config in CONFIGS:
        found = mixer(config, mode="elem")(given, np.random.default_rng(0), 0.0)
        assert found["image"].dtype == torch.bfloat16
        assert found["soft_target"].dtype == torch.float32


@pytest.mark.parametrize(
    "config",
    [
        {"type": "Mixup", "alpha": 0.0},
        {"type": "Mixup", "alpha": -1.0},
        {"type": "Mixup", "p": 0.0},
        {"type": "Mixup", "p": 1.5},
        {"type": "Mixup", "mode": "image"},
        {"type": "Mixup", "off_epoch": 0.0},
        {"type": "CutMix", "alpha": 0.0},
        {"type": "CutMix", "minmax": [0.8, 0.2]},
        {"type": "CutMix", "minmax": [0.2, 1.2]},
        {"type": "MixupOrCutMix", "switch_prob": 0.0},
        {"type": "MixupOrCutMix", "switch_prob": 1.0},
        {"type": "MixupOrCutMix", "mixup_alpha": 0.0},
        {"type": "MixupOrCutMix", "cutmix_alpha": 0.0},
        {"type": "MixupOrCutMix", "prob": 0.0},
    ],
    ids=str,
)
def test_bad_arguments(config: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        build("batch_transform", config, classes=5)
