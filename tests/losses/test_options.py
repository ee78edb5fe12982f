"""What classes, images, smoothing, factors and divisors do beside their defaults, in sums over maps in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from tricklab.losses import Losses

IGNORED = 255
WEIGHT = [0.5, 2.0, 1.0, 3.0]
Ratio = Callable[[Tensor, Tensor], Tensor]


def maps() -> tuple[Tensor, Tensor]:
    """Scores (3, 4, 5, 6) and targets; class 2 is nowhere, and two rows have no label."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 5, 6, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 4, (3, 5, 6), generator=generator)
    target[target == 2] = 1
    target[0, :2] = IGNORED
    return logits, target


def loss(logits: Tensor, target: Tensor, **config: Any) -> float:
    return float(Losses([config], None, IGNORED)({"main": logits}, {"target": target})[0])


def dice(p: Tensor, t: Tensor) -> Tensor:
    return 1 - (2 * (p * t).sum() + 0.3) / (p.sum() + t.sum() + 0.3)


def jaccard(p: Tensor, t: Tensor) -> Tensor:
    return 1 - ((p * t).sum() + 0.3) / (p.sum() + t.sum() - (p * t).sum() + 0.3)


def tversky(p: Tensor, t: Tensor) -> Tensor:
    both = (p * t).sum()
    return 1 - (both + 0.3) / (both + 0.2 * (p.sum() - both) + 1.4 * (t.sum() - both) + 0.3)


REGIONS: list[tuple[dict[str, Any], Ratio]] = [
    ({"type": "DiceLoss", "smooth": 0.3, "exponent": 1}, dice),
    ({"type": "JaccardLoss", "smooth": 0.3}, jaccard),
    ({"type": "TverskyLoss", "smooth": 0.3, "alpha": 0.2, "beta": 1.4}, tversky),
]


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
@pytest.mark.parametrize("per_image", [True, False])
@pytest.mark.parametrize("classes", ["all", "present", [3, 1]], ids=str)
@pytest.mark.parametrize(("config", "ratio"), REGIONS, ids=[config["type"] for config, _ in REGIONS])
def test_regions_of_classes_and_images(
    config: dict[str, Any], ratio: Ratio, classes: Any, per_image: bool, weight: list[float] | None
) -> None:
    logits, target = maps()
    known = (target != IGNORED).unsqueeze(1)
    p = logits.softmax(1) * known
    t = functional.one_hot(target.where(target != IGNORED, 0), 4).movedim(-1, 1) * known
    total = over = 0.0
    for images in [slice(n, n + 1) for n in range(3)] if per_image else [slice(0, 3)]:
        for k in range(4) if isinstance(classes, str) else classes:
            if classes == "present" and not t[images, k].any():
                continue
            share = 1.0 if weight is None else weight[k]
            total, over = total + share * float(ratio(p[images, k], t[images, k])), over + share
    found = loss(logits, target, **config, classes=classes, per_image=per_image, class_weight=weight)
    assert found == pytest.approx(total / over, rel=1e-12)


def test_lovasz_of_each_image_is_the_mean_of_theirs() -> None:
    logits, target = maps()
    for classes in ("all", [3, 1]):
        alone = [
            loss(logits[n : n + 1], target[n : n + 1], type="LovaszLoss", classes=classes, per_image=False)
            for n in range(3)
        ]
        found = loss(logits, target, type="LovaszLoss", classes=classes, per_image=True)
        assert found == pytest.approx(sum(alone) / 3, rel=1e-12)
        assert found != pytest.approx(loss(logits, target, type="LovaszLoss", classes=classes), rel=1e-6)


def sides(region: Tensor) -> tuple[Tensor, Tensor]:
    """Distances to a region from outside, and to what is outside from within."""
    mask = region.numpy()
    if mask.all() or not mask.any():
        return (torch.zeros(mask.shape),) * 2
    return tuple(torch.from_numpy(ndimage.distance_transform_edt(side).astype(np.float32)) for side in (~mask, mask))


@pytest.mark.parametrize("divisor", ["count", "all"])
@pytest.mark.parametrize("kind", ["BoundaryLoss", "HausdorffDistanceLoss"])
def test_distances_of_chosen_classes_over_either_divisor(kind: str, divisor: str) -> None:
    logits, target = maps()
    known, p = target != IGNORED, logits.softmax(1)
    own = {"alpha": 1.3} if kind == "HausdorffDistanceLoss" else {}
    total = 0.0
    for n in range(3):
        for k in (1, 3):
            outside, inside = sides(target[n] == k)
            if own:
                drawn = sum(sides((p[n, k] > 0.5) & known[n])) ** 1.3
                each = (p[n, k] - (target[n] == k).double()) ** 2 * (drawn + (outside + inside) ** 1.3)
            else:
                each = p[n, k] * (outside - (inside - 1).clamp(min=0))
            total += WEIGHT[k] / (WEIGHT[1] + WEIGHT[3]) * float(each[known[n]].sum())
    found = loss(logits, target, type=kind, classes=[1, 3], class_weight=WEIGHT, divisor=divisor, **own)
    assert found == pytest.approx(total / int(known.sum() if divisor == "count" else known.numel()), rel=1e-6)


@pytest.mark.parametrize("divisor", ["count", "all"])
def test_focal_loss_has_either_divisor(divisor: str) -> None:
    logits, target = maps()
    log_p = logits.log_softmax(1)
    each = [
        -WEIGHT[int(target[n, y, x])] * (1 - log_p[n, target[n, y, x], y, x].exp()) * log_p[n, target[n, y, x], y, x]
        for n, y, x in (target != IGNORED).nonzero().tolist()
    ]
    found = loss(logits, target, type="FocalLoss", gamma=1.0, class_weight=WEIGHT, divisor=divisor)
    assert found == pytest.approx(float(sum(each)) / (len(each) if divisor == "count" else target.numel()), rel=1e-12)
