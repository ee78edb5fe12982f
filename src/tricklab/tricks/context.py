"""A context block in the decode head, or after a named module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("context", source="Wang et al., Non-local Neural Networks, CVPR 2018; each block names its own source")
def context(
    recipe: Recipe, type: str, after: str | None = None, reason: Literal["graph", "identity"] | None = None
) -> Recipe:
    """Let every position see others: non-local, criss-cross, GloRe, strip pooling and more.

    ``type`` is a component of kind context, such as NonLocal, CCNet, GloRe, EMAttention or MPM. It goes behind the
    module ``after`` (a name, or a pattern with * and ?); without one, into the decode head of a segmentation network.
    ``reason: identity`` leaves out the reasoning of SGR, GCU, GloRe and LatentGNN. Its other options stand in the
    recipe, at ``model.decode_head.context`` or ``model.insert``.
    """
    block: dict[str, Any] = {"type": type} if reason is None else {"type": type, "reason": reason}
    if after is not None:
        return recipe.append("model.insert", {**block, "after": after})
    if not recipe.has("model.decode_head.type"):
        raise UserError(
            "the model has no decode head to put a context block into", fix="name a module of it: context(type, after)"
        )
    return recipe.set("model.decode_head.context", block)


@context.probe(when="fit")
def features_change(evidence: Evidence, type: str) -> Proof:
    """A block of the type stands in the built model and, by the end of training, changed the features."""
    modules = [name for name, kind in evidence.fact("model/modules", {}).items() if kind == type]
    _, changes = evidence.series(f"observe/context/{type}/change/max")
    if not modules or not len(changes):
        return Proof(False, f"{len(modules)} {type} blocks in the model, {len(changes)} rows with their change")
    largest = float(changes.max())
    text = f"{type} at {', '.join(modules)}; it changed the features by up to {largest:.3g} of their size"
    return Proof(largest > 0, text, {"modules": len(modules), "change": largest})
