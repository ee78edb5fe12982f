from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from tests.tasks.test_hyperspectral import task_of, trained_like
from tricklab.data.formats.writers import write_scene
from tricklab.data.scene import Scene
from tricklab.errors import UserError
from tricklab.inference.windows import predict_windows
from tricklab.tasks.class_maps import colour, empty_id, to_ids, write_map, write_picture
from tricklab.tasks.scene_prediction import Strip, predict_strips
from tricklab.tasks.scene_rows import open_rows, rows_of

# as many bytes as seven rows and the reach on both sides take: strips of a few rows
SMALL = (7 + 8) * 24 * (20 * 16 + 13 * 8)


def joined(strips: list[Strip]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([s.classes for s in strips]), np.concatenate([s.confidence for s in strips])


@pytest.mark.parametrize("padding", ["zero", "reflect"])
@pytest.mark.parametrize("method", ["windows", "dense"])
def test_strips_give_what_the_whole_scene_gives(padding: str, method: str) -> None:
    task = task_of(f"data.padding={padding}")
    model = trained_like(task)
    rows = rows_of(task.fold.scene)
    strips = list(predict_strips(model, rows, task.fitted, method=method, memory_limit=SMALL))
    assert [strip.top for strip in strips] == [0, 7, 14, 21]
    classes, confidence = joined(strips)
    logits_KHW = predict_windows(model, task.fold.cube_for("test"), 9)
    assert np.array_equal(classes, logits_KHW.argmax(dim=0).numpy())
    assert np.abs(confidence - torch.softmax(logits_KHW, dim=0).amax(dim=0).numpy()).max() < 1e-5


def test_pixels_without_measurement_are_left_out() -> None:
    task = task_of()
    cube = task.fold.scene.cube.astype(np.float32)
    cube[:9, :, 4] = -1
    cube[20, 3] = -1
    strips = list(
        predict_strips(trained_like(task), rows_of(Scene(cube, nodata=-1.0)), task.fitted, memory_limit=SMALL)
    )
    classes, confidence = joined(strips)
    empty = (cube == -1).any(axis=2)
    assert np.array_equal(classes == -1, empty)
    assert (confidence[empty] == 0).all()
    assert (confidence[~empty] > 0).all()


def test_a_classical_model_predicts_a_scene() -> None:
    task = task_of("model={type: PixelForest, trees: 10}")
    model = task.build_model()
    task.fit_classical(model, 0)
    (strip,) = predict_strips(model, rows_of(task.fold.scene), task.fitted)
    assert strip.confidence is None
    rows, columns = task.fold.centres["train"].numpy().T
    assert (strip.classes[rows, columns] == task.fold.targets["train"].numpy()).mean() > 0.95


def test_another_number_of_bands_is_refused() -> None:
    task = task_of()
    with pytest.raises(UserError, match="19 bands, the run was trained on 20"):
        list(predict_strips(trained_like(task), rows_of(Scene(task.fold.scene.cube[:, :, :19])), task.fitted))


@pytest.mark.parametrize("form", ["envi", "geotiff", "mat"])
def test_rows_of_files(tmp_path: Path, form: str) -> None:
    scene = task_of().fold.scene
    if form == "geotiff":
        pytest.importorskip("rasterio")
    cube_file, *_ = write_scene(Scene(scene.cube), tmp_path, form)
    rows = open_rows(cube_file)
    assert rows.shape == scene.cube.shape
    assert np.array_equal(rows.read(5, 9), scene.cube[5:9])


def test_rows_of_npy_and_missing_files(tmp_path: Path) -> None:
    np.save(tmp_path / "cube.npy", np.arange(24.0).reshape(2, 3, 4))
    assert open_rows(tmp_path / "cube.npy").read(1, 2).shape == (1, 3, 4)
    with pytest.raises(UserError, match="no such file"):
        open_rows(tmp_path / "none.hdr")
    np.save(tmp_path / "flat.npy", np.zeros((3, 4)))
    with pytest.raises(UserError, match="height, width, bands"):
        open_rows(tmp_path / "flat.npy")


def test_rows_of_a_tiff_whose_bands_are_pages(tmp_path: Path) -> None:
    cube = np.arange(6 * 5 * 4, dtype=np.uint16).reshape(6, 5, 4)
    tifffile.imwrite(tmp_path / "s.tif", np.moveaxis(cube, -1, 0), photometric="minisblack", metadata=None)
    assert np.array_equal(open_rows(tmp_path / "s.tif").read(0, 6), cube)


@pytest.mark.parametrize("name", ["s.npy", "s.tif"])
def test_an_array_name_for_a_file_without_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=f"{name} is no MATLAB file, so it has no array 'cube'"):
        open_rows(tmp_path / name, "cube")


