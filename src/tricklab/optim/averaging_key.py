"""What an averaging is called in the names of files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tricklab import registry


def averaging_key(config: Mapping[str, Any]) -> str:
    """Name of an averaging in file names: the same for the same configuration.

    >>> averaging_key({"type": "Ema", "decay": 0.99}) == averaging_key({"decay": 0.99, "type": "Ema"})
    True
    """
    full = registry.check("averaging", config, "evaluate.averaging")
    text = json.dumps(full, sort_keys=True)
    return f"{full['type'].lower()}-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"
