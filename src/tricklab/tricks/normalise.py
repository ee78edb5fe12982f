"""Another normalisation of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.tricks._base import Proof, Recipe, trick

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("normalise", tasks="classification", source="LeCun et al., Efficient BackProp, 1998, section 4.3")
def normalise(
    recipe: Recipe, kind: Literal["dataset", "imagenet", "half", "minmax", "running", "none", "model"]
) -> Recipe:
    """Bring bytes to the network's values another way.

    ``dataset``: by mean and standard deviation over all pixels of the training images; ``imagenet``: by those of
    ImageNet; ``half``: by .5 and .5; ``minmax``: each image to [0, 1]; ``running``: batch normalisation of the input;
    ``none``: bytes / 255; ``model``: as the images that the network's published weights were trained on.
    """
    return recipe.set("data.normalise", kind)


@normalise.probe(when="first_steps")
def normalisation_is_it(evidence: Evidence, kind: str) -> Proof:
    """The images were normalised that way."""
    found = evidence.fact("data/normalise", {})
    name = found.get("name")
    if name is None:
        return Proof(False, "no normalisation is recorded")
    text = f"normalised by {name}: mean {found['mean']}, standard deviation {found['std']}"
    return Proof(name == kind, text, {"name": name})
