"""ResNet and its relatives as backbones: dilated, with a deep stem, grouped, split into scales, deformable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.layers.conv_module import draw_convolution
from tricklab.layers.norm_and_activation import BATCH_NORM, build_norm, norm_name
from tricklab.models.initial_weights import load_weights, skips_initial_weights, with_weights_digest
from tricklab.models.segmentation.residual_blocks import BasicBlock, BlockStyle, Bottle2neck, Bottleneck, check_dcn
from tricklab.registry import component

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
BASIC = (18, 34)
HEAD = ("fc.",)  # of classification weights


@component(
    "backbone",
    source="He et al., CVPR 2016, arXiv 1512.03385; arguments as in OpenMMLab",
    given=("in_channels",),
    complete=with_weights_digest,
)
class ResNet(nn.Module):
    """ResNet: four stages of residual blocks, with OpenMMLab's arguments and parameter names.

    Without its stages' changes the names are torchvision's as well, so that their published weights load. ``SE`` comes
    into every block by ``model.insert: [{type: SE, after: "backbone.layer?.*.bn3"}]``.

    Args:
        depth: 18 and 34 have basic blocks, 50, 101 and 152 bottlenecks.
        stem_channels, base_channels: after the stem; inside the first stage, doubled in each further one.
        num_stages: 1 to 4.
        strides: of the first block of each stage. The stem has a stride of 4.
        dilations: of the 3 × 3 convolutions of each stage. Strides 1 2 1 1 with dilations 1 1 2 4 give 1/8 ("d8").
        out_indices: stages whose maps are given.
        style: which convolution of a bottleneck has the stride: the second (``pytorch``) or the first (``caffe``).
        deep_stem: three 3 × 3 convolutions in place of the one of 7 × 7; null: as the class has it.
        avg_down: shortcuts with a stride average before a 1 × 1 convolution; null: as the class has it.
        frozen_stages: the stem (0) and stages up to this number get no gradients and stay in evaluation mode; -1: none.
        norm_cfg: normalisation, ``{type: BN}``; its keys are those of :func:`tricklab.layers.norm_and_activation`.
        norm_eval: batch normalisations keep their running statistics while training.
        dcn: ``{type: DCN | DCNv2, deform_groups: 1, fallback_on_stride: false}``: deformable 3 × 3 convolutions in the
            stages of ``stage_with_dcn``; bottlenecks only.
        stage_with_dcn: one true or false a stage.
        multi_grid: dilations of the last stage's blocks, one by one, instead of its dilation.
        contract_dilation: a dilated stage's first block has half the dilation.
        zero_init_residual: each block begins as the identity.
        groups, base_width: of bottlenecks, whose inner width is ``floor(planes base_width / base_channels) groups``;
            null: as the class has them (1 and 64; ``ResNeXt`` 32 and 4; ``Res2Net`` 1 and 26).
        scales: parts that Res2Net's hierarchy splits a bottleneck's 3 × 3 convolution into, each of the inner width;
            1: no split; null: as the class has it (``Res2Net`` 4).
        weights: begin with a file's weights; a classifier ``fc`` in it is left out.
        weights_digest: hash of that file; filled in when the recipe is resolved.
        in_channels: of the images.

    Shape:
        (N, in_channels, H, W) float → a list of maps (N, channels[i], H_i, W_i), one for each of ``out_indices``.

    Raises:
        UserError: lists that do not fit the stages, an option of bottlenecks for depth 18 or 34.

    >>> import torch
    >>> [tuple(x.shape) for x in ResNet(18, base_channels=8, in_channels=3)(torch.zeros(1, 3, 64, 64))]
    [(1, 8, 16, 16), (1, 16, 8, 8), (1, 32, 4, 4), (1, 64, 2, 2)]
    """

    defaults: ClassVar[dict[str, Any]] = {
        "deep_stem": False,
        "avg_down": False,
        "groups": 1,
        "base_width": 64,
        "scales": 1,
    }

    def __init__(
        self,
        depth: Literal[18, 34, 50, 101, 152],
        stem_channels: int = 64,
        base_channels: int = 64,
        num_stages: int = 4,
        strides: Sequence[int] = (1, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1),
        out_indices: Sequence[int] = (0, 1, 2, 3),
        style: Literal["pytorch", "caffe"] = "pytorch",
        deep_stem: bool | None = None,
        avg_down: bool | None = None,
        frozen_stages: int = -1,
        norm_cfg: dict[str, Any] = BATCH_NORM,
        norm_eval: bool = False,
        dcn: dict[str, Any] | None = None,
        stage_with_dcn: Sequence[bool] = (False, False, False, False),
        multi_grid: Sequence[int] | None = None,
        contract_dilation: bool = False,
        zero_init_residual: bool = True,
        groups: int | None = None,
        base_width: int | None = None,
        scales: int | None = None,
        weights: str | None = None,
        weights_digest: str | None = None,
        *,
        in_channels: int,
    ) -> None:
        super().__init__()
        given = {
            "deep_stem": deep_stem,
            "avg_down": avg_down,
            "groups": groups,
            "base_width": base_width,
            "scales": scales,
        }
        chosen = {key: self.defaults[key] if value is None else value for key, value in given.items()}
        blocks = DEPTHS[depth][:num_stages]
        _check_stages(num_stages, strides, dilations, out_indices, frozen_stages, multi_grid, blocks)
        _check_blocks(depth, chosen, dcn, stage_with_dcn, num_stages)
        self.deep_stem, self.avg_down = chosen["deep_stem"], chosen["avg_down"]
        self.frozen_stages, self.norm_eval, self.out_indices = frozen_stages, norm_eval, tuple(out_indices)
        self._add_stem(in_channels, stem_channels, norm_cfg)
        before, found = stem_channels, []
        for stage, count in enumerate(blocks):
            with_dcn = dcn is not None and stage_with_dcn[stage]
            block_style = BlockStyle(
                norm_cfg, style == "caffe", zero_init_residual, chosen["groups"], chosen["base_width"], base_channels,
                chosen["scales"], dcn if with_dcn else None,
            )  # fmt: skip
            gridded = multi_grid is not None and stage == num_stages - 1
            grid = list(multi_grid) if multi_grid is not None and gridded else [dilations[stage]] * count
            if contract_dilation and not gridded and grid[0] > 1:
                grid[0] //= 2
            layer = self._stage(depth, before, base_channels * 2**stage, strides[stage], grid, block_style)
            self.add_module(f"layer{stage + 1}", layer)
            last: Any = layer[-1]
            before = last.out_channels
            found.append(before)
        self.channels = tuple(found[index] for index in self.out_indices)
        self._freeze()
        if weights is not None and not skips_initial_weights():
            load_weights(self, weights, is_head=lambda _name, _weight: False, spare=HEAD, digest=weights_digest)

    def forward(self, images: Tensor) -> list[Tensor]:
        if self.deep_stem:
            x = self.stem(images)
        else:
            x = functional.relu(self.get_submodule(self._norm)(self.conv1(images)))
        x = self.maxpool(x)
        found = []
        for stage in range(max(self.out_indices) + 1):
            x = self.get_submodule(f"layer{stage + 1}")(x)
            found.append(x)
        return [found[index] for index in self.out_indices]

    def train(self, mode: bool = True) -> ResNet:
        """Training mode, but for what is frozen and, with ``norm_eval``, the batch normalisations."""
        super().train(mode)
        for part in self._frozen():
            part.eval()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """The layers from the input on, in timm's format: the stem and each block; ``coarse``: each stage."""
        stem = rf"^(?:stem|conv1|{self._norm})"
        return {"stem": stem, "blocks": r"^layer(\d+)" if coarse else r"^layer(\d+)\.(\d+)"}

    def _add_stem(self, in_channels: int, channels: int, norm_cfg: dict[str, Any]) -> None:
        self._norm = f"{norm_name(norm_cfg)}1"
        if self.deep_stem:
            if channels % 2:
                raise UserError(f"a deep stem needs an even stem_channels, not {channels}", where="model.backbone")
            half = channels // 2
            parts: list[nn.Module] = []
            for before, after, stride in ((in_channels, half, 2), (half, half, 1), (half, channels, 1)):
                convolution = nn.Conv2d(before, after, 3, stride, 1, bias=False)
                draw_convolution(convolution)
                parts += [convolution, build_norm(norm_cfg, after), nn.ReLU(inplace=True)]
            self.stem = nn.Sequential(*parts)
        else:
            self.conv1 = nn.Conv2d(in_channels, channels, 7, 2, 3, bias=False)
            draw_convolution(self.conv1)
            self.add_module(self._norm, build_norm(norm_cfg, channels))
        self.maxpool = nn.MaxPool2d(3, 2, 1)

    def _stage(
        self, depth: int, before: int, planes: int, stride: int, dilations: list[int], style: BlockStyle
    ) -> nn.Sequential:
        made: Any = BasicBlock if depth in BASIC else Bottle2neck if style.scales > 1 else Bottleneck
        blocks = []
        for number, dilation in enumerate(dilations):
            step = stride if number == 0 else 1
            after = planes * made.expansion
            shortcut = self._shortcut(before, after, step, style) if step != 1 or before != after else None
            blocks.append(made(before, planes, step, dilation, shortcut, style, number == 0))
            before = after
        return nn.Sequential(*blocks)

    def _shortcut(self, before: int, after: int, stride: int, style: BlockStyle) -> nn.Sequential:
        pool = [nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)] if self.avg_down else []
        convolution = nn.Conv2d(before, after, 1, 1 if self.avg_down else stride, bias=False)
        draw_convolution(convolution)
        return nn.Sequential(*pool, convolution, build_norm(style.norm_cfg, after))

    def _frozen(self) -> list[nn.Module]:
        if self.frozen_stages < 0:
            return []
        stem = [self.stem] if self.deep_stem else [self.conv1, self.get_submodule(self._norm)]
        return stem + [self.get_submodule(f"layer{stage}") for stage in range(1, self.frozen_stages + 1)]

    def _freeze(self) -> None:
        for part in self._frozen():
            part.eval().requires_grad_(False)


