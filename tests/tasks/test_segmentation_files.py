"""Whole runs on files: sixteen bits, five bands, several loader workers, a stop on the way, predictions."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from tricklab.cli.main import main
from tricklab.engine import execute
from tricklab.records import RunFolder, load_tree

RECIPE = """
task: segmentation
data:
  images: {type: MaskFolders, bands: all}
  split: {type: RandomImages, train: 0.75, val: 0.25}
  ignore: [900]
  crop: [24, 32]
  augment: [{type: RandomResize, ratio_range: [0.8, 1.5]}, {type: HorizontalFlip}, {type: Rotate90}]
  batch_augment: [{type: CutMix}, {type: CopyPaste, paste: ["400"], objects: 0.5}]
  sampler: {type: RareClassCrops}
model:
  type: EncoderDecoder
  backbone: {type: ResNetV1c, depth: 18, base_channels: 8, stem_channels: 8}
  decode_head: {type: FCNHead, channels: 8, num_convs: 1}
train: {device: cpu, epochs: 2, batch_size: 3, checkpoint_every: {iterations: 1}, log_every: {iterations: 1}}
"""
VALUES = (0, 400, 900)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight images of 16 bits and five bands with masks of 16 bits."""
    root = tmp_path_factory.mktemp("scenes")
    for name in ("images", "masks"):
        (root / name).mkdir()
    for number in range(8):
        rng = np.random.default_rng(number)
        mask = np.zeros((30, 40), dtype=np.uint16)
        mask[5:15, 5 + number : 20 + number], mask[20:25, 3:9] = VALUES[1], VALUES[2]
        bands = rng.integers(0, 4000, (5, 30, 40), dtype=np.uint16) + np.where(mask == VALUES[1], 30000, 0)
        tifffile.imwrite(root / "images" / f"{number}.tif", bands.astype(np.uint16), photometric="minisblack")
        Image.fromarray(mask).save(root / "masks" / f"{number}.png")
    return root


def declared(folder: Path, scenes: Path, name: str, *words: str) -> RunFolder:
    """A run that is planned."""
    from tricklab.cli.train import declare

    recipe = folder / "files.yaml"
    recipe.write_text(RECIPE)
    return declare([str(recipe), *words], [], str(scenes), 0, name, str(folder / "runs"))


def weights(run: RunFolder) -> dict[str, Any]:
    found: dict[str, Any] = load_tree(run.checkpoint("weights"))
    return found


def equal(one: Any, other: Any) -> bool:
    return set(one) == set(other) and all(
        torch.equal(one[key], other[key]) if isinstance(one[key], torch.Tensor) else one[key] == other[key]
        for key in one
    )


@pytest.mark.slow
def test_workers_and_a_stop_change_nothing(tmp_path: Path, scenes: Path) -> None:
    plain = declared(tmp_path, scenes, "plain")
    assert plain.recipe["data"]["images"]["values"] == {"0": 0, "400": 400}
    assert execute(plain.path, threads=1, progress=False)["state"] == "finished"
    several = declared(tmp_path, scenes, "several", "train.workers=2", "data.cache=none")

    def stop(row: dict[str, Any]) -> None:
        if row["step"] == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    assert execute(several.path, threads=1, progress=False, observers=[stop])["state"] == "interrupted"
    assert execute(several.path, threads=1, progress=False)["state"] == "finished"
    assert equal(weights(plain), weights(several))
    first, second = plain.result(), several.result()
    assert first is not None
    assert second is not None
    assert first["confusion"] == second["confusion"]
    fitted = load_tree(plain.checkpoint("fitted"))
    assert (int(fitted["channels"]), str(fitted["dtype"])) == (5, "uint16")


@pytest.mark.slow
def test_predictions_of_a_raster_are_label_values_at_its_size(
    tmp_path: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = declared(tmp_path, scenes, "one", "train.epochs=12", "data.batch_augment=[]")
    assert execute(run.path, threads=1, progress=False)["state"] == "finished"
    out = tmp_path / "out"
    assert main(["predict", str(run.path), str(scenes / "images" / "0.tif"), "--out", str(out)]) == 0
    found = tifffile.imread(out / "0.tif").squeeze()
    assert found.shape == (30, 40)
    assert set(np.unique(found).tolist()) <= {0, 400}
    truth = np.array(Image.open(scenes / "masks" / "0.png"))
    known = truth != VALUES[2]
    assert (found[known] == truth[known]).mean() > 0.8
    Image.fromarray(np.zeros((30, 40, 3), dtype=np.uint8)).save(tmp_path / "rgb.png")
    assert main(["predict", str(run.path), str(tmp_path / "rgb.png"), "--out", str(out)]) == 2
    assert "5 of uint16" in capsys.readouterr().err


@pytest.mark.slow
def test_a_rerun_looks_for_nothing_and_notices_what_changed(
    tmp_path: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = declared(tmp_path, scenes, "first", "train.epochs=1")
    again = tmp_path / "again.yaml"
    again.write_text((first.path / "recipe.yaml").read_text())
    before = (scenes / "masks" / "7.png").read_bytes()
    changed = np.array(Image.open(scenes / "masks" / "7.png"))
    changed[0, :4] = 77
    Image.fromarray(changed).save(scenes / "masks" / "7.png")
    try:
        assert main(["train", str(again), "--out", str(tmp_path / "runs"), "--name", "again"]) == 2
        assert "7.png: label value without a class: 77 (4 pixels)" in capsys.readouterr().err
    finally:
        (scenes / "masks" / "7.png").write_bytes(before)
