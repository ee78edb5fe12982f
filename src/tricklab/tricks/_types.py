"""Ranges of arguments, named so that ``tricklab tricks`` can show them."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Lt

Share = Annotated[float, Ge(0), Lt(1)]
"""At least 0 and below 1."""
Positive = Annotated[float, Gt(0)]
Count = Annotated[int, Gt(0)]
Amount = Annotated[float, Ge(0)]
