"""Rules for kinds of parameters: document 001's examples, and each trap of OpenMMLab's constructor by its name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.optim import build_optimizer, describe_rules, unmatched_parameters
from tricklab.optim.clock import Clock
from tricklab.optim.freezing import Freezing
from tricklab.optim.parameter_groups import parameter_groups
from tricklab.optim.paramwise import Rules

LR, DECAY = 1.0, 0.5


class DeformConv2d(nn.Module):
    """A deformable convolution's parameters under OpenMMLab's names."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(4, 4, 3, 3)), nn.Parameter(torch.zeros(4))
        self.conv_offset = nn.Conv2d(4, 18, 3)


class Network(nn.Module):
    """One of each kind, with OpenMMLab's names of parts."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.ModuleDict(
            {
                "conv": nn.Conv2d(3, 4, 3),
                "bn": nn.BatchNorm2d(4),
                "depthwise": nn.Conv2d(4, 4, 3, groups=4),
                "dcn": DeformConv2d(),
                "rms": nn.RMSNorm(4),
                "attention": nn.MultiheadAttention(4, 2),
            }
        )
        self.gamma = nn.Parameter(torch.ones(4))
        self.decode_head = nn.Conv2d(4, 2, 1)
        self.auxiliary_head = nn.Conv2d(4, 2, 1)


def settings(
    model: nn.Module, paramwise: dict[str, Any] | None = None, keys: Any = None, **options: Any
) -> dict[str, tuple[float, float]]:
    groups = parameter_groups(model, lr=LR, weight_decay=DECAY, custom_keys=keys, paramwise=paramwise, **options)
    found = {name: (group["lr"], group["weight_decay"]) for group in groups for name in group["names"]}
    assert len(groups) == len(set(found.values())), "as many groups as different settings"
    return found


def changed(paramwise: dict[str, Any], keys: Any = None) -> dict[str, tuple[float, float]]:
    return {name: pair for name, pair in settings(Network(), paramwise, keys).items() if pair != (LR, DECAY)}


def test_document_001_example_1_norm_decay_mult() -> None:
    config = {"type": "SGD", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.0001, "paramwise": {"norm_decay_mult": 0.0}}
    (group,) = build_optimizer(config, nn.Conv1d(1, 1, 1)).param_groups
    assert (group["lr"], group["weight_decay"], group["momentum"]) == (0.01, 0.0001, 0.9)
    first, second = build_optimizer(config, nn.Sequential(nn.Conv1d(1, 1, 1), nn.BatchNorm1d(1))).param_groups
    assert (first["names"], first["weight_decay"]) == (["0.weight", "0.bias"], 0.0001)
    assert (second["names"], second["weight_decay"]) == (["1.weight", "1.bias"], 0.0)


def test_document_001_example_2_custom_keys() -> None:
    model = nn.ModuleDict({"backbone": nn.Linear(2, 2), "cls_head": nn.Linear(2, 2)})
    keys = {"backbone": {"lr_mult": 0.1, "decay_mult": 0.9}}
    config = {"type": "SGD", "lr": 0.01, "weight_decay": 0.95, "custom_keys": keys}
    backbone, head = build_optimizer(config, model).param_groups
    assert (backbone["lr"], backbone["weight_decay"]) == pytest.approx((0.01 * 0.1, 0.95 * 0.9), rel=1e-12)
    assert (head["lr"], head["weight_decay"]) == (0.01, 0.95)


def test_document_001_head_learning_rate_times_ten() -> None:
    found = changed({}, {"head": {"lr_mult": 10.0}})
    assert found == {
        f"{head}.{name}": (10 * LR, DECAY) for head in ("decode_head", "auxiliary_head") for name in ("weight", "bias")
    }


@pytest.mark.parametrize(
    ("rule", "pair", "names"),
    [
        ("norm_decay_mult", (LR, 0.0), {"bn.weight", "bn.bias", "rms.weight"}),
        ("dwconv_decay_mult", (LR, 0.0), {"depthwise.weight", "depthwise.bias"}),
        ("dcn_offset_lr_mult", (0.0, DECAY), {"dcn.conv_offset.weight", "dcn.conv_offset.bias"}),
        (
            "bias_decay_mult",
            (LR, 0.0),
            {"conv.bias", "dcn.bias", "attention.in_proj_bias", "attention.out_proj.bias", "decode", "auxiliary"},
        ),
        (
            "bias_lr_mult",
            (0.0, DECAY),
            {
                "conv.bias",
                "dcn.bias",
                "depthwise.bias",
                "attention.in_proj_bias",
                "attention.out_proj.bias",
                "decode",
                "auxiliary",
            },
        ),
    ],
)
def test_each_rule_alone_decides_what_its_documentation_says(
    rule: str, pair: tuple[float, float], names: set[str]
) -> None:
    full = {f"{name}_head.bias" if name in ("decode", "auxiliary") else f"backbone.{name}" for name in names}
    assert changed({rule: 0.0}) == dict.fromkeys(full, pair)


def test_flat_decay_spares_every_vector_that_no_rule_before_it_decides() -> None:
    found = settings(Network(), {"flat_decay_mult": 0.0, "norm_decay_mult": 0.5})
    for name, parameter in Network().named_parameters():
        norm = name.startswith(("backbone.bn", "backbone.rms"))
        assert found[name][1] == (0.25 if norm else 0.0 if parameter.ndim < 2 else DECAY), name


def test_trap_a_a_key_for_the_rate_leaves_the_decay_of_norms_alone() -> None:
    rules = {"norm_decay_mult": 0.0}
    keys = {"backbone": {"lr_mult": 0.5}}
    assert settings(Network(), rules, keys)["backbone.bn.weight"] == (0.5, 0.0)
    theirs = settings(Network(), {**rules, "interactions": "theirs"}, keys)
    assert theirs["backbone.bn.weight"] == (0.5, DECAY), "mmengine 846: the key switches every other rule off"


def test_trap_a_again_a_shorter_key_decides_what_the_longer_does_not_name() -> None:
    keys = {"backbone": {"lr_mult": 0.5}, "bn": {"decay_mult": 0.0}}
    assert settings(Network(), None, keys)["backbone.bn.weight"] == (0.5, 0.0)
    theirs = settings(Network(), {"interactions": "theirs"}, keys)
    assert theirs["backbone.bn.weight"] == (0.5, DECAY)


def test_trap_b_what_matches_nothing_or_is_misspelt_is_an_error() -> None:
    with pytest.raises(UserError, match="'haed' matches no trainable parameter"):
        settings(Network(), None, {"haed": {"lr_mult": 10.0}})
    with pytest.raises(UserError, match=r"paramwise.*norm_decay_mul"):
        build_optimizer({"type": "SGD", "lr": 0.1, "paramwise": {"norm_decay_mul": 0.0}}, Network())
    with pytest.raises(UserError, match="did you mean 'norm_decay_mult'"):
        settings(Network(), {"norm_decay_mul": 0.0})
    with pytest.raises(UserError, match="greater than or equal to 0"):
        build_optimizer({"type": "SGD", "lr": 0.1, "paramwise": {"bias_lr_mult": -1.0}}, Network())
    with pytest.raises(UserError, match=r"paramwise\.bias_lr_mult: must not be negative"):
        settings(Network(), {"bias_lr_mult": -1.0})


def test_trap_c_the_record_says_which_parts_a_key_has_caught() -> None:
    model, section = Network(), {"custom_keys": {"head": {"lr_mult": 10.0}}, "paramwise": {"dwconv_decay_mult": 0.0}}
    groups = parameter_groups(model, lr=LR, weight_decay=DECAY, **section)
    assert describe_rules(model, groups, section) == {
        "custom_keys.head.lr_mult": {
            "count": 4,
            "parts": ["auxiliary_head", "decode_head"],
            "lr": [10.0],
            "weight_decay": [DECAY],
        },
        "paramwise.dwconv_decay_mult": {"count": 2, "parts": ["backbone"], "lr": [LR], "weight_decay": [0.0]},
    }


def test_keys_never_multiply_and_the_first_of_equally_long_ones_decides() -> None:
    keys = {"back": {"lr_mult": 0.5}, "bone": {"lr_mult": 0.2}}
    found = settings(Network(), {"interactions": "theirs"}, keys)
    assert found["backbone.conv.weight"] == (0.5, DECAY)
    found = settings(Network(), None, {"bn.w": {"lr_mult": 0.5}, "n.we": {"lr_mult": 0.2}, "rms.": {"lr_mult": 3.0}})
    assert found["backbone.bn.weight"] == (0.5, DECAY)
    assert found["backbone.dcn.weight"] == (0.2, DECAY)
    with pytest.raises(UserError, match=r"custom_keys\.bone\.lr_mult: it decides no parameter"):
        settings(Network(), None, keys)


def test_a_key_that_other_keys_overrule_everywhere_is_an_error() -> None:
    keys = {"head": {"lr_mult": 10.0}, "decode_head": {"lr_mult": 2.0}, "auxiliary_head": {"lr_mult": 3.0}}
    with pytest.raises(UserError, match=r"custom_keys\.head\.lr_mult: it decides no parameter"):
        settings(Network(), None, keys)
    keys["head"] = {"lr_mult": 10.0, "decay_mult": 0.5}
    with pytest.raises(UserError, match=r"custom_keys\.head\.lr_mult: it decides no parameter"):
        settings(Network(), None, keys)
    keys["head"] = {"decay_mult": 0.5}
    assert settings(Network(), None, keys)["decode_head.weight"] == (2.0, 0.5 * DECAY)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_factors_are_numbers(value: float) -> None:
    with pytest.raises(UserError, match=r"paramwise\.bias_lr_mult: must not be negative, and a number"):
        settings(Network(), {"bias_lr_mult": value})
    with pytest.raises(UserError, match=r"custom_keys\.head\.lr: must not be negative, and a number"):
        settings(Network(), None, {"head": {"lr": value}})


def test_document_against_code_the_bias_of_a_norm() -> None:
    rules = {"bias_decay_mult": 0.0}
    assert settings(Network(), rules)["backbone.bn.bias"] == (LR, DECAY)
    assert settings(Network(), {**rules, "interactions": "theirs"})["backbone.bn.bias"] == (LR, 0.0)


def test_document_against_code_the_bias_of_a_depthwise_convolution() -> None:
    rules = {"bias_decay_mult": 0.0, "dwconv_decay_mult": 0.5}
    assert settings(Network(), rules)["backbone.depthwise.bias"] == (LR, 0.25)
    assert settings(Network(), {**rules, "interactions": "theirs"})["backbone.depthwise.bias"] == (LR, 0.0)


def test_types_that_theirs_misses_or_takes_for_others() -> None:
    model = nn.ModuleDict(
        {
            "rms": nn.RMSNorm(4),
            "one": nn.Conv2d(1, 8, 3),
            "line": nn.Conv1d(4, 4, 3, groups=4),
            "attention": nn.MultiheadAttention(4, 2),
        }
    )
    rules = {"norm_decay_mult": 0.0, "dwconv_decay_mult": 0.2, "bias_decay_mult": 0.4}
    ours, theirs = settings(model, rules), settings(model, {**rules, "interactions": "theirs"})
    decays = {
        "rms.weight": (0.0, DECAY),
        "one.weight": (DECAY, 0.1),
        "line.weight": (0.1, DECAY),
        "attention.in_proj_bias": (0.2, DECAY),
        "attention.out_proj.bias": (0.2, 0.2),
    }
    for name, (mine, its) in decays.items():
        assert ours[name][1] == pytest.approx(mine, rel=1e-12), name
        assert theirs[name][1] == pytest.approx(its, rel=1e-12), name


def test_offsets_override_the_rate_of_biases() -> None:
    found = settings(Network(), {"bias_lr_mult": 2.0, "dcn_offset_lr_mult": 0.1})
    assert found["backbone.dcn.conv_offset.bias"][0] == found["backbone.dcn.conv_offset.weight"][0] == 0.1
    assert found["backbone.dcn.bias"][0] == 2.0


def test_a_torchvision_layer_beside_its_offsets() -> None:
    from torchvision.ops import DeformConv2d as TorchvisionDeformConv2d

    model = nn.Module()
    model.offset, model.convolution = nn.Conv2d(4, 18, 3), TorchvisionDeformConv2d(4, 4, 3)
    found = settings(model, {"dcn_offset_lr_mult": 0.1})
    assert {name for name, (rate, _) in found.items() if rate == 0.1} == {"offset.weight", "offset.bias"}


def test_absolute_values_stand_as_they_are() -> None:
    keys = {"decode_head": {"lr": 0.3, "weight_decay": 0.0}}
    found = settings(Network(), None, keys, layer_decay=0.5)
    assert found["decode_head.weight"] == (0.3, 0.0)
    assert found["auxiliary_head.weight"][0] == LR
    with pytest.raises(UserError, match="lr_mult and lr cannot both hold"):
        settings(Network(), None, {"decode_head": {"lr": 0.3, "lr_mult": 2.0}})


@pytest.mark.parametrize("rule", ["norm_decay_mult", "flat_decay_mult"])
def test_a_rule_that_multiplies_no_decay_is_an_error(rule: str) -> None:
    with pytest.raises(UserError, match=rf"paramwise\.{rule}: it multiplies a weight decay of 0"):
        build_optimizer({"type": "SGD", "lr": 0.1, "paramwise": {rule: 0.0}}, Network())
    with pytest.raises(UserError, match=r"custom_keys\.bn\.decay_mult: it multiplies"):
        build_optimizer({"type": "SGD", "lr": 0.1, "custom_keys": {"bn": {"decay_mult": 0.0}}}, Network())


def tied() -> nn.Module:
    model = nn.ModuleDict({"embedding": nn.Linear(3, 3), "head": nn.Linear(3, 3)})
    model["head"].weight = model["embedding"].weight
    return model


def test_a_shared_parameter_is_in_one_group_and_its_names_must_agree() -> None:
    found = settings(tied())
    assert sorted(found) == ["embedding.bias", "embedding.weight", "head.bias"]
    keys = {"head": {"lr_mult": 10.0}}
    with pytest.raises(UserError, match=r"embedding\.weight and head\.weight are one parameter.*bypass_duplicate"):
        settings(tied(), None, keys)
    found = settings(tied(), {"bypass_duplicate": True}, keys)
    assert (found["embedding.weight"][0], found["head.bias"][0]) == (LR, 10.0)
    with pytest.raises(UserError, match="one parameter"):
        settings(tied(), {"interactions": "theirs"})


def test_merged_groups_step_as_one_group_for_each_parameter() -> None:
    keys = {"head": {"lr_mult": 10.0}}
    for section in ({"type": "SGD", "lr": 0.1, "momentum": 0.9}, {"type": "AdamW", "lr": 0.1}):
        torch.manual_seed(0)
        mine = Network().double()
        theirs = Network().double()
        theirs.load_state_dict(mine.state_dict())
        config = {**section, "weight_decay": 0.2, "custom_keys": keys, "paramwise": {"norm_decay_mult": 0.0}}
        merged = build_optimizer(config, mine)
        one_each = [
            {"params": [theirs.get_parameter(name)], "lr": group["lr"], "weight_decay": group["weight_decay"]}
            for group in merged.param_groups
            for name in group["names"]
        ]
        kind = torch.optim.SGD if section["type"] == "SGD" else torch.optim.AdamW
        single = kind(one_each, **({"momentum": 0.9} if kind is torch.optim.SGD else {}))
        assert (len(merged.param_groups), len(single.param_groups)) == (3, len(list(mine.parameters())))
        generator = torch.Generator().manual_seed(1)
        for _ in range(4):
            for name, parameter in mine.named_parameters():
                parameter.grad = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                theirs.get_parameter(name).grad = parameter.grad.clone()
            merged.step()
            single.step()
        for first, second in zip(mine.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(first, second, rtol=1e-12, atol=1e-14)


class Plain(nn.Module):
    """A backbone and a head that compute something."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.decode_head = nn.Conv2d(4, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.decode_head(self.backbone(images).relu())


