"""Weights & Biases."""

from __future__ import annotations

from typing import Any

from tricklab.engine.loggers.base import LightningRows
from tricklab.registry import component


@component("logger", source="lightning.pytorch.loggers.WandbLogger")
class WandB(LightningRows):
    """Weights & Biases, online or as files for a later upload.

    Args:
        project: the project that gets the run.
        entity: user or team; null: the account's own.
        offline: write files into the run's folder only.
    """

    package = "wandb"
    extra = "wandb"

    def __init__(self, project: str = "tricklab", entity: str | None = None, offline: bool = False) -> None:
        super().__init__()
        self.project, self.entity, self.offline = project, entity, offline

    def make(self, name: str, folder: str) -> Any:
        """Lightning's WandbLogger; a resumed run goes on under the same id."""
        from hashlib import blake2b

        from lightning.pytorch.loggers import WandbLogger

        identity = blake2b(folder.encode(), digest_size=8).hexdigest()
        return WandbLogger(
            name=name,
            save_dir=folder,
            project=self.project,
            entity=self.entity,
            offline=self.offline,
            id=identity,
            resume="allow",
        )
