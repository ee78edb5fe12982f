import json

import numpy as np
import pytest
from PIL import Image

from tricklab.data import summary
from tricklab.data.formats.by_suffix import read_files, reader_for
from tricklab.data.formats.synthetic import SyntheticScene
from tricklab.data.formats.writers import FORMATS, write_scene
from tricklab.data.scene import Scene, valid_pixels
from tricklab.data.split import Split
from tricklab.data.split_files import COLOURS, split_picture, write_split
from tricklab.data.splits.given_masks import GivenMasks
from tricklab.errors import UserError
from tricklab.registry import build
from tricklab.seeds import Seeds


@pytest.mark.parametrize("chunk", [1 << 23, 60])
def test_numbers_against_numpy_with_faults_counted(monkeypatch, chunk):
    monkeypatch.setattr(summary, "_VALUES_PER_CHUNK", chunk)
    cube = np.random.default_rng(0).normal(size=(9, 6, 4)).astype(np.float32)
    cube[:, :, 2] = 5
    cube[1, 1, 0], cube[2, 2, 1], cube[3, 3, 3] = np.nan, np.inf, -999
    labels = np.arange(54).reshape(9, 6) % 4
    found = summary.summarise(Scene(cube, labels, wavelengths=(1.0, 2.0, 3.0, 4.0), nodata=-999.0))
    good = cube[np.isfinite(cube) & (cube != -999)].astype(np.float64)
    assert (found["minimum"], found["maximum"]) == (good.min(), good.max())
    assert found["mean"] == pytest.approx(good.mean())
    assert (found["nan"], found["infinite"], found["missing_pixels"]) == (1, 1, 1)
    assert found["constant_bands"] == [3]
    assert found["wavelengths"] == [1.0, 4.0]
    assert found["labels"]["labelled"] == 40
    assert [item["pixels"] for item in found["labels"]["classes"]] == [14, 13, 13]
    json.dumps(found)


@pytest.mark.parametrize(
    ("nodata", "missing"), [(-9999.9, 1), (-3.40282346638529e38, 0), (-1.7976931348623157e308, 0), (np.inf, 0)]
)
def test_a_data_ignore_value_is_compared_in_the_precision_of_the_cube(nodata, missing):
    cube = np.ones((3, 4, 2), dtype=np.float32)
    cube[1, 2, 0] = -9999.9
    scene = Scene(cube, nodata=nodata)
    assert summary.summarise(scene)["missing_pixels"] == missing
    assert (~valid_pixels(cube, nodata, "x", np.arange(2))).sum() == missing


def test_what_the_label_file_calls_missing_is_no_class():
    labels = np.array([[1, 2], [255, 1]])
    found = summary.summarise(Scene(np.zeros((2, 2, 3)), labels, unlabelled=(255,)))["labels"]
    assert [item["id"] for item in found["classes"]] == [1, 2]
    assert found["labelled"] == 3


def test_label_map_of_another_size():
    with pytest.raises(UserError, match="3 × 3 pixels, the cube 2 × 2"):
        summary.summarise(Scene(np.zeros((2, 2, 3)), np.zeros((3, 3), int)))


def test_split_is_the_one_that_training_draws():
    config = {"type": "hyperspectral", "scene": {"type": "SyntheticScene"}, "window": 5, "pca": 4, "fit_on": "all"}
    holder = build("data", config)
    split, found = summary.summarise_split(holder, holder.read(), Seeds(1, 2))
    fold = holder.prepare(Seeds(1, 2))
    assert split.digest() == fold.split.digest() == found["split"]["digest"]
    assert found["leakage"] == fold.leakage
    assert found["sizes"] == fold.facts["data/sizes"]
    assert [item["train"] for item in found["per_class"]] == fold.facts["data/class_counts"]["train"]


@pytest.mark.parametrize("form", FORMATS)
def test_reader_by_suffix(tmp_path, form):
    scene = SyntheticScene(10, 9, 5, 2).read()
    paths = write_scene(scene, tmp_path, form)
    found = read_files(paths[0], paths[1])
    assert np.array_equal(found.cube, scene.cube)
    assert np.array_equal(found.labels, scene.labels)
    with pytest.raises(UserError, match="unknown kind of scene file"):
        reader_for(tmp_path / "a.png")


def split_for_files():
    owner = np.full((20, 30), -1)
    owner[2:8, 3:9], owner[2:8, 12:16], owner[10:18, 3:25] = 0, 1, 2
    region = np.where(np.arange(30) < 10, 0, 2) * np.ones((20, 1), dtype=int)
    region[owner >= 0] = owner[owner >= 0]
    return Split(owner == 0, owner == 1, owner == 2, region=region, facts={"angle": 1.5})


def test_written_masks_can_be_given_back(tmp_path):
    split = split_for_files()
    paths = write_split(split, {"touch_share": 0.0}, tmp_path / "new")
    assert [path.name for path in paths] == ["split.mat", "leakage.json", "split.png"]
    labels = np.where(split.train | split.val | split.test, 0, -1)
    keys = {f"{name}_key": name for name in ("train", "val", "test")}
    again = GivenMasks("split.mat", "split.mat", "split.mat", **keys, root=str(tmp_path / "new"), label_ids=(1,)).draw(
        labels, Seeds(0, 0)
    )
    for name in ("train", "val", "test"):
        assert np.array_equal(again.mask(name), split.mask(name))
    assert json.loads(paths[1].read_text())["split"] == {"angle": 1.5}
    with pytest.raises(UserError, match="exists already"):
        write_split(split, {}, tmp_path / "new")


def test_picture_shows_splits_and_regions(tmp_path):
    split = split_for_files()
    image = split_picture(split)
    assert image.shape == (400, 600, 3)
    assert tuple(image[4 * 20, 5 * 20]) == COLOURS["train"]
    assert tuple(image[4 * 20, 13 * 20]) == COLOURS["val"]
    assert tuple(image[12 * 20, 5 * 20]) == COLOURS["test"]
    empty_left, empty_right = image[19 * 20, 1 * 20].astype(int), image[19 * 20, 28 * 20].astype(int)
    assert empty_left[0] > empty_left[2]
    assert empty_right[2] > empty_right[0]
    path = write_split(split, {}, tmp_path)[2]
    assert np.array_equal(np.asarray(Image.open(path)), image)
