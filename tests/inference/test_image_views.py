"""Averages over views of images."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import functional

from tricklab import registry
from tricklab.errors import UserError
from tricklab.inference.image_views import ImageViews
from tricklab.observe import listening


def images(height: int = 6, width: int = 6) -> torch.Tensor:
    return torch.rand(3, 3, height, width, generator=torch.Generator().manual_seed(0))


def scores(batch: torch.Tensor) -> torch.Tensor:
    """Logits that depend on where things are."""
    height, width = batch.shape[-2:]
    ramp = torch.arange(height * width, dtype=torch.float32).view(height, width) / (height * width)
    return torch.stack([(batch * ramp).mean(dim=(1, 2, 3)), batch[:, :, 0, 0].sum(1), batch[:, :, -1, 0].sum(1)], dim=1)


@pytest.mark.parametrize(
    ("group", "count"), [("none", 1), ("flip", 2), ("flips", 4), ("rotations", 4), ("dihedral", 8)]
)
def test_views_of_a_group_are_all_different_and_closed_under_it(group: str, count: int) -> None:
    tta = registry.build("postprocess", {"type": "ImageViews", "group": group})
    found = list(tta.views(images()))
    assert len(found) == count == tta.count
    assert torch.equal(found[0], images())
    assert len({view.numpy().tobytes() for view in found}) == count
    again = {view.numpy().tobytes() for first in found for view in tta.views(first)}
    assert again == {view.numpy().tobytes() for view in found}


def test_probabilities_are_averaged_not_logits() -> None:
    tta = ImageViews("flip")
    with listening() as listener:
        got = tta.around(scores)(images())
    both = torch.stack([torch.softmax(scores(images()), 1), torch.softmax(scores(images().flip(3)), 1)])
    torch.testing.assert_close(got.exp(), both.mean(0))
    torch.testing.assert_close(got.exp().sum(1), torch.ones(3))
    seen = listener.drain()
    assert seen["tta/views"]["mean"] == 2
    assert seen["tta/spread"]["mean"] == pytest.approx(float((both - both.mean(0)).abs().mean()), rel=1e-4)


def test_the_average_does_not_change_when_the_image_is_turned() -> None:
    call = ImageViews("dihedral").around(scores)
    torch.testing.assert_close(call(images()), call(torch.rot90(images(), 1, (2, 3)).flip(2)))


def test_five_crops_are_torchvisions() -> None:
    batch = images(8, 12)
    got = list(ImageViews("none", crops="six", crop=0.5).views(batch))
    assert torch.equal(got[0], batch)
    wanted = functional.five_crop(batch, [4, 6])
    for view, cut in zip(got[1:], wanted, strict=True):
        assert view.shape == batch.shape
        torch.testing.assert_close(view, functional.resize(cut, [8, 12], antialias=True))
    assert len(list(ImageViews("flip", crops="five").views(batch))) == 10


def test_scales_change_what_the_network_sees() -> None:
    sizes = [view.shape[-2:] for view in ImageViews("none", scales=[1.0, 1.5, 0.5]).views(images(6, 8))]
    assert [tuple(size) for size in sizes] == [(6, 8), (9, 12), (3, 4)]


def test_what_cannot_be_is_an_error() -> None:
    with pytest.raises(UserError, match="square"):
        list(ImageViews("dihedral").views(images(6, 8)))
    with pytest.raises(UserError, match="part of the image"):
        ImageViews(crops="five", crop=1.0)
    with pytest.raises(UserError, match="positive"):
        ImageViews(scales=[])
