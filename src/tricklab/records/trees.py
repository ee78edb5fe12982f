"""Nested Python data with tensors in ONE safetensors file: tensors as tensors, the rest as JSON in its metadata.

Types come back as they were: tuples, integer keys, bools, None, non-finite floats, integers of any size, bfloat16,
0-d tensors, NumPy arrays and scalars, and tensors that two places share. A flat mapping of tensors is written under its
own keys, so that any safetensors reader finds plain state-dict names.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tricklab.errors import UserError
from tricklab.records.atomic import replacing

if TYPE_CHECKING:
    import torch

_KEY = "tricklab_tree"


def save_tree(path: str | os.PathLike[str], tree: Any) -> None:
    """Write a tree atomically (temporary name, fsync, rename).

    Args:
        tree: dict, OrderedDict, Counter, list, tuple, set, frozenset, Tensor (dense, any device and dtype), ndarray,
            NumPy scalar, str, bytes, int, float, complex, bool, None, torch.Size, torch.dtype, torch.device, nested to
            any depth. Gradients and devices are not kept. Tensors that are the same view of the same memory are
            written once and come back as one; other overlapping views come back apart.

    Raises:
        UserError: the tree holds something else; names the place in the tree.
        OSError: the disk is full; the old file is intact.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    from tricklab.records.tree_codec import Encoder

    encoder = Encoder(os.fspath(path))
    text = json.dumps(encoder.encode(tree, ()), allow_nan=False)
    with replacing(path) as temporary:
        try:
            save_file(encoder.tensors, temporary, metadata={_KEY: text})
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))
            if number:
                raise OSError(int(number.group(1)), os.strerror(int(number.group(1))), os.fspath(path)) from error
            raise


def load_tree(path: str | os.PathLike[str], device: str | torch.device = "cpu") -> Any:
    """Read what ``save_tree`` wrote; a foreign safetensors file comes back as a flat dict of tensors.

    Args:
        device: where the tensors go; NumPy arrays are arrays.

    Raises:
        UserError: the file is missing, torn or no safetensors file; names it.
    """
    from safetensors import SafetensorError, safe_open

    from tricklab.records.tree_codec import Decoder

    place = Path(path)
    if not place.is_file():
        raise UserError("no such file", where=str(place))
    try:
        with safe_open(place, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(f"this is not a whole safetensors file: {error}", where=str(place)) from None
    if _KEY not in metadata:
        return {name: tensor.to(device) for name, tensor in tensors.items()}
    try:
        return Decoder(tensors, device).decode(json.loads(metadata[_KEY]))
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise UserError(f"the description of this file's tree is damaged: {error}", where=str(place)) from None
