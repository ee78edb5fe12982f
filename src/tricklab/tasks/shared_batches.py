"""Batches without windows, for models that cut the windows out of their features."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from tricklab.data.batches import EpochBatches
from tricklab.data.fold import HyperspectralFold
from tricklab.errors import UserError
from tricklab.models.sharing import SharesConvolutions
from tricklab.recipe.schema import Settings
from tricklab.seeds import Seeds


class PlaceDataset(Dataset[dict[str, Any]]):
    """Places of training pixels; an item is (epoch, index, occurrence)."""

    def __init__(self, fold: HyperspectralFold) -> None:
        self.targets, self.centres = fold.targets["train"], fold.centres["train"]

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, item: tuple[int, int, int]) -> dict[str, Any]:
        return self.__getitems__([item])

    def __getitems__(self, items: list[tuple[int, int, int]]) -> dict[str, Any]:
        """``centre`` int64 (N, 2), ``target`` int64 (N,), ``index`` int64 (N,); nothing is drawn."""
        index = torch.tensor([index for _, index, _ in items])
        return {"centre": self.centres[index], "target": self.targets[index], "index": index, "drawn": {}}


def place_loader(fold: HyperspectralFold, batch_size: int, seeds: Seeds) -> DataLoader[dict[str, Any]]:
    """The same order and batches as a loader of windows, without the windows."""
    dataset = PlaceDataset(fold)
    batches = EpochBatches(fold.sampler, dataset.targets.numpy(), batch_size, seeds)
    return DataLoader(dataset, batch_sampler=batches, collate_fn=_as_it_is, generator=torch.Generator())


def check_sharing(settings: Settings, model: Any) -> None:
    """Refuse what windows with shared convolutions cannot have.

    Raises:
        UserError: the model cannot share, or augmentation, workers or a compiled graph are asked for.
    """
    where = "train.share_convolutions"
    if not isinstance(model, SharesConvolutions):
        raise UserError(f"{type(model).__name__} has no convolutions that its windows could share", where=where)
    obstacle = model.sharing_obstacle()
    if obstacle:
        raise UserError(obstacle, where=where, fix="set train.share_convolutions=false")
    if settings.data.get("augment"):
        raise UserError(
            "windows that share their convolutions cannot be augmented one by one",
            where=where,
            fix="leave data.augment empty, or set train.share_convolutions=false",
        )
    for name in ("compile", "workers"):
        if getattr(settings.train, name):
            raise UserError(f"train.{name} does nothing for windows that share their convolutions", where=where)


def _as_it_is(batch: Any) -> Any:
    return batch
