"""A tiny recipe of masks and finished runs of it, for the tests of commands that need one."""

from __future__ import annotations

from pathlib import Path

from tricklab.cli.main import main

TINY = """
task: segmentation
data:
  images: {type: SyntheticMasks, classes: 3, images: 12, size: [32, 40]}
  crop: [32, 32]
model:
  type: EncoderDecoder
  backbone: {type: ResNetV1c, depth: 18, base_channels: 8, stem_channels: 8}
  decode_head: {type: FCNHead, channels: 8, num_convs: 1}
train: {device: cpu, epochs: 2, batch_size: 4}
metric: {monitor: val/miou, delta: 0.01}
"""


def train_masks(folder: Path, *words: str) -> Path:
    """Train the tiny recipe and return the run's folder."""
    place = folder / "masks.yaml"
    place.write_text(TINY)
    code = main(["train", str(place), *words, "--out", str(folder), "--name", "t", "--threads", "1"])
    assert code == 0
    return folder / "t" / "run" / "0"
