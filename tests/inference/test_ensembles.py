"""Networks asked together: masks of several channels and of one, copies and different networks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.inference.test_sliding import Local, images
from tricklab.errors import UserError
from tricklab.inference.ensemble import Ensemble, ModelEnsemble, log_mean_probability
from tricklab.inference.sliding import Sliding


class Named(nn.Module):
    def __init__(self, seed: int, channels: int = 5, more: bool = False) -> None:
        super().__init__()
        self.inner, self.channels, self.more = Local(seed), channels, more

    def forward(self, batch: Tensor) -> dict[str, Tensor]:
        logits = 3 * self.inner(batch)[:, : self.channels]
        return {"main": logits, **({"aux": logits} if self.more else {})}


def test_probabilities_of_masks_are_averaged() -> None:
    first, second, batch = Named(0, more=True).eval(), Named(1).eval(), images(16, 20)
    with torch.inference_mode():
        found = ModelEnsemble([first, second], weights=[3, 1]).eval()(batch)
        assert list(found) == ["main"]
        one, two = (net(batch)["main"].softmax(1) for net in (first, second))
        torch.testing.assert_close(found["main"].exp(), 0.75 * one + 0.25 * two)
        alike = ModelEnsemble([first, second]).eval()(batch)["main"]
        torch.testing.assert_close(alike.exp(), (one + two) / 2)


def test_logits_are_averaged_where_asked() -> None:
    first, second, batch = Named(0).eval(), Named(1).eval(), images(16, 20)
    with torch.inference_mode():
        found = ModelEnsemble([first, second], "logits").eval()(batch)["main"]
        torch.testing.assert_close(found, (first(batch)["main"] + second(batch)["main"]) / 2)
        product = first(batch)["main"].softmax(1) * second(batch)["main"].softmax(1)
        geometric = product.sqrt() / product.sqrt().sum(1, keepdim=True)
        torch.testing.assert_close(found.softmax(1), geometric)


def test_checkpoints_of_one_channel_are_not_all_of_one_probability() -> None:
    """Softmax over one channel is 1: an ensemble of such networks would see nothing."""
    net, batch = Named(0, channels=1).eval(), images(16, 20)
    both = Ensemble(net, 2).eval()
    both.ensemble_members[1].load_state_dict(Named(1, channels=1).state_dict())
    with torch.inference_mode():
        wanted = torch.stack([torch.sigmoid(member(batch)["main"]) for member in both.ensemble_members]).mean(0)
        found = torch.sigmoid(both(batch)["main"])
    torch.testing.assert_close(found, wanted)
    assert found.std() > 0.01


def test_an_ensemble_slides_like_any_network() -> None:
    both = ModelEnsemble([Named(0), Named(1)], "logits").eval()
    plan, whole = Sliding((32, 32), (20, 20), margin=6), images(60, 44, count=1)
    with torch.inference_mode():
        slid = plan.around(lambda batch: both(batch)["main"])(whole)
        each = [plan.around(lambda batch, net=net: net(batch)["main"])(whole) for net in both.models]  # type: ignore[misc]
    torch.testing.assert_close(slid, torch.stack(each).mean(0), rtol=1e-4, atol=1e-5)


def test_without_shares_the_arithmetic_is_that_of_equal_ones() -> None:
    logits = [torch.randn(4, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    torch.testing.assert_close(log_mean_probability(logits), log_mean_probability(logits, [1 / 3] * 3))
    plain = torch.stack([one.softmax(1) for one in logits]).mean(0)
    torch.testing.assert_close(log_mean_probability(logits).exp(), plain)


def test_what_cannot_be_is_an_error() -> None:
    for count, weights in ((0, None), (2, [1.0]), (2, [1.0, 0.0])):
        with pytest.raises(UserError, match="one above 0 each"):
            ModelEnsemble([Named(seed) for seed in range(count)], weights=weights)
    with pytest.raises(UserError, match="the same classes"):
        ModelEnsemble([Named(0), Named(1, channels=4)]).eval()(images(8, 8))
