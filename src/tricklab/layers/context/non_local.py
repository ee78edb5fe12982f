"""Non-local block: every position gets a weighted mean of all positions."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from tricklab.layers.context._base import ContextBlock
from tricklab.layers.context.normalisation import conv_norm
from tricklab.registry import component


@component(
    "context",
    source="Wang et al., Non-local Neural Networks, CVPR 2018, arXiv 1711.07971; OpenMMLab's NonLocal2d",
    given=("channels",),
)
class NonLocal(ContextBlock):
    """Non-local block: y_i = x_i + W (sum over all j of f(x_i, x_j) g(x_j)).

    O((HW)² C) time and O((HW)²) memory. ``W`` starts at zero: the block starts as the identity. Arguments and weight
    names are those of OpenMMLab's NonLocal2d: 4 C²/reduction weights and the biases.

    Args:
        reduction: how many times fewer channels the embeddings have.
        use_scale: divide the similarities of ``embedded_gaussian`` by the root of the embedding's channels. timm's
            NonLocalAttn divides by the root of the input's channels instead.
        mode: how two positions are compared. ``gaussian``: softmax of x_i · x_j; ``embedded_gaussian``: softmax of
            theta(x_i) · phi(x_j); ``dot_product``: theta · phi / HW; ``concatenation``: relu(w [theta, phi]) / HW.
        sub_sample: compare with the maxima of 2 × 2 positions only.
        norm: a batch normalisation ends the branch; its weight starts at zero in place of ``W``.

    >>> import torch
    >>> NonLocal(channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self,
        reduction: int = 2,
        use_scale: bool = True,
        mode: Literal["gaussian", "embedded_gaussian", "dot_product", "concatenation"] = "embedded_gaussian",
        sub_sample: bool = False,
        norm: bool = False,
        *,
        channels: int,
    ) -> None:
        super().__init__(channels)
        hidden = self.hidden(reduction)
        self.mode, self.use_scale = mode, use_scale
        self.g: nn.Module = conv_norm(channels, hidden, norm=False, relu=False)
        self.conv_out = conv_norm(hidden, channels, norm=norm, zero=True, relu=False)
        phi: nn.Module = nn.Identity()
        if mode != "gaussian":
            self.theta = conv_norm(channels, hidden, norm=False, relu=False)
            phi = conv_norm(channels, hidden, norm=False, relu=False)
        if mode == "concatenation":
            self.concat_project = nn.Sequential()
            self.concat_project.add_module("conv", nn.Conv2d(2 * hidden, 1, 1, bias=False))
        if sub_sample:
            # ceil_mode: a map of one row or column has maxima too
            self.g = nn.Sequential(self.g, nn.MaxPool2d(2, ceil_mode=True))
            phi = nn.Sequential(phi, nn.MaxPool2d(2, ceil_mode=True))
        self.phi = phi

    def context(self, x: Tensor) -> Tensor:
        values_NCM = self.g(x).flatten(2)
        keys_NCM = self.phi(x).flatten(2)
        queries_NCP = (x if self.mode == "gaussian" else self.theta(x)).flatten(2)
        weights_NPM = self._weights(queries_NCP, keys_NCM)
        found_NCP = values_NCM @ weights_NPM.transpose(1, 2).to(values_NCM.dtype)
        return x + self.conv_out(found_NCP.unflatten(2, tuple(x.shape[2:])))

    def _weights(self, queries_NCP: Tensor, keys_NCM: Tensor) -> Tensor:
        if self.mode == "concatenation":
            (project,) = self.concat_project
            assert isinstance(project, nn.Conv2d)
            # w [a, b] = w_a a + w_b b: no pair is ever put together
            first, second = project.weight.flatten().chunk(2)
            pairs = (first @ queries_NCP).unsqueeze(2) + (second @ keys_NCM).unsqueeze(1)
            return pairs.relu() / keys_NCM.shape[2]
        similar_NPM = queries_NCP.transpose(1, 2) @ keys_NCM
        if self.mode == "dot_product":
            return similar_NPM / keys_NCM.shape[2]
        if self.mode == "embedded_gaussian" and self.use_scale:
            similar_NPM = similar_NPM / queries_NCP.shape[1] ** 0.5
        return similar_NPM.softmax(dim=2)
