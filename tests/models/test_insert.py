"""Blocks go after any module of any model, keep the base's names and weights, and survive copies."""

import copy
import io

import pytest
import torch
import torchvision
from torch import nn

from tricklab import registry
from tricklab.errors import UserError
from tricklab.models.insert import apply_inserts, channels_of, inserted_names, matching_modules
from tricklab.seeds import Seeds, aside

SE_AFTER = {"type": "SE", "reduction": 4}


def build(inserts: list[dict[str, object]]) -> nn.Module:
    seeds = Seeds(3, 1)
    with seeds.initialising():
        model = registry.build("model", {"type": "HybridSN"}, bands=13, window=9, classes=3)
        apply_inserts(model, inserts, aside)
    return model


def test_shared_weights_stay_bit_equal_and_keep_their_names() -> None:
    base, changed = build([]).state_dict(), build([{**SE_AFTER, "after": "conv2d"}]).state_dict()
    assert [name for name in base if not torch.equal(base[name], changed[name])] == []
    assert sorted(set(changed) - set(base)) == ["conv2d.inserted.0.fc.0.weight", "conv2d.inserted.0.fc.2.weight"]


def test_a_block_has_the_same_initial_weights_whatever_else_is_inserted() -> None:
    alone = build([{**SE_AFTER, "after": "conv2d"}]).conv2d.inserted[0].fc[0].weight
    second = build([{**SE_AFTER, "after": "fc1"}, {**SE_AFTER, "after": "conv2d"}]).conv2d.inserted[0].fc[0].weight
    assert torch.equal(alone, second)


def test_a_deep_copy_runs_its_own_block() -> None:
    model = build([{**SE_AFTER, "after": "conv2d"}]).eval()
    x = torch.randn(2, 13, 9, 9)
    before = model(x)["main"]
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.conv2d.inserted.parameters():
            parameter.mul_(-3.0)
    assert torch.equal(model(x)["main"], before)
    assert not torch.allclose(other(x)["main"], before)


def test_a_saved_and_loaded_model_runs_its_own_block() -> None:
    model = build([{**SE_AFTER, "after": "conv2d"}]).eval()
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    x = torch.randn(2, 13, 9, 9)
    assert torch.equal(loaded(x)["main"], model(x)["main"])
    with torch.no_grad():
        loaded.conv2d.inserted[0].fc[2].weight.mul_(-3.0)
    assert not torch.allclose(loaded(x)["main"], model(x)["main"])


def test_the_block_is_trained() -> None:
    model = build([{**SE_AFTER, "after": "conv2d"}])
    model(torch.randn(4, 13, 9, 9))["main"].square().sum().backward()
    assert model.conv2d.inserted[0].fc[0].weight.grad.abs().sum() > 0


def test_any_model_by_pattern() -> None:
    torch.manual_seed(0)
    model = torchvision.models.resnet18(num_classes=5).eval()
    names = set(model.state_dict())
    added = apply_inserts(model, [{**SE_AFTER, "after": "layer?.*.bn2"}], aside)
    assert len(added) == 8
    assert added == inserted_names(model)
    assert names < set(model.state_dict())
    assert model.layer3[0].bn2.inserted[0].channels == 256
    assert model(torch.randn(1, 3, 32, 32)).shape == (1, 5)


def test_after_a_sequential_is_after_its_last_module() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), nn.Flatten())
    x = torch.randn(2, 3, 5, 5)
    before = model(x)
    assert apply_inserts(model, [{**SE_AFTER, "after": "0"}, {**SE_AFTER, "after": "0"}], aside) == [
        "0.1.inserted.0",
        "0.1.inserted.1",
    ]
    blocks = model[0][1].inserted
    expected = blocks[1](blocks[0](before.reshape(2, 8, 3, 3))).flatten(1)
    torch.testing.assert_close(model(x), expected)
    assert channels_of(model[0]) == 8


def test_a_pattern_that_means_one_place_twice_puts_one_block_there() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)))
    assert apply_inserts(model, [{**SE_AFTER, "after": "0*"}], aside) == ["0.1.inserted.0", "0.0.inserted.0"]


def test_a_block_takes_mode_type_and_place_of_the_model() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.ReLU())
    model = nn.Sequential(layers, nn.Flatten()).double().eval()
    apply_inserts(model, [{**SE_AFTER, "after": "0"}, {**SE_AFTER, "after": "0.1"}], aside)
    assert [name for name, module in model.named_modules() if module.training] == []
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    assert model(torch.randn(1, 3, 5, 5).double()).shape == (1, 72)


def test_a_modules_own_attribute_is_not_taken_for_ours() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3))
    model[0].inserted = nn.ModuleList([nn.Identity()])
    with pytest.raises(UserError, match="'0' has an attribute 'inserted' of its own"):
        apply_inserts(model, [{**SE_AFTER, "after": "0"}], aside)


def test_a_pattern_that_matches_nothing_lists_the_names() -> None:
    model = build([])
    with pytest.raises(UserError, match=r"did you mean 'conv2d'\? the modules are: conv1, conv2, conv3, conv2d, fc1"):
        matching_modules(model, "conv2d_")
    with pytest.raises(UserError, match=r"model.insert.1.after: no module of HybridSN is named 'backbone\*'"):
        apply_inserts(model, [{**SE_AFTER, "after": "fc1"}, {**SE_AFTER, "after": "backbone*"}], aside)


def test_bad_places_are_named() -> None:
    with pytest.raises(UserError, match="needs the key 'after'"):
        apply_inserts(build([]), [SE_AFTER], aside)
    with pytest.raises(UserError, match="channels after 'dropout'"):
        apply_inserts(build([]), [{**SE_AFTER, "after": "dropout"}], aside)
    lists = nn.Module()
    lists.parts = nn.ModuleList([nn.Linear(2, 3)])
    with pytest.raises(UserError, match="without an output of its own"):
        apply_inserts(lists, [{**SE_AFTER, "after": "parts"}], aside)
    with pytest.raises(UserError, match=r"model\.insert\.0\.reductoin: unknown key 'reductoin'"):
        apply_inserts(build([]), [{"type": "SE", "after": "conv2d", "reductoin": 3}], aside)
    with pytest.raises(UserError, match=r"model\.insert\.0: SE reduction must be at least 1"):
        apply_inserts(build([]), [{"type": "SE", "after": "conv2d", "reduction": 0}], aside)


def test_a_module_with_several_outputs_is_refused_when_it_runs() -> None:
    model = nn.Module()
    model.attention = nn.MultiheadAttention(8, 2)
    model.attention.out_features = 8
    apply_inserts(model, [{**SE_AFTER, "after": "attention"}], aside)
    x = torch.zeros(1, 2, 8)
    with pytest.raises(UserError, match="whose output is a tuple"):
        model.attention(x, x, x)
