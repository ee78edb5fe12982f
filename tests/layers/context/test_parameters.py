"""Weights of all blocks, of the published ones at their published widths, counted by hand from the definitions."""

from __future__ import annotations

from typing import Any

import pytest

from tricklab import registry

COUNTS: list[tuple[str, int, dict[str, Any], int]] = [
    ("NonLocal", 512, {}, 525_568),
    ("PositionAttention", 512, {}, 328_321),
    ("ChannelAttention", 512, {}, 1),
    ("CCNet", 512, {}, 328_321),
    ("PSA", 2048, {}, 8_291_328),
    ("GloRe", 512, {"num_mid": 64}, 185_600),
    ("LatentGNN", 512, {}, 158_753),
    ("EMAttention", 512, {}, 525_824),
    ("CGNL", 1024, {}, 1_640_448),
    ("SPM", 512, {}, 1_838_592),
    ("MPM", 1024, {}, 4_397_568),
    ("A2", 512, {}, 263_552),
    ("DANet", 512, {}, 328_322),
    ("OCNet", 512, {}, 920_064),
    ("OCR", 512, {}, 1_194_003),
    ("APCNet", 512, {}, 5_452_082),
    ("SGR", 512, {}, 239_123),
    ("GCU", 512, {}, 406_272),
    ("LocalRelation", 512, {}, 328_944),
]
NAMES = {
    "GloRe": "blocker conv_extend conv_proj conv_state gcn",
    "LatentGNN": "LatentGNN_Kernel_0 LatentGNN_Kernel_1 down_channel_l2v down_channel_v2l gamma up_channel",
    "EMAttention": "conv1 conv2 mu",
    "CCNet": "gamma key_conv query_conv value_conv",
    "PositionAttention": "gamma key_conv query_conv value_conv",
    "PSA": "attention attention_p proj reduce reduce_p",
    "CGNL": "g gn p t z",
    "SPM": "bn1 bn2 conv1 conv2 conv3",
    "NonLocal": "conv_out g phi theta",
}


@pytest.mark.parametrize(("name", "channels", "options", "count"), COUNTS)
def test_as_many_weights_as_published(name: str, channels: int, options: dict[str, Any], count: int) -> None:
    block = registry.build("context", {"type": name, **options}, channels=channels)
    assert sum(weight.numel() for weight in block.parameters()) == count


def test_weights_of_every_block_are_counted() -> None:
    assert {name for name, *_ in COUNTS} == {entry.name for entry in registry.entries("context")}


@pytest.mark.parametrize("name", NAMES)
def test_stored_names_are_the_official_ones(name: str) -> None:
    block = registry.build("context", {"type": name}, channels=64)
    assert sorted({key.split(".")[0] for key in block.state_dict()}) == NAMES[name].split()
