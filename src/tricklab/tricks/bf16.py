"""Mixed precision in bfloat16."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("bf16", source="Kalamkar et al., A Study of BFLOAT16 for Deep Learning Training, 2019, arXiv 1905.12322")
def bf16(recipe: Recipe) -> Recipe:
    """Compute the network in bfloat16 while weights and their updates stay in float32; no loss scaling is needed.

    Faster on GPUs and on CPUs with bfloat16 instructions, slower on others.
    """
    return recipe.set("train.precision", "bf16-mixed")


@bf16.probe(when="first_steps")
def outputs_are_bf16(evidence: Evidence) -> Proof:
    """The network's outputs in training are bfloat16."""
    dtype = evidence.fact("train/output_dtype")
    return Proof(dtype == "torch.bfloat16", f"the outputs are {dtype}", {"dtype": dtype})
