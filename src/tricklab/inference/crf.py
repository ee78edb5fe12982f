"""A conditional random field behind a network: masks whose borders follow the image."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from tricklab.errors import UserError
from tricklab.inference.mask_scores import as_logits, log_probabilities
from tricklab.inference.mean_field import Pairwise, mean_field
from tricklab.inference.sliding import Scores
from tricklab.observe import observe
from tricklab.registry import component


@component(
    "postprocess",
    source="Krähenbühl & Koltun, NIPS 2011 (terms, mean field); Teichmann & Cipolla, BMVC 2019 (windows)",
    given=("value_steps",),
)
class MeanFieldCRF:
    """Let pixels that are near and alike agree on a class: DenseCRF's terms, in windows.

    The arithmetic is :func:`~tricklab.inference.mean_field.mean_field`'s. Weights and deviations are those of
    pydensecrf's example, whose kernels are normalised alike; colours are in 256 steps, whatever the network's input is
    normalised by. A network with one channel is asked as one of two classes and answered in one channel.

    Args:
        iterations: updates of all pixels.
        appearance: weight of pixels near each other and of one colour.
        position: how near, standard deviation in pixels.
        colour: how alike, standard deviation in 256 steps.
        smoothness: weight of pixels near each other.
        deviation: how near, standard deviation in pixels.
        radius: a pixel hears those of a square of 2 · radius + 1 pixels around it.
        dilation: the pixels that ``appearance`` asks are so many apart, so it reaches radius · dilation pixels.
        normalise: ``symmetric`` or ``none``: kernels divided by the roots of their sums, or not.
        value_steps: float (C,): 256 steps in one unit of the network's input.

    Observes ``crf/changed``, the share of pixels that changed their class, and ``crf/iterations``.
    """

    acts_on = "masks"

    def __init__(
        self,
        iterations: int = 5,
        appearance: float = 10.0,
        position: float = 80.0,
        colour: float = 13.0,
        smoothness: float = 3.0,
        deviation: float = 3.0,
        radius: int = 5,
        dilation: int = 3,
        normalise: Literal["symmetric", "none"] = "symmetric",
        *,
        value_steps: Tensor,
    ) -> None:
        for name, number in (("iterations", iterations), ("radius", radius), ("dilation", dilation)):
            if number < 1:
                raise UserError(f"{name} must be at least 1, not {number}", where=f"evaluate.postprocess.{name}")
        for name, value in (("position", position), ("colour", colour), ("deviation", deviation)):
            if not value > 0:
                raise UserError(f"{name} must be above 0, not {value:g}", where=f"evaluate.postprocess.{name}")
        if not (appearance >= 0 and smoothness >= 0 and appearance + smoothness > 0):
            raise UserError(
                f"weights must be at least 0 and not both 0, not {appearance:g} and {smoothness:g}",
                where="evaluate.postprocess.appearance",
            )
        self.iterations, self.value_steps = iterations, value_steps
        self.terms = Pairwise(appearance, position, colour, smoothness, deviation, radius, dilation, normalise)

    def around(self, scores: Scores) -> Scores:
        """The network's answer, refined."""

        def refined(images_NCHW: Tensor) -> Tensor:
            if images_NCHW.shape[1] != len(self.value_steps):
                raise UserError(
                    f"images of {images_NCHW.shape[1]} channels, but steps for {len(self.value_steps)}",
                    where="evaluate.postprocess",
                )
            logits = scores(images_NCHW)
            before = log_probabilities(logits)
            steps = self.value_steps.to(before.device, before.dtype)[:, None, None]
            after = mean_field(before, images_NCHW.to(before.device, before.dtype) * steps, self.terms, self.iterations)
            observe("crf/changed", (after.argmax(dim=1) != before.argmax(dim=1)).float().mean())
            observe("crf/iterations", float(self.iterations))
            return as_logits(after, logits.shape[1])

        return refined
