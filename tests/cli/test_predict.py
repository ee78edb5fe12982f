"""tricklab predict: class maps of scenes in their own format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.runs import train
from tricklab.cli.main import main
from tricklab.data.formats.envi_files import read_envi
from tricklab.data.formats.synthetic import SyntheticScene
from tricklab.data.formats.writers import write_scene
from tricklab.data.scene import Scene
from tricklab.records import RunFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def cube() -> np.ndarray:
    return SyntheticScene(height=24, width=24, bands=16, classes=3).read().cube


def test_the_runs_own_scene(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(run), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["maps"]
    classes = np.load(run / "predictions" / "map.npy")
    assert classes.shape == (24, 24)
    assert sum(found["shares"].values()) == pytest.approx(1)
    assert (run / "predictions" / "map.png").is_file()
    from tricklab.engine import load_run

    fold = load_run(run).task.fold  # type: ignore[attr-defined]
    rows, columns = fold.centres["val"].numpy().T
    assert np.array_equal(classes[rows, columns], RunFolder.open(run).scores()["prediction"])


def test_each_format_gives_the_same_map_in_small_strips(
    run: Path, cube: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rasterio")
    import rasterio

    place = (20.0, 0.0, 5e5, 0.0, -20.0, 4e6)
    envi, *_ = write_scene(Scene(cube, transform=place), tmp_path, "envi", "one")
    tif, *_ = write_scene(Scene(cube, crs="EPSG:32616", transform=place), tmp_path, "geotiff", "two")
    np.save(tmp_path / "three.npy", cube)
    np.save(tmp_path / "three.b.npy", cube[:20])
    inputs = [str(envi), str(tif), str(tmp_path / "three.npy"), str(tmp_path / "three.b.npy")]
    out = tmp_path / "maps"
    assert main(["predict", str(run), *inputs, "--out", str(out), "--method", "dense", "--memory", "1", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["maps"]) == 4
    ids = np.load(out / "three.npy")
    assert set(np.unique(ids)) <= set(RunFolder.open(run).result()["label_ids"])
    back = read_envi(out / "one.hdr")
    assert np.array_equal(back.cube[:, :, 0], ids)
    assert back.transform == place
    with rasterio.open(out / "two.tif") as source:
        assert np.array_equal(source.read(1), ids)
        assert source.crs.to_epsg() == 32616
    assert all((out / f"{stem}.png").is_file() for stem in ("one", "two", "three", "three.b"))
    assert np.load(out / "three.b.npy").shape == (20, 24)


def test_bad_input(run: Path, cube: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "few.npy", cube[:, :, :9])
    for words, text in (
        (["none.hdr"], "no such file"),
        ([str(tmp_path / "few.npy")], "the scene has 9 bands, the run was trained on 16"),
        (["--method", "magic"], "windows or dense"),
        ([str(tmp_path / "few.npy")] * 2, "two scenes are named 'few'"),
    ):
        assert main(["predict", str(run), *words, "--out", str(tmp_path / "out")]) == 2
        assert text in capsys.readouterr().err
    np.save(tmp_path / "fits.npy", cube)
    assert main(["predict", str(run), str(tmp_path / "fits.npy"), "--out", str(tmp_path)]) == 2
    assert "would take the scenes' names" in capsys.readouterr().err
    assert np.array_equal(np.load(tmp_path / "fits.npy"), cube)


def test_an_unknown_format_is_refused_before_anything_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "no-such-run", "--format", "jp2"]) == 2
    assert "unknown format 'jp2'" in capsys.readouterr().err
