"""Any network of timm as a pyramid of maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.models.initial_weights import LoadedWeights, remember, skips_initial_weights
from tricklab.models.timm_model import check_name
from tricklab.registry import component


@component("backbone", source="Wightman, PyTorch Image Models; OpenMMLab's TIMMBackbone", given=("in_channels",))
class TIMMBackbone(nn.Module):
    """A network of timm without its classifier: the maps of its stages.

    Weights are named ``timm_model.…`` as in OpenMMLab, with timm's names behind. The fields ``channels`` and
    ``strides`` describe the maps.

    Args:
        model_name: as in ``timm.list_models()``, with a tag for the weights where there are several.
        pretrained: begin with timm's published weights, from the hub's cache or the network.
        out_indices: stages whose maps are given; null: all.
        output_stride: dilate instead of striding from this stride on (8, 16, 32), where the network can; null: no.
        drop_path: chance of leaving out a residual branch (stochastic depth); null is the model's own default.
        arguments: further arguments of the model's function, such as ``img_size`` of networks of one size.
        in_channels: of the images.

    Shape:
        (N, in_channels, H, W) float → a list of maps (N, channels[i], ~H / strides[i], ~W / strides[i]).

    Raises:
        UserError: timm has no such model, or it gives no maps, or an argument is not one of its, or the weights cannot
            be had.

    >>> import torch
    >>> [x.shape[1] for x in TIMMBackbone("mobilenetv3_small_050", in_channels=3).eval()(torch.zeros(1, 3, 64, 64))]
    [16, 8, 16, 24, 288]
    """

    def __init__(
        self,
        model_name: str,
        pretrained: bool = False,
        out_indices: Sequence[int] | None = None,
        output_stride: int | None = None,
        drop_path: float | None = None,
        arguments: dict[str, Any] | None = None,
        *,
        in_channels: int,
    ) -> None:
        super().__init__()
        import timm

        check_name(model_name)
        asked = None if out_indices is None else tuple(out_indices)
        options = {"out_indices": asked, "output_stride": output_stride, "drop_path_rate": drop_path}
        chosen = {**{key: value for key, value in options.items() if value is not None}, **(arguments or {})}
        published = pretrained and not skips_initial_weights()
        try:
            self.timm_model: Any = timm.create_model(
                model_name, pretrained=published, features_only=True, in_chans=in_channels, **chosen
            )
        except (TypeError, AttributeError, AssertionError, NotImplementedError, RuntimeError, IndexError) as error:
            raise UserError(
                f"timm cannot build {model_name} as a backbone with {chosen}: {_one_line(error)}",
                where="model.backbone",
                fix="leave out_indices, output_stride or arguments out, or take another network",
            ) from error
        except Exception as error:
            if not published:
                raise
            raise UserError(
                f"the weights of {model_name} are neither in the hub's cache nor to be had: {_one_line(error)}",
                where="model.backbone.pretrained",
                fix="fetch them once with a network, or leave it out",
            ) from error
        info: Any = self.timm_model.feature_info
        self.channels, self.strides = tuple(info.channels()), tuple(info.reduction())
        if published:
            about = getattr(self.timm_model, "pretrained_cfg", {}) or {}
            source = f"timm {about.get('architecture', model_name)}.{about.get('tag', '')}".rstrip(".")
            remember(self, LoadedWeights(source, "", tuple(self.state_dict()), (), ()))

    def forward(self, images: Tensor) -> list[Tensor]:
        # some networks of windows, such as Swin, keep channels last; where a map's sides are as many as its channels,
        # its shape does not tell
        last = getattr(self.timm_model, "output_fmt", None) == "NHWC"
        return [x.permute(0, 3, 1, 2).contiguous() if last else x for x in self.timm_model(images)]


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
