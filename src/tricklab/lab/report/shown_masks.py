"""Which images with masks are worth a look: those of the lowest IoU, asked about once more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tricklab.errors import UserError
from tricklab.lab.report.mask_figures import ShownMask
from tricklab.metrics.segmentation.regions import per_image_scores

if TYPE_CHECKING:
    from torch import Tensor

    Ask = Callable[[Tensor], Tensor]


class Masks(Protocol):
    """What is needed of a block's images with masks."""

    store: Any

    @property
    def members(self) -> dict[str, np.ndarray]: ...
    @property
    def targets(self) -> dict[str, Any]: ...
    @property
    def facts(self) -> dict[str, Any]: ...
    def name_of(self, split: str, index: int) -> str: ...
    def truth(self, split: str, index: int) -> Any: ...
    def values(self, split: str, index: int) -> Any: ...


def worst_first(counts: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Places of the images of a split, the lowest IoU first, and their IoU; images without a label are left out.

    Args:
        counts: ``hits``, ``truth`` and ``predicted`` (N, K), as ``scores.npz`` keeps them.
    """
    iou = per_image_scores(counts["hits"], counts["truth"], counts["predicted"])["iou"]
    order = np.argsort(iou, kind="stable")
    order = order[~np.isnan(iou[order])]
    return order, iou[order]


def shown_masks(ask: Ask, masks: Masks, split: str, counts: Mapping[str, np.ndarray], most: int) -> list[ShownMask]:
    """The images of the lowest IoU with label and prediction at the size of their files.

    Args:
        ask: normalised images (1, C, H, W) → logits (1, K, H, W), as the evaluation asked.
        counts: of each image of the split, as ``worst_first`` takes them.
        most: so many images.

    Raises:
        UserError: the masks are not those that were scored.
    """
    import torch
    from torch.nn import functional

    from tricklab.tasks.mask_evaluation import predicted_classes

    if not np.array_equal(masks.targets[split].numpy(), counts["truth"]):
        raise UserError(f"the masks of the {split} set are not those that were scored", where="data")
    shown = []
    with torch.inference_mode():
        for index, iou in zip(*(found[:most].tolist() for found in worst_first(counts)), strict=True):
            label = masks.truth(split, index)
            logits = ask(masks.values(split, index)).float()
            if logits.shape[-2:] != label.shape:
                logits = functional.interpolate(logits, label.shape, mode="bilinear", align_corners=False)
            pixels, _ = masks.store.original(int(masks.members[split][index]))
            said = predicted_classes(logits)[0].cpu().numpy()
            shown.append(ShownMask(masks.name_of(split, index), pixels, label.numpy(), said, f"IoU {iou:.4f}"))
    return shown
