"""Lightning's checkpoints in one safetensors file: no pickle, synced and renamed, so that a kill leaves a whole one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch.plugins.io import CheckpointIO

from tricklab.errors import UserError
from tricklab.records import load_tree, save_tree


class SafeCheckpointIO(CheckpointIO):
    """Reads and writes the whole trainer state through ``records.save_tree``.

    Tensors go into the file's safetensors part, everything else as type-preserving JSON into its metadata.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write ``checkpoint`` to ``path``: temporary name, fsync, rename."""
        save_tree(Path(path), checkpoint)

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read what :meth:`save_checkpoint` wrote.

        Raises:
            UserError: the file is missing, torn or no checkpoint of tricklab.
        """
        if not Path(path).is_file():
            raise UserError("there is no checkpoint", where=str(path))
        return load_tree(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Delete the file if it is there."""
        Path(path).unlink(missing_ok=True)
