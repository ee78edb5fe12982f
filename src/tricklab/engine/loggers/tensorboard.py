"""TensorBoard."""

from __future__ import annotations

from typing import Any

from tricklab.engine.loggers.base import LightningRows
from tricklab.registry import component


@component("logger", source="lightning.pytorch.loggers.TensorBoardLogger")
class TensorBoard(LightningRows):
    """Event files in the run's folder, or below a folder of one's own.

    Args:
        folder: where the event files go; null: ``tensorboard/`` in the run's folder.
    """

    package = "tensorboard"
    extra = "tensorboard"

    def __init__(self, folder: str | None = None) -> None:
        super().__init__()
        self.folder = folder

    def make(self, name: str, folder: str) -> Any:
        """Lightning's TensorBoardLogger."""
        from lightning.pytorch.loggers import TensorBoardLogger

        if self.folder is None:
            return TensorBoardLogger(folder, name="tensorboard", version="", default_hp_metric=False)
        return TensorBoardLogger(self.folder, name=name, version="", default_hp_metric=False)
