"""Published and foreign GroupMamba weights: any usual wrapping, any number of classes."""

from __future__ import annotations

import os

from tricklab.models import initial_weights
from tricklab.models.groupmamba import SPARE, GroupMamba, is_head
from tricklab.models.initial_weights import LoadedWeights


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
    return initial_weights.load_weights(model, path, is_head=is_head, entry=entry, spare=SPARE)
