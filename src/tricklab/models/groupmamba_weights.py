"""Published and foreign GroupMamba weights: any usual wrapping, any number of classes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from torch import Tensor

from tricklab.errors import UserError
from tricklab.models.groupmamba import GroupMamba
from tricklab.models.weight_files import read_state_dict

HEADS = ("head.", "dist_head.")
CLASSIFIER = ("post_network.", *HEADS)


@dataclass(frozen=True)
class LoadedWeights:
    """What :func:`load_weights` found: the ``entry`` of the file (``""`` for a bare state dict), which weights were
    taken, which of the model's ``kept`` their initial values, and which of the file's were ``unused``."""

    entry: str
    loaded: tuple[str, ...]
    kept: tuple[str, ...]
    unused: tuple[str, ...]


def load_weights(model: GroupMamba, path: str | os.PathLike[str], entry: str | None = None) -> LoadedWeights:
    """Load weights into a model: a checkpoint of the authors' code, of timm's or our own.

    Heads are taken only when their number of classes is the model's, and may be absent on either side; so may the post
    block when the model has none. Every other weight must be there and fit.

    Args:
        path: a ``.safetensors`` file, or a ``.pth`` file of tensors and plain Python data.
        entry: which of several state dicts in the file; None takes averaged weights (``model_ema``,
            ``state_dict_ema``) before raw ones (``model``, ``state_dict``).

    Raises:
        UserError: no such file or entry, a file that holds objects other than plain data, a weight that is missing or
            has another shape; the model is then unchanged.
    """
    place = str(path)
    found_entry, given = read_state_dict(path, entry)
    own = model.state_dict()
    fresh = {name for name in own if name.startswith(HEADS) and _differs(own[name], given.get(name))}
    missing = [name for name in own if name not in given and name not in fresh]
    wrong = [name for name in own if name in given and name not in fresh and own[name].shape != given[name].shape]
    unused = [name for name in given if name not in own or name in fresh]
    foreign = [name for name in unused if not name.startswith(CLASSIFIER)]
    for what, names in (("are missing", missing), ("have another shape", wrong), ("are unknown", foreign)):
        if names:
            raise UserError(
                f"{len(names)} weights {what}, the first is {names[0]!r}",
                where=place,
                fix="build the model with the size and switches that the weights were trained with",
            )
    model.load_state_dict({name: own[name] if name in fresh else given[name] for name in own})
    return LoadedWeights(
        found_entry, tuple(name for name in own if name not in fresh), tuple(sorted(fresh)), tuple(unused)
    )


def _differs(own: Tensor, given: Tensor | None) -> bool:
    return given is None or given.shape != own.shape
