"""Rules on masks: the image is the unit, words and cures are those of masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.doctor.mask_cases import _collapsed, _terms, _unlabelled
from tricklab.doctor import Finding, Rule, all_rules
from tricklab.records import Evidence
from tricklab.tasks.mask_facts import share_errors

NAMES = ["road", "sky", "pole"]


def rule(name: str) -> Rule:
    return next(one for one in all_rules() if one.id == name)


def found(name: str, evidence: Evidence) -> Finding:
    finding = rule(name).check(evidence)
    assert finding is not None
    return finding


def masks(train: np.ndarray, val: np.ndarray, **facts: Any) -> Evidence:
    """Evidence of images with so many pixels of each class (N, K)."""
    splits = {"train": train, "val": val}
    return Evidence(
        recipe={"task": "segmentation", "metric": {"monitor": "val/miou", "delta": 0.01}},
        facts={
            "data/class_names": NAMES[: train.shape[1]],
            "data/class_counts": {name: part.sum(axis=0).tolist() for name, part in splits.items()},
            "data/class_share_errors": {name: share_errors(part) for name, part in splits.items()},
            "data/sizes": {name: len(part) for name, part in splits.items()},
            **facts,
        },
    )


def drawn(images: int, share: float, spread: float, seed: int) -> np.ndarray:
    """Images of 10,000 pixels; how much of one is the first class varies from image to image."""
    generator = np.random.default_rng(seed)
    first = generator.binomial(10_000, np.clip(generator.normal(share, spread, images), 0, 1))
    return np.stack([first, 10_000 - first], axis=1)


def test_few_images_that_differ_much_are_no_shift_however_many_pixels_they_have() -> None:
    # whole images of one class or the other: 80 % against 20 %, of five images each
    train, val = (np.array([[9_000, 100]] * a + [[100, 9_000]] * (5 - a)) for a in (4, 1))
    assert rule("D14").check(masks(train, val)) is None
    as_items = masks(train, val)
    as_items.recipe["task"] = "classification"
    assert found("D14", as_items).numbers["p"] < 1e-100


def test_a_shift_of_many_images_is_found_with_the_image_as_the_unit() -> None:
    train, val = drawn(80, 0.1, 0.04, seed=0), drawn(40, 0.3, 0.06, seed=1)
    finding = found("D14", masks(train, val))
    assert "road is 1" in finding.title
    assert "the image is the unit" in finding.title
    assert finding.numbers["p"] < 1e-6
    assert finding.fix == ()
    assert rule("D14").check(masks(train, drawn(40, 0.1, 0.04, seed=2))) is None


def test_chance_alone_is_reported_no_more_often_than_the_level() -> None:
    strict = type(rule("D14"))(ratio=1.0, level=0.05)  # type: ignore[call-arg]
    hits = sum(
        strict.check(masks(drawn(30, 0.3, 0.15, seed), drawn(20, 0.3, 0.15, 1000 + seed))) is not None
        for seed in range(400)
    )
    assert hits / 400 < 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_errors_of_shares_are_what_repeated_draws_show() -> None:
    shares = [(part := drawn(25, 0.3, 0.15, seed)).sum(axis=0)[0] / part.sum() for seed in range(500)]
    errors = [share_errors(drawn(25, 0.3, 0.15, seed)) for seed in range(500)]
    assert np.mean([error[0] for error in errors if error]) == pytest.approx(np.std(shares), rel=0.08)
    assert share_errors(drawn(1, 0.3, 0.1, 0)) is None


def test_rare_classes_are_named_as_pixels_with_the_cure_for_masks() -> None:
    counts = np.array([[9_000, 500, 10], [9_000, 400, 0]])
    finding = found("D03", masks(counts, counts))
    assert "training pixels" in finding.title
    assert finding.fix == ("+class_weights",)
    empty = masks(counts, np.array([[9_000, 500, 0]]))
    assert found("D02", empty).title == "classes without a pixel (val: pole)"


def test_a_set_of_images_that_cannot_show_the_effect() -> None:
    counts = np.array([[100, 100]] * 25)
    finding = found("D15", masks(counts, counts, **{"evaluate/standard_errors": {"miou": 0.02}}))
    assert finding.numbers["items_needed"] == 400
    for error in (0.004, float("nan")):
        assert rule("D15").check(masks(counts, counts, **{"evaluate/standard_errors": {"miou": error}})) is None


def test_what_is_never_predicted_is_named() -> None:
    title = found("D04", _collapsed(0)).title
    assert title == "1 of 2 classes are predicted less than 0.1 times as often as they occur, 1 of them never (pole)"
    few = Evidence(result={"confusion": [[90, 0], [19, 0]], "classes": ["a", "b"]})
    assert rule("D04").check(few) is None
    often = Evidence(result={"confusion": [[500, 500], [0, 20]], "classes": ["a", "b"]})
    assert "1 more than 10 times as often" in found("D04", often).title


def test_auxiliary_terms_and_terms_that_say_nothing() -> None:
    assert (
        found("O18", _terms(1.0, 1.2)).title
        == "the auxiliary terms are 55% of the training loss: A.main 45%, A.aux 55%"
    )
    assert found("O18", _terms(1.0, 0.001)).title == "A.aux is 0.10% of the training loss"
    alone = Evidence(rows=[{"phase": "train", "step": 1, "loss": 1.0, "loss/A.main": 1.0}])
    assert rule("O18").check(alone) is None


def test_pixels_without_labels() -> None:
    finding = found("O19", _unlabelled(0.2, "all"))
    assert "0.80 times" in finding.title
    assert finding.fix == ("losses.0.divisor=count",)
    assert found("O19", _unlabelled(0.7)).severity == "warning"
    assert rule("O19").check(_unlabelled(0.01, "all")) is None
