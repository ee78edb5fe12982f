"""What the freezing tricks share: an item of the recipe, and whether its weights stood still and then moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tricklab.tricks._base import Proof

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


def held(evidence: Evidence, items: list[str]) -> Proof:
    """Whether these parts (``match: …`` or ``layers: …``) kept their bits while frozen and moved after their moment."""
    parts: list[dict[str, Any]] = evidence.fact("freeze/parts", [])
    places = {part["item"]: place for place, part in enumerate(parts)}
    if missing := [item for item in items if item not in places]:
        return Proof(False, f"no part of the model was frozen as {missing[0]!r}")
    wrong, tensors = [], 0
    for item in items:
        part = parts[places[item]]
        tensors += part["tensors"]
        last = evidence.fact(f"freeze/ended/{places[item]}", {}).get("digest")
        if part["until"] is None:
            if last != part["digest"]:
                wrong.append(f"{item} changed")
            continue
        then = evidence.fact(f"freeze/released/{places[item]}", {}).get("digest")
        if then != part["digest"]:
            wrong.append(f"{item} changed before step {part['until']}")
        elif last == then:
            wrong.append(f"{item} did not move after step {part['until']}")
    text = "; ".join(wrong) or f"{tensors} tensors kept their bits while they were frozen, and moved only afterwards"
    return Proof(not wrong, text, {"items": len(items), "tensors": tensors})
