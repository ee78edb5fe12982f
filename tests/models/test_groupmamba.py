"""GroupMamba against published counts and names and against the straightforward network with the same weights."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.models.plain_groupmamba import PlainGroupMamba
from tricklab import registry
from tricklab.errors import UserError
from tricklab.models.groupmamba import SIZES, GroupMamba
from tricklab.observe import listening

NARROW: dict[str, Any] = {"embed_dims": [16, 32, 48, 64], "depths": [1, 2, 1, 1], "mlp_ratios": [2, 2, 2, 2]}


def small(**more: Any) -> GroupMamba:
    return GroupMamba(**{**NARROW, "stem_hidden_dim": 8, "classes": 5, "drop_path": 0.0, **more})


def plain(**more: Any) -> PlainGroupMamba:
    widths, depths, ratios = NARROW.values()
    return PlainGroupMamba(5, stem=8, widths=widths, depths=depths, ratios=ratios, **more)


def count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("size", "published", "twelve", "entries"),
    [
        ("tiny", 23_361_917, 22_469_305, 1266),
        ("small", 34_781_555, 33_761_711, 1693),
        ("base", 57_150_838, 56_130_994, 2120),
    ],
)
def test_parameters_and_weight_names_are_the_published_ones(
    size: Any, published: int, twelve: int, entries: int
) -> None:
    preset = SIZES[size]
    with torch.device("meta"):
        model = GroupMamba(size, distillation=True, classes=1000)
        theirs = PlainGroupMamba(1000, preset.stem_hidden_dim, preset.embed_dims, preset.depths, distillation=True)
        assert count(GroupMamba(size, classes=12)) == twelve
    assert count(model) == published
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    assert len(shapes) == entries
    assert list(shapes.items()) == [(name, value.shape) for name, value in theirs.state_dict().items()]


def test_the_parts_of_tiny_have_the_published_sizes() -> None:
    with torch.device("meta"):
        model = GroupMamba(distillation=True, classes=1000)
        backbone = GroupMamba(features=True, classes=1000)
    parts = {name: count(part) for name, part in model.named_children()}
    norms = sum(parts.pop(f"norm{stage}") for stage in range(1, 5))
    assert parts == {
        "patch_embed1": 41_952, "block1": 241_551, "patch_embed2": 74_112, "block2": 1_230_884,
        "patch_embed3": 401_940, "block3": 11_009_178, "patch_embed4": 1_404_480, "block4": 6_056_151,
        "post_network": 2_001_693, "head": 449_000, "dist_head": 449_000,
    }  # fmt: skip
    assert norms == 1976
    assert count(backbone) == 23_361_917 - 2_001_693 - 2 * 449_000


def gradients(model: torch.nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits, and the gradient of every parameter."""
    output = model(images)
    logits = output["main"] if isinstance(output, dict) else output
    found = torch.autograd.grad(functional.cross_entropy(logits, torch.tensor([1, 4])), list(model.parameters()))
    return logits, dict(zip((name for name, _ in model.named_parameters()), found, strict=True))


@pytest.mark.parametrize("size", [(50, 37), (33, 72)])
def test_forward_and_gradients_are_those_of_the_plain_network(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    theirs, ours = plain(), small()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, *size)
    single, single_gradients = gradients(ours, images)
    expected, wanted = gradients(theirs.double(), images.double())
    found, got = gradients(ours.double(), images.double())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    for name, gradient in wanted.items():
        assert (got[name] - gradient).abs().max() <= 1e-11 * max(1.0, gradient.abs().max()), name
    # the networks' own rounding in float32 is half of this
    torch.testing.assert_close(single.double(), expected, rtol=0, atol=1e-5)
    errors = torch.cat([(single_gradients[name] - gradient).flatten() for name, gradient in wanted.items()])
    assert errors.norm() <= 1e-5 * torch.cat([gradient.flatten() for gradient in wanted.values()]).norm()


@pytest.mark.slow
@pytest.mark.parametrize("size", ["tiny", "base"])
def test_a_published_size_computes_what_the_plain_network_does(size: Any) -> None:
    torch.manual_seed(0)
    preset = SIZES[size]
    ours = GroupMamba(size, drop_path=0.0, classes=12).eval()
    theirs = PlainGroupMamba(12, preset.stem_hidden_dim, preset.embed_dims, preset.depths).eval()
    theirs.load_state_dict(ours.state_dict())
    images = torch.randn(1, 3, 96, 65)
    with torch.no_grad():
        torch.testing.assert_close(ours(images)["main"], theirs(images), rtol=1e-5, atol=1e-5)


