"""Which metric code produced the scores of masks."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tricklab.metrics.identity import metric_code


def mask_metric_code() -> str:
    """Hash of the code that scores masks: what every task shares and this folder, blind to comments and layout.

    It is the ``metric_code`` of a segmentation run's result.

    >>> len(mask_metric_code())
    32
    """
    parts = f"{metric_code()}\0{metric_code(Path(__file__).parent)}"
    return hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()
