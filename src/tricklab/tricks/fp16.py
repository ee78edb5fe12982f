"""Mixed precision in float16."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("fp16", source="Micikevicius et al., Mixed Precision Training, ICLR 2018, arXiv 1710.03740")
def fp16(recipe: Recipe) -> Recipe:
    """Compute the network in float16 with a scaled loss while weights and their updates stay in float32.

    Needs a GPU. Steps whose scaled gradient overflows are skipped while the scale is sought. On GPUs with bfloat16,
    ``bf16`` needs no scale.
    """
    return recipe.set("train.precision", "16-mixed")


@fp16.probe(when="first_steps")
def outputs_are_fp16(evidence: Evidence) -> Proof:
    """The network's outputs in training are float16 and the loss is scaled."""
    dtype, scale = evidence.fact("train/output_dtype"), evidence.fact("train/loss_scale")
    text = f"the outputs are {dtype}, the loss is scaled by {scale}"
    return Proof(dtype == "torch.float16" and scale is not None, text, {"dtype": dtype, "scale": scale})
