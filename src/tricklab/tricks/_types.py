"""Ranges of arguments; the names are what ``tricklab tricks`` shows as their types."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

Amount = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Factor = Annotated[float, Gt(1)]
Count = Annotated[int, Gt(0)]
Byte = Annotated[int, Ge(0), Le(255)]
Several = Annotated[int, Ge(2)]
Share = Annotated[float, Ge(0), Lt(1)]
OpenShare = Annotated[float, Gt(0), Lt(1)]
Part = Annotated[float, Ge(0), Le(1)]
Chance = Annotated[float, Gt(0), Le(1)]
Angle = Annotated[float, Gt(0), Le(180)]
HalfTurn = Annotated[float, Ge(0), Le(0.5)]
Level = Annotated[float, Ge(0), Le(10)]
