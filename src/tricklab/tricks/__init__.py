"""Tricks: one torch-free file per trick, each with patch, probe and source; found by scanning this folder."""

from tricklab.recipe.calls import TrickCall, parse
from tricklab.tricks._apply import Applied, apply, difference
from tricklab.tricks._base import Parameter, Proof, Trick, trick
from tricklab.tricks._catalogue import catalogue, get, probes

__all__ = [
    "Applied", "Parameter", "Proof", "Trick", "TrickCall", "apply", "catalogue", "difference", "get", "parse",
    "probes", "trick",
]  # fmt: skip
