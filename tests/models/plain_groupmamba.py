"""GroupMamba written straight down: four scan mixers one after the other, transposes, flips, a loop over pixels.

Nothing here is shared with the package. Parameters are named as in the authors' code, so that weights load both ways;
``scan`` may be replaced by any function of the same meaning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Scan = Callable[..., Tensor]


def loop_scan(
    u_BLD: Tensor, delta_BLD: Tensor, A_DN: Tensor, B_BLN: Tensor, C_BLN: Tensor, D_D: Tensor, bias_D: Tensor
) -> Tensor:
    """``h_t = exp(s_t A) h_(t-1) + s_t B_t u_t``, ``y_t = C_t h_t + D u_t`` pixel by pixel from h = 0, with the step
    ``s = softplus(delta + bias)``."""
    state_BDN = u_BLD.new_zeros(len(u_BLD), *A_DN.shape)
    found = []
    steps_BLD = functional.softplus(delta_BLD + bias_D)
    pixels = zip(u_BLD.unbind(1), steps_BLD.unbind(1), B_BLN.unbind(1), C_BLN.unbind(1), strict=True)
    for u_BD, step_BD, B_BN, C_BN in pixels:
        decay_BDN = torch.exp(step_BD[:, :, None] * A_DN)
        state_BDN = decay_BDN * state_BDN + (step_BD * u_BD)[:, :, None] * B_BN[:, None, :]
        found.append((state_BDN * C_BN[:, None, :]).sum(2) + D_D * u_BD)
    return torch.stack(found, 1)


class Mixer(nn.Module):
    """One group's scan mixer; ``direction`` 0 rows, 1 columns, 2 rows backwards, 3 columns backwards."""

    def __init__(self, width: int, direction: int, scan: Scan) -> None:
        super().__init__()
        self.rank, self.direction, self.scan = math.ceil(width / 16), direction, scan
        self.x_proj_weight = nn.Parameter(torch.randn(1, self.rank + 2, width) / width**0.5)
        self.dt_projs_weight = nn.Parameter(torch.randn(1, width, self.rank))
        self.dt_projs_bias = nn.Parameter(torch.randn(1, width))
        self.A_logs = nn.Parameter(torch.zeros(width, 1))
        self.Ds = nn.Parameter(torch.ones(width))
        self.out_norm = nn.LayerNorm(width)
        self.in_proj = nn.Linear(width, 2 * width, bias=False)
        self.conv2d = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.out_proj = nn.Linear(width, width, bias=False)

    def forward(self, x_BHWD: Tensor) -> Tensor:
        batch, height, width, depth = x_BHWD.shape
        x, z = self.in_proj(x_BHWD).chunk(2, dim=-1)
        x = functional.silu(self.conv2d(x.permute(0, 3, 1, 2).contiguous()))
        if self.direction % 2:
            x = x.transpose(2, 3)
        sequence_BDL = x.flatten(2)
        if self.direction >= 2:
            sequence_BDL = sequence_BDL.flip(-1)
        made = torch.einsum("bdl,cd->bcl", sequence_BDL, self.x_proj_weight[0])
        delta, B, C = made.split([self.rank, 1, 1], dim=1)
        delta = torch.einsum("brl,dr->bdl", delta, self.dt_projs_weight[0])
        y_BDL = self.scan(
            sequence_BDL.transpose(1, 2).contiguous(), delta.transpose(1, 2).contiguous(), -torch.exp(self.A_logs),
            B.transpose(1, 2).contiguous(), C.transpose(1, 2).contiguous(), self.Ds,
            self.dt_projs_bias[0],
        ).transpose(1, 2)  # fmt: skip
        if self.direction >= 2:
            y_BDL = y_BDL.flip(-1)
        if self.direction % 2:
            y_BDL = y_BDL.reshape(batch, depth, width, height).transpose(2, 3).flatten(2)
        y_BHWD = y_BDL.transpose(1, 2).contiguous().view(batch, height, width, depth)
        return self.out_proj(self.out_norm(y_BHWD) * functional.silu(z))


