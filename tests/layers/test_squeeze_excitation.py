import pytest
import torch

from tricklab.errors import UserError
from tricklab.layers.squeeze_excitation import SE
from tricklab.observe import listening


def test_parameters_are_those_of_the_course_note() -> None:
    assert sum(p.numel() for p in SE(reduction=16, channels=64).parameters()) == 512
    assert sorted(SE(channels=64).state_dict()) == ["fc.0.weight", "fc.2.weight"]


@pytest.mark.parametrize("space", [(), (7,), (5, 3), (2, 4, 3)])
def test_agrees_with_the_equations_in_float64(space: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    block = SE(reduction=4, channels=12).double()
    x = torch.randn(3, 12, *space, dtype=torch.float64)
    first, second = block.fc[0].weight, block.fc[2].weight
    expected = torch.empty_like(x)
    for n in range(3):
        z = torch.stack([x[n, c].sum() / x[n, c].numel() for c in range(12)])
        s = 1 / (1 + torch.exp(-(second @ torch.clamp(first @ z, min=0))))
        for c in range(12):
            expected[n, c] = x[n, c] * s[c]
    torch.testing.assert_close(block(x), expected, rtol=1e-12, atol=1e-12)


def test_observes_its_gates() -> None:
    with listening() as listener:
        torch.manual_seed(0)
        SE(reduction=2, channels=8)(torch.randn(2, 8, 3, 3))
    gates = listener.drain()["se/scale"]
    assert gates["count"] == 16
    assert 0 < gates["min"] < gates["max"] < 1


def test_small_layers_keep_a_hidden_unit_and_bad_input_is_named() -> None:
    assert SE(reduction=16, channels=4).fc[0].weight.shape == (1, 4)
    with pytest.raises(UserError, match="at least 1"):
        SE(reduction=0, channels=4)
    with pytest.raises(UserError, match="built for 4 channels"):
        SE(channels=4)(torch.zeros(1, 5, 2, 2))
