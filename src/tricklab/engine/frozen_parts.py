"""Frozen parts of a model while it trains, and the proof that they kept their bits."""

from __future__ import annotations

from tricklab.engine.judge import Judge
from tricklab.models.weights_digest import weights_digest
from tricklab.optim.freezing import Freezing, FrozenPart


class FrozenParts:
    """Freezes and releases before each step and records hashes of the parts.

    Facts: ``freeze/parts`` describes each item with its first ``digest``; ``freeze/released/<item>`` holds the ``step``
    from which it trains and its ``digest`` before that; ``freeze/ended/<item>`` its last ``digest``.

    Args:
        freezing: which parameters train when.
        judge: gets the facts.
    """

    def __init__(self, freezing: Freezing, judge: Judge) -> None:
        self.freezing, self.judge = freezing, judge
        self._last: int | None = None

    def before(self, step: int) -> None:
        """Put the model into its state for the step that follows ``step`` finished ones; may be called again."""
        if step == self._last or not self.freezing.parts:
            return
        self._last = step
        if step == 0:
            digests = [{"digest": self._digest(part)} for part in self.freezing.parts]
            described = self.freezing.describe()
            self.judge.fact("freeze/parts", [one | more for one, more in zip(described, digests, strict=True)])
        for place, part in enumerate(self.freezing.parts):
            if part.until == step:
                self.judge.fact(f"freeze/released/{place}", {"step": step, "digest": self._digest(part)})
        self.freezing.apply(step)

    def ended(self) -> None:
        """Record the hashes after the last step."""
        for place, part in enumerate(self.freezing.parts):
            self.judge.fact(f"freeze/ended/{place}", {"digest": self._digest(part)})

    def _digest(self, part: FrozenPart) -> str:
        return weights_digest({name: self.freezing.model.get_parameter(name) for name in part.names})
