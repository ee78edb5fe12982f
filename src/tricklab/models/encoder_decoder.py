"""EncoderDecoder: a backbone, a head that gives every pixel its scores, and auxiliary heads while training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from torch import Tensor, nn
from torch.nn import functional

from tricklab import registry, seeds
from tricklab.errors import UserError
from tricklab.models.initial_weights import (
    load_weights,
    remember,
    remembered,
    skips_initial_weights,
    with_weights_digest,
)
from tricklab.models.segmentation.decode_head import CLASSIFIER, DecodeHead
from tricklab.models.weight_files import read_state_dict
from tricklab.registry import Kind, component

HEADS = ("decode_head.", "auxiliary_head.")
SPARE = ("head.", "fc.", "auxiliary_head.")


@component(
    "model",
    source="OpenMMLab, MMSegmentation",
    given=("classes", "channels"),
    complete=with_weights_digest,
)
class EncoderDecoder(nn.Module):
    """A network for semantic segmentation from a backbone and heads, with OpenMMLab's names.

    Weights are named ``backbone.…``, ``decode_head.…``, ``auxiliary_head.…`` (``auxiliary_head.0.…`` where there is a
    list), so that OpenMMLab's published files load. Losses, their samplers and ignored labels stand at the recipe's
    top, not in heads; the numbers of classes and of input channels come from the data and the backbone.

    Args:
        backbone: of kind backbone.
        decode_head: of kind head; its logits are the output ``main``.
        auxiliary_head: one of kind head or a list of them, whose logits are ``aux``, ``aux2``, … while training; null:
            none. They draw their first weights from streams of their own.
        weights: begin with a file's weights: of a whole network, whose classifiers may differ, or of a classification
            network with ``backbone.`` names (mmpretrain), when the heads stay fresh.
        weights_digest: hash of that file; filled in when the recipe is resolved.
        classes: number of classes.
        channels: of the images.

    Shape:
        (N, channels, H, W) float → {"main": (N, K, H, W) logits at the size of the input}; while training "aux" and so
        on, of the same shape. K is ``classes``, or 1 where a head's ``out_channels`` says so. Heads' logits are
        resized bilinearly with their own ``align_corners``.

    >>> import torch
    >>> model = EncoderDecoder(
    ...     {"type": "ResNetV1c", "depth": 18, "base_channels": 8}, {"type": "FCNHead", "channels": 16},
    ...     {"type": "FCNHead", "channels": 8, "in_index": 2}, classes=4, channels=3,
    ... )
    >>> {name: tuple(logits.shape) for name, logits in model(torch.zeros(2, 3, 40, 33)).items()}
    {'main': (2, 4, 40, 33), 'aux': (2, 4, 40, 33)}
    >>> list(model.eval()(torch.zeros(2, 3, 40, 33)))
    ['main']
    """

    def __init__(
        self,
        backbone: Annotated[dict[str, Any], Kind("backbone")],
        decode_head: Annotated[dict[str, Any], Kind("head")],
        auxiliary_head: Annotated[dict[str, Any] | list[dict[str, Any]], Kind("head")] | None = None,
        weights: str | None = None,
        weights_digest: str | None = None,
        *,
        classes: int,
        channels: int,
    ) -> None:
        super().__init__()
        self.in_channels = channels
        self.backbone: Any = registry.build("backbone", backbone, in_channels=channels)

        def head(config: Mapping[str, Any], where: str) -> DecodeHead:
            try:
                with seeds.aside(where):
                    made: DecodeHead = registry.build(
                        "head", config, num_classes=classes, in_channels=list(self.backbone.channels)
                    )
            except UserError as error:
                # a head does not know what it is for
                place = error.where if (error.where or "").startswith("model") else f"model.{where}.{error.where}"
                raise UserError(error.what, where=place if error.where else f"model.{where}", fix=error.fix) from error
            return made

        self.decode_head = head(decode_head, "decode_head")
        self.auxiliary_head: DecodeHead | nn.ModuleList | None = None
        if isinstance(auxiliary_head, Mapping):
            self.auxiliary_head = head(auxiliary_head, "auxiliary_head")
        elif auxiliary_head:
            named = [(config, f"auxiliary_head.{number}") for number, config in enumerate(auxiliary_head)]
            self.auxiliary_head = nn.ModuleList(head(config, where) for config, where in named)
        if (found := remembered(self.backbone)) is not None:
            loaded, kept = (tuple(f"backbone.{name}" for name in names) for names in (found.loaded, found.kept))
            remember(self, dataclasses.replace(found, loaded=loaded, kept=kept))
        if weights is not None and not skips_initial_weights():
            self._load(weights, weights_digest)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        if images.ndim != 4 or images.shape[1] != self.in_channels:
            raise UserError(
                f"this network was built for images of shape (N, {self.in_channels}, H, W), "
                f"but is given {tuple(images.shape)}"
            )
        maps = self.backbone(images)
        found = {"main": _logits(self.decode_head, maps, images)}
        if self.training:
            for number, head in enumerate(self.auxiliary_heads, start=1):
                found["aux" if number == 1 else f"aux{number}"] = _logits(head, maps, images)
        return found

    @property
    def auxiliary_heads(self) -> list[DecodeHead]:
        """The auxiliary heads, in the order of their outputs."""
        found: Any = self.auxiliary_head
        if found is None:
            return []
        return [found] if isinstance(found, DecodeHead) else [*found]

    def get_classifier(self) -> list[nn.Module]:
        """The last convolutions of all heads."""
        return [head.conv_seg for head in (self.decode_head, *self.auxiliary_heads)]

    def _load(self, path: str, digest: str | None) -> None:
        _, given = read_state_dict(path)
        whole = any(name.startswith("decode_head.") for name in given)

        def is_head(name: str, _weight: Tensor) -> bool:
            return name.startswith(HEADS) and (not whole or f".{CLASSIFIER}." in name or name.startswith(HEADS[1]))

        load_weights(self, path, is_head=is_head, spare=SPARE, digest=digest)


def _logits(head: DecodeHead, maps: Sequence[Tensor], images: Tensor) -> Tensor:
    found: Tensor = head(maps)
    if found.shape[2:] == images.shape[2:]:
        return found
    return functional.interpolate(found, images.shape[2:], mode="bilinear", align_corners=head.align_corners)
