"""Losses at their edges: huge scores, half precision, nothing labelled, absent classes, many pixels; and gradcheck."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.losses.loops import IGNORED, LOOPS
from tests.losses.test_composition import RATIOS, maps
from tricklab.losses import Losses
from tricklab.losses.lovasz import falling_order, jaccard_slope

SCORINGS = ["softmax", "sigmoid", "one channel"]
KINDS = sorted(LOOPS)
Outcome = tuple[torch.Tensor, torch.Tensor]


def outcome(config: dict[str, Any], logits: torch.Tensor, batch: dict[str, torch.Tensor]) -> Outcome:
    """The loss and its gradient."""
    logits = logits.detach().requires_grad_()
    found, _ = Losses([config], None, IGNORED)({"main": logits}, batch)
    return found, torch.autograd.grad(found, logits)[0]


def scored(kind: str, scoring: str, **more: Any) -> tuple[dict[str, Any], torch.Tensor, torch.Tensor]:
    logits, target = maps(1 if scoring == "one channel" else 3, ignore=True)
    return {"type": kind, "use_sigmoid": scoring == "sigmoid", **more}, logits, target


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_huge_scores_give_finite_losses_and_gradients(kind: str, scoring: str) -> None:
    config, logits, target = scored(kind, scoring)
    # right and wrong, by ten thousand
    huge = 1e4 * logits.sign()
    found, gradient = outcome(config, huge.float(), {"target": target})
    exact, wanted = outcome(config, huge, {"target": target})
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient.double(), wanted, rtol=1e-5, atol=1e-6)
    assert found.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("sampler", [{"thresh": 0.7, "min_kept": 2}, {"min_kept": 2}, None], ids=str)
@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_scores_that_are_no_numbers_give_a_loss_that_is_none(
    kind: str, scoring: str, sampler: dict[str, Any] | None
) -> None:
    """A run that has broken down is stopped by its loss: 0 there would let it go on."""
    config, logits, target = scored(kind, scoring)
    if sampler is not None:
        config["sampler"] = {"type": "OHEMPixelSampler", **sampler}
    for broken in (logits * torch.nan, torch.cat([logits[:1], logits[1:] * torch.nan])):
        found, _ = outcome(config, broken, {"target": target})
        assert found.isnan()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_automatic_mixed_precision_computes_in_float32(kind: str, scoring: str, dtype: torch.dtype) -> None:
    """Distances in pixels, squared, overflow in float16: a matrix product would make them so."""
    config, logits, target = scored(kind, scoring, class_weight=[0.5, 2.0, 1.2][: 2 if scoring == "one channel" else 3])
    logits = logits.detach().to(dtype)
    # as far apart as in a picture: rows are repeated
    logits, target = logits.repeat_interleave(200, dim=2), target.repeat_interleave(200, dim=1)
    with torch.autocast("cpu", dtype):
        found, gradient = outcome(config, logits, {"target": target})
    exact, wanted = outcome(config, logits.double(), {"target": target})
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=2e-5, atol=0)
    # gradients arrive as half-precision numbers
    torch.testing.assert_close(gradient.double(), wanted, rtol=0.01, atol=float(wanted.abs().max()) / 100)


@pytest.mark.parametrize("kind", ["CrossEntropyLoss", "FocalLoss", "DiceLoss", "JaccardLoss", "TverskyLoss"])
def test_soft_targets_are_weighed_alike_under_mixed_precision(kind: str) -> None:
    _, logits, _ = scored(kind, "softmax")
    soft = torch.rand(logits.shape, generator=torch.Generator().manual_seed(1)).softmax(dim=1)
    config = {"type": kind, "class_weight": [0.5, 2.0, 1.2]}
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = outcome(config, logits.float(), {"soft_target": soft})
    exact, _ = outcome(config, logits, {"soft_target": soft.double()})
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=0)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_differences(kind: str, scoring: str) -> None:
    config, logits, target = scored(kind, scoring)
    loss, first = Losses([config], None, IGNORED), logits.detach()[:1].requires_grad_()
    assert torch.autograd.gradcheck(lambda scores: loss({"main": scores}, {"target": target[:1]})[0], (first,))


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_image_without_labels_changes_nothing(kind: str, scoring: str) -> None:
    config, logits, target = scored(kind, scoring)
    target[1] = IGNORED
    found, gradient = outcome(config, logits, {"target": target})
    alone, wanted = outcome(config, logits[:1], {"target": target[:1]})
    torch.testing.assert_close(found, alone, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient[:1], wanted, rtol=1e-12, atol=1e-15)
    assert not gradient[1].any()
    nothing, gradient = outcome(config, logits, {"target": torch.full_like(target, IGNORED)})
    assert nothing == 0
    assert not gradient.any()


@pytest.mark.parametrize("kind", KINDS)
def test_classes_that_weigh_nothing_cost_nothing(kind: str) -> None:
    """``balanced`` gives a class without training samples a weight of 0; a picture may hold no other."""
    config, logits, target = scored(kind, "softmax", class_weight=[1.0, 0.0, 0.0])
    target = target.where(target != 0, 1)
    if kind in RATIOS or kind in ("BoundaryLoss", "HausdorffDistanceLoss"):
        config["classes"] = [1, 2]
    found, gradient = outcome(config, logits, {"target": target})
    assert found == 0
    assert not gradient.any()


@pytest.mark.parametrize("kind", sorted(RATIOS - {"LovaszLoss"}))
def test_an_absent_class_that_is_not_predicted_costs_nothing(kind: str) -> None:
    target = torch.zeros(1, 4, 4, dtype=torch.int64)
    logits = torch.tensor([1e4, -1e4, -1e4]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    found, gradient = outcome({"type": kind, "smooth": 0.0}, logits, {"target": target})
    assert found == 0
    assert gradient.isfinite().all()
    present, _ = outcome({"type": kind, "smooth": 0.0, "classes": "present"}, -logits, {"target": target})
    assert present == 1


def test_slopes_of_a_million_pixels_are_exact_in_float32() -> None:
    """Differences of 1 - I / U, as in published code, lose a tenth of a slope here."""
    truth = torch.rand(1, 2**20, generator=torch.Generator().manual_seed(0)) < 0.3
    counted = torch.ones_like(truth)
    total = truth.sum()
    both, either = total - truth.cumsum(1), total + (~truth).cumsum(1)
    jaccard = 1 - both.double() / either.double()
    wanted = torch.cat([jaccard[:, :1], jaccard.diff(dim=1)], dim=1)
    torch.testing.assert_close(jaccard_slope(truth, counted).double(), wanted, rtol=1e-6, atol=1e-15)
    rough = jaccard.float().diff(dim=1, prepend=torch.zeros(1, 1))
    assert ((rough - wanted).abs() / wanted).max() > 0.05


def test_errors_are_ordered_as_by_a_stable_sort() -> None:
    errors = torch.rand(3, 2, 999, generator=torch.Generator().manual_seed(0)).mul(50).round() / 50
    errors[:, :, ::7] = -1
    errors[0, 0, :3] = torch.tensor([1e-42, torch.inf, 0.0])
    expected = errors.argsort(dim=-1, descending=True, stable=True)
    assert falling_order(errors).equal(expected)
    assert falling_order(errors.double()).equal(expected)
    part = errors.transpose(0, 2)[:, 1]
    assert falling_order(part).equal(part.argsort(dim=-1, descending=True, stable=True))
