"""Pixels of some classes copied between training images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._images import was_mixed, with_mixing
from tricklab.tricks._types import Chance, Positive, Share

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("copy_paste", tasks=("segmentation",), source="Ghiasi et al., CVPR 2021, arXiv 2012.07177 (of instances)")
def copy_paste(
    recipe: Recipe,
    paste: list[str],
    p: Chance = 0.5,
    shift: Share = 0.5,
    flip: bool = True,
    objects: Chance | None = None,
    off_epoch: Positive | None = None,
) -> Recipe:
    """Copy pixels of the classes named in ``paste`` from one image of a training batch into another.

    All of them, or with ``objects`` what hangs together of a class, each with that chance. They are mirrored in half of
    the cases and shifted by up to ``shift`` of the image's size; ``p`` is the chance of each image. From ``off_epoch``
    on nothing is pasted.
    """
    moved = {"p": p, "shift": shift, "flip": flip, "objects": objects, "off_epoch": off_epoch}
    return with_mixing(recipe, {"type": "CopyPaste", "paste": paste, **moved})


@copy_paste.probe(when="fit")
def classes_were_pasted(evidence: Evidence) -> Proof:
    """Images were changed, keeping neither all nor nothing of their own."""
    return was_mixed(evidence, "CopyPaste")
