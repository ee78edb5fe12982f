"""A tiny image recipe and finished runs of it, for the tests of commands that need one."""

from __future__ import annotations

from pathlib import Path

from tricklab.cli.main import main

TINY = """
task: classification
data:
  images: {type: SyntheticImages, classes: 3, per_class: 20, size: 24}
  size: 24
  split: {type: Stratified, train: 0.6, val: 0.2, test: 0.2}
model: {type: timm, name: resnet10t}
train: {device: cpu, epochs: 2, batch_size: 12}
metric: {monitor: val/accuracy, delta: 0.01}
"""


def train_images(folder: Path, *words: str) -> Path:
    """Train the tiny recipe and return the run's folder."""
    place = folder / "images.yaml"
    place.write_text(TINY)
    code = main(["train", str(place), *words, "--out", str(folder), "--name", "t", "--threads", "1"])
    assert code == 0
    return folder / "t" / "run" / "0"
