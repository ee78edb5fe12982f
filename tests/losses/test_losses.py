"""Losses against float64 formulas written out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from tricklab import registry
from tricklab.errors import UserError
from tricklab.losses import Losses, class_weights
from tricklab.observe import listening

COUNTS = [20, 5, 0, 75]


def scores(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(12, 4, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    target = torch.tensor([0, 1, 2, 3, -1, 0, 3, 3, -1, 1, 0, 3])
    return logits, target


def by_hand(logits: torch.Tensor, target: torch.Tensor, weight: list[float], smoothing: float, divisor: str) -> float:
    total, over = 0.0, 0.0
    for row, true in zip(logits.detach().double().tolist(), target.tolist(), strict=True):
        if true == -1:
            continue
        largest = max(row)
        log_sum = largest + math.log(sum(math.exp(value - largest) for value in row))
        for k, value in enumerate(row):
            wanted = (1 - smoothing) * (k == true) + smoothing / len(row)
            total -= weight[k] * wanted * (value - log_sum)
        over += weight[true] if divisor == "weights" else 1
    return total / over


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("divisor", ["weights", "count"])
@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.5, 3.0]])
def test_cross_entropy_follows_its_formula(weight: list[float] | None, divisor: str, smoothing: float) -> None:
    logits, target = scores()
    config = {"type": "CrossEntropyLoss", "class_weight": weight, "label_smoothing": smoothing, "divisor": divisor}
    found = registry.build("loss", config, class_counts=None)(logits, {"target": target})
    assert found.item() == pytest.approx(by_hand(logits, target, weight or [1.0] * 4, smoothing, divisor), rel=1e-12)


def test_the_default_is_torchs_mean() -> None:
    logits, target = scores()
    weight = torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)
    ours = registry.build("loss", {"type": "CrossEntropyLoss", "class_weight": weight.tolist()}, class_counts=None)
    theirs = torch.nn.functional.cross_entropy(logits, target, weight, ignore_index=-1)
    assert ours(logits, {"target": target}).item() == pytest.approx(theirs.item(), rel=1e-14)


def test_maps_of_scores_count_every_position() -> None:
    logits, target = scores()
    images = logits.T.reshape(1, 4, 3, 4)
    loss = registry.build("loss", {"type": "CrossEntropyLoss"}, class_counts=None)
    assert torch.allclose(
        loss(images, {"target": target.reshape(1, 3, 4)}), loss(logits, {"target": target}), rtol=1e-12
    )


@pytest.mark.parametrize("config", [{"type": "CrossEntropyLoss", "class_weight": "balanced"}, {"type": "FocalLoss"}])
def test_a_batch_without_labels_gives_zero_and_no_gradient(config: dict[str, Any]) -> None:
    logits, target = scores()
    loss = registry.build("loss", config, class_counts=COUNTS)(logits, {"target": torch.full_like(target, -1)})
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert logits.grad.equal(torch.zeros_like(logits))


def test_a_batch_of_classes_without_weight_gives_zero() -> None:
    logits, target = scores()
    loss = registry.build("loss", {"type": "CrossEntropyLoss", "class_weight": "balanced"}, class_counts=COUNTS)
    assert loss(logits, {"target": torch.full_like(target, 2)}).item() == 0.0


@pytest.mark.parametrize("kind", ["CrossEntropyLoss", "FocalLoss"])
def test_half_precision_is_computed_in_float32(kind: str) -> None:
    logits, target = scores(torch.bfloat16)
    loss = registry.build("loss", {"type": kind}, class_counts=None)
    found = loss(logits, {"target": target})
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(loss(logits.double(), {"target": target}).item(), rel=1e-6)


def test_balanced_weights_are_scikit_learns() -> None:
    labels = np.repeat(np.arange(4), COUNTS)
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels)
    found = class_weights("balanced", COUNTS)
    assert found[[0, 1, 3]].tolist() == pytest.approx(expected.tolist(), rel=1e-12)
    assert found[2] == 0
    assert float((found * torch.tensor(COUNTS)).sum()) == pytest.approx(sum(COUNTS))


def test_inverse_and_effective_weights() -> None:
    inverse = class_weights("inverse", COUNTS)
    assert (inverse * torch.tensor(COUNTS))[[0, 1, 3]].tolist() == pytest.approx([float(inverse[0]) * 20] * 3)
    assert float(inverse.sum()) == pytest.approx(3.0)
    effective = class_weights("effective", COUNTS, beta=0.9)
    raw = [(1 - 0.9) / (1 - 0.9**n) for n in (20, 5, 75)]
    assert effective[[0, 1, 3]].tolist() == pytest.approx([3 * value / sum(raw) for value in raw])
    assert class_weights("effective", COUNTS, beta=0.0)[[0, 1, 3]].tolist() == pytest.approx([1.0] * 3)
    with pytest.raises(UserError, match="at least one class"):
        class_weights("balanced", [0, 0])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("alpha", [None, [1.0, 2.0, 0.5, 3.0]])
def test_focal_loss_follows_equation_5(gamma: float, alpha: list[float] | None) -> None:
    logits, target = scores()
    total = 0.0
    for row, true in zip(logits.detach().softmax(1).tolist(), target.tolist(), strict=True):
        if true != -1:
            total -= (alpha[true] if alpha else 1.0) * (1 - row[true]) ** gamma * math.log(row[true])
    loss = registry.build("loss", {"type": "FocalLoss", "gamma": gamma, "alpha": alpha}, class_counts=None)
    assert loss(logits, {"target": target}).item() == pytest.approx(total / 10, rel=1e-12)
    assert torch.autograd.gradcheck(lambda x: loss(x, {"target": target}), (logits,))


def test_without_gamma_focal_loss_is_cross_entropy() -> None:
    logits, target = scores()
    focal = registry.build("loss", {"type": "FocalLoss", "gamma": 0.0}, class_counts=None)
    plain = registry.build("loss", {"type": "CrossEntropyLoss"}, class_counts=None)
    assert torch.allclose(focal(logits, {"target": target}), plain(logits, {"target": target}), rtol=1e-12)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("use_sigmoid", [False, True])
def test_the_factor_is_observed_of_any_scores_and_targets(use_sigmoid: bool, soft: bool) -> None:
    logits, target = scores()
    known = target >= 0
    one_hot = functional.one_hot(target.clamp(min=0), 4).double() * known.unsqueeze(1)
    batch = {"target": target, **({"soft_target": 0.7 * one_hot + 0.1 * known.unsqueeze(1)} if soft else {})}
    loss = registry.build("loss", {"type": "FocalLoss", "gamma": 1.5, "use_sigmoid": use_sigmoid}, class_counts=None)
    with listening() as listener:
        loss(logits, batch)
    share = batch.get("soft_target", one_hot)
    p = logits.sigmoid() if use_sigmoid else logits.softmax(1)
    each = share * (1 - p) ** 1.5
    if use_sigmoid:
        each = (each + (share.sum(1, keepdim=True) - share) * p**1.5) / 4  # of four classes
    found = listener.drain()["focal/factor"]["mean"]
    assert found == pytest.approx((each.sum() / share.sum()).item(), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_of_sure_samples_has_a_finite_gradient(gamma: float) -> None:
    logits = torch.tensor([[200.0, 0.0], [-200.0, 0.0]], requires_grad=True)
    loss = registry.build("loss", {"type": "FocalLoss", "gamma": gamma}, class_counts=None)
    loss(logits, {"target": torch.tensor([0, 0])}).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad[1].abs().sum() > 0


def test_terms_add_up_to_the_total() -> None:
    logits, target = scores()
    configs = [
        {"type": "CrossEntropyLoss"},
        {"type": "FocalLoss", "on": "aux", "weight": 0.4},
        {"type": "CrossEntropyLoss", "label_smoothing": 0.2, "weight": 2.0},
    ]
    losses = Losses(configs, class_counts=COUNTS)
    total, terms = losses({"main": logits, "aux": logits * 2}, {"target": target})
    assert list(terms) == ["CrossEntropyLoss.main", "FocalLoss.aux", "CrossEntropyLoss.main#2"]
    assert total.item() == pytest.approx(sum(term.item() for term in terms.values()), rel=1e-12)
    alone = registry.build("loss", configs[1], class_counts=COUNTS)(logits * 2, {"target": target})
    assert terms["FocalLoss.aux"].item() == pytest.approx(0.4 * alone.item(), rel=1e-12)
    assert total.requires_grad


def test_a_missing_output_lists_those_there_are() -> None:
    losses = Losses([{"type": "CrossEntropyLoss", "on": "auxiliary"}], class_counts=None)
    with pytest.raises(
        UserError, match=r"losses\.0\.on: the model has no output 'auxiliary'; it has 'main', 'auxilary'"
    ):
        losses(
            {"main": torch.zeros(1, 2), "auxilary": torch.zeros(1, 2)}, {"target": torch.zeros(1, dtype=torch.int64)}
        )


@pytest.mark.parametrize(
    "configs",
    [
        [{"type": "CrossEntropyLoss"}],
        [{"type": "CrossEntropyLoss", "class_weight": "balanced"}],
        [{"type": "CrossEntropyLoss", "class_weight": "effective", "divisor": "count", "label_smoothing": 0.3}],
        [{"type": "CrossEntropyLoss", "class_weight": [1.0, 2.0, 3.0, 4.0], "label_smoothing": 0.3}],
        [{"type": "FocalLoss", "gamma": 2.0, "alpha": "inverse"}, {"type": "CrossEntropyLoss", "weight": 0.5}],
    ],
)
def test_the_expected_initial_loss_is_that_of_equal_scores(configs: list[dict[str, Any]]) -> None:
    losses = Losses(configs, class_counts=COUNTS)
    target = torch.repeat_interleave(torch.arange(4), torch.tensor(COUNTS))
    total, _ = losses({"main": torch.full((100, 4), 0.7, dtype=torch.float64)}, {"target": target})
    assert losses.expected_initial(4) == pytest.approx(total.item(), rel=1e-12)


@pytest.mark.parametrize("kind", ["CrossEntropyLoss", "FocalLoss"])
def test_an_ignored_class_is_not_expected(kind: str) -> None:
    losses = Losses([{"type": kind, "ignore_index": 3}], class_counts=COUNTS)
    target = torch.repeat_interleave(torch.arange(4), torch.tensor(COUNTS))
    total, _ = losses({"main": torch.zeros(100, 4, dtype=torch.float64)}, {"target": target})
    assert losses.expected_initial(4) == pytest.approx(total.item(), rel=1e-12)
    assert Losses([{"type": kind, "ignore_index": 3}], class_counts=[0, 0, 0, 9]).expected_initial(4) is None


def test_without_weights_the_expected_initial_loss_is_log_k() -> None:
    assert Losses([{"type": "CrossEntropyLoss"}], None).expected_initial(16) == pytest.approx(math.log(16))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "CrossEntropyLoss", "class_weight": [1.0, 2.0]}, "2 weights for 4 classes"),
        ({"type": "CrossEntropyLoss", "class_weight": [1.0, -2.0, 1.0, 1.0]}, "not negative"),
        ({"type": "CrossEntropyLoss", "class_weight": [0.0] * 4}, "not all zero"),
        ({"type": "CrossEntropyLoss", "class_weight": "balance"}, "class_weight"),
        ({"type": "CrossEntropyLoss", "label_smoothing": 1.0}, "label_smoothing"),
        ({"type": "CrossEntropyLoss", "beta": 1.0}, "beta"),
        ({"type": "FocalLoss", "alpha": "effective", "beta": 1.0}, "beta"),
        ({"type": "FocalLoss", "gamma": -1.0}, "gamma"),
        ({"type": "FocalLoss", "lable_smoothing": 0.1}, "unknown key"),
    ],
)
def test_wrong_settings_are_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Losses([config], class_counts=COUNTS)


def test_a_training_needs_a_loss_and_weights_need_counts() -> None:
    with pytest.raises(UserError, match="at least one loss"):
        Losses([], class_counts=COUNTS)
    with pytest.raises(UserError, match="class counts are not known"):
        Losses([{"type": "CrossEntropyLoss", "class_weight": "balanced"}], class_counts=None)
