"""An auxiliary head with a loss of its own, while training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.errors import UserError
from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._losses import loss_is_trained, with_loss
from tricklab.tricks._types import Count, Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "aux_head",
    tasks="segmentation",
    source="Zhao et al., Pyramid Scene Parsing Network, CVPR 2017, section 3.3; OpenMMLab's auxiliary_head",
)
def aux_head(
    recipe: Recipe, in_index: int = 2, channels: Count | None = None, num_convs: Count = 1, weight: Positive = 0.4
) -> Recipe:
    """Train an earlier stage of the backbone with a second head, which scores nothing afterwards.

    An FCNHead reads map ``in_index`` of the backbone (2: the third stage) through ``num_convs`` convolutions of
    ``channels`` (half of the decode head's, as in PSPNet); its cross-entropy counts ``weight``.
    """
    if not recipe.has("model.decode_head.type"):
        raise UserError("only an EncoderDecoder has auxiliary heads", where="model.type")
    if recipe.get("model.auxiliary_head"):
        raise UserError(
            "the recipe has an auxiliary head already",
            where="model.auxiliary_head",
            fix="to judge it, write model.auxiliary_head=null and losses without aux as the baseline",
        )
    width = channels or max(1, recipe.get("model.decode_head.channels") // 2)
    head = {
        "type": "FCNHead", "in_index": in_index, "channels": width, "num_convs": num_convs, "concat_input": False,
    }  # fmt: skip
    return with_loss(recipe.set("model.auxiliary_head", head), "CrossEntropyLoss", "aux", weight)


@aux_head.probe(when="first_steps")
def head_is_trained(evidence: Evidence) -> Proof:
    """The built model has the head, and its loss was computed and moved."""
    heads = [name for name in evidence.fact("model/modules", {}) if name == "auxiliary_head"]
    if not heads:
        return Proof(False, "the built model has no auxiliary head")
    return loss_is_trained(evidence, "CrossEntropyLoss", "aux")
