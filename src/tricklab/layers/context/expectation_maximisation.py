"""EMANet's attention: a few bases found by expectation maximisation describe the whole map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.layers.context._base import ContextBlock, single, without_autocast
from tricklab.layers.context.normalisation import batch_norm
from tricklab.layers.conv_module import draw_convolution
from tricklab.registry import component


@component(
    "context",
    source="Li et al., Expectation-Maximization Attention Networks, ICCV 2019, arXiv 1907.13426; XiaLiPKU/EMANet",
    given=("channels",),
)
class EMAttention(ContextBlock):
    """Expectation maximisation attention: y = relu(x + BN(W relu(mu Z^T))).

    From f = conv1(x) and the bases mu (C × K), ``num_stages`` times: Z = softmax over bases of f^T mu, mu = unit
    vectors of f Z / (1e-6 + sum over pixels of Z). O(HW K C stages) time, O(HW K) memory; rank of mu Z^T at most K.
    Not the identity at the start. Weight names are the official ones.

    While training, the stored bases follow: mu ← unit((1 - momentum) mu + momentum · unit(mean over images and
    processes of the found bases)). OpenMMLab does so without the outer unit, the official script without either: their
    bases grow shorter, and the first softmax softer. Gradient checkpointing runs the forward twice: the second time,
    inside the backward pass, the bases of before are used and nothing is stored. Softmax and lengths are computed in
    single precision at least. Both convolutions are drawn as published, which matters for the one that is never
    trained.

    No gradient passes the iterations: the published block never trains ``conv1``, and reaches x only past the block.

    Args:
        num_bases: K.
        num_stages: iterations.
        momentum: weight of the *new* bases (OpenMMLab's convention; the official code counts the old, 0.9).
        train_projection: let the gradient pass the last Z, so that ``conv1`` learns; false is the published block,
            whose ``conv1`` is frozen here for everybody to see.

    >>> EMAttention(num_bases=4, channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    mu: Tensor
    before: Tensor

    def __init__(
        self,
        num_bases: int = 64,
        num_stages: int = 3,
        momentum: float = 0.1,
        train_projection: bool = False,
        *,
        channels: int,
    ) -> None:
        super().__init__(channels)
        if not 0 <= momentum <= 1:
            raise UserError(f"momentum of EMAttention must be from 0 to 1, not {momentum}")
        self.num_stages, self.momentum = self.at_least_one("num_stages", num_stages), momentum
        self.train_projection = train_projection
        bases = torch.randn(1, channels, self.at_least_one("num_bases", num_bases))
        self.register_buffer("mu", _unit(bases))
        self.register_buffer("before", self.mu.clone(), persistent=False)
        self.conv1 = nn.Conv2d(channels, channels, 1).requires_grad_(train_projection)
        self.conv2 = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), batch_norm(channels))
        for convolution in (self.conv1, self.conv2[0]):
            assert isinstance(convolution, nn.Conv2d)
            draw_convolution(convolution)

    def context(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.conv2(functional.relu(self.reconstruction(x))))

    def reconstruction(self, x: Tensor) -> Tensor:
        """mu Z^T, (N, C, H, W)."""
        features = self.conv1(x)
        # gradient checkpointing runs this again within the backward pass
        again = not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1
        with without_autocast(x):
            pixels_NCP = single(features).flatten(2)
            with torch.no_grad():
                bases_NCK = (self.before if again else self.mu).to(pixels_NCP.dtype).expand(x.shape[0], -1, -1)
                for _ in range(self.num_stages):
                    taken_NPK = _taken(pixels_NCP, bases_NCK)
                    bases_NCK = _unit(pixels_NCP @ (taken_NPK / (1e-6 + taken_NPK.sum(dim=1, keepdim=True))))
            if self.train_projection:
                taken_NPK = _taken(pixels_NCP, bases_NCK)
            if self.training and not again:
                self._follow(bases_NCK.mean(dim=0, keepdim=True))
            found_NCP = bases_NCK @ taken_NPK.transpose(1, 2)
        return found_NCP.to(features.dtype).unflatten(2, tuple(x.shape[2:]))

    @torch.no_grad()
    def _follow(self, found_1CK: Tensor) -> None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(found_1CK)
            found_1CK = found_1CK / torch.distributed.get_world_size()
        self.before.copy_(self.mu)
        self.mu.copy_(_unit((1 - self.momentum) * self.mu + self.momentum * _unit(found_1CK).to(self.mu.dtype)))


def _taken(pixels_NCP: Tensor, bases_NCK: Tensor) -> Tensor:
    return (pixels_NCP.transpose(1, 2) @ bases_NCK).softmax(dim=2)


def _unit(bases_NCK: Tensor) -> Tensor:
    return bases_NCK / (1e-6 + bases_NCK.norm(dim=1, keepdim=True))
