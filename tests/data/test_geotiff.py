import importlib.util
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from tricklab.data.formats import tiff_pages
from tricklab.data.formats.geotiff import GeoTiffScene
from tricklab.data.formats.writers import write_scene
from tricklab.data.scene import Scene, valid_pixels
from tricklab.errors import UserError

CUBE = np.arange(6 * 5 * 4, dtype=np.uint16).reshape(6, 5, 4)
has_rasterio = pytest.mark.skipif(importlib.util.find_spec("rasterio") is None, reason="needs rasterio (extra geo)")


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (CUBE, {"planarconfig": "contig"}),
        (CUBE.transpose(2, 0, 1), {"planarconfig": "separate"}),
        (CUBE.transpose(2, 0, 1), {}),
    ],
)
def test_bands_in_samples_planes_or_pages(tmp_path, values, options):
    tifffile.imwrite(tmp_path / "s.tif", values, photometric="minisblack", metadata=None, **options)
    assert np.array_equal(GeoTiffScene("s.tif", root=str(tmp_path)).read().cube, CUBE)


@has_rasterio
def test_coordinates_nodata_and_wavelengths(tmp_path):
    scene = Scene(
        CUBE, (CUBE[:, :, 0] % 3).astype(np.uint8), wavelengths=(400.0, 500.0, 600.5, 700.0), nodata=65535.0,
        crs="EPSG:32611", transform=(3.7, 0.0, 500000.0, 0.0, -3.7, 4000000.0),
    )  # fmt: skip
    paths = write_scene(scene, tmp_path, "geotiff")
    found = GeoTiffScene(paths[0].name, paths[1].name, root=str(tmp_path)).read()
    assert np.array_equal(found.cube, scene.cube)
    assert np.array_equal(found.labels, scene.labels)
    assert (found.transform, found.nodata, found.wavelengths) == (scene.transform, 65535.0, scene.wavelengths)
    assert "UTM zone 11N" in found.crs


def test_without_rasterio_values_and_nodata_are_read(tmp_path, monkeypatch):
    scene = Scene(CUBE, nodata=7.0)
    write_scene(scene, tmp_path, "geotiff")
    monkeypatch.setattr(tiff_pages.importlib.util, "find_spec", lambda name: None)
    found = GeoTiffScene("scene.tif", root=str(tmp_path)).read()
    assert np.array_equal(found.cube, CUBE)
    assert (found.nodata, found.crs, found.transform) == (7.0, None, None)
    placed = replace(scene, transform=(1.0, 0.0, 5.0, 0.0, -1.0, 5.0))
    with pytest.raises(UserError, match=r"tricklab\[geo\]"):
        write_scene(placed, tmp_path / "new", "geotiff")


@has_rasterio
def test_compressions_that_tifffile_cannot_read_alone_come_through_rasterio(tmp_path):
    import rasterio

    with rasterio.open(
        tmp_path / "s.tif", "w", driver="GTiff", height=6, width=5, count=4, dtype="uint16", compress="zstd",
        transform=rasterio.transform.Affine(2, 0, 0, 0, -2, 0),
    ) as target:  # fmt: skip
        target.write(CUBE.transpose(2, 0, 1))
    assert np.array_equal(GeoTiffScene("s.tif", root=str(tmp_path)).read().cube, CUBE)


@pytest.mark.parametrize("placed", [False, pytest.param(True, marks=has_rasterio)])
def test_values_beside_the_pixels_keep_their_digits(tmp_path, placed):
    nodata, wavelengths = -3.4028234663852886e38, (400.12345678, 500.0, 600.0, 700.0)
    cube = CUBE.astype(np.float32)
    cube[1, 2] = nodata
    place = (20.0, 0.0, 5e5, 0.0, -20.0, 4e6) if placed else None
    write_scene(Scene(cube, wavelengths=wavelengths, nodata=nodata, transform=place), tmp_path, "geotiff")
    found = GeoTiffScene("scene.tif", root=str(tmp_path)).read()
    assert (~valid_pixels(found.cube, found.nodata, "x", np.arange(4))).sum() == 1
    assert found.wavelengths == (wavelengths if placed else None)


def test_the_label_file_says_what_is_missing(tmp_path):
    write_scene(Scene(CUBE), tmp_path, "geotiff")
    write_scene(Scene(CUBE[:, :, :1], nodata=8.0), tmp_path, "geotiff", "gt")
    assert GeoTiffScene("scene.tif", "gt.tif", root=str(tmp_path)).read().unlabelled == (8,)


def test_whatever_damage_is_one_error_or_none(tmp_path):
    write_scene(Scene(CUBE), tmp_path, "geotiff")
    whole, rng, errors = (tmp_path / "scene.tif").read_bytes(), np.random.default_rng(0), 0
    for attempt in range(60):
        harmed = bytearray(whole if attempt % 2 else whole[: rng.integers(1, len(whole))])
        for place in rng.integers(0, min(len(harmed), 200), 4 * (attempt % 2)):
            harmed[place] = rng.integers(256)
        (tmp_path / "s.tif").write_bytes(harmed)
        try:
            GeoTiffScene("s.tif", root=str(tmp_path)).read()
        except UserError:
            errors += 1
    assert errors > 30


@pytest.mark.parametrize("content", [b"", b"II*\x00broken", b"no tiff at all"])
def test_bad_files(tmp_path, content):
    (tmp_path / "s.tif").write_bytes(content)
    with pytest.raises(UserError, match=r"s\.tif"):
        GeoTiffScene("s.tif", root=str(tmp_path)).read()


def test_four_axes(tmp_path):
    tifffile.imwrite(tmp_path / "s.tif", np.zeros((2, 3, 6, 5), dtype=np.uint8), photometric="minisblack")
    with pytest.raises(UserError, match="not rows, columns and bands"):
        GeoTiffScene("s.tif", root=str(tmp_path)).read()
