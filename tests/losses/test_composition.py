"""Every loss with every sampler, class weights or none, ignored pixels or none: value and gradient are the loop's."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.losses.loops import IGNORED, LOOPS, Case
from tricklab import registry
from tricklab.errors import UserError
from tricklab.losses import Losses

RATIOS = {"DiceLoss", "JaccardLoss", "TverskyLoss", "LovaszLoss"}
OF_LABELS = {entry.name for entry in registry.entries("loss")} - {"DistillationLoss", "OhemCrossEntropy"}
SAMPLERS: dict[str, dict[str, Any] | None] = {
    "none": None,
    "thresh": {"type": "OHEMPixelSampler", "thresh": 0.45, "min_kept": 2, "divisor": "kept"},
    "thresh, few are hard": {"type": "OHEMPixelSampler", "thresh": 0.05, "min_kept": 4, "divisor": "kept"},
    "loss": {"type": "OHEMPixelSampler", "thresh": None, "min_kept": 4, "divisor": "kept"},
    "thresh, divided by all": {"type": "OHEMPixelSampler", "thresh": 0.45, "min_kept": 2, "divisor": "all"},
    "loss, divided by all": {"type": "OHEMPixelSampler", "thresh": None, "min_kept": 4, "divisor": "all"},
}


def maps(channels: int, ignore: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores (2, channels, 4, 3) float64 and their targets; a third of the pixels, or none, without a label."""
    generator = torch.Generator().manual_seed(3)
    logits = 1.5 * torch.randn(2, channels, 4, 3, generator=generator, dtype=torch.float64)
    target = torch.randint(max(channels, 2), (2, 4, 3), generator=generator)
    dropped = torch.rand(2, 4, 3, generator=generator) < 0.33
    return logits.requires_grad_(), target.where(~dropped, IGNORED) if ignore else target


def test_every_loss_of_labels_has_a_loop() -> None:
    assert set(LOOPS) == OF_LABELS


def test_every_sampler_is_composed() -> None:
    assert {entry.name for entry in registry.entries("pixel_sampler")} == {"OHEMPixelSampler"}


@pytest.mark.parametrize("scoring", ["softmax", "sigmoid", "one channel"])
@pytest.mark.parametrize("ignore", [False, True], ids=["labelled", "ignored"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("kind", sorted(LOOPS))
def test_the_loss_is_its_loops(kind: str, sampler: str, weighted: bool, ignore: bool, scoring: str) -> None:
    config: dict[str, Any] = {"type": kind, "sampler": SAMPLERS[sampler], "use_sigmoid": scoring == "sigmoid"}
    logits, target = maps(1 if scoring == "one channel" else 3, ignore)
    weight = [0.5, 2.0, 1.2][: max(logits.shape[1], 2)] if weighted else None
    if kind in RATIOS and "divided by all" in sampler:
        with pytest.raises(UserError, match="is not divided by a number of pixels"):
            Losses([config], None, IGNORED)
        return
    losses = Losses([{**config, "class_weight": weight}], None, IGNORED)
    found, _ = losses({"main": logits}, {"target": target})
    (gradient,) = torch.autograd.grad(found, logits)
    expected = LOOPS[kind](Case(logits, target, config, weight))
    (wanted,) = torch.autograd.grad(expected, logits)
    # distances are float32
    close = (
        {"rtol": 1e-6, "atol": 1e-7}
        if kind in ("BoundaryLoss", "HausdorffDistanceLoss")
        else {"rtol": 1e-10, "atol": 1e-13}
    )
    torch.testing.assert_close(found, expected, **close)
    torch.testing.assert_close(gradient, wanted, **close)
    assert wanted.any()
    assert not gradient.movedim(1, -1)[target == IGNORED].any()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("divisor", ["weights", "count", "all"])
@pytest.mark.parametrize("sampler", ["none", "thresh", "thresh, divided by all"])
@pytest.mark.parametrize("scoring", ["softmax", "sigmoid", "one channel"])
def test_divisors_and_smoothing_compose(scoring: str, sampler: str, divisor: str, smoothing: float) -> None:
    config = {
        "type": "CrossEntropyLoss",
        "divisor": divisor,
        "label_smoothing": smoothing,
        "sampler": SAMPLERS[sampler],
    }
    config["use_sigmoid"] = scoring == "sigmoid"
    logits, target = maps(1 if scoring == "one channel" else 3, ignore=True)
    weight = [0.5, 2.0, 1.2][: max(logits.shape[1], 2)]
    found, _ = Losses([{**config, "class_weight": weight}], None, IGNORED)({"main": logits}, {"target": target})
    expected = LOOPS["CrossEntropyLoss"](Case(logits, target, config, weight))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if "all" not in name])
@pytest.mark.parametrize("kind", sorted(LOOPS))
def test_a_batch_without_labels_gives_zero_and_no_gradient(kind: str, sampler: str) -> None:
    logits, target = maps(3, ignore=True)
    losses = Losses([{"type": kind, "sampler": SAMPLERS[sampler], "class_weight": [1.0, 2.0, 3.0]}], None, IGNORED)
    found, _ = losses({"main": logits}, {"target": torch.full_like(target, IGNORED)})
    (gradient,) = torch.autograd.grad(found, logits)
    assert found.item() == 0.0
    assert not gradient.any()


@pytest.mark.parametrize("kind", sorted(LOOPS))
def test_half_precision_scores_are_computed_in_float32(kind: str) -> None:
    logits, target = maps(3, ignore=True)
    half = logits.detach().to(torch.bfloat16)
    loss = Losses([{"type": kind}], None, IGNORED)
    found, _ = loss({"main": half}, {"target": target})
    exact, _ = loss({"main": half.double()}, {"target": target})
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(exact.item(), rel=1e-5)


@pytest.mark.parametrize("kind", sorted(set(LOOPS) - RATIOS))
def test_a_loss_of_pixels_is_the_mean_of_its_per_pixel_form(kind: str) -> None:
    logits, target = maps(3, ignore=True)
    loss = Losses([{"type": kind}], None, IGNORED)
    each = loss.terms[0].per_pixel(logits, {"target": target})
    assert each.shape == target.shape
    assert not each[target == IGNORED].any()
    total, _ = loss({"main": logits}, {"target": target})
    torch.testing.assert_close(total, each.sum() / (target != IGNORED).sum())
