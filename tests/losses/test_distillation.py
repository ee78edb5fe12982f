"""Distillation against the formulas of its papers and of DeiT's code, in float64."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from tricklab import registry
from tricklab.errors import UserError
from tricklab.losses import Losses
from tricklab.losses.distillation import DistillationLoss
from tricklab.observe import listening

TEACHER = {"type": "FinishedRun", "folder": "runs/teacher"}
CLASSES = 5


def scores(count: int, seed: int, spread: float = 3.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(count, CLASSES, generator=generator, dtype=torch.float64)


def loss_of(**keys: Any) -> DistillationLoss:
    built: DistillationLoss = registry.build("loss", {"type": "DistillationLoss", "teacher": TEACHER, **keys})
    return built


def asked(loss: DistillationLoss, taught: torch.Tensor, **batch: Any) -> dict[str, Any]:
    return {**batch, loss.teacher_key: taught}


@pytest.mark.parametrize("count", [1, 2, 7, 16])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 20.0])
def test_soft_is_the_divergence_of_softened_distributions(count: int, temperature: float) -> None:
    student, teacher = scores(count, 1), scores(count, 2)
    total = 0.0
    for row, wanted in zip(student.tolist(), teacher.tolist(), strict=True):
        q = [math.exp(value / temperature) for value in row]
        p = [math.exp(value / temperature) for value in wanted]
        q, p = [value / sum(q) for value in q], [value / sum(p) for value in p]
        total += sum(a * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True))
    loss = loss_of(temperature=temperature)
    found = loss(student, asked(loss, teacher))
    assert found.item() == pytest.approx(temperature**2 * total / count, rel=1e-12)
    assert loss(teacher, asked(loss, teacher)).item() == pytest.approx(0.0, abs=1e-14)


@pytest.mark.parametrize("count", [3, 8])
@pytest.mark.parametrize("mode", ["soft", "hard"])
@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_with_mixed_targets_the_total_is_that_of_deits_code(count: int, mode: str, alpha: float) -> None:
    temperature = 3.0 if mode == "soft" else 1.0
    generator = torch.Generator().manual_seed(4)
    first, second = (functional.one_hot(torch.randint(CLASSES, (count,), generator=generator), CLASSES) for _ in "ab")
    mixed = 0.3 * first.double() + 0.7 * second.double()
    main, second_head = (scores(count, seed).requires_grad_() for seed in (5, 6))
    teacher = scores(count, 7)
    base = -(mixed * functional.log_softmax(main, dim=-1)).sum(dim=-1).mean()
    if mode == "soft":
        log_q, log_p = (functional.log_softmax(found / temperature, dim=1) for found in (second_head, teacher))
        # the code divides by numel()
        apart = (log_p.exp() * (log_p - log_q)).sum() * temperature**2 / second_head.numel()
    else:
        apart = functional.cross_entropy(second_head, teacher.argmax(dim=1))
    wanted = base * (1 - alpha) + apart * alpha
    expected = torch.autograd.grad(wanted, (main, second_head))
    distilling = {"type": "DistillationLoss", "teacher": TEACHER, "on": "distillation", "weight": alpha, "mode": mode}
    if mode == "soft":
        distilling |= {"temperature": temperature, "divisor": "scores"}
    losses = Losses([{"type": "CrossEntropyLoss", "weight": 1 - alpha}, distilling], None)
    batch = asked(losses.terms[1], teacher, target=first.argmax(dim=1), soft_target=mixed)
    total, terms = losses({"main": main, "distillation": second_head}, batch)
    assert total.item() == pytest.approx(wanted.item(), rel=1e-12)
    assert terms["DistillationLoss.distillation"].item() == pytest.approx(alpha * apart.item(), rel=1e-12)
    for found, right in zip(torch.autograd.grad(total, (main, second_head)), expected, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-12, atol=1e-15)


def test_the_gradient_keeps_its_size_as_the_temperature_grows() -> None:
    student, teacher = scores(8, 1).requires_grad_(), scores(8, 2)
    sizes = []
    for temperature in (100.0, 1000.0):
        loss = loss_of(temperature=temperature)
        (gradient,) = torch.autograd.grad(loss(student, asked(loss, teacher)), student)
        sizes.append(gradient.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
    # Hinton's limit: differences of the centred scores, divided by K and the number of images
    centred = [found - found.mean(dim=1, keepdim=True) for found in (student.detach(), teacher)]
    assert sizes[1] == pytest.approx(((centred[0] - centred[1]) / CLASSES / 8).norm().item(), rel=0.01)


def test_hard_learns_the_teachers_class_and_no_gradient_reaches_the_teacher() -> None:
    student, teacher = scores(6, 1).requires_grad_(), scores(6, 2).requires_grad_()
    loss = loss_of(mode="hard")
    found = loss(student, asked(loss, teacher))
    by_hand = [-functional.log_softmax(row, 0)[wanted] for row, wanted in zip(student, teacher.argmax(1), strict=True)]
    assert found.item() == pytest.approx(torch.stack(by_hand).mean().item(), rel=1e-12)
    found.backward()
    assert teacher.grad is None
    assert student.grad is not None


def test_agreement_is_observed() -> None:
    loss = loss_of()
    student = torch.tensor([[2.0, 0, 0, 0, 0], [0, 2.0, 0, 0, 0], [0, 0, 2.0, 0, 0], [0, 0, 0, 2.0, 0]])
    teacher = torch.tensor([[5.0, 0, 0, 0, 0], [0, 5.0, 0, 0, 0], [0, 0, 5.0, 0, 0], [5.0, 0, 0, 0, 0]])
    with listening() as listener:
        loss(student, asked(loss, teacher))
    seen = listener.drain()
    assert seen["distill/agreement"]["mean"] == pytest.approx(0.75)
    assert seen["distill/teacher_confidence"]["mean"] == pytest.approx(math.exp(5) / (math.exp(5) + 4))


def test_half_precision_is_computed_in_float32() -> None:
    loss = loss_of(temperature=2.0)
    student, teacher = scores(4, 1).to(torch.bfloat16), scores(4, 2)
    found = loss(student, asked(loss, teacher))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(loss(student.double(), asked(loss, teacher)).item(), rel=1e-5)


def test_an_evaluation_has_only_the_terms_that_need_nothing_of_training() -> None:
    hard = {"type": "DistillationLoss", "teacher": TEACHER, "mode": "hard", "on": "distillation", "weight": 0.5}
    losses = Losses([{"type": "CrossEntropyLoss", "weight": 0.5}, hard, {"type": "FocalLoss", "on": "aux"}], None)
    assert losses.outputs == ["main", "aux"]
    assert losses.evaluated(["main"]) == ["CrossEntropyLoss.main"]
    assert losses.evaluated(["main", "aux"]) == ["CrossEntropyLoss.main", "FocalLoss.aux"]
    student, target = scores(4, 1), torch.tensor([0, 1, 2, 3])
    total, terms = losses({"main": student}, {"target": target}, losses.evaluated(["main"]))
    assert list(terms) == ["CrossEntropyLoss.main"]
    assert total.item() == pytest.approx(0.5 * functional.cross_entropy(student, target).item(), rel=1e-12)


def test_the_expected_first_loss_is_known_of_hard_terms_alone() -> None:
    configs = [{"type": "CrossEntropyLoss"}, {"type": "DistillationLoss", "teacher": TEACHER, "mode": "hard"}]
    assert Losses(configs, None).expected_initial(7) == pytest.approx(2 * math.log(7))
    assert Losses([configs[0], {**configs[1], "mode": "soft"}], None).expected_initial(7) is None


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"temperature": 0.0}, "temperature: must be above 0"),
        ({"mode": "hard", "temperature": 2.0}, "temperature: does nothing in mode hard"),
        ({"mode": "hard", "divisor": "scores"}, "divisor: does nothing in mode hard"),
        ({"teacher": {"type": "FinishedRn", "folder": "x"}}, "did you mean 'FinishedRun'"),
        ({"teacher": {"type": "FinishedRun"}}, "teacher.folder: FinishedRun needs the key 'folder'"),
    ],
)
def test_what_cannot_be_is_one_clear_error(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        loss_of(**keys)


def test_scores_of_another_shape_or_none_at_all_are_refused() -> None:
    loss = loss_of()
    with pytest.raises(UserError, match="nobody asked the teacher"):
        loss(scores(4, 1), {"target": torch.zeros(4)})
    with pytest.raises(UserError, match=r"the teacher gives scores \(3, 5\)"):
        loss(scores(4, 1), asked(loss, scores(3, 1)))


def test_terms_with_the_same_teacher_share_it() -> None:
    other = {"type": "FinishedRun", "folder": "runs/other"}
    configs = [
        {"type": "DistillationLoss", "teacher": TEACHER},
        {"type": "DistillationLoss", "teacher": TEACHER, "on": "distillation", "mode": "hard"},
        {"type": "DistillationLoss", "teacher": other},
    ]
    losses = Losses(configs, None)
    keys = [term.teacher_key for term in losses.terms]
    assert keys[0] == keys[1] != keys[2]
    assert [Path(found["folder"]).name for found in losses.teachers.values()] == ["teacher", "other"]
