"""Averages over views of images with masks, of several channels and of one."""

from __future__ import annotations

import numpy as np
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


def resizing(before: int, after: int, antialias: bool) -> np.ndarray:
    """(after, before): bilinear with half-pixel centres; where it makes smaller, a triangle as wide as the step."""
    step = before / after
    found = np.zeros((after, before))
    for place in range(after):
        middle = (place + 0.5) * step
        if antialias and step > 1:
            found[place] = [max(0.0, 1 - abs(pixel + 0.5 - middle) / step) for pixel in range(before)]
            found[place] /= found[place].sum()
            continue
        source = max(middle - 0.5, 0.0)
        low = min(int(source), before - 1)
        found[place, low] += 1 - (source - low)
        found[place, min(low + 1, before - 1)] += source - low
    return found


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(7, 11), (1, 5), (13, 8)])
def test_scales_and_mirrors_of_odd_sizes_are_those_of_matrices_in_float64(channels: int, size: tuple[int, int]) -> None:
    """The step that published code gets wrong: each view back in its place and size, then probabilities, once."""
    height, width = size
    generator = np.random.default_rng(height)
    image, ramp = generator.normal(size=(1, channels, height, width)), np.linspace(-1, 1, 64)
    scales = [0.5, 0.75, 1.0, 1.6]

    def scores(batch: Tensor) -> Tensor:
        # what a network says depends on where a pixel is
        return 2 * batch + torch.from_numpy(ramp[: batch.shape[3]])

    views = MaskViews("flip", scales=scales)
    got = views.around(scores)(torch.from_numpy(image))
    assert got.dtype == torch.float64
    total = np.zeros_like(image)
    for scale in scales:
        rows, columns = max(round(height * scale), 1), max(round(width * scale), 1)
        to = [resizing(side, new, True) for side, new in ((height, rows), (width, columns))]
        back = [resizing(new, side, False) for side, new in ((height, rows), (width, columns))]
        seen = to[0] @ image @ to[1].T
        for mirror in (False, True):
            said = 2 * (seen[..., ::-1] if mirror else seen) + ramp[:columns]
            logits = back[0] @ (said[..., ::-1] if mirror else said) @ back[1].T
            total += (
                1 / (1 + np.exp(-logits)) if channels == 1 else np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            )
    wanted = total / views.count
    found = torch.sigmoid(got) if channels == 1 else got.softmax(1)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12, atol=1e-14)


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