def test_an_empty_npy_file(tmp_path: Path) -> None:
    (tmp_path / "s.npy").write_bytes(b"")
    with pytest.raises(UserError, match=r"not a readable \.npy file"):
        open_rows(tmp_path / "s.npy")


def test_a_fault_is_told_by_the_row_of_the_scene() -> None:
    task = task_of()
    cube = task.fold.scene.cube.astype(np.float32)
    cube[22, 3, 1] = np.nan
    with pytest.raises(UserError, match="row 22, column 3, band 2"):
        list(predict_strips(trained_like(task), rows_of(Scene(cube)), task.fitted, memory_limit=SMALL))


@pytest.mark.parametrize("form", ["geotiff", "envi", "npy"])
def test_dots_in_the_name_of_a_map_stay(tmp_path: Path, form: str) -> None:
    ids = np.array([[1, 2], [2, 2]], dtype=np.uint8)
    paths = {write_map(ids, tmp_path / stem, form, {1: "corn", 2: "oats"}).stem for stem in ("a.1", "a.2")}
    assert paths == {"a.1", "a.2"}


def test_ids_and_colours() -> None:
    assert empty_id([1, 2, 10]) == 0
    ids = to_ids(np.array([[0, 1], [2, -1]]), [1, 10, 14])
    assert ids.dtype == np.uint8
    assert ids.tolist() == [[1, 10], [14, 0]]
    assert to_ids(np.array([[0, -1]]), [0, 300]).tolist() == [[0, 1]]
    assert len({colour(number) for number in range(32)}) == 32


def test_geotiff_keeps_its_place(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    ids = np.array([[1, 2, 0], [2, 2, 1]], dtype=np.uint8)
    path = write_map(
        ids, tmp_path / "map", "geotiff", {1: "corn", 2: "oats"}, "EPSG:32616", (20.0, 0.0, 5e5, 0.0, -20.0, 4e6)
    )
    with rasterio.open(path) as source:
        assert source.crs.to_epsg() == 32616
        assert tuple(source.transform)[:6] == (20.0, 0.0, 5e5, 0.0, -20.0, 4e6)
        assert np.array_equal(source.read(1), ids)
        assert source.colormap(1)[2][:3] == colour(1)
        assert source.tags(1)["class_2"] == "oats"


def test_envi_keeps_its_place_and_names(tmp_path: Path) -> None:
    from tricklab.data.formats.envi_files import read_envi

    ids = np.array([[1, 2, 0], [2, 2, 1]], dtype=np.uint8)
    path = write_map(ids, tmp_path / "map", "envi", {1: "corn", 2: "oats"}, "LOCAL", (20.0, 0.0, 5e5, 0.0, -20.0, 4e6))
    back = read_envi(path)
    assert np.array_equal(back.cube[:, :, 0], ids)
    assert back.class_names == {0: "no measurement", 1: "corn", 2: "oats"}
    assert back.transform == (20.0, 0.0, 5e5, 0.0, -20.0, 4e6)
    assert back.crs == "LOCAL"
    with pytest.raises(UserError, match="rotated"):
        write_map(ids, tmp_path / "turned", "envi", {1: "corn"}, None, (20.0, 1.0, 0.0, 1.0, -20.0, 0.0))


def test_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'geotiff'"):
        write_map(np.zeros((2, 2), np.uint8), tmp_path / "map", "geotif", {1: "a"})


def test_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    classes = np.array([[0, 1, -1], [1, 1, 0], [0, 0, 0]])
    with Image.open(write_picture(classes, tmp_path / "map.png")) as picture:
        pixels = np.asarray(picture)
    assert tuple(pixels[0, 1]) == colour(1)
    assert tuple(pixels[0, 2]) == (0, 0, 0)
    monkeypatch.setattr("tricklab.tasks.class_maps.LARGEST_PICTURE", 2)
    with Image.open(write_picture(classes, tmp_path / "small.png")) as picture:
        assert picture.size == (2, 2)
