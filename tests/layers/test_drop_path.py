"""Branches left out at random: one draw for each image, or one for the batch."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.layers.drop_path import draw_once_a_batch, drop_paths
from tricklab.models.groupmamba import GroupMamba


def resnet(rate: float) -> nn.Module:
    model: nn.Module = timm.create_model("resnet10t", drop_path_rate=rate, num_classes=3)
    return model


def groupmamba(rate: float) -> nn.Module:
    return GroupMamba(embed_dims=[16, 16, 32, 32], depths=[1, 1, 1, 2], classes=3, drop_path=rate)


@pytest.mark.parametrize("make", [resnet, groupmamba])
def test_all_branches_become_per_batch_with_the_same_chances(make: object) -> None:
    model = make(0.4)  # type: ignore[operator]
    weights = list(model.state_dict())
    before = drop_paths(model)
    draw_once_a_batch(model)
    after = drop_paths(model)
    assert {one["per"] for one in before.values()} == {"image"}
    assert {one["per"] for one in after.values()} == {"batch"}
    assert {name: one["p"] for name, one in after.items()} == {name: one["p"] for name, one in before.items()}
    assert max(one["p"] for one in after.values()) == pytest.approx(0.4)
    assert list(model.state_dict()) == weights


class Branch(nn.Module):
    def __init__(self, p: float) -> None:
        super().__init__()
        self.drop_path = timm.layers.DropPath(p)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop_path(x)  # type: ignore[no-any-return]


def kept(model: nn.Module, draws: int) -> torch.Tensor:
    """(draws, 16): what is left of ones."""
    torch.manual_seed(0)
    return torch.stack([model(torch.ones(16, 1))[:, 0] for _ in range(draws)])


def test_a_batch_is_kept_whole_or_not_at_all() -> None:
    model = Branch(0.25)
    alone = kept(model, 2000)
    assert any(len(draw.unique()) == 2 for draw in alone)
    draw_once_a_batch(model)
    together = kept(model, 2000)
    assert all(len(draw.unique()) == 1 for draw in together)
    torch.testing.assert_close(together.unique(), torch.tensor([0.0, 1 / 0.75]))
    # four standard errors of a mean of 2000 draws with variance p / (1 - p)
    assert abs(float(together[:, 0].mean()) - 1) < 4 * (0.25 / 0.75 / 2000) ** 0.5
    model.eval()
    assert torch.equal(kept(model, 3), torch.ones(3, 16))


def test_a_module_in_evaluation_mode_stays_so() -> None:
    model = Branch(0.5).eval()
    draw_once_a_batch(model)
    assert not model.drop_path.training


@pytest.mark.parametrize("model", [resnet(0.0), groupmamba(0.0), nn.Linear(2, 2)])
def test_nothing_to_leave_out(model: nn.Module) -> None:
    with pytest.raises(UserError, match="has no branch that is left out"):
        draw_once_a_batch(model)
