"""Convolution of tokens against explicit sums, on a wide and a tall image."""

import pytest
import torch
from torch.nn import functional

from tricklab.layers.depthwise import depthwise_tokens
from tricklab.layers.feed_forward import ConvFeedForward, FeedForward


@pytest.mark.parametrize("size", [(3, 5), (5, 2), (1, 1)])
def test_each_pixel_is_the_weighted_sum_of_its_neighbours(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    height, width = size
    x = torch.randn(2, height * width, 4, dtype=torch.float64)
    weight, bias = torch.randn(4, 1, 3, 3, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    found = depthwise_tokens(x, weight, bias, size).unflatten(1, size)
    image = functional.pad(x.unflatten(1, size), (0, 0, 1, 1, 1, 1))
    expected = bias.expand(2, height, width, 4).clone()
    for row in range(3):
        for column in range(3):
            expected += image[:, row : row + height, column : column + width] * weight[:, 0, row, column]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_feed_forward_with_a_kernel_that_copies_its_pixel_is_the_plain_one() -> None:
    torch.manual_seed(1)
    convolved, plain = ConvFeedForward(4, 6), FeedForward(4, 6)
    plain.load_state_dict({name: value for name, value in convolved.state_dict().items() if "dwconv" not in name})
    with torch.no_grad():
        convolved.dwconv.dwconv.weight.zero_()[:, :, 1, 1] = 1.0
        convolved.dwconv.dwconv.bias.zero_()
    x = torch.randn(2, 12, 4)
    torch.testing.assert_close(convolved(x, (3, 4)), plain(x))
    assert list(convolved.state_dict()) == [
        "fc1.weight", "fc1.bias", "dwconv.dwconv.weight", "dwconv.dwconv.bias", "fc2.weight", "fc2.bias",
    ]  # fmt: skip