@component(
    "backbone",
    source="He et al., CVPR 2019, arXiv 1812.01187; OpenMMLab",
    given=("in_channels",),
    complete=with_weights_digest,
)
class ResNetV1c(ResNet):
    """ResNet with three 3 × 3 convolutions as its stem; arguments as those of ``ResNet``."""

    defaults: ClassVar[dict[str, Any]] = {**ResNet.defaults, "deep_stem": True}


@component(
    "backbone",
    source="He et al., CVPR 2019, arXiv 1812.01187; OpenMMLab",
    given=("in_channels",),
    complete=with_weights_digest,
)
class ResNetV1d(ResNet):
    """ResNet with three 3 × 3 convolutions as its stem and averaging shortcuts; arguments as those of ``ResNet``."""

    defaults: ClassVar[dict[str, Any]] = {**ResNet.defaults, "deep_stem": True, "avg_down": True}


@component(
    "backbone",
    source="Xie et al., CVPR 2017, arXiv 1611.05431; OpenMMLab",
    given=("in_channels",),
    complete=with_weights_digest,
)
class ResNeXt(ResNet):
    """ResNeXt: bottlenecks with 32 groups of width 4; arguments as those of ``ResNet``, depths 50, 101, 152."""

    defaults: ClassVar[dict[str, Any]] = {**ResNet.defaults, "groups": 32, "base_width": 4}


