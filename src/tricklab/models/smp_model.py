"""Segmentation networks of segmentation-models-pytorch, as baselines."""

from __future__ import annotations

import difflib
import inspect
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError, nearest
from tricklab.models.initial_weights import LoadedWeights, remember, skips_initial_weights
from tricklab.registry import component

ENCODER = "encoder."
_REFUSED = {
    "activation": "losses and metrics read scores, and would take softmax or sigmoid of them a second time",
    "aux_params": "its classifier of whole images would be trained by nothing",
}


@component("model", name="smp", source="Iakubovskii, Segmentation Models PyTorch", given=("classes", "channels"))
class SmpModel(nn.Module):
    """A network of segmentation-models-pytorch by its name, ``Unet``, ``DeepLabV3Plus``, …; gives the output ``main``.

    Weights are named ``network.…`` with the package's names behind. Images may have any size: they are padded with
    zeros on the right and at the bottom to what the network can take, and the scores are cut back.

    Args:
        name: as in the package: Unet, UnetPlusPlus, MAnet, Linknet, FPN, PSPNet, DeepLabV3, DeepLabV3Plus, PAN,
            UPerNet, Segformer, DPT.
        encoder_name: as in the package; ``tu-`` before a name of timm.
        encoder_weights: published weights of the encoder (``imagenet``), from the hub's cache or the network; null:
            none.
        arguments: further arguments of the network's class, but ``activation`` and ``aux_params``.
        classes: outputs.
        channels: of the images.

    Shape:
        (N, channels, H, W) float → {"main": (N, classes, H, W)}.

    Raises:
        UserError: the package is not there, has no such network or encoder, or the weights cannot be had.
    """

    def __init__(
        self,
        name: str,
        encoder_name: str = "resnet34",
        encoder_weights: str | None = None,
        arguments: dict[str, Any] | None = None,
        *,
        classes: int,
        channels: int,
    ) -> None:
        super().__init__()
        try:
            import segmentation_models_pytorch as package
        except ImportError:
            raise UserError(
                "the package segmentation-models-pytorch is not there",
                where="model",
                fix="pip install 'tricklab[smp]'",
            ) from None
        made = package.MODEL_ARCHITECTURES_MAPPING
        known: dict[str, str] = {key: found.__name__ for key, found in made.items()}
        if name not in known.values():
            near = difflib.get_close_matches(name.lower(), known, n=3)
            raise UserError(
                f"segmentation-models-pytorch {package.__version__} has no network {name!r}",
                where="model.name",
                fix=", ".join(known[one] for one in near) or f"known: {', '.join(known.values())}",
            )
        takes = inspect.signature(made[name.lower()]).parameters.values()
        keys = [one.name for one in takes if one.kind is not one.VAR_KEYWORD]
        for key in arguments or {}:
            if key not in keys:  # the package itself passes over some
                raise UserError(f"{name} has no argument {key!r}", where="model.arguments", fix=nearest(key, keys))
            if key in _REFUSED and (arguments or {})[key] is not None:
                raise UserError(_REFUSED[key], where=f"model.arguments.{key}", fix="leave it out")
        published = None if skips_initial_weights() else encoder_weights
        try:
            self.network: Any = made[name.lower()](
                encoder_name=encoder_name,
                encoder_weights=published,
                in_channels=channels,
                classes=classes,
                **(arguments or {}),
            )
        except Exception as error:
            raise UserError(
                f"segmentation-models-pytorch cannot build {name} on {encoder_name}: {_one_line(error)}", where="model"
            ) from error
        if published is not None:
            own = list(self.state_dict())
            loaded = tuple(key for key in own if key.startswith(f"network.{ENCODER}"))
            kept = tuple(key for key in own if key not in loaded)
            remember(self, LoadedWeights(f"smp {encoder_name}.{published}", "", loaded, kept, ()))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        height, width = images.shape[2:]
        step = int(self.network.encoder.output_stride)
        padded = functional.pad(images, (0, -width % step, 0, -height % step))
        logits: Tensor = self.network(padded)
        return {"main": logits[:, :, :height, :width]}

    def get_classifier(self) -> nn.Module:
        """The network's last layers."""
        found: nn.Module = self.network.segmentation_head
        return found


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