class GroupLayer(nn.Module):
    """Norm, four mixers on a quarter of the channels each, product with the input, channel gates, norm, projection."""

    def __init__(self, width: int, scan: Scan) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, width // 16)
        self.fc2 = nn.Linear(width // 16, width)
        self.norm = nn.LayerNorm(width)
        self.mamba_g1 = Mixer(width // 4, 0, scan)
        self.mamba_g2 = Mixer(width // 4, 1, scan)
        self.mamba_g3 = Mixer(width // 4, 2, scan)
        self.mamba_g4 = Mixer(width // 4, 3, scan)
        self.proj = nn.Linear(width, width)
        self.skip_scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        x = self.norm(x)
        gate = torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean(1)))))
        image = x.reshape(len(x), height, width, -1)
        first, second, third, fourth = image.chunk(4, dim=-1)
        mixed = torch.cat(
            [self.mamba_g1(first), self.mamba_g2(second), self.mamba_g3(third), self.mamba_g4(fourth)], dim=-1
        )
        mixed = (mixed * self.skip_scale * image).reshape(x.shape)
        return self.proj(self.norm(mixed * gate.unsqueeze(1)))


class DepthwiseOnTokens(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        image = x.transpose(1, 2).reshape(len(x), -1, height, width)
        return self.dwconv(image).flatten(2).transpose(1, 2)


class FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int, convolution: bool) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        if convolution:
            self.dwconv = DepthwiseOnTokens(hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.convolution = convolution

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        x = self.fc1(x)
        if self.convolution:
            x = self.dwconv(x, height, width)
        return self.fc2(functional.gelu(x))


class Block(nn.Module):
    def __init__(self, width: int, ratio: int, scan: Scan) -> None:
        super().__init__()
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.attn = GroupLayer(width, scan)
        self.mlp = FeedForward(width, width * ratio, convolution=True)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        x = x + self.attn(x, height, width)
        return x + self.mlp(self.norm2(x), height, width)


class ClassBlock(nn.Module):
    def __init__(self, width: int, ratio: int, scan: Scan) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.attn = GroupLayer(width, scan)
        self.mlp = FeedForward(width, width * ratio, convolution=False)

    def forward(self, token: Tensor) -> Tensor:
        token = token + self.norm1(self.attn(token, 1, 1))
        return token + self.mlp(self.norm2(token), 1, 1)


class Embedding(nn.Module):
    """To tokens: the stem's four convolutions, or one convolution of stride 2."""

    def __init__(self, channels: int, width: int, hidden: int | None = None) -> None:
        super().__init__()
        self.conv = nn.Identity()
        if hidden is not None:
            parts: list[nn.Module] = []
            for before, kernel, stride in ((channels, 7, 2), (hidden, 3, 1), (hidden, 3, 1)):
                convolution = nn.Conv2d(before, hidden, kernel, stride, kernel // 2, bias=False)
                parts += [convolution, nn.BatchNorm2d(hidden), nn.ReLU()]
            self.conv = nn.Sequential(*parts)
        self.proj = nn.Conv2d(hidden or channels, width, 3, 2, 1)
        self.norm = nn.LayerNorm(width)

    def forward(self, images: Tensor) -> tuple[Tensor, int, int]:
        images = self.proj(self.conv(images))
        return self.norm(images.flatten(2).transpose(1, 2)), images.shape[2], images.shape[3]


class PlainGroupMamba(nn.Module):
    """The network without stochastic depth. Returns logits, or with ``distillation`` the pair of both heads' logits."""

    def __init__(
        self,
        classes: int,
        stem: int = 32,
        widths: Sequence[int] = (64, 128, 348, 448),
        depths: Sequence[int] = (3, 4, 9, 3),
        ratios: Sequence[int] = (8, 8, 4, 4),
        distillation: bool = False,
        channels: int = 3,
        scan: Scan = loop_scan,
    ) -> None:
        super().__init__()
        before = channels
        for stage, (width, depth, ratio) in enumerate(zip(widths, depths, ratios, strict=True), start=1):
            setattr(self, f"patch_embed{stage}", Embedding(before, width, stem if stage == 1 else None))
            setattr(self, f"block{stage}", nn.ModuleList(Block(width, ratio, scan) for _ in range(depth)))
            setattr(self, f"norm{stage}", nn.LayerNorm(width, eps=1e-6))
            before = width
        self.post_network = nn.ModuleList([ClassBlock(before, ratios[-1], scan)])
        self.head = nn.Linear(before, classes)
        if distillation:
            self.dist_head = nn.Linear(before, classes)
        self.distillation = distillation

    def stages(self, images: Tensor) -> list[Tensor]:
        """Normalised maps of stages 1 to 3 and the tokens (B, L, C) of stage 4 before their norm."""
        found = []
        for stage in range(1, 5):
            x, height, width = getattr(self, f"patch_embed{stage}")(images)
            for block in getattr(self, f"block{stage}"):
                x = block(x, height, width)
            if stage < 4:
                x = getattr(self, f"norm{stage}")(x)
                x = images = x.reshape(len(x), height, width, -1).permute(0, 3, 1, 2).contiguous()
            found.append(x)
        return found

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        token = self.stages(images)[-1].mean(1, keepdim=True)
        token = self.norm4(self.post_network[0](token))[:, 0]
        return (self.head(token), self.dist_head(token)) if self.distillation else self.head(token)
