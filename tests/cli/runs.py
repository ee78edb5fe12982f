"""A tiny recipe file and finished runs of it, for the tests of commands that need a run."""

from __future__ import annotations

from pathlib import Path

from tricklab.cli.main import main

TINY = """
task: hyperspectral
data:
  scene: {type: SyntheticScene, height: 24, width: 24, bands: 16, classes: 3}
  window: 9
  pca: 13
  split: {type: RandomPixels, train: 0.2, val: 0.2}
model: {type: HybridSN}
train: {device: cpu, epochs: 2, batch_size: 16}
metric: {delta: 0.01}
"""


def write_recipe(folder: Path) -> str:
    """The tiny recipe as a file; returns its path."""
    place = folder / "tiny.yaml"
    place.write_text(TINY)
    return str(place)


def train(folder: Path, *words: str) -> Path:
    """Train the tiny recipe and return the run's folder."""
    code = main(["train", write_recipe(folder), *words, "--out", str(folder), "--name", "t", "--threads", "1"])
    assert code == 0
    return folder / "t" / "run" / "0"
