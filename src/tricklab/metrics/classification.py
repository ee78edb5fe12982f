"""Overall accuracy, average accuracy, kappa and the per-class report, all from one confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tricklab.errors import UserError


def confusion_matrix(target: np.ndarray, prediction: np.ndarray, classes: int, ignore: int = -1) -> np.ndarray:
    """Count of every pair: rows are true classes, columns predicted ones.

    Args:
        target: true classes, any shape, integers in [0, classes) or ``ignore``.
        prediction: predicted classes, the same shape, integers in [0, classes) wherever the target is not ignored.
        classes: number of classes K.
        ignore: target that means "no label"; such items count nowhere.

    Returns:
        (K, K) int64.

    Raises:
        UserError: shapes differ, or a class lies outside [0, classes).

    >>> confusion_matrix(np.array([0, 0, 1, -1]), np.array([0, 1, 1, 0]), 2)
    array([[1, 1],
           [0, 1]])
    """
    target, prediction = np.asarray(target), np.asarray(prediction)
    if target.shape != prediction.shape:
        raise UserError(f"targets {target.shape} and predictions {prediction.shape} differ in shape", where="metrics")
    known = target != ignore
    true, said = target[known].astype(np.int64), prediction[known].astype(np.int64)
    for name, values in (("target", true), ("prediction", said)):
        if values.size and (values.min() < 0 or values.max() >= classes):
            raise UserError(
                f"a {name} lies outside the {classes} classes: {values.min()} to {values.max()}", where="metrics"
            )
    return np.bincount(true * classes + said, minlength=classes * classes).reshape(classes, classes)


def overall_accuracy(confusion: np.ndarray) -> float:
    """Share of items that are right; nan if there are none."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def average_accuracy(confusion: np.ndarray) -> float:
    """Mean recall over the classes that have items (scikit-learn's balanced accuracy); nan if none has.

    A class without a true item has no recall: it is left out, not counted as 0.
    """
    support = confusion.sum(axis=1)
    present = support > 0
    return float((np.diag(confusion)[present] / support[present]).mean()) if present.any() else float("nan")


def kappa(confusion: np.ndarray) -> float:
    """Cohen's kappa: (p_o - p_e) / (1 - p_e), p_e = sum_k row_k column_k / total^2.

    Where chance alone is always right (one class only, always predicted) kappa is 0 / 0; it is 0 here, for such an
    agreement says nothing. nan if there are no items.
    """
    total = int(confusion.sum())
    if total == 0:
        return float("nan")
    observed = np.trace(confusion) / total
    # the products overflow int64 at scenes of 3e9 pixels
    expected = float((confusion.sum(axis=0) / total) @ (confusion.sum(axis=1) / total))
    return float((observed - expected) / (1 - expected)) if expected < 1 else 0.0


def per_class_report(confusion: np.ndarray, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support of each class.

    Args:
        confusion: (K, K).
        names: K names; numbers if not given.

    Returns:
        One dict a class: ``class``, ``precision`` (None where the class was never predicted), ``recall`` (None where it
        has no true item), ``f1`` = 2 TP / (2 TP + FP + FN) (None where the class appears in neither), ``support``,
        ``predicted``. None says "undefined"; it is never a 0 in disguise.
    """
    hits, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    titles = [str(k) for k in range(len(confusion))] if names is None else list(names)
    if len(titles) != len(confusion):
        raise UserError(f"{len(titles)} class names for {len(confusion)} classes", where="metrics")
    return [
        {
            "class": titles[k],
            "precision": _share(hits[k], predicted[k]),
            "recall": _share(hits[k], support[k]),
            "f1": _share(2 * hits[k], predicted[k] + support[k]),
            "support": int(support[k]),
            "predicted": int(predicted[k]),
        }
        for k in range(len(confusion))
    ]


def trivial_scores(support: np.ndarray, prediction: int | None = None) -> dict[str, float]:
    """What a predictor scores that looks at nothing.

    Args:
        support: true items a class (K,), or a confusion matrix (K, K) whose rows are summed.
        prediction: the class it always says (the training set's most frequent one); the most frequent true class if
            not given.

    Returns:
        ``oa``, ``aa``, ``kappa`` (always 0) and ``class``, the class it says.
    """
    counts = np.asarray(support)
    counts = counts.sum(axis=1) if counts.ndim == 2 else counts
    said = int(counts.argmax()) if prediction is None else int(prediction)
    confusion = np.zeros((len(counts), len(counts)), dtype=np.int64)
    confusion[:, said] = counts
    return {
        "oa": overall_accuracy(confusion),
        "aa": average_accuracy(confusion),
        "kappa": kappa(confusion),
        "class": said,
    }


def binomial_standard_error(share: float, count: int) -> float:
    """Standard error of a share measured on ``count`` independent items: sqrt(p (1 - p) / n).

    Neighbouring pixels are not independent, so for one scene this is a lower bound.

    >>> round(binomial_standard_error(0.98, 9225), 5)
    0.00146
    """
    if count < 1 or not 0 <= share <= 1:
        raise ValueError(f"a share in [0, 1] of at least one item is needed, not {share} of {count}")
    return float(np.sqrt(share * (1 - share) / count))


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
