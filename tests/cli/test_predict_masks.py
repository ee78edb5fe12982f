"""tricklab predict: masks of image files, folders and rasters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.cli.mask_runs import train_masks
from tricklab.cli.main import main
from tricklab.data.mask_layouts.synthetic_masks import SyntheticMasks
from tricklab.engine import load_run
from tricklab.errors import UserError
from tricklab.inference.sliding import Sliding
from tricklab.records import RunFolder
from tricklab.tasks import mask_prediction
from tricklab.tasks.mask_run import mask_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_masks(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of two sizes, one below a folder."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "below").mkdir()
    for place, size in (("one.png", (32, 40)), ("below/two.png", (37, 51))):
        Image.fromarray(pixels(size)).save(folder / place)
    return folder


def pixels(size: tuple[int, int]) -> np.ndarray:
    found: np.ndarray = SyntheticMasks(classes=3, images=2, size=size, seed=5).read().read_image(0)
    return found


def predicted(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert main(["predict", *words, "--json"]) == 0, capsys.readouterr().err
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["masks"]
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["predict", *words]) != 0
    return capsys.readouterr().err


def logits_of(run: Path, image: np.ndarray, plan: Sliding | None = None) -> torch.Tensor:
    """By the run as the engine opens it, with its data."""
    loaded = load_run(run)
    normalise = loaded.task.fold.normalisation  # type: ignore[attr-defined]
    values = normalise(torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None])
    scores = lambda batch: loaded.model(batch)["main"]  # noqa: E731
    with torch.inference_mode():
        found: torch.Tensor = (plan.around(scores) if plan else scores)(values)[0]
    return found


def test_images_and_folders_get_masks_of_label_values(
    run: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = predicted(capsys, str(run), str(images / "one.png"), str(images / "below"), "--out", str(tmp_path))
    assert [(one["height"], one["width"], one["windows"]) for one in found] == [(32, 40, 1), (37, 51, 1)]
    for one, size in zip(found, ((32, 40), (37, 51)), strict=True):
        mask = np.array(Image.open(one["files"][0]))
        wanted = logits_of(run, pixels(size)).argmax(0).numpy()
        assert np.array_equal(mask, wanted)
        assert sum(one["shares"].values()) == pytest.approx(1)
        assert list(one["shares"].values()) == pytest.approx(
            (np.bincount(wanted.reshape(-1), minlength=3) / wanted.size).tolist()
        )
        assert np.array(Image.open(one["files"][1])).shape == (*size, 3)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "one-colours.png", "one.png", "two-colours.png", "two.png",
    ]  # fmt: skip


def test_a_raster_goes_by_rows_in_windows(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raster = pixels((150, 90))
    np.save(tmp_path / "town.npy", raster)
    out = tmp_path / "masks"
    (found,) = predicted(capsys, str(run), str(tmp_path / "town.npy"), "--window", "64", "--out", str(out))
    plan = Sliding((64, 64), (48, 48))
    assert found["windows"] == plan.count((150, 90)) == 6
    apart = found["other_windows"]
    assert apart["windows"] == [[64, 64], [96, 96]]
    larger = Sliding((96, 96), (80, 80))
    one, two = (logits_of(run, raster, which).softmax(0) for which in (plan, larger))
    assert apart["probability"] == pytest.approx(float((one - two).abs().mean()), rel=1e-4)
    assert "windows of 64 × 64 against 96 × 96 pixels: " in apart["text"]
    mask = np.load(out / "town.npy")
    assert np.array_equal(mask, logits_of(run, raster, plan).argmax(0).numpy())
    assert sorted(file.name for file in out.iterdir()) == ["town-colours.png", "town.npy"]


def test_a_geotiff_keeps_its_place(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rasterio = pytest.importorskip("rasterio")
    from rasterio.transform import Affine

    raster, place = pixels((40, 48)), Affine(2.0, 0.0, 500.0, 0.0, -2.0, 900.0)
    with rasterio.open(
        tmp_path / "town.tif", "w", driver="GTiff", height=40, width=48, count=3, dtype="uint8",
        crs="EPSG:32632", transform=place,
    ) as target:  # fmt: skip
        target.write(raster.transpose(2, 0, 1))
    predicted(capsys, str(run), str(tmp_path / "town.tif"), "--window", "32", "--out", str(tmp_path / "m"))
    with rasterio.open(tmp_path / "m" / "town.tif") as source:
        assert source.crs.to_epsg() == 32632
        assert source.transform == place
        wanted = logits_of(run, raster, Sliding((32, 32), (24, 24))).argmax(0).numpy()
        assert np.array_equal(source.read(1), wanted)


def test_what_is_too_large_needs_windows(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    np.save(tmp_path / "town.npy", pixels((40, 48)))
    monkeypatch.setattr(mask_prediction, "LARGEST_WHOLE", 1000)
    network = mask_run(RunFolder.open(run))
    with pytest.raises(UserError, match=r"too many to be seen at once.*--window"):
        mask_prediction.predict_mask(network, tmp_path / "town.npy", tmp_path / "m")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["town.npy"]


def test_a_run_opens_without_its_data(run: Path) -> None:
    network, loaded = mask_run(RunFolder.open(run)), load_run(run)
    assert network.classes == loaded.task.classes
    assert network.label_ids == loaded.task.label_ids
    theirs = loaded.model.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in network.model.state_dict().items())
    assert not network.model.training


def test_what_cannot_be_is_one_line(
    run: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, out = str(images / "one.png"), str(tmp_path)
    assert "not for masks" in refused(capsys, str(run), one, "--top-k", "2", "--out", out)
    assert f"{one} and {one} would give masks of one name" in refused(capsys, str(run), one, one, "--out", out)
    assert "take the images' names" in refused(capsys, str(run), one, "--out", str(images))
    assert "at least 8" in refused(capsys, str(run), one, "--window", "4", "--out", out)
    assert "needed" in refused(capsys, str(run), "--out", out)
    np.save(tmp_path / "deep.npy", np.zeros((20, 20, 4), dtype=np.uint16))
    told = refused(capsys, str(run), str(tmp_path / "deep.npy"), "--out", str(tmp_path / "m"))
    assert "4 channels of uint16" in told
    assert "3 of uint8" in told


def test_scores_that_are_no_numbers_become_no_mask(
    run: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(folder: RunFolder, device: Any) -> Any:
        found = mask_run(folder, device)
        with torch.no_grad():
            found.model.decode_head.conv_seg.bias[1] = torch.nan
        return found

    monkeypatch.setattr("tricklab.tasks.mask_run.mask_run", broken)
    for words in ((), ("--window", "16")):
        told = refused(capsys, str(run), str(images / "one.png"), "--out", str(tmp_path / "masks"), *words)
        assert "the network's scores are no numbers at " in told
        assert list((tmp_path / "masks").iterdir()) == []


def test_an_image_asked_in_the_recipe_s_windows_says_how_many(run: Path, images: Path, tmp_path: Path) -> None:
    network = mask_run(RunFolder.open(run))
    slid = network.settings.evaluate.model_copy(update={"method": "slide", "window": (16, 16), "stride": (12, 12)})
    network = replace(network, settings=network.settings.model_copy(update={"evaluate": slid}))
    found = mask_prediction.predict_mask(network, images / "one.png", tmp_path / "m")
    assert found.windows == Sliding((16, 16), (12, 12)).count((32, 40)) == 9