def test_unfrozen_weights_do_enter_the_optimizer() -> None:
    torch.manual_seed(0)
    model = Plain()
    config = {"type": "SGD", "lr": 0.1, "weight_decay": 0.01, "custom_keys": {"head": {"lr_mult": 10.0}}}
    optimizer = build_optimizer({**config, "paramwise": {"norm_decay_mult": 0.0}}, model)
    freezing = Freezing(model, [{"match": "backbone", "until": {"iterations": 2}}], Clock(4, 8, 8))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    moved: list[set[str]] = []
    for step in range(4):
        freezing.apply(step)
        optimizer.zero_grad()
        model(torch.randn(2, 3, 6, 6)).square().mean().backward()
        optimizer.step()
        moved.append({name for name, p in model.named_parameters() if not p.equal(before[name])})
    assert unmatched_parameters(model, optimizer.param_groups) == []
    assert moved[1] == {"decode_head.weight", "decode_head.bias"}
    assert moved[2] >= {"backbone.0.weight", "backbone.1.weight", "backbone.1.bias"}


def test_weights_that_were_frozen_when_it_was_built_are_named_afterwards() -> None:
    model = Plain()
    model.backbone.requires_grad_(False)
    optimizer = build_optimizer({"type": "SGD", "lr": 0.1}, model)
    assert unmatched_parameters(model, optimizer.param_groups) == []
    model.backbone.requires_grad_(True)
    assert unmatched_parameters(model, optimizer.param_groups) == [
        "backbone.0.weight",
        "backbone.0.bias",
        "backbone.1.weight",
        "backbone.1.bias",
    ]


def test_rules_list_what_was_given() -> None:
    rules = Rules(Plain(), {"head": {"lr": 0.1}}, {"norm_decay_mult": 0.0, "bias_lr_mult": None})
    assert rules.names() == ["custom_keys.head.lr", "paramwise.norm_decay_mult"]
    assert rules.decaying() == ["paramwise.norm_decay_mult"]
