"""HybridSN against published counts, the course note's code and a naive float64 implementation."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.models.hybridsn import HybridSN
from tricklab.models.insert import apply_inserts
from tricklab.seeds import Seeds, aside


class NoteHybridSN(nn.Module):
    """The course note's network as it stands there, in double precision."""

    def __init__(self, bands: int, window: int, classes: int, relu: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(1, 8, (7, 3, 3))
        self.conv2 = nn.Conv3d(8, 16, (5, 3, 3))
        self.conv3 = nn.Conv3d(16, 32, (3, 3, 3))
        self.conv2d = nn.Conv2d(32 * (bands - 12), 64, (3, 3))
        self.fc1 = nn.Linear(64 * (window - 8) ** 2, 256)
        self.fc2 = nn.Linear(256, 128)
        self.out = nn.Linear(128, classes)
        self.activation = torch.relu if relu else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.conv1(x.unsqueeze(1)))
        x = functional.relu(self.conv2(x))
        x = functional.relu(self.conv3(x))
        x = x.reshape(-1, x.shape[1] * x.shape[2], x.shape[3], x.shape[4])
        x = functional.relu(self.conv2d(x))
        x = x.view(x.size(0), -1)
        return self.out(self.activation(self.fc2(self.activation(self.fc1(x)))))


def naive_conv(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Valid convolution with ReLU of (C, D, H, W) by explicit sums over the kernel's positions."""
    out_channels, _, kd, kh, kw = weight.shape
    _, depth, height, width = x.shape
    size = (depth - kd + 1, height - kh + 1, width - kw + 1)
    out = bias.reshape(-1, 1, 1, 1).expand(out_channels, *size).clone()
    for i in range(kd):
        for j in range(kh):
            for k in range(kw):
                part = x[:, i : i + size[0], j : j + size[1], k : k + size[2]]
                out += torch.einsum("oc,cdhw->odhw", weight[:, :, i, j, k], part)
    return out.clamp(min=0)


@pytest.mark.parametrize(
    ("bands", "window", "classes", "count"),
    [(30, 25, 16, 5_122_176), (15, 25, 9, 4_844_793), (15, 25, 16, 4_845_696), (30, 19, 16, 2_369_664),
     (30, 15, 16, 1_190_016), (15, 15, 6, 912_246)],
)  # fmt: skip
def test_parameter_counts_are_the_published_ones(bands: int, window: int, classes: int, count: int) -> None:
    model = HybridSN(bands=bands, window=window, classes=classes)
    assert sum(p.numel() for p in model.parameters()) == count


def test_weights_have_the_names_order_and_initial_values_of_the_plain_network() -> None:
    torch.manual_seed(5)
    ours = HybridSN(bands=15, window=11, classes=4).state_dict()
    torch.manual_seed(5)
    theirs = NoteHybridSN(15, 11, 4, relu=True).state_dict()
    assert list(ours) == list(theirs)
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


@pytest.mark.parametrize("relu", [True, False])
def test_forward_and_gradients_are_the_plain_networks(relu: bool) -> None:
    torch.manual_seed(1)
    plain = NoteHybridSN(16, 12, 5, relu).double()
    ours = HybridSN(head_relu=relu, dropout=0.0, bands=16, window=12, classes=5).double()
    ours.load_state_dict(plain.state_dict())
    x = torch.randn(3, 16, 12, 12, dtype=torch.float64)
    target = torch.tensor([0, 4, 2])
    expected = plain(x)
    got = ours(x)["main"]
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-12)
    functional.cross_entropy(expected, target).backward()
    functional.cross_entropy(got, target).backward()
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(
            ours.get_parameter(name).grad, parameter.grad, rtol=1e-9, atol=1e-13, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_forward_agrees_with_explicit_sums() -> None:
    torch.manual_seed(2)
    model = HybridSN(bands=14, window=10, classes=3).double().eval()
    x = torch.randn(2, 14, 10, 10, dtype=torch.float64)
    for image, logits in zip(x, model(x)["main"], strict=True):
        y = image.unsqueeze(0)
        for layer in (model.conv1, model.conv2, model.conv3):
            y = naive_conv(y, layer.weight, layer.bias)
        y = y.reshape(1, -1, *y.shape[2:]).transpose(0, 1)
        y = naive_conv(y, model.conv2d.weight.unsqueeze(2), model.conv2d.bias).reshape(-1)
        y = (model.fc1.weight @ y + model.fc1.bias).clamp(min=0)
        y = (model.fc2.weight @ y + model.fc2.bias).clamp(min=0)
        torch.testing.assert_close(logits, model.out.weight @ y + model.out.bias, rtol=1e-10, atol=1e-12)


def test_se_after_conv2d_is_the_notes_network_with_se() -> None:
    with Seeds(0, 0).initialising():
        model = HybridSN(bands=30, window=25, classes=16)
        apply_inserts(model, [{"type": "SE", "after": "conv2d", "reduction": 16}], aside)
    assert sum(p.numel() for p in model.parameters()) == 5_122_688
    model = HybridSN(bands=13, window=10, classes=3).double().eval()
    apply_inserts(model, [{"type": "SE", "after": "conv2d", "reduction": 16}], aside)
    x = torch.randn(2, 13, 10, 10, dtype=torch.float64)
    features = model.features(x)
    assert features.min() == 0
    fc = model.conv2d.inserted[0].fc
    scale = torch.sigmoid(torch.relu(features.mean((2, 3)) @ fc[0].weight.T) @ fc[2].weight.T)
    scaled = (features * scale[:, :, None, None]).flatten(1)
    expected = model.out(torch.relu(model.fc2(torch.relu(model.fc1(scaled)))))
    torch.testing.assert_close(model(x)["main"], expected, rtol=1e-12, atol=1e-13)


def test_dropout_acts_only_in_training() -> None:
    torch.manual_seed(0)
    model = HybridSN(dropout=0.5, bands=13, window=9, classes=3)
    x = torch.randn(2, 13, 9, 9)
    assert not torch.equal(model(x)["main"], model(x)["main"])
    model.eval()
    assert torch.equal(model(x)["main"], model(x)["main"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bands": 12, "window": 25, "classes": 2}, "at least 13 bands"),
        ({"bands": 30, "window": 8, "classes": 2}, "at least 9 pixels"),
        ({"bands": 30, "window": 25, "classes": 2, "dropout": 1.0}, "dropout must lie"),
    ],
)
def test_impossible_sizes_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        HybridSN(**arguments)


@pytest.mark.parametrize("bands", [14, 15])
def test_no_windows_give_no_logits(bands: int) -> None:
    model = HybridSN(bands=bands, window=11, classes=4).eval()
    assert model(torch.zeros(0, bands, 11, 11))["main"].shape == (0, 4)


@pytest.mark.parametrize(
    "register",
    ["register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
     "register_full_backward_pre_hook"],
)  # fmt: skip
@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_every_kind_of_hook_on_a_folded_layer_is_called(register: str, layer: str) -> None:
    model = HybridSN(bands=14, window=9, classes=3)
    calls: list[str] = []
    getattr(model.get_submodule(layer), register)(lambda *_: calls.append(layer))
    model(torch.randn(2, 14, 9, 9, requires_grad=True))["main"].sum().backward()
    assert calls == [layer]


def test_windows_of_another_size_are_refused() -> None:
    with pytest.raises(UserError, match=r"\(N, 13, 9, 9\)"):
        HybridSN(bands=13, window=9, classes=2)(torch.zeros(1, 13, 11, 11))
