"""Averages over views of images with masks, of several channels and of one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tricklab import registry
from tricklab.errors import UserError
from tricklab.inference.mask_scores import as_logits, log_probabilities, mean_scores
from tricklab.inference.mask_views import MaskViews
from tricklab.observe import listening


def images(height: int = 6, width: int = 8) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def local(batch: Tensor) -> Tensor:
    """Logits that move with the image."""
    return torch.stack([batch[:, 0], batch[:, 1] * 2, -batch[:, 2]], dim=1)


def placed(batch: Tensor) -> Tensor:
    """Logits that depend on where a pixel is."""
    ramp = torch.linspace(-1, 1, batch.shape[3])
    return local(batch) + torch.stack([ramp, -ramp, ramp * 0])[None, :, None]


@pytest.mark.parametrize("group", ["none", "flip", "flips", "rotations", "dihedral"])
def test_every_view_is_moved_back(group: str) -> None:
    tta = registry.build("postprocess", {"type": "MaskViews", "group": group})
    answers = list(tta.answers(local, images()))
    assert len(answers) == tta.count
    for answer in answers:
        assert torch.equal(answer, local(images()))
    torch.testing.assert_close(tta.around(local)(images()).softmax(1), local(images()).softmax(1))


def test_probabilities_are_averaged_not_logits() -> None:
    with listening() as listener:
        got = MaskViews("flip").around(placed)(images())
    both = torch.stack([placed(images()).softmax(1), placed(images().flip(3)).flip(3).softmax(1)])
    torch.testing.assert_close(got.exp(), both.mean(0))
    seen = listener.drain()
    assert seen["tta/views"]["mean"] == 2
    assert seen["tta/spread"]["mean"] == pytest.approx(float((both[1] - both[0]).abs().mean()), rel=1e-4)


def test_one_channel_takes_the_sigmoid_once() -> None:
    """OpenMMLab averages sigmoids of sigmoids: no foreground becomes nothing but foreground."""

    def background(batch: Tensor) -> Tensor:
        return batch[:, :1] * 0.1 - 6.0

    got = MaskViews("flip", scales=[1.0]).around(background)(images())
    assert got.shape == (2, 1, 6, 8)
    torch.testing.assert_close(torch.sigmoid(got), torch.sigmoid(background(images())))
    assert not (torch.sigmoid(got) > 0.3).any()
    theirs = torch.sigmoid(torch.sigmoid(background(images())))
    assert (theirs > 0.3).all()
    mixed = mean_scores([torch.full((1, 1, 2, 2), -3.0), torch.full((1, 1, 2, 2), 1.0)])
    torch.testing.assert_close(torch.sigmoid(mixed), torch.sigmoid(torch.tensor([-3.0, 1.0])).mean().expand(1, 1, 2, 2))


def test_scales_change_what_the_network_sees_and_answers_come_back_in_size() -> None:
    sizes: list[tuple[int, int]] = []

    def scores(batch: Tensor) -> Tensor:
        sizes.append((batch.shape[2], batch.shape[3]))
        return local(batch)

    views = MaskViews("rotations", scales=[0.5, 1.0, 1.5])
    got = views.around(scores)(images(6, 8))
    assert got.shape == (2, 3, 6, 8)
    assert sizes[::4] == [(3, 4), (6, 8), (9, 12)]
    assert sizes[1::4] == [(4, 3), (8, 6), (12, 9)]
    small = functional.interpolate(images(), (3, 4), mode="bilinear", antialias=True)
    wanted = functional.interpolate(local(small), (6, 8), mode="bilinear")
    torch.testing.assert_close(next(views.answers(local, images())), wanted)


def test_sides_are_multiples() -> None:
    views = MaskViews("none", scales=[0.75, 1.0, 1.25], multiple=16)
    assert [(views.size(360, scale), views.size(20, scale)) for scale in views.scales] == [
        (272, 16),
        (352, 16),
        (448, 32),
    ]


def test_log_probabilities_are_stable_and_come_back() -> None:
    far = torch.tensor([[[-200.0, 0.0, 200.0]]])
    found = log_probabilities(far)
    assert found.isfinite().all()
    torch.testing.assert_close(as_logits(found, 1), far)
    torch.testing.assert_close(mean_scores([far, far]), far)
    several = torch.randn(2, 4, 3)
    torch.testing.assert_close(as_logits(log_probabilities(several), 4).softmax(1), several.softmax(1))


def test_what_cannot_be_is_an_error() -> None:
    for options, message in (({"scales": []}, "positive"), ({"scales": [0.0]}, "positive"), ({"multiple": 0}, "mult")):
        with pytest.raises(UserError, match=message):
            MaskViews(**options)  # type: ignore[arg-type]
