import torch
from torch import Tensor

from tricklab.layers.context.normalisation import MapBatchNorm2d, conv_norm


def test_one_value_a_channel_is_normalised_by_the_running_statistics() -> None:
    norm = MapBatchNorm2d(4).train()
    norm(torch.randn(8, 4, 3, 3))
    mean, variance, seen = norm.running_mean.clone(), norm.running_var.clone(), norm.num_batches_tracked.clone()
    x = torch.randn(1, 4, 1, 1, requires_grad=True)
    y = norm(x)
    torch.testing.assert_close(y, (x - mean.view(1, 4, 1, 1)) / (variance.view(1, 4, 1, 1) + 1e-5).sqrt())
    assert torch.equal(norm.running_mean, mean)
    assert torch.equal(norm.num_batches_tracked, seen)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().min() > 0


def test_else_it_is_torchs() -> None:
    torch.manual_seed(0)
    ours, theirs, x = MapBatchNorm2d(4), torch.nn.BatchNorm2d(4), torch.randn(2, 4, 3, 5)
    assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.running_var, theirs.running_var)
    assert list(ours.state_dict()) == list(theirs.state_dict())


def gradient(norm: torch.nn.Module, x: Tensor, upstream: Tensor) -> Tensor:
    return torch.autograd.grad(norm(x), x, upstream)[0]


def test_the_gradient_of_one_image_does_not_depend_on_how_it_lies_in_memory() -> None:
    torch.manual_seed(0)
    for training in (True, False):
        norm = MapBatchNorm2d(8).train(training)
        x, upstream = torch.randn(1, 8, 3, 4, requires_grad=True), torch.randn(1, 8, 3, 4)
        turned = upstream.flatten(2).transpose(1, 2).contiguous().transpose(1, 2).view(1, 8, 3, 4)
        torch.testing.assert_close(gradient(norm, x, turned), gradient(norm, x, upstream))


def test_parts_are_named_as_in_openmmlab() -> None:
    assert list(conv_norm(4, 6, 3).state_dict())[:3] == ["conv.weight", "bn.weight", "bn.bias"]
    assert list(conv_norm(4, 6, norm=False).state_dict()) == ["conv.weight", "conv.bias"]
    assert conv_norm(4, 6, 3)(torch.zeros(1, 4, 5, 2)).shape == (1, 6, 5, 2)
    assert not conv_norm(4, 6, norm=False, zero=True, relu=False)(torch.randn(1, 4, 2, 2)).any()