def test_pyramid_is_the_normalised_stages() -> None:
    torch.manual_seed(0)
    theirs = plain().double().eval()
    ours = small().double().eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 50, 37, dtype=torch.float64)
    maps, expected = ours.pyramid(images), theirs.stages(images)
    assert [found.shape[1] for found in maps] == list(ours.channels) == NARROW["embed_dims"]
    for found, stride in zip(maps, ours.strides, strict=True):
        assert found.shape[2:] == (-(-50 // stride), -(-37 // stride))
    for found, wanted in zip(maps[:3], expected[:3], strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)
    last = theirs.norm4(expected[3]).transpose(1, 2).unflatten(2, maps[3].shape[2:])
    torch.testing.assert_close(maps[3], last, rtol=1e-9, atol=1e-11)


def test_features_are_the_pyramid_by_name_without_unused_weights() -> None:
    torch.manual_seed(0)
    model = small(features=True)
    images = torch.randn(2, 3, 32, 40)
    found = model(images)
    assert list(found) == ["stride4", "stride8", "stride16", "stride32"]
    model.eval()
    for ours, theirs in zip(model(images).values(), model.pyramid(images), strict=True):
        assert torch.equal(ours, theirs)
    sum(found[name].square().sum() for name in found).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_distillation_gives_two_named_outputs_in_training_and_their_mean_otherwise() -> None:
    torch.manual_seed(0)
    theirs = plain(distillation=True)
    ours = small(distillation=True)
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(3, 3, 32, 32)
    main, distilled = theirs(images)
    found = ours(images)
    torch.testing.assert_close(found, {"main": main, "distillation": distilled}, rtol=1e-5, atol=1e-5)
    main, distilled = theirs.eval()(images)
    torch.testing.assert_close(ours.eval()(images), {"main": (main + distilled) / 2}, rtol=1e-5, atol=1e-5)
    assert list(small()(images)) == ["main"]


def test_initial_weights_are_distributed_as_in_the_official_code() -> None:
    torch.manual_seed(0)
    model = GroupMamba(depths=[1, 1, 1, 1], classes=12)
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            assert abs(module.weight.std() - 0.02) < 0.004
        elif isinstance(module, torch.nn.Conv2d):
            fan_out = module.weight[0, 0].numel() * module.out_channels // module.groups
            assert abs(module.weight.std() * (fan_out / 2) ** 0.5 - 1) < 0.25
        bias = getattr(module, "bias", None)
        assert bias is None or not bias.any()
    layer = model.block3[0].attn
    assert layer.skip_scale == 1
    assert not layer.mamba_g4.A_logs.any()
    assert layer.mamba_g1.dt_projs_bias.std() > 0.5


@pytest.mark.parametrize(
    ("switch", "fewer"), [({"modulation": False}, True), ({"directions": 1}, False), ({"directions": 2}, False)]
)
def test_switches_change_the_output_and_only_modulation_the_weights(switch: dict[str, Any], fewer: bool) -> None:
    torch.manual_seed(0)
    usual, other = small().eval(), small(**switch).eval()
    state = plain().state_dict()  # its steps are long: fresh ones of ours hardly look beyond a pixel
    usual.load_state_dict(state)
    gates = [name for name in state if ".attn.fc" in name]
    assert len(gates) == 6 * 4
    assert set(state) - set(other.state_dict()) == (set(gates) if fewer else set())
    other.load_state_dict({name: state[name] for name in other.state_dict()})
    images = torch.randn(2, 3, 32, 64)
    assert not torch.allclose(usual(images)["main"], other(images)["main"], rtol=1e-3, atol=1e-4)


def test_directions_of_the_groups() -> None:
    four = ("row", "column", "row-reversed", "column-reversed")
    expected = {4: four, 2: ("row", "row-reversed") * 2, 1: ("row",) * 4}
    for directions, names in expected.items():
        assert small(directions=directions).block1[0].attn.directions == names
        assert small(directions=directions, groups=1).block1[0].attn.directions == names[:directions]


def test_one_group_has_every_channel_and_all_directions() -> None:
    torch.manual_seed(0)
    model = small(groups=1)
    layer = model.block2[0].attn
    assert layer.mamba_g1.channels == 32
    assert layer.mamba_g1.A_logs.shape == (4 * 32, 1)
    assert not hasattr(layer, "mamba_g2")
    model(torch.randn(2, 3, 40, 33))["main"].sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_drop_path_and_dropout_act_only_in_training_and_by_image() -> None:
    torch.manual_seed(0)
    images = torch.randn(1, 3, 32, 32).expand(6, -1, -1, -1)
    for more in ({"drop_path": 0.9}, {"drop_rate": 0.5}):
        model = small(**more)
        found = model(images)["main"]
        assert len(found.unique(dim=0)) > 1
        model.eval()
        assert torch.equal(model(images)["main"], model(images)["main"])
    rates = [block.drop_path.p for stage in (1, 2, 3, 4) for block in getattr(small(drop_path=0.4), f"block{stage}")]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_gates_are_observed() -> None:
    with listening() as listener:
        small()(torch.randn(2, 3, 32, 32))
    seen = listener.drain()["groupmamba/modulation"]
    assert 0 < seen["min"] <= seen["mean"] <= seen["max"] < 1
    assert seen["count"] == 2 * (16 + 2 * 32 + 48 + 2 * 64)


def test_a_recipe_names_size_and_switches() -> None:
    config = {"type": "GroupMamba", "size": "tiny", "depths": [1, 1, 1, 1], "directions": 2, "modulation": False}
    model = registry.build("model", config, classes=7, channels=4)
    assert model.eval()(torch.zeros(1, 4, 32, 32))["main"].shape == (1, 7)
    with pytest.raises(UserError, match="directions"):
        registry.check("model", {"type": "GroupMamba", "directions": 3})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"embed_dims": [16, 32, 48]}, "embed_dims needs four numbers"),
        ({"embed_dims": [16, 30, 48, 64]}, "a stage of 30 channels"),
        ({"embed_dims": [12, 32, 48, 64]}, "a stage of 12 channels"),
        ({"depths": [1, 0, 1, 1]}, "depths needs four numbers"),
        ({"stem_hidden_dim": 0}, "stem_hidden_dim"),
        ({"drop_path": 1.0}, "drop_path must lie"),
        ({"drop_rate": -0.1}, "drop_rate must lie"),
        ({"features": True, "distillation": True}, "no heads"),
    ],
)
def test_impossible_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small(**arguments)


def test_images_of_other_channels_are_refused() -> None:
    with pytest.raises(UserError, match=r"\(N, 3, H, W\)"):
        small()(torch.zeros(1, 1, 32, 32))
