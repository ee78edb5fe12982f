"""UNet against its definition written out, OpenMMLab's names, any image size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tricklab import registry
from tricklab.errors import UserError


def unet(**options: Any) -> Any:
    return registry.build("backbone", {"type": "UNet", "base_channels": 4, **options}, in_channels=3)


def written_out(state: dict[str, Tensor], images: Tensor) -> list[Tensor]:
    """Five stages with max pooling; on the way up bilinear to the early map's size."""

    def conv(name: str, x: Tensor) -> Tensor:
        weight = state[f"{name}.conv.weight"]
        x = functional.conv2d(x, weight, None, 1, weight.shape[-1] // 2)
        scale, shift, mean, variance = (
            state[f"{name}.bn.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return functional.relu((x - mean) / (variance + 1e-5).sqrt() * scale + shift)

    early, x = [], images
    for stage in range(5):
        x = functional.max_pool2d(x, 2) if stage else x
        for number in range(2):
            x = conv(f"encoder.{stage}.{min(stage, 1)}.convs.{number}", x)
        early.append(x)
    maps = [x]
    for stage in range(3, -1, -1):
        raised = functional.interpolate(x, early[stage].shape[2:], mode="bilinear", align_corners=False)
        x = torch.cat([early[stage], conv(f"decoder.{stage}.upsample.interp_upsample.1", raised)], 1)
        for number in range(2):
            x = conv(f"decoder.{stage}.conv_block.convs.{number}", x)
        maps.append(x)
    return maps


@pytest.mark.parametrize("size", [(32, 48), (37, 50)])
def test_it_is_its_definition_at_any_size(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = unet().double().eval()
    for name, tensor in model.state_dict().items():
        if tensor.ndim == 1 and "running_var" not in name:
            tensor.copy_(torch.rand_like(tensor) + 0.1)
    images = torch.randn(1, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        found, expected = model(images), written_out(model.state_dict(), images)
    assert [x.shape[1] for x in found] == list(model.channels) == [64, 32, 16, 8, 4]
    for one, other in zip(found, expected, strict=True):
        assert one.std() > 1e-3
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_strides_in_place_of_poolings_and_stages_of_one_size() -> None:
    strided = unet(strides=[1, 2, 2, 1, 1], downsamples=[True, True, False, False])
    names = set(strided.state_dict())
    assert {"encoder.1.0.convs.0.conv.weight", "decoder.2.upsample.conv.weight"} <= names
    assert "decoder.0.upsample.interp_upsample.1.conv.weight" in names
    assert [tuple(x.shape[2:]) for x in strided(torch.zeros(2, 3, 18, 21))] == [(5, 6)] * 3 + [(9, 11), (18, 21)]


def test_transposed_convolutions_have_openmmlabs_names_and_any_size() -> None:
    model = unet(upsample_cfg={"type": "DeconvModule"})
    assert "decoder.0.upsample.deconv_upsamping.0.bias" in model.state_dict()
    assert "decoder.0.upsample.deconv_upsamping.1.running_mean" in model.state_dict()
    assert model(torch.zeros(2, 3, 37, 50))[-1].shape == (2, 4, 37, 50)


def test_convolutions_and_dilations_are_counted_as_asked() -> None:
    model = unet(enc_num_convs=[1, 2, 3, 1, 1], dec_num_convs=[1, 2, 1, 3], enc_dilations=[1, 1, 2, 1, 1])
    assert [len(part[-1].convs) for part in model.encoder] == [1, 2, 3, 1, 1]
    assert [len(part.conv_block.convs) for part in model.decoder] == [1, 2, 1, 3]
    assert [part.conv.dilation[0] for part in model.encoder[2][-1].convs] == [1, 2, 2]


def test_norm_eval_keeps_running_statistics() -> None:
    model = unet(norm_eval=True).train()
    before = model.encoder[0][0].convs[0].bn.running_mean.clone()
    model(torch.randn(2, 3, 32, 32))
    assert torch.equal(model.encoder[0][0].convs[0].bn.running_mean, before)
    free = unet().train()
    free(torch.randn(2, 3, 32, 32))
    assert free.encoder[0][0].convs[0].bn.running_mean.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strides": [1, 1]}, r"model\.backbone\.strides: it needs 5 numbers"),
        ({"dec_num_convs": [2, 2, 0, 2]}, r"model\.backbone\.dec_num_convs"),
        ({"upsample_cfg": {"type": "Interp"}}, "wrong value"),
        ({"num_stages": 1, "strides": [1], "enc_num_convs": [2], "enc_dilations": [1], "downsamples": [],
          "dec_num_convs": [], "dec_dilations": []}, "at least two stages"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        unet(**options)


def test_images_that_would_vanish_are_refused() -> None:
    with pytest.raises(UserError, match="at least 16 pixels"):
        unet()(torch.zeros(1, 3, 15, 40))
