"""Learning rate and weight decay of each parameter against timm's own functions."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay, param_groups_weight_decay
from torch import nn

from tricklab.errors import UserError
from tricklab.models.groupmamba import GroupMamba
from tricklab.optim import build_optimizer, describe_layers, undecayed
from tricklab.optim.parameter_groups import parameter_groups

NAMES = ["resnet10t", "convnext_atto", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "test_vit"]


def meta(name: str) -> Any:
    with torch.device("meta"):
        return timm.create_model(name, num_classes=5)


def settings_of(
    model: nn.Module, groups: list[dict[str, Any]], lr: float | None = None
) -> dict[str, tuple[float, float]]:
    """Name -> (learning rate, weight decay); timm's groups have no names and a factor instead of a rate."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: (group["lr"] if lr is None else lr * group.get("lr_scale", 1.0), group["weight_decay"])
        for group in groups
        for parameter in group["params"]
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("exempt", [True, False])
def test_layer_decay_is_timms(name: str, exempt: bool) -> None:
    model = meta(name)
    ours = parameter_groups(model, lr=0.5, weight_decay=0.05, decay_norm_and_bias=not exempt, layer_decay=0.75)
    theirs = param_groups_layer_decay(
        model,
        weight_decay=0.05,
        no_weight_decay_list=model.no_weight_decay() if exempt and hasattr(model, "no_weight_decay") else (),
        weight_decay_exclude_1d=exempt,
        layer_decay=0.75,
    )
    found = settings_of(model, ours)
    assert found == settings_of(model, theirs, 0.5)
    assert len(ours) == len(set(found.values())) <= len(theirs)
    assert all(group["initial_lr"] == group["lr"] for group in ours)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_decayed_is_timms(name: str) -> None:
    model = meta(name)
    says = model.no_weight_decay() if hasattr(model, "no_weight_decay") else ()
    theirs = param_groups_weight_decay(model, weight_decay=0.05, no_weight_decay_list=says)
    ours = parameter_groups(model, lr=0.1, weight_decay=0.05, decay_norm_and_bias=False)
    assert settings_of(model, ours) == settings_of(model, theirs, 0.1)
    assert len(ours) == 2


def test_vits_position_is_two_dimensional_and_still_spared() -> None:
    assert {"pos_embed", "cls_token"} <= undecayed(meta("vit_tiny_patch16_224"))


def test_groupmambas_scans_are_spared() -> None:
    model = GroupMamba(embed_dims=[16, 16, 32, 32], depths=[1, 1, 1, 1], classes=4)
    groups = parameter_groups(model, lr=0.1, weight_decay=0.05, decay_norm_and_bias=False)
    spared = {name for group in groups if group["weight_decay"] == 0 for name in group["names"]}
    two = {name.rsplit(".", 1)[-1] for name in spared if model.get_parameter(name).ndim > 1}
    assert two == {"A_logs", "dt_projs_bias"}
    for name, parameter in model.named_parameters():
        own = name.rsplit(".", 1)[-1] in ("A_logs", "Ds", "dt_projs_bias")
        assert (name in spared) == (own or parameter.ndim < 2), name
    assert all(g["weight_decay"] == 0.05 for g in parameter_groups(model, lr=0.1, weight_decay=0.05))


def test_a_models_own_patterns_and_those_of_its_parts() -> None:
    class Part(nn.Linear):
        def no_weight_decay(self) -> set[str]:
            return {"w*"}

    model = nn.Sequential(Part(2, 3), nn.Linear(3, 2))
    assert undecayed(model) == {"0.weight", "0.bias", "1.bias"}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.Linear(4, 2)).double()


@pytest.mark.parametrize("interactions", ["ours", "theirs"])
def test_keys_multiply_the_layers_rate_and_decide_what_they_name(interactions: str) -> None:
    keys = {"2.": {"lr_mult": 10.0}, "0.bias": {"decay_mult": 0.5}}
    groups = parameter_groups(
        network(),
        lr=1.0,
        weight_decay=0.2,
        decay_norm_and_bias=False,
        layer_decay=0.5,
        custom_keys=keys,
        paramwise={"interactions": interactions},
    )
    found = {name: (group["lr"], group["weight_decay"]) for group in groups for name in group["names"]}
    assert found == {
        "0.weight": (0.25, 0.2),
        "0.bias": (0.25, 0.1),
        "1.weight": (0.25, 0.0),
        "1.bias": (0.25, 0.0),
        "2.weight": (5.0, 0.2),
        "2.bias": (5.0, 0.0 if interactions == "ours" else 0.2),
        "3.weight": (1.0, 0.2),
        "3.bias": (1.0, 0.0),
    }


def test_steps_are_those_of_groups_made_by_hand() -> None:
    ours, theirs = network(), network()
    optimizer = build_optimizer({"type": "AdamW", "lr": 0.01, "weight_decay": 0.1, "layer_decay": 0.5}, ours)
    by_hand = torch.optim.AdamW(
        [
            {"params": [*theirs[0].parameters(), *theirs[1].parameters()], "lr": 0.0025},
            {"params": list(theirs[2].parameters()), "lr": 0.005},
            {"params": list(theirs[3].parameters()), "lr": 0.01},
        ],
        weight_decay=0.1,
    )
    data = torch.arange(18, dtype=torch.float64).reshape(6, 3).sin()
    for _ in range(5):
        for model, chosen in ((ours, optimizer), (theirs, by_hand)):
            chosen.zero_grad()
            model(data).square().sum().backward()
            chosen.step()
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-12, atol=1e-15)


def test_layers_are_described() -> None:
    model = network()
    model[0].bias.requires_grad_(False)
    groups = parameter_groups(model, lr=1.0, weight_decay=0.0, layer_decay=0.5)
    assert describe_layers(model, groups) == [
        {"layer": 0, "first": "0.weight", "count": 3, "lr": 0.25},
        {"layer": 1, "first": "2.weight", "count": 2, "lr": 0.5},
        {"layer": 2, "first": "3.weight", "count": 2, "lr": 1.0},
    ]


def test_one_layer_cannot_decay() -> None:
    with pytest.raises(UserError, match="Linear is one layer"):
        build_optimizer({"type": "Adam", "layer_decay": 0.75}, nn.Linear(2, 2))
    for value in (0.0, 1.0, 1.5):
        with pytest.raises(UserError, match=r"optimizer\.layer_decay: must lie between 0 and 1"):
            build_optimizer({"type": "Adam", "layer_decay": value}, network())
