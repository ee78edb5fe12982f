"""What a confusion matrix of pixels says: accuracy, IoU, F-score, precision, recall, of the whole set and per image.

A class that is in neither truth nor prediction has no IoU; it is left out of the mean and named by ``left_out``. It is
never a 0, which would punish, nor a 1, which would flatter. OpenMMLab's ``nan_to_num`` does one of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tricklab.errors import UserError

IGNORE = 255


def mask_confusion(target: np.ndarray, prediction: np.ndarray, classes: int, ignore: int = IGNORE) -> np.ndarray:
    """Pixels of every pair: rows are true classes, columns predicted ones.

    One count without a mask: ignored pixels fall into a row of their own that is cut off.

    Args:
        target: true classes, any shape, integers in [0, classes) or ``ignore``.
        prediction: predicted classes, the same shape, integers in [0, classes), where the target is ignored too.
        classes: number of classes K.
        ignore: target that means "no class", at least K.

    Returns:
        (K, K) int64.

    Raises:
        UserError: shapes differ, values are no integers, or one lies outside; the message names it and how often it
            occurs.

    >>> mask_confusion(np.array([[0, 0, 1, 255]]), np.array([[0, 1, 1, 0]]), 2)
    array([[1, 1],
           [0, 1]])
    """
    target, prediction = np.asarray(target), np.asarray(prediction)
    if target.shape != prediction.shape:
        raise UserError(f"masks {target.shape} and predictions {prediction.shape} differ in shape", where="metrics")
    for name, values in (("mask", target), ("prediction", prediction)):
        if values.dtype.kind not in "biu":
            raise UserError(f"a {name} of {values.dtype} holds no classes", where="metrics", fix="integers")
    if ignore < classes:
        raise UserError(f"the ignored value {ignore} is one of the {classes} classes", where="metrics", fix="255")
    if not target.size:
        return np.zeros((classes, classes), dtype=np.int64)
    for name, values, end in (("mask", target, ignore), ("prediction", prediction, classes - 1)):
        if _unsigned(values).max() > end:
            raise _outside(name, values, classes, ignore)
    # two bytes a pixel where they suffice: what is read and written is most of the time
    small = np.uint16 if ignore * classes < 1 << 16 else np.intp
    codes = np.multiply(target, classes, dtype=small, casting="unsafe")
    codes = np.add(codes, prediction, dtype=np.intp, casting="unsafe")
    table = np.bincount(codes.ravel(), minlength=(ignore + 1) * classes).reshape(ignore + 1, classes)
    if table[classes:ignore].any():
        raise _outside("mask", target, classes, ignore)
    return table[:classes]


def mask_scores(confusion: np.ndarray) -> dict[str, float]:
    """Scores of all pixels together, means over the classes that have them (nan if none has).

    Args:
        confusion: (K, K), rows true, summed over images.

    Returns:
        ``aacc``: share of right pixels. ``miou``: mean TP / (TP + FP + FN). ``mdice`` and ``mfscore``: mean
        2 TP / (2 TP + FP + FN), which are the same number under its two names. ``macc`` and ``mrecall``: mean
        TP / (TP + FN), likewise one number. ``mprecision``: mean TP / (TP + FP).
        The names are OpenMMLab's.

    >>> scores = mask_scores(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    >>> round(scores["miou"], 3), scores["macc"], scores["aacc"]
    (0.775, 0.875, 0.875)
    """
    hits, truth, predicted = parts(confusion)
    total = truth.sum()
    recall, dice = mean_share(hits, truth), mean_share(2 * hits, truth + predicted)
    return {
        "aacc": float(hits.sum() / total) if total else float("nan"),
        "miou": mean_share(hits, truth + predicted - hits),
        "macc": recall,
        "mfscore": dice,
        "mprecision": mean_share(hits, predicted),
        "mrecall": recall,
        "mdice": dice,
    }


def per_image_scores(hits: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of each image alone.

    Args:
        hits: right pixels of each image and class (N, K); ``truth`` and ``predicted``: true and predicted ones.

    Returns:
        ``accuracy``, ``iou`` and ``dice``, (N,) float64: the last two are means over the classes that are in the
        image's mask or prediction; nan for an image without a pixel that counts. The mean of ``iou`` over the images
        is what Wang et al. 2023 (Revisiting Evaluation Metrics for Semantic Segmentation) call mIoU^I, but that
        theirs takes the classes of the mask alone, so that a class predicted where it is not costs nothing there.
    """
    hits, truth, predicted = (np.asarray(part, dtype=np.int64) for part in (hits, truth, predicted))
    return {
        "accuracy": _divided(hits.sum(axis=1), truth.sum(axis=1)),
        "iou": row_means(hits, truth + predicted - hits),
        "dice": row_means(2 * hits, truth + predicted),
    }


def mask_report(confusion: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """One dict a class: ``class``, ``iou``, ``acc`` (recall), ``dice``, ``precision``, ``support``, ``predicted``.

    Undefined shares are None: no IoU or Dice of a class in neither mask nor prediction, no ``acc`` of one without a
    true pixel, no ``precision`` of one that was never predicted. ``support`` and ``predicted`` are pixels.
    """
    if len(names) != len(confusion):
        raise UserError(f"{len(names)} class names for {len(confusion)} classes", where="metrics")
    hits, truth, predicted = parts(confusion)
    columns = {
        "iou": _divided(hits, truth + predicted - hits),
        "acc": _divided(hits, truth),
        "dice": _divided(2 * hits, truth + predicted),
        "precision": _divided(hits, predicted),
    }
    return [
        {
            "class": name,
            **{column: None if np.isnan(found[k]) else float(found[k]) for column, found in columns.items()},
            "support": int(truth[k]),
            "predicted": int(predicted[k]),
        }
        for k, name in enumerate(names)
    ]


def left_out(confusion: np.ndarray, names: Sequence[str]) -> dict[str, list[str]]:
    """Classes that a mean leaves out: ``absent`` (in neither), ``no_truth`` (predicted only), ``never_predicted``.

    ``absent`` ones are in no mean; ``no_truth`` ones have no recall; ``never_predicted`` ones no precision.
    """
    _, truth, predicted = parts(confusion)
    return {
        "absent": [name for k, name in enumerate(names) if not truth[k] and not predicted[k]],
        "no_truth": [name for k, name in enumerate(names) if not truth[k] and predicted[k]],
        "never_predicted": [name for k, name in enumerate(names) if truth[k] and not predicted[k]],
    }


def constant_scores(truth: np.ndarray, said: int) -> dict[str, float]:
    """What answering one class at every pixel scores, under the names of ``MaskScores.values`` but ``loss``.

    Args:
        truth: true pixels of each image and class (N, K).
        said: the class, such as the commonest of the training masks.

    Returns:
        The boundary scores are 0: such an answer has no boundary.
    """
    truth = np.asarray(truth, dtype=np.int64)
    confusion = np.zeros((truth.shape[1], truth.shape[1]), dtype=np.int64)
    confusion[:, said] = truth.sum(axis=0)
    hits, predicted = np.zeros_like(truth), np.zeros_like(truth)
    hits[:, said], predicted[:, said] = truth[:, said], truth.sum(axis=1)
    images = per_image_scores(hits, truth, predicted)
    return {
        **mask_scores(confusion),
        "miou_per_image": finite_mean(images["iou"]),
        "mdice_per_image": finite_mean(images["dice"]),
        "boundary_f": 0.0,
        "boundary_f_per_image": 0.0,
    }


def parts(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right, true and predicted pixels of each class (K,)."""
    return np.diag(confusion).copy(), confusion.sum(axis=1), confusion.sum(axis=0)


def mean_share(part: np.ndarray, whole: np.ndarray) -> float:
    """Mean of part / whole over the classes whose whole is not 0; nan if there is none."""
    return finite_mean(_divided(part, whole))


def finite_mean(values: np.ndarray) -> float:
    """Mean of what is not nan; nan if nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _divided(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole != 0)


def _unsigned(values: np.ndarray) -> np.ndarray:
    """The same bits as numbers from 0 on; negative ones are larger than any class."""
    return values.view(f"u{values.itemsize}") if values.dtype.kind == "i" else values


def row_means(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """(N,) mean of part / whole (N, K) over the classes of a row whose whole is not 0; nan where there is none."""
    shares, known = _divided(part, whole), whole != 0
    return _divided(np.where(known, shares, 0.0).sum(axis=1), known.sum(axis=1))


def _outside(name: str, values: np.ndarray, classes: int, ignore: int) -> UserError:
    found, counts = np.unique(values, return_counts=True)
    allowed = (found >= 0) & (found < classes) | ((found == ignore) & (name == "mask"))
    shown = ", ".join(f"{value} ({count} px)" for value, count in zip(found[~allowed], counts[~allowed], strict=True))
    known = f"0 to {classes - 1}" + (f" and {ignore}" if name == "mask" else "")
    return UserError(f"a {name} holds values that are no class: {shown}", where="metrics", fix=f"values are {known}")
