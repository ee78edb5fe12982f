"""The evaluation of masks: image after image, nothing kept but counts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tricklab.data.mask_fold import MaskFold
from tricklab.data.mask_list import IGNORE
from tricklab.inference.mask_scores import answered, log_probabilities
from tricklab.losses import Losses
from tricklab.metrics.segmentation import TOLERANCE, MaskScores, image_standard_errors, left_out
from tricklab.ops.ranks import ranks
from tricklab.tasks.base import Evaluation

_COUNTS = ("hits", "truth", "predicted", "outlines")


def evaluate_masks(
    ask: Callable[[Tensor], Tensor],
    fold: MaskFold,
    split: str,
    losses: Losses,
    most: int,
    device: torch.device,
    tolerance: float = TOLERANCE,
) -> Evaluation:
    """Score logits on every image of a split, at the size of its file; several processes share the images.

    Args:
        ask: normalised images (N, C, H, W) → logits (N, K, H, W).
        fold: the prepared data.
        split: which images.
        losses: the recipe's; those that exist outside training are averaged over the images that have labels.
        most: images of one size that are asked about at once.
        device: where the network is.
        tolerance: of the boundary scores; below 1 a share of the diagonal, from 1 on pixels.

    Returns:
        ``arrays`` are the counts of ``MaskScores.images`` and, where there is one, the ``loss`` of each image: nan of
        an image without a label, which the mean leaves out.
    """
    terms = losses.evaluated({"main"})
    classes = len(fold.classes)

    def counted(part: list[int]) -> dict[str, Tensor]:
        scores, each, lost = MaskScores(classes, tolerance=tolerance), [], []
        logits = ask(torch.cat([fold.values(split, index) for index in part]).to(device)).float()
        for own, index in zip(logits.split(1), part, strict=True):
            target = fold.truth(split, index)
            if own.shape[-2:] != target.shape:
                own = functional.interpolate(own, target.shape, mode="bilinear", align_corners=False)
            lost.append(not bool(answered(own).all()))
            scores.add(target.numpy(), predicted_classes(own)[0].cpu().numpy())
            each.append(_loss(losses, terms, own, target[None].to(device)))
        found = {name: torch.from_numpy(array) for name, array in scores.images().items()}
        found["confusion"] = torch.from_numpy(scores.confusion[None])
        return {**found, "loss": torch.tensor(each).double(), "lost": torch.tensor(lost).long()}

    with torch.inference_mode():
        found = ranks().over(_parts(fold, split, most), counted)
    whole = MaskScores(classes, tolerance=tolerance)
    arrays = {name: found[name].numpy() for name in _COUNTS}
    whole.extend(found["confusion"].sum(dim=0).numpy(), arrays)
    values = whole.values()
    labelled, loss = arrays["truth"].sum(axis=1) > 0, None
    if terms:
        arrays["loss"] = found["loss"].numpy()
        # a loss that is no number on a labelled image makes the mean none
        loss = float(arrays["loss"][labelled].mean()) if labelled.any() else float("nan")
        values["loss"] = loss
    missing = [name for name in losses.names if name not in terms]
    return Evaluation(
        split=split,
        index=np.arange(len(arrays["hits"])),
        predictions=None,
        probabilities=None,
        targets=None,
        values=values,
        confusion=whole.confusion,
        loss=loss,
        facts={
            "evaluate/loss_terms": {"scored": terms, "left_out": missing},
            "evaluate/standard_errors": image_standard_errors(*(arrays[name] for name in _COUNTS[:3])),
        },
        scoring={
            "boundary_tolerance": tolerance,
            "images": len(arrays["truth"]),
            "images_without_labels": int((~labelled).sum()),
            "classes_left_out": left_out(whole.confusion, fold.classes),
        },
        arrays=arrays,
        unanswered=int(found["lost"].sum()),
    )


def predicted_classes(logits: Tensor) -> Tensor:
    """int64 (N, H, W) of logits (N, K, H, W); one channel is the score of class 1 against class 0.

    >>> predicted_classes(torch.tensor([[[[-1.0, 2.0]]]])).tolist()
    [[[0, 1]]]
    """
    return log_probabilities(logits).argmax(dim=1) if logits.shape[1] == 1 else logits.argmax(dim=1)


def _loss(losses: Losses, terms: list[str], logits: Tensor, target: Tensor) -> float:
    """The loss of one image; nan for one without a label, or where no term exists."""
    if not terms or not bool((target != IGNORE).any()):
        return float("nan")
    return float(losses({"main": logits}, {"target": target}, terms)[0])


def _parts(fold: MaskFold, split: str, most: int) -> list[list[int]]:
    """Numbers of neighbouring images of one size, at most so many together."""
    sizes = fold.store.sizes[fold.members[split]].tolist()
    groups = [list(found) for _, found in groupby(range(len(sizes)), key=lambda index: sizes[index])]
    return [group[start : start + most] for group in groups for start in range(0, len(group), most)]
