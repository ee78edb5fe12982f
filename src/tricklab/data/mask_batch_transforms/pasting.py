"""What all pasting of one image into another shares: pixels and their labels change hands together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tricklab.data.mask_list import IGNORE
from tricklab.errors import UserError
from tricklab.observe import observe

TAKEN = ("image", "target", "soft_target")


def check_rest(name: str, p: float, off_epoch: float | None) -> None:
    """Refuse a chance at which nothing happens, and an end before the beginning."""
    if not 0 < p <= 1:
        raise UserError(f"a chance must be above 0 and at most 1, not {p}", where=f"{name}.p")
    if off_epoch is not None and off_epoch <= 0:
        raise UserError("it would never mix", where=f"{name}.off_epoch", fix="an epoch after the first")


def partners_of(batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """What each image takes from: that at the same place of the reversed batch."""
    return {key: batch[key].flip(0) for key in TAKEN if key in batch}


def pasted(batch: Mapping[str, Any], taken_NHW: Tensor, source: Mapping[str, Tensor], name: str) -> dict[str, Any]:
    """A batch in which some pixels come from elsewhere, with their labels.

    Args:
        batch: ``image`` (N, C, H, W), ``target`` int64 (N, H, W), and ``soft_target`` (N, K, H, W) where it was blended
            before.
        taken_NHW: bool, which pixels are replaced.
        source: by what: the same keys and shapes.
        name: of the transform, for what is reported.

    Returns:
        A new mapping. ``mix/changed``, the share of changed images, and ``mix/lambda``, what they keep of their own,
        are reported.
    """
    wide = taken_NHW.unsqueeze(1)
    found = {
        key: torch.where(wide if value.ndim == 4 else taken_NHW, value, batch[key]) for key, value in source.items()
    }
    return reported({**batch, **found}, 1 - taken_NHW.flatten(1).float().mean(dim=1), name)


def reported(batch: Mapping[str, Any], own_N: Tensor, name: str) -> dict[str, Any]:
    """A batch whose images keep these shares of their own pixels, reported as such."""
    own = own_N.cpu()
    changed = own < 1
    observe("mix/changed", changed.float())
    observe("mix/lambda", own[changed])
    before = batch.get("drawn", {})
    return {**batch, "drawn": {**before, name: changed | before.get(name, False)}}


def untouched(batch: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The batch as it is, reported as such."""
    count = len(batch["target"])
    observe("mix/changed", torch.zeros(count))
    before = batch.get("drawn", {})
    none = torch.zeros(count, dtype=torch.bool)
    return {**batch, "drawn": {**before, name: none | before.get(name, False)}}


def present_classes(target_NHW: Tensor, classes: int) -> Tensor:
    """Which classes each mask has, bool (N, K)."""
    found = target_NHW.new_zeros((len(target_NHW), IGNORE + 1), dtype=torch.bool)
    found.scatter_(1, target_NHW.flatten(1), torch.ones_like(target_NHW.flatten(1), dtype=torch.bool))
    return found[:, :classes]


def pixels_of(target_NHW: Tensor, chosen_NK: Tensor) -> Tensor:
    """The pixels of each image's chosen classes, bool (N, H, W); pixels without a label never."""
    table = chosen_NK.new_zeros((len(chosen_NK), IGNORE + 1))
    table[:, : chosen_NK.shape[1]] = chosen_NK
    return table.gather(1, target_NHW.flatten(1)).view_as(target_NHW)
