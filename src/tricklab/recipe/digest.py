"""The identity of a recipe's halves: what is trained, and how it is evaluated."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

Half = Literal["fit", "evaluate", "all"]
FIT = ("task", "seed", "data", "model", "losses", "optimizer", "schedule", "train")
EVALUATE = ("evaluate", "metric")
# where files lie and what hardware runs them is provenance, not identity
_NO_IDENTITY = {"data": {"root"}, "train": {"device", "workers", "threads"}}
# keys that came later, which say nothing while they are null (in losses: as given here): recipes without them keep
# their identity
_LATER = {
    "evaluate": ("window", "stride", "blend", "margin", "boundary_tolerance"),
    "optimizer": ("paramwise",),
}
_LATER_IN_LOSSES: dict[str, dict[str, Any]] = {
    "CrossEntropyLoss": {"name": None, "sampler": None, "use_sigmoid": False},
    "FocalLoss": {"name": None, "sampler": None, "use_sigmoid": False, "class_weight": None, "divisor": "count"},
    "DistillationLoss": {"name": None},
}
_HASHES = ("weights_digest", "code_digest")


def digest(tree: dict[str, Any], half: Half) -> str:
    """Blake2b of the half's values, 32 hexadecimal digits; the order of keys and 1 against 1.0 make no difference."""
    sections = {"fit": FIT, "evaluate": EVALUATE, "all": FIT + EVALUATE}[half]
    chosen = {
        name: _without(tree[name], _NO_IDENTITY.get(name, set())) for name in sections if tree.get(name) is not None
    }
    for name, later in _LATER.items():
        if isinstance(section := chosen.get(name), dict):
            chosen[name] = _without(section, {key for key in later if section.get(key) is None})
    if isinstance(chosen.get("losses"), list):
        chosen["losses"] = [_earlier_loss(term) for term in chosen["losses"]]
    text = json.dumps(_canonical(chosen), ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _without(section: Any, keys: set[str]) -> Any:
    return {key: value for key, value in section.items() if key not in keys} if isinstance(section, dict) else section


def _earlier_loss(term: Any) -> Any:
    """A loss as it was written before it had the keys that still say nothing."""
    later = _LATER_IN_LOSSES.get(str(term.get("type"))) if isinstance(term, dict) else None
    if later is None:
        return term
    found = {key: value for key, value in term.items() if key not in later or value != later[key]}
    return {**found, "ignore_index": -1} if found.get("ignore_index", -1) is None else found


def _known_by_content(value: dict[str, Any]) -> dict[str, Any]:
    """A mapping in which files whose hash stands beside them have no place; hashes of no file are left out."""
    found = {key: item for key, item in value.items() if key not in _HASHES or item is not None}
    if value.get("weights_digest") is not None:
        found["weights"] = None
    if value.get("code_digest") is not None:
        found["target"] = str(value["target"]).rpartition("/")[2]
    return found


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {"mapping": sorted([str(key), _canonical(item)] for key, item in _known_by_content(value).items())}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
