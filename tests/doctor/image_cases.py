"""Evidence of image runs with one fault each, and its clean twin."""

from __future__ import annotations

from typing import Any

from tricklab.records import Evidence


def _facts(**facts: Any) -> Evidence:
    return Evidence(facts={f"data/{name}": value for name, value in facts.items()})


def _copies(**changed: Any) -> Evidence:
    none = {
        "crossing": {"val": 0, "test": 0}, "sizes": {"val": 100, "test": 0}, "examples": [],
        "contradictory": 0, "contradictory_used": 0, "contradictory_examples": [],
    }  # fmt: skip
    return _facts(copies=none | changed)


def _shapes(**changed: Any) -> Evidence:
    plain = {"size": [64, 64], "resize": "squash", "enlarged_share": 0.0, "median_shrinking": 3.0,
             "distorted_share": 0.0, "largest_distortion": 1.1}  # fmt: skip
    return _facts(shapes=plain | changed)


def _files(**kinds: Any) -> Evidence:
    return _facts(files={"images": 50, **{kind: {"count": 2, "first": ["a/1.png"], **k} for kind, k in kinds.items()}})


def _given(mean: list[float], std: list[float]) -> Evidence:
    statistics = {
        "train": {"mean": [0.30, 0.31, 0.32], "std": [0.2] * 3, "mean_of_image_stds": [0.15] * 3},
        "all": {"mean": [0.303, 0.312, 0.321], "std": [0.2] * 3, "mean_of_image_stds": [0.15] * 3},
    }
    for about in statistics.values():
        about["mean_of_image_means"] = about["mean"]
    used = {"name": "given", "mean": mean, "std": std}
    shown = {
        "mean": [(m - u) / s for m, u, s in zip(statistics["train"]["mean"], mean, std, strict=True)],
        "std": [0.2 / s for s in std],
    }
    return _facts(normalise=used, normalised=shown, statistics=statistics)


def _recipe(facts: dict[str, Any] | None = None, **parts: Any) -> Evidence:
    return Evidence(recipe=parts, facts=facts or {})


def _rows(train: float, val: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"phase": "train", "step": step, "loss": train} for step in range(20)]
    return [*rows, {"phase": "val", "step": 20, "val/loss": val}]


MIXUP = {"type": "Mixup", "alpha": 0.8, "p": 1.0}
HALF = {"data/normalise": {"name": "half", "mean": [0.5] * 3, "std": [0.5] * 3}}
TWELVE = {"data/class_names": [f"c{number}" for number in range(12)]}
SMOOTH = [{"type": "CrossEntropyLoss", "on": "main", "label_smoothing": 0.1}]
IMAGE_CASES: dict[str, tuple[Evidence, Evidence]] = {
    "D00": (_facts(refused="2 of 9 images cannot be read"), _facts(sizes={"train": 9})),
    "D05": (_copies(crossing={"val": 3, "test": 0}, examples=["a/1 (train) = a/2 (val)"]), _copies()),
    "D08": (_given([0.5] * 3, [0.5] * 3), _given([0.30, 0.31, 0.32], [0.2] * 3)),
    "D14": (
        _facts(class_counts={"train": [100, 100], "val": [70, 10]}),
        _facts(class_counts={"train": [100, 100], "val": [42, 38]}),
    ),
    "D16": (_copies(contradictory=2, contradictory_used=2, contradictory_examples=["a/1 (a) = b/1 (b)"]), _copies()),
    "D17": (_facts(unreadable=["x.jpg: the image is corrupt"]), _facts(unreadable=[])),
    "D18": (_given([0.30, 0.31, 0.32], [0.15] * 3), _given([0.30, 0.31, 0.32], [0.2] * 3)),
    "D19": (_given([0.303, 0.312, 0.321], [0.2] * 3), _given([0.30, 0.31, 0.32], [0.2] * 3)),
    "D20": (_shapes(enlarged_share=0.9, median_shrinking=0.5), _shapes()),
    "D21": (_shapes(distorted_share=0.4, largest_distortion=2.0), _shapes(distorted_share=0.4, resize="pad")),
    "D25": (
        _recipe(HALF, data={"augment": [{"type": "Cutout", "value": "grey"}]}),
        _recipe(HALF, data={"augment": [{"type": "Cutout", "value": "mean"}]}),
    ),
    "D26": (_files(transparent={}), _files(grey={})),
    "D27": (_files(cmyk={}), _files(grey={})),
    "D28": (_files(sixteen_bits={"largest": 0.06}), _files(grey={})),
    "O20": (
        _recipe(losses=SMOOTH, data={"batch_augment": [MIXUP]}),
        _recipe(losses=SMOOTH, data={"batch_augment": []}),
    ),
    "O22": (_recipe(data={"batch_augment": [MIXUP | {"p": 0.1}]}), _recipe(data={"batch_augment": [MIXUP]})),
    "M09": (
        _recipe(TWELVE, metric={"monitor": "val/top5"}),
        _recipe(TWELVE, metric={"monitor": "val/accuracy"}),
    ),
    "M10": (
        Evidence(recipe={"data": {"batch_augment": [MIXUP]}}, rows=_rows(1.4, 0.5)),
        Evidence(recipe={"data": {"batch_augment": []}}, rows=_rows(1.4, 0.5)),
    ),
}
