"""Faults of OpenMMLab's losses and samplers that were measured, and what happens here instead."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.losses import Losses
from tricklab.observe import listening

IGNORED = 255


def loss(config: dict[str, Any] | str, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    config = {"type": config} if isinstance(config, str) else config
    return Losses([config], None, IGNORED)({"main": logits}, {"target": target})[0]


def scores(classes: int = 19, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, 8, 8, generator=generator, dtype=torch.float64).requires_grad_()
    return logits, torch.randint(max(classes, 2), (2, 8, 8), generator=generator)


def sure(target: torch.Tensor, classes: int) -> torch.Tensor:
    one_hot = functional.one_hot(target.where(target != IGNORED, 0), classes)
    return 60.0 * one_hot.movedim(-1, 1).double() - 30


def mined(thresh: float | None, min_kept: int, **more: Any) -> dict[str, Any]:
    return {
        "type": "CrossEntropyLoss",
        "sampler": {"type": "OHEMPixelSampler", "thresh": thresh, "min_kept": min_kept, **more},
    }


def kept_share(config: dict[str, Any], logits: torch.Tensor, target: torch.Tensor) -> float:
    with listening() as listener:
        loss(config, logits, target)
    return listener.drain()["ohem/kept"]["mean"]


def test_saturated_scores_still_keep_min_kept_pixels() -> None:
    target = scores(3)[1]
    logits = sure(target, 3).float() * 10
    assert logits.softmax(1).amax(1).eq(1).all()
    assert kept_share(mined(0.7, 10), logits, target) == pytest.approx(10 * 2 / 128)
    hard = logits.clone()
    hard[0, :, 0, 0] = 0
    assert kept_share(mined(0.7, 10), hard, target) == pytest.approx(10 * 2 / 128)


def test_ties_keep_exactly_the_number() -> None:
    logits, target = torch.zeros(2, 3, 8, 8, requires_grad=True), scores(3)[1]
    for thresh in (0.1, None):
        found = loss(mined(thresh, 5), logits, target)
        assert kept_share(mined(thresh, 5), logits, target) == pytest.approx(10 / 128)
        assert found.item() == pytest.approx(math.log(3))
    (gradient,) = torch.autograd.grad(found, logits)
    assert int(gradient.abs().sum(1).gt(0).sum()) == 10


def test_fewer_labels_than_min_kept_keep_all_of_them_and_no_ignored_pixel() -> None:
    logits, target = scores(3)
    target[:, 1:] = IGNORED
    assert kept_share(mined(None, 100), logits, target) == 1.0
    found = loss(mined(0.7, 100), logits, target)
    assert found.item() == pytest.approx(functional.cross_entropy(logits, target, ignore_index=IGNORED).item())


def test_min_kept_is_a_number_an_image_pooled_over_the_batch() -> None:
    target = torch.zeros(2, 8, 8, dtype=torch.int64)
    logits = sure(target, 3)
    logits[0] = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(mined(None, 10), logits, target), logits)
    kept = gradient.abs().sum(1).gt(1e-12).flatten(1).sum(1)
    assert kept.tolist() == [20, 0]
    assert kept_share(mined(None, 10, per="batch"), logits, target) == pytest.approx(10 / 128)


def test_the_loss_is_a_mean_over_what_is_kept_and_theirs_by_option() -> None:
    logits, target = scores(3)
    each = functional.cross_entropy(logits, target, reduction="none").flatten()
    hardest = each.topk(20).values
    assert loss(mined(None, 10), logits, target).item() == pytest.approx(hardest.mean().item())
    theirs = loss(mined(None, 10, divisor="all"), logits, target)
    assert theirs.item() == pytest.approx((hardest.sum() / 128).item())


def test_mining_selects_hard_pixels_not_easy_ones() -> None:
    target = torch.zeros(1, 2, 2, dtype=torch.int64)
    logits = torch.tensor([[[[3.0, -3.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(mined(0.7, 1), logits, target), logits)
    assert gradient[0, 0].ne(0).tolist() == [[False, True], [False, False]]


def test_one_channel_is_mined_by_its_sigmoid() -> None:
    target = torch.tensor([[[1, 1, 0, 0]]])
    logits = torch.tensor([[[[3.0, -2.0, -3.0, 2.0]]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(mined(0.7, 1), logits, target), logits)
    assert gradient.flatten().ne(0).tolist() == [False, True, False, True]


def test_sigmoid_losses_are_mined_by_sigmoids() -> None:
    # softmax gives the true class .5 here, its own sigmoid more than .99
    target = torch.zeros(1, 1, 2, dtype=torch.int64)
    logits = torch.tensor([[[[6.0, 0.0]], [[6.0, 0.0]]]], requires_grad=True)
    config = mined(0.7, 1) | {"use_sigmoid": True}
    (gradient,) = torch.autograd.grad(loss(config, logits, target), logits)
    assert gradient[0, 0, 0].ne(0).tolist() == [False, True]


def test_ohem_cross_entropy_works_in_any_head() -> None:
    logits, target = scores(5)
    target[0, :2] = IGNORED
    each = functional.cross_entropy(logits, target, ignore_index=IGNORED, reduction="none").flatten()
    hardest = each.topk(9).values
    found = loss({"type": "OhemCrossEntropy", "thresh": 1e-9, "min_kept": 9}, logits, target)
    assert found.item() == pytest.approx(hardest.mean().item())


@pytest.mark.parametrize("kind", ["DiceLoss", "FocalLoss", "LovaszLoss", "TverskyLoss"])
def test_losses_that_refused_a_sampler_see_its_pixels(kind: str) -> None:
    logits, target = scores(4)
    target[1, :3] = IGNORED
    found = loss({"type": kind, "sampler": mined(None, 12)["sampler"]}, logits, target)
    (gradient,) = torch.autograd.grad(found, logits)
    assert int(gradient.abs().sum(1).gt(0).sum()) == 24


def test_ignored_pixels_are_in_the_divisor_only_if_asked() -> None:
    logits, target = scores(19)
    whole = loss("CrossEntropyLoss", logits[:, :, :4], target[:, :4]).item()
    target[:, 4:] = IGNORED
    assert loss("CrossEntropyLoss", logits, target).item() == pytest.approx(whole)
    assert loss({"type": "CrossEntropyLoss", "divisor": "count"}, logits, target).item() == pytest.approx(whole)
    theirs = loss({"type": "CrossEntropyLoss", "divisor": "all"}, logits, target).item()
    assert theirs == pytest.approx(whole / 2)


def test_the_divisor_is_observed_with_and_without_a_sampler() -> None:
    logits, target = scores(3)
    target[:, 4:] = IGNORED
    for divisor, share in (("count", 0.5), ("all", 1.0)):
        for sampler in (None, mined(0.7, 3, divisor="all")["sampler"]):
            with listening() as listener:
                loss({"type": "CrossEntropyLoss", "divisor": divisor, "sampler": sampler}, logits, target)
            assert listener.drain()["pixels/divided_by"]["mean"] == pytest.approx(share)
    with listening() as listener:
        loss({**mined(0.7, 3), "divisor": "all"}, logits, target)
    assert "pixels/divided_by" not in listener.drain()


@pytest.mark.parametrize("divisor", ["weights", "count", "all"])
def test_class_weights_of_document_001_meet_ignored_pixels(divisor: str) -> None:
    weight = [
        0.8373, 0.9180, 0.8660, 1.0345, 1.0166, 0.9969, 0.9754, 1.0489, 0.8786, 1.0023,
        0.9539, 0.9843, 1.1116, 0.9037, 1.0865, 1.0955, 1.0865, 1.1529, 1.0507,
    ]  # fmt: skip
    logits, target = scores(19)
    target[:, 4:] = IGNORED
    kept = torch.tensor(weight, dtype=torch.float64)
    total = functional.cross_entropy(logits, target, kept, ignore_index=IGNORED, reduction="sum").item()
    known = target[target != IGNORED]
    over = {"weights": float(kept[known].sum()), "count": len(known), "all": target.numel()}[divisor]
    found = loss({"type": "CrossEntropyLoss", "class_weight": weight, "divisor": divisor}, logits, target)
    assert found.item() == pytest.approx(total / over)


def test_sigmoids_of_maps_take_class_weights() -> None:
    logits, target = scores(3)
    weight = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
    one_hot = functional.one_hot(target, 3).movedim(-1, 1).double()
    each = functional.binary_cross_entropy_with_logits(logits, one_hot, reduction="none").mean(1) * weight[target]
    config = {"type": "CrossEntropyLoss", "use_sigmoid": True, "class_weight": weight.tolist(), "divisor": "count"}
    assert loss(config, logits, target).item() == pytest.approx(each.mean().item())


def test_ignoring_class_0_is_said_in_the_loss() -> None:
    logits, target = scores(3)
    found = loss({"type": "CrossEntropyLoss", "ignore_index": 0}, logits, target.clamp(max=2))
    assert found.item() == pytest.approx(functional.cross_entropy(logits, target, ignore_index=0).item())


def test_dice_of_a_perfect_prediction_is_0_whatever_is_ignored() -> None:
    target = scores(4)[1]
    target[:, 4:] = IGNORED
    assert loss("DiceLoss", sure(target, 4), target).item() == pytest.approx(0, abs=1e-9)


def test_dice_counts_small_classes_alike() -> None:
    # one pixel in a hundred is of class 1, and is missed
    target = torch.zeros(1, 10, 10, dtype=torch.int64)
    target[0, 0, 0] = 1
    missed = sure(torch.zeros_like(target), 2)
    assert loss({"type": "DiceLoss", "smooth": 0.0}, missed, target).item() == pytest.approx(0.5, abs=0.01)


def test_dice_reads_softmax_and_its_classes_are_classes() -> None:
    logits, target = scores(3)
    shifted = logits + torch.randn(2, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert loss("DiceLoss", logits, target).item() == pytest.approx(loss("DiceLoss", shifted, target).item())
    alone = [loss({"type": "DiceLoss", "classes": [k]}, logits, target).item() for k in range(3)]
    assert loss("DiceLoss", logits, target).item() == pytest.approx(sum(alone) / 3)


def test_focal_loss_of_several_classes_runs_on_a_cpu() -> None:
    logits, target = scores(5)
    target[0, 0] = IGNORED
    config = {"type": "FocalLoss", "use_sigmoid": True, "alpha": 0.25}
    known = target != IGNORED
    one_hot = functional.one_hot(target.where(known, 0), 5).movedim(-1, 1).double()
    p = logits.sigmoid()
    right = p * one_hot + (1 - p) * (1 - one_hot)
    each = -(0.25 * one_hot + 0.75 * (1 - one_hot)) * (1 - right) ** 2 * right.log()
    expected = (each.mean(1) * known).sum() / known.sum()
    assert loss(config, logits, target).item() == pytest.approx(expected.item())


def test_binary_focal_loss_reads_one_channel() -> None:
    logits, target = scores(1)
    p = logits.sigmoid()[:, 0]
    right = p.where(target == 1, 1 - p)
    each = -(0.25 * (target == 1) + 0.75 * (target == 0)) * (1 - right) ** 2 * right.log()
    found = loss({"type": "FocalLoss", "use_sigmoid": True, "alpha": 0.25}, logits, target)
    assert found.item() == pytest.approx(each.mean().item())


def test_lovasz_runs_with_its_defaults_on_classes_and_on_one_channel() -> None:
    for classes in (1, 4):
        logits, target = scores(classes)
        assert loss("LovaszLoss", logits, target).item() > 0
        (gradient,) = torch.autograd.grad(loss("LovaszLoss", logits, target), logits)
        assert gradient.any()


def test_lovasz_of_hard_decisions_is_the_jaccard_loss() -> None:
    _, target = scores(3)
    guess = scores(3, seed=1)[1]
    expected = []
    for k in range(3):
        both, either = ((guess == k) & (target == k)).sum(), ((guess == k) | (target == k)).sum()
        expected.append(1 - both / either)
    assert loss("LovaszLoss", sure(guess, 3), target).item() == pytest.approx(float(sum(expected)) / 3)


@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.9), (0.7 + 0.1, 0.2), (1.0, 1.0), (0.5, 0.5)])
def test_tversky_takes_any_two_factors(alpha: float, beta: float) -> None:
    logits, target = scores(3)
    found = loss({"type": "TverskyLoss", "alpha": alpha, "beta": beta, "smooth": 0.0}, logits, target)
    if alpha == beta == 1:
        assert found.item() == pytest.approx(loss({"type": "JaccardLoss", "smooth": 0.0}, logits, target).item())
    elif alpha == beta:
        other = loss({"type": "DiceLoss", "exponent": 1, "smooth": 0.0}, logits, target)
        assert found.item() == pytest.approx(other.item())
    assert 0 < found.item() < 1


def test_hausdorff_of_a_perfect_prediction_is_0_for_any_number_of_classes() -> None:
    target = scores(7)[1]
    assert loss("HausdorffDistanceLoss", sure(target, 7), target).item() == pytest.approx(0, abs=1e-9)
    assert loss("HausdorffDistanceLoss", sure(6 - target, 7), target).item() > 0.5


def test_a_loss_trains_whatever_it_is_called() -> None:
    logits, target = scores(3)
    names = ["loss_a", "dice", "my_loss"]
    kinds = ["CrossEntropyLoss", "DiceLoss", "LovaszLoss"]
    configs = [{"type": kind, "name": name} for kind, name in zip(kinds, names, strict=True)]
    total, terms = Losses(configs, None, IGNORED)({"main": logits}, {"target": target})
    assert list(terms) == names
    assert total.item() == pytest.approx(sum(loss(kind, logits, target).item() for kind in kinds))
    (whole,) = torch.autograd.grad(total, logits)
    parts = [torch.autograd.grad(loss(kind, logits, target), logits)[0] for kind in kinds]
    torch.testing.assert_close(whole, parts[0] + parts[1] + parts[2])


def test_a_loss_that_cannot_reach_the_total_is_refused() -> None:
    with pytest.raises(UserError, match="weighs 0"):
        Losses([{"type": "CrossEntropyLoss"}, {"type": "DiceLoss", "weight": 0.0}], None)
    with pytest.raises(UserError, match="two terms are named 'dice'"):
        Losses([{"type": "DiceLoss", "name": "dice"}, {"type": "DiceLoss", "on": "aux", "name": "dice"}], None)
    with pytest.raises(UserError, match="cannot name a loss"):
        Losses([{"type": "DiceLoss", "name": "loss/dice"}], None)
    losses = Losses([{"type": "CrossEntropyLoss"}], None)
    losses.terms[0].forward = lambda logits, batch: logits.detach().mean()  # type: ignore[method-assign]
    logits, target = scores(3)
    with pytest.raises(UserError, match="has no gradient"):
        losses({"main": logits}, {"target": target})
    assert losses({"main": logits.detach()}, {"target": target})[0].item() == pytest.approx(logits.mean().item())


def test_the_task_says_what_is_ignored_and_a_term_may_say_other() -> None:
    terms: list[Any] = list(
        Losses([{"type": "DiceLoss"}, {"type": "FocalLoss", "ignore_index": 0}], None, IGNORED).terms
    )
    assert [term.ignore_index for term in terms] == [IGNORED, 0]
    plain: Any = Losses([{"type": "DiceLoss"}], None).terms[0]
    assert plain.ignore_index == -1


def test_ce_and_three_dice_of_document_001() -> None:
    logits, target = scores(2)
    configs = [
        {"type": "CrossEntropyLoss", "name": "loss_ce"},
        {"type": "DiceLoss", "name": "loss_dice", "weight": 3.0},
        {"type": "CrossEntropyLoss", "on": "aux", "name": "aux_ce"},
        {"type": "DiceLoss", "on": "aux", "name": "aux_dice", "weight": 3.0},
    ]
    total, terms = Losses(configs, None, IGNORED)({"main": logits, "aux": -logits}, {"target": target})
    expected = sum(
        loss("CrossEntropyLoss", item, target).item() + 3 * loss("DiceLoss", item, target).item()
        for item in (logits, -logits)
    )
    assert total.item() == pytest.approx(expected)
    assert terms["loss_dice"].item() == pytest.approx(3 * loss("DiceLoss", logits, target).item())
