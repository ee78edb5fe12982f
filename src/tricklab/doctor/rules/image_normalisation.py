"""D08, D18 and D19: constants that do not normalise these images, and where wrong ones came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tricklab.doctor.finding import Finding, Phase, Rule

if TYPE_CHECKING:
    from tricklab.records import Evidence

_CURE = ("data.normalise=dataset",)


class NormalisationOff(Rule):
    """After normalisation a channel's mean lies further than ``mean`` from 0, or its deviation outside ``std``.

    Constants of published weights are not blamed.

    Args:
        mean: of any channel of the training pixels.
        std: lowest and highest deviation.
    """

    id: ClassVar[str] = "D08"
    phases: ClassVar[tuple[Phase, ...]] = ("before", "evaluation")

    def __init__(self, mean: float = 0.25, std: tuple[float, float] = (0.5, 2.0)) -> None:
        self.mean, self.std = mean, std

    def check(self, evidence: Evidence) -> Finding | None:
        shown, used = evidence.fact("data/normalised"), evidence.fact("data/normalise") or {}
        if not shown or _published(evidence, str(used.get("name"))):
            return None
        mean, std = np.array(shown["mean"]), np.array(shown["std"])
        if np.abs(mean).max() <= self.mean and std.min() >= self.std[0] and std.max() <= self.std[1]:
            return None
        given = used.get("name") == "given"
        wanted = (evidence.fact("data/statistics") or {}).get("train") or {}
        return Finding(
            self.id,
            "warning" if given else "note",
            f"after normalisation ({used.get('name')}) the training images have mean {_told(mean)} and deviation "
            f"{_told(std)} instead of 0 and 1",
            {"mean": mean.tolist(), "std": std.tolist(), "used": used, "train": wanted},
            ("the constants belong to other images", "they were computed before resizing, or in another colour order")
            if given
            else ("these constants suit other images",),
            "compare with data.normalise=dataset on the same blocks",
            _CURE,
        )


class MeanOfDeviations(Rule):
    """The given deviation is the mean of the images' own deviations, not that of all pixels.

    Args:
        close: largest difference of any channel, as a share.
    """

    id: ClassVar[str] = "D18"
    phases: ClassVar[tuple[Phase, ...]] = ("before", "evaluation")

    def __init__(self, close: float = 0.02) -> None:
        self.close = close

    def check(self, evidence: Evidence) -> Finding | None:
        used = evidence.fact("data/normalise") or {}
        if used.get("name") != "given":
            return None
        given = np.array(used["std"])
        for over, about in (evidence.fact("data/statistics") or {}).items():
            own, pooled = np.array(about["mean_of_image_stds"]), np.array(about["std"])
            off = np.abs(given / own - 1).max()
            if off > self.close or off > np.abs(given / pooled - 1).max() / 4:
                continue
            ratio = pooled / given
            return Finding(
                self.id,
                "warning",
                f"the given std {_told(given)} is the mean of the {'training ' if over == 'train' else ''}images' own "
                f"deviations; that of all pixels is {_told(pooled)}, {_told(ratio)} times as large",
                {"given": given.tolist(), "pooled": pooled.tolist(), "mean_of_image_stds": own.tolist()},
                ("it was computed with batches of one image and averaged: how images differ is left out",),
                "tricklab data stats DIR prints both",
                _CURE,
            )
        return None


class StatisticsOfAll(Rule):
    """The given mean is that of all images, evaluated ones included; over their pixels or over the images' own means.

    Args:
        close: largest difference of any channel from the mean of all images.
    """

    id: ClassVar[str] = "D19"
    phases: ClassVar[tuple[Phase, ...]] = ("before", "evaluation")

    def __init__(self, close: float = 5e-4) -> None:
        self.close = close

    def check(self, evidence: Evidence) -> Finding | None:
        used, about = evidence.fact("data/normalise") or {}, evidence.fact("data/statistics") or {}
        if used.get("name") != "given" or not {"train", "all"} <= set(about):
            return None
        given = np.array(used["mean"])
        everything, train = (_nearest(given, about[over]) for over in ("all", "train"))
        off, from_train = np.abs(given - everything).max(), np.abs(given - train).max()
        if off > self.close or off >= from_train / 2:
            return None
        return Finding(
            self.id,
            "warning",
            f"the given mean {_told(given, 5)} is that of all images ({_told(everything, 5)}), evaluated ones too; "
            f"the training images have {_told(train, 5)}",
            {"given": given.tolist(), "all": everything.tolist(), "train": train.tolist()},
            ("it was computed before the split",),
            "compare with data.normalise=dataset on the same blocks: the difference is what the leak is worth",
            _CURE,
        )


def _nearest(given: np.ndarray, about: dict[str, list[float]]) -> np.ndarray:
    """The mean of pixels or that of images, whichever is nearer to the given one."""
    candidates = [np.array(about[key]) for key in ("mean", "mean_of_image_means")]
    return min(candidates, key=lambda found: float(np.abs(found - given).max()))


def _published(evidence: Evidence, name: str) -> bool:
    """Whether published weights ask for these constants."""
    model = evidence.recipe.get("model") or {}
    return name == "model" or (name == "imagenet" and bool(model.get("pretrained") or model.get("weights")))


def _told(values: np.ndarray, digits: int = 3) -> str:
    return f"({', '.join(f'{value:.{digits}g}' for value in values)})"
