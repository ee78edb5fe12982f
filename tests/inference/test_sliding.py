"""Windows over an image: every pixel answered, weights that sum to one, the whole image's logits."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.inference.sliding import Blend, Sliding, sliding_rows
from tricklab.observe import listening


class Local(nn.Module):
    """Sees 9 pixels each way, strides 2 and 4 inside, logits at the size of the input."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first = nn.Conv2d(3, 8, 3, padding=1)
            self.second = nn.Conv2d(8, 8, 3, padding=1)
            self.third = nn.Conv2d(8, 5, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        fine = self.first(images).relu()
        middle = self.second(functional.max_pool2d(fine, 2)).relu()
        logits = self.third(middle)
        return functional.interpolate(logits, images.shape[-2:], mode="bilinear", align_corners=False)


class Global(Local):
    """Also adds the mean of the whole image, as pyramid pooling does."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + images.mean(dim=(1, 2, 3), keepdim=True)


def images(height: int, width: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(height * 100 + width))


def mmseg(scores: Local, whole: Tensor, window: tuple[int, int], stride: tuple[int, int]) -> Tensor:
    """Windows padded to the image one after the other and divided by a count map, as published."""
    (height, width), total, count = whole.shape[-2:], 0.0, torch.zeros(whole.shape[-2:])
    for row in range(max(height - window[0] + stride[0] - 1, 0) // stride[0] + 1):
        for column in range(max(width - window[1] + stride[1] - 1, 0) // stride[1] + 1):
            bottom, right = min(row * stride[0] + window[0], height), min(column * stride[1] + window[1], width)
            top, left = max(bottom - window[0], 0), max(right - window[1], 0)
            logits = scores(whole[:, :, top:bottom, left:right])
            total = total + functional.pad(logits, (left, width - right, top, height - bottom))
            count[top:bottom, left:right] += 1
    return total / count


@pytest.mark.parametrize("size", [(37, 50), (16, 16), (7, 40), (20, 9), (33, 17)])
def test_equal_weights_are_the_published_mean_over_padded_windows(size: tuple[int, int]) -> None:
    net, whole = Local().eval(), images(*size)
    with torch.inference_mode():
        got = Sliding((16, 20), (9, 7), "mean").around(net)(whole)
        torch.testing.assert_close(got, mmseg(net, whole, (16, 20), (9, 7)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("blend", ["hann", "mean"])
@pytest.mark.parametrize(("size", "stride", "margin"), [((128, 96), 32, 12), ((64, 160), 40, 10), ((200, 64), 16, 20)])
def test_logits_are_the_whole_images_where_the_network_sees_no_further_than_the_margin(
    blend: Blend, size: tuple[int, int], stride: int, margin: int
) -> None:
    net, whole = Local().eval(), images(*size, count=1)
    with torch.inference_mode():
        plan = Sliding((64, 64), (stride, stride), blend, margin)
        assert plan.count(size) > 1
        torch.testing.assert_close(plan.around(net)(whole), net(whole), rtol=0, atol=1e-4)
        without = Sliding((64, 64), (stride, stride), blend, 0).around(net)(whole)
        assert (without - net(whole)).abs().max() > 1e-3
        pooling = Global().eval()
        assert (plan.around(pooling)(whole) - pooling(whole)).abs().max() > 1e-3


def test_weights_on_a_pixel_sum_to_one_and_every_pixel_has_one() -> None:
    for size, window, step, margin, blend in itertools.product(
        (1, 7, 16, 17, 100), (8, 17), (1, 3, 8), (0, 2), ("hann", "mean")
    ):
        if step > window - 2 * margin:
            continue
        side = Sliding((window, window), (step, step), blend, margin).along(size, 0)  # type: ignore[arg-type]
        total = torch.zeros(size)
        for start, weights in zip(side.starts, side.weights, strict=True):
            assert 0 <= start <= start + side.length <= size
            total[start : start + side.length] += weights
        torch.testing.assert_close(total, torch.ones(size))
        assert side.weights.min() >= 0


def test_the_nearer_the_border_the_less_it_counts_but_a_side_of_the_image_is_none() -> None:
    side = Sliding((16, 16), (8, 8), "hann").along(32, 0)
    assert side.starts == (0, 8, 16)
    assert torch.equal(side.weights[0, :8], torch.ones(8))
    assert (side.weights[0, 8:].diff() < 0).all()
    assert (side.weights[1, :8].diff() > 0).all()
    assert torch.equal(side.weights[2, 8:], torch.ones(8))
    cut = Sliding((16, 16), (8, 8), "mean", margin=4).along(32, 0)
    assert set(cut.weights.unique().tolist()) == {0.0, 1.0}


def test_windows_go_through_the_network_in_batches() -> None:
    seen: list[int] = []
    net = Local().eval()

    def scores(batch: Tensor) -> Tensor:
        seen.append(len(batch))
        return net(batch)

    whole = images(32, 80)
    with torch.inference_mode(), listening() as listener:
        many = Sliding((16, 16), (16, 16), batch=6).around(scores)(whole)
    assert seen == [6, 4, 6, 4]
    assert listener.drain()["slide/windows"]["mean"] == 10
    with torch.inference_mode():
        torch.testing.assert_close(many, Sliding((16, 16), (16, 16), batch=1).around(net)(whole))


def test_rows_come_once_from_top_to_bottom_and_only_a_line_of_windows_is_read() -> None:
    net, whole = Local().eval(), images(61, 40)
    plan, asked = Sliding((16, 16), (5, 11)), []

    def read(top: int, bottom: int) -> Tensor:
        asked.append(bottom - top)
        return whole[:, :, top:bottom]

    with torch.inference_mode():
        parts = [(top, rows.clone()) for top, rows in sliding_rows(net, read, (61, 40), plan)]
        assert max(asked) == 16
        tops = [0, *itertools.accumulate(rows.shape[2] for _, rows in parts)]
        assert [top for top, _ in parts] == tops[:-1]
        assert tops[-1] == 61
        torch.testing.assert_close(torch.cat([rows for _, rows in parts], dim=2), plan.around(net)(whole))


def test_what_cannot_be_is_an_error() -> None:
    for window, stride, margin, message in (
        ((8, 8), (9, 8), 0, "leave pixels without an answer.*stride.*at most 8"),
        ((8, 8), (8, 7), 1, "at most 6"),
        ((8, 8), (1, 1), 4, "margin below 4"),
        ((0, 8), (1, 1), 0, "at least 1"),
        ((8, 8), (1, 0), 0, "at least 1"),
        ((8, 8), (1, 1), -1, "cannot be -1"),
    ):
        with pytest.raises(UserError, match=message):
            Sliding(window, stride, margin=margin)
    with pytest.raises(UserError, match="size of the input"):
        Sliding((8, 8), (4, 4)).around(lambda batch: batch[:, :, ::2, ::2])(images(16, 16))
