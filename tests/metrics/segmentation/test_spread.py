"""Standard errors over images against scikit-learn's scores of all images but one, and against repeated draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sklearn

from tests.metrics.segmentation.test_regions import masks
from tricklab.metrics.segmentation import image_standard_errors, mask_confusion

NAMES = ("miou", "mdice", "macc", "aacc")


def counts(pairs: list[tuple[np.ndarray, np.ndarray]], classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    each = np.stack([mask_confusion(*pair, classes) for pair in pairs])
    return np.einsum("nkk->nk", each), each.sum(axis=2), each.sum(axis=1)


def test_errors_are_those_of_leaving_out_one_image_after_the_other() -> None:
    pairs = [masks(seed, classes=4) for seed in range(6)]
    known = [(target[target != 255], prediction[target != 255]) for target, prediction in pairs]
    found = image_standard_errors(*counts(pairs, 4))
    assert set(found) == set(NAMES)
    scores = []
    for left in range(6):
        true, said = (np.concatenate([pair[side] for n, pair in enumerate(known) if n != left]) for side in (0, 1))
        seen = sorted(set(true) | set(said))
        macro = {"labels": seen, "average": "macro", "zero_division": np.nan}
        scores.append(
            [
                sklearn.jaccard_score(true, said, labels=seen, average="macro"),
                sklearn.f1_score(true, said, **macro),
                sklearn.recall_score(true, said, **macro),
                sklearn.accuracy_score(true, said),
            ]
        )
    spread = np.array(scores) - np.mean(scores, axis=0)
    expected = np.sqrt(5 / 6 * (spread**2).sum(axis=0))
    assert [found[name] for name in NAMES] == pytest.approx(expected.tolist(), rel=1e-9)


def test_the_error_is_what_new_images_show_and_not_that_of_independent_pixels() -> None:
    generator = np.random.default_rng(0)

    def draw(images: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Images of 100 pixels of each of two classes, each image with its own share of right ones."""
        right = generator.binomial(100, generator.beta(4, 2, (images, 1)), (images, 2))
        return right, np.full((images, 2), 100), right + 100 - right[:, ::-1]

    def miou(parts: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
        hits, truth, predicted = (part.sum(axis=0) for part in parts)
        return float((hits / (truth + predicted - hits)).mean())

    drawn = [draw(40) for _ in range(400)]
    seen = np.std([miou(parts) for parts in drawn], ddof=1)
    told = np.mean([image_standard_errors(*parts)["miou"] for parts in drawn])
    assert told == pytest.approx(seen, rel=0.12)
    assert told > 3 * math.sqrt(0.5 * 0.5 / (40 * 200))


def test_images_without_labels_say_nothing_and_one_image_has_no_error() -> None:
    found = counts([masks(seed, classes=3) for seed in range(4)], 3)
    with_empty = [np.concatenate([part, np.zeros((1, 3), dtype=int)]) for part in found]
    assert image_standard_errors(*with_empty) == image_standard_errors(*found)
    assert all(math.isnan(value) for value in image_standard_errors(*(part[:1] for part in found)).values())
