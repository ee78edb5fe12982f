"""Convolutions with batch normalisation that also train on a single value per channel."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional

from tricklab.layers.batch_of_one import guard_batches_of_one


class MapBatchNorm2d(nn.BatchNorm2d):
    """``nn.BatchNorm2d``, but a batch with one value per channel is normalised by the running statistics.

    Pooling to 1 × 1 and a batch of one leave a single value, which has no variance: PyTorch refuses to train there.
    Such a batch is normalised as in evaluation, and the running statistics stay as they are.
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__(num_features, eps=eps)
        guard_batches_of_one(self)

    def forward(self, input: Tensor) -> Tensor:
        if self.training and input.numel() == input.shape[1]:
            mean, variance = self.running_mean, self.running_var
            return functional.batch_norm(input, mean, variance, self.weight, self.bias, False, 0.0, self.eps)
        return super().forward(input)


def batch_norm(channels: int, *, zero: bool = False, eps: float = 1e-5) -> MapBatchNorm2d:
    """Batch normalisation of maps; ``zero`` starts its weight at 0, so that its branch begins as nothing."""
    norm = MapBatchNorm2d(channels, eps=eps)
    if zero:
        nn.init.zeros_(norm.weight)
    return norm


def conv_norm(
    inputs: int, outputs: int, size: int = 1, *, norm: bool = True, zero: bool = False, relu: bool = True
) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU, named ``conv``, ``bn``, ``activate`` as OpenMMLab's ConvModule does.

    Args:
        inputs, outputs: channels.
        size: of the square kernel, an odd number; the map keeps its size.
        norm: normalise; without it the convolution has a bias.
        zero: start as nothing: the normalisation's weight, or without one the convolution's, is 0.
        relu: end with a ReLU.
    """
    conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=not norm)
    parts: list[tuple[str, nn.Module]] = [("conv", conv)]
    if norm:
        parts.append(("bn", batch_norm(outputs, zero=zero)))
    elif zero:
        nn.init.zeros_(conv.weight)
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
    if relu:
        parts.append(("activate", nn.ReLU()))
    return nn.Sequential(OrderedDict(parts))