@component(
    "backbone",
    source="Gao et al., TPAMI 2021, arXiv 1904.01169; OpenMMLab",
    given=("in_channels",),
    complete=with_weights_digest,
)
class Res2Net(ResNet):
    """Res2Net: bottlenecks split into a hierarchy of 4 scales of width 26; arguments as those of ``ResNet``.

    Deep stem and averaging shortcuts, as in OpenMMLab ("v1b"); the paper's has neither: ``deep_stem: false,
    avg_down: false``. Names are the authors' but for the deep stem's, which are OpenMMLab's.
    """

    defaults: ClassVar[dict[str, Any]] = {
        "deep_stem": True,
        "avg_down": True,
        "groups": 1,
        "base_width": 26,
        "scales": 4,
    }


def _check_stages(
    stages: int,
    strides: Sequence[int],
    dilations: Sequence[int],
    out: Sequence[int],
    frozen: int,
    grid: Sequence[int] | None,
    blocks: Sequence[int],
) -> None:
    if not 1 <= stages <= 4:
        raise UserError(f"num_stages must be 1 to 4, not {stages}", where="model.backbone.num_stages")
    for name, values in (("strides", strides), ("dilations", dilations)):
        if len(values) != stages or min(values) < 1:
            raise UserError(
                f"{name} needs {stages} numbers of at least 1, one a stage, not {list(values)}",
                where=f"model.backbone.{name}",
            )
    if not out or min(out) < 0 or max(out) >= stages:
        raise UserError(
            f"out_indices are stages 0 to {stages - 1}, not {list(out)}", where="model.backbone.out_indices"
        )
    if not -1 <= frozen <= stages:
        raise UserError(f"frozen_stages must be -1 to {stages}, not {frozen}", where="model.backbone.frozen_stages")
    if grid is not None and (len(grid) != blocks[-1] or min(grid) < 1):
        raise UserError(
            f"multi_grid needs {blocks[-1]} dilations, one for each block of the last stage, not {list(grid)}",
            where="model.backbone.multi_grid",
        )


def _check_blocks(
    depth: int, chosen: dict[str, Any], dcn: dict[str, Any] | None, with_dcn: Sequence[bool], stages: int
) -> None:
    for key in ("groups", "base_width", "scales"):
        if chosen[key] < 1:
            raise UserError(f"{key} must be at least 1, not {chosen[key]}", where=f"model.backbone.{key}")
        if depth in BASIC and chosen[key] != ResNet.defaults[key]:
            raise UserError(
                f"depth {depth} has basic blocks, which know no {key}",
                where=f"model.backbone.{key}",
                fix="take depth 50, 101 or 152",
            )
    if dcn is None:
        if any(with_dcn):
            raise UserError("it names stages, but there is no dcn", where="model.backbone.stage_with_dcn")
        return
    check_dcn(dcn)
    if depth in BASIC:
        raise UserError("deformable convolutions are for bottlenecks: depth 50, 101, 152", where="model.backbone.dcn")
    if len(with_dcn) != stages or not any(with_dcn):
        raise UserError(
            f"it needs {stages} values, one a stage, at least one true, not {list(with_dcn)}",
            where="model.backbone.stage_with_dcn",
            fix="for example [false, true, true, true]",
        )
