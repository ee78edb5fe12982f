"""The mean field against a loop over all pairs of pixels, and what it does to noisy masks."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tricklab import registry
from tricklab.errors import UserError
from tricklab.inference.crf import MeanFieldCRF
from tricklab.inference.mean_field import mean_field
from tricklab.inference.pairwise import Pairwise
from tricklab.inference.window_messages import FARTHEST, Backend, window_messages
from tricklab.observe import listening

TERMS = Pairwise(2.0, 4.0, 0.7, 1.3, 1.8, radius=2, dilation=1, normalise="symmetric")
STEPS = torch.full((3,), 255.0)


def drawn(height: int, width: int, classes: int = 3, count: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(height * 31 + width)
    logits = torch.randn(count, classes, height, width, generator=generator, dtype=torch.float64)
    return logits.log_softmax(1), torch.rand(count, 2, height, width, generator=generator, dtype=torch.float64)


def by_pairs(unary: np.ndarray, colours: np.ndarray, terms: Pairwise, iterations: int) -> np.ndarray:
    """One image, (K, H, W): every pair of pixels in turn, float64."""
    classes, height, width = unary.shape
    places = [(row, column) for row in range(height) for column in range(width)]
    kernels = np.zeros((2, len(places), len(places)))
    for i, first in enumerate(places):
        for j, second in enumerate(places):
            down, right = abs(first[0] - second[0]), abs(first[1] - second[1])
            if i == j:
                continue
            square, step = down**2 + right**2, terms.dilation
            if down % step == right % step == 0 and max(down, right) <= terms.radius * step:
                apart = sum((colours[c][first] - colours[c][second]) ** 2 for c in range(len(colours)))
                exponent = -square / (2 * terms.position**2) - apart / (2 * terms.colour**2)
                kernels[0, i, j] = math.exp(exponent)
            if max(down, right) <= terms.radius:
                kernels[1, i, j] = math.exp(-square / (2 * terms.deviation**2))
    if terms.normalise == "symmetric":
        for kernel in kernels:
            sums = kernel.sum(axis=1)
            kernel /= np.sqrt(np.outer(sums, sums))
    both = terms.appearance * kernels[0] + terms.smoothness * kernels[1]
    start = unary.reshape(classes, -1).T
    found = np.exp(start) / np.exp(start).sum(axis=1, keepdims=True)
    for _ in range(iterations):
        raised = start + both @ found
        found = np.exp(raised - raised.max(axis=1, keepdims=True))
        found /= found.sum(axis=1, keepdims=True)
    return found.T.reshape(classes, height, width)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"normalise": "none", "appearance": 0.3, "smoothness": 0.2},
        {"dilation": 2},
        {"radius": 9},
        {"appearance": 0.0},
        {"smoothness": 0.0},
    ],
)
def test_the_field_is_that_of_every_pair_in_turn(changes: dict[str, object], backend: Backend) -> None:
    terms = dataclasses.replace(TERMS, **changes)  # type: ignore[arg-type]
    unary, colours = drawn(6, 7)
    got = mean_field(unary, colours, terms, iterations=3, backend=backend).exp()
    wanted = by_pairs(unary[0].numpy(), colours[0].numpy(), terms, 3)
    np.testing.assert_allclose(got[0].numpy(), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("classes", "channels", "size"), [(1, 1, (5, 40)), (4, 3, (30, 17)), (9, 5, (40, 33))])
def test_compiled_messages_are_those_of_tensor_operations(classes: int, channels: int, size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(classes)
    values = torch.rand(classes, *size, generator=generator, dtype=torch.float64)
    colours = 3 * torch.rand(channels, *size, generator=generator, dtype=torch.float64)
    terms = dataclasses.replace(TERMS, radius=3, dilation=3)
    plain = window_messages(colours, terms, 2**29, "torch")
    for limit in (2**29, 1):
        compiled = window_messages(colours, terms, limit, "numba")
        for name in ("appearance", "smoothness"):
            wanted = getattr(plain, name)(values)
            torch.testing.assert_close(getattr(compiled, name)(values), wanted, rtol=1e-12, atol=1e-14)
            single = getattr(window_messages(colours.float(), terms, limit, "numba"), name)(values.float())
            torch.testing.assert_close(single.double(), wanted, rtol=2e-6, atol=1e-7)


def test_colours_far_apart_do_not_hear_each_other_and_nothing_is_denormal() -> None:
    colours = torch.tensor([0.0, 12.9, 13.1, 100.0]).view(1, 1, 4) * math.sqrt(FARTHEST / 169) * 0.7 * math.sqrt(2)
    terms = dataclasses.replace(TERMS, position=1e6, radius=3)
    for backend in ("numba", "torch"):
        heard = window_messages(colours, terms, 2**20, backend).appearance(torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
        assert heard[0, 0, 1] > 1e-27
        assert heard[0, 0].tolist()[2:] == [0.0, 0.0]


def test_the_number_of_threads_changes_no_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    unary = torch.randn(1, 5, 190, 260, generator=generator).log_softmax(1)
    colours, before = torch.rand(1, 3, 190, 260, generator=generator), torch.get_num_threads()
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(mean_field(unary, colours, TERMS, 2))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


def test_a_window_as_large_as_the_image_is_the_dense_field() -> None:
    unary, colours = drawn(5, 4)
    dense = dataclasses.replace(TERMS, radius=5)
    larger = mean_field(unary, colours, dataclasses.replace(TERMS, radius=50), 4)
    torch.testing.assert_close(mean_field(unary, colours, dense, 4), larger)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("limit", [1, 20_000, 2**29])
def test_memory_changes_nothing_and_images_do_not_touch(limit: int, backend: Backend) -> None:
    unary, colours = drawn(8, 9, count=3)
    found = mean_field(unary, colours, TERMS, 3, memory_limit=limit, backend=backend)
    each = [mean_field(unary[[n]], colours[[n]], TERMS, 3) for n in range(3)]
    torch.testing.assert_close(found, torch.cat(each), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 3)])
def test_any_size(size: tuple[int, int]) -> None:
    unary, colours = drawn(*size)
    found = mean_field(unary, colours, TERMS, 2)
    torch.testing.assert_close(found.exp().sum(1), torch.ones(1, *size, dtype=torch.float64))
    if size == (1, 1):
        torch.testing.assert_close(found, unary)


def scene() -> tuple[Tensor, Tensor]:
    """A bright square on a dark ground, and logits of it with a fifth of the pixels wrong."""
    generator = torch.Generator().manual_seed(5)
    truth = torch.zeros(40, 50, dtype=torch.int64)
    truth[10:30, 12:38] = 1
    image = truth.float() * 0.6 + torch.rand(40, 50, generator=generator) * 0.05
    wrong = torch.rand(40, 50, generator=generator) < 0.2
    logits = (truth ^ wrong.long()).float() * 2.4 - 1.2
    return image.expand(1, 3, 40, 50), torch.stack([-logits, logits])[None] / 2


def test_noise_goes_and_the_borders_of_the_image_stay() -> None:
    image, logits = scene()
    truth = image[0, 0] > 0.3
    crf = registry.build("postprocess", {"type": "MeanFieldCRF"}, value_steps=STEPS)
    with listening() as listener:
        found = crf.around(lambda images: logits)(image).argmax(1)[0].bool()
    wrong_before = float((logits.argmax(1)[0].bool() != truth).float().mean())
    assert wrong_before > 0.15
    assert float((found != truth).float().mean()) < 0.01
    seen = listener.drain()
    changed = float((found != logits.argmax(1)[0].bool()).float().mean())
    assert seen["crf/changed"]["mean"] == pytest.approx(changed)
    assert seen["crf/iterations"]["mean"] == 5
    # of colours that all look alike nothing holds the border: corners go
    blind = MeanFieldCRF(colour=1e6, value_steps=STEPS).around(lambda images: logits)(image).argmax(1)[0].bool()
    assert (blind != truth).sum() > (found != truth).sum()


def test_one_channel_is_a_field_of_two_classes() -> None:
    image, logits = scene()
    crf = MeanFieldCRF(value_steps=STEPS)
    two = crf.around(lambda images: logits)(image)
    one = crf.around(lambda images: logits[:, 1:] - logits[:, :1])(image)
    assert one.shape[1] == 1
    torch.testing.assert_close(torch.sigmoid(one[:, 0]), two.softmax(1)[:, 1], rtol=1e-4, atol=1e-5)


def test_colours_are_in_steps_whatever_the_input_is_divided_by() -> None:
    image, logits = scene()
    std = torch.tensor([0.2, 0.3, 0.25])
    plain = MeanFieldCRF(value_steps=STEPS).around(lambda images: logits)(image)
    normalised = (image - 0.4) / std[:, None, None]
    torch.testing.assert_close(
        MeanFieldCRF(value_steps=255 * std).around(lambda images: logits)(normalised), plain, rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "at least 1"),
        ({"radius": 0}, "at least 1"),
        ({"colour": 0.0}, "above 0"),
        ({"appearance": 0.0, "smoothness": 0.0}, "not both 0"),
        ({"appearance": -1.0}, "at least 0"),
    ],
)
def test_what_cannot_be_is_an_error(options: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        MeanFieldCRF(**options, value_steps=STEPS)  # type: ignore[arg-type]


def test_bands_need_steps_and_a_task_that_gives_none_is_refused() -> None:
    with pytest.raises(UserError, match="4 channels, but steps for 3"):
        MeanFieldCRF(value_steps=STEPS).around(lambda images: images)(torch.zeros(1, 4, 5, 5))
    with pytest.raises(UserError, match="needs value_steps"):
        registry.build("postprocess", {"type": "MeanFieldCRF"})
