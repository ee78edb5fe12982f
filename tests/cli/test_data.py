"""tricklab data on the command line."""

import json

import numpy as np
import pytest
import scipy.io

from tricklab.cli.main import main

RECIPE = """
task: hyperspectral
seed: 3
data:
  scene: {type: SyntheticScene, height: 32, width: 28, bands: 14, classes: 3}
  window: 9
  pca: 13
  split: {type: RandomPixels, train: 0.2}
model: {type: HybridSN}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return str(path)


def output(capsys, *arguments, code=0):
    assert main(["data", *arguments]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_stats_of_a_recipe(capsys, recipe):
    found = json.loads(output(capsys, "stats", recipe, "--json"))
    assert found["shape"] == [32, 28, 14]
    assert found["sizes"]["train"] == sum(item["train"] for item in found["per_class"]) > 0
    assert found["leakage"]["touch_share"] == 1.0
    assert found["split"]["block"] == 0
    text = output(capsys, "stats", recipe, "data.split.type=DisjointBands", "--block", "2")
    assert "DisjointBands: block 2, angle" in text
    assert "leakage: 0.0% of the" in text
    assert "14 bands, uint16" in text


def test_stats_of_files(capsys, tmp_path):
    assert main(["data", "make", str(tmp_path / "new"), "--format", "envi", "--height", "20", "--width", "16"]) == 0
    assert "type: EnviScene, image: scene.hdr, labels: scene_gt.hdr" in capsys.readouterr().out
    text = output(capsys, "stats", str(tmp_path / "new/scene.hdr"), str(tmp_path / "new/scene_gt.hdr"))
    assert "20 × 16 pixels, 64 bands, uint16" in text
    assert "no NaN" in text
    assert "labelled pixels" in text
    cube = np.full((5, 4, 3), 2.0)
    cube[0, 0, 0] = np.nan
    scipy.io.savemat(tmp_path / "c.mat", {"cube": cube})
    assert "1 NaN and 0 infinite values" in output(capsys, "stats", str(tmp_path / "c.mat"))


def test_split_writes_once(capsys, recipe, tmp_path):
    found = json.loads(output(capsys, "split", recipe, "--out", str(tmp_path / "s"), "--json"))
    assert {path.name for path in (tmp_path / "s").iterdir()} == {"split.mat", "leakage.json", "split.png"}
    masks = scipy.io.loadmat(tmp_path / "s" / "split.mat")
    assert masks["train"].sum() == found["sizes"]["train"]
    again = json.loads(output(capsys, "split", recipe, "--out", str(tmp_path / "t"), "--json"))
    assert again["split"]["digest"] == found["split"]["digest"]
    other = json.loads(output(capsys, "split", recipe, "--block", "1", "--out", str(tmp_path / "u"), "--json"))
    assert other["split"]["digest"] != found["split"]["digest"]
    assert "exists already" in output(capsys, "split", recipe, "--out", str(tmp_path / "s"), code=2)


def test_get_tells_where_a_scene_comes_from(capsys):
    assert "indian-pines" in output(capsys, "get")
    text = output(capsys, "get", "indian-pines")
    for words in ("ehu.eus", "Indian_pines_corrected.mat", "145 × 145 × 200", "sha256 unknown", "--data DIR", "terms:"):
        assert words in text
    assert len(json.loads(output(capsys, "get", "--json"))["scenes"]) == 8
    assert json.loads(output(capsys, "get", "ksc", "--json"))["name"] == "ksc"


def test_get_checks_a_file(capsys, real_data, tmp_path):
    path = str(real_data("hsi/salinas_a/SalinasA_gt.mat"))
    assert "the very bytes known" in output(capsys, "get", "salinas-a", "--check", path)
    assert json.loads(output(capsys, "get", "salinas-a", "--check", path, "--json"))["same_bytes"] is True
    assert "no file of ksc" in output(capsys, "get", "ksc", "--check", path, code=2)


@pytest.mark.parametrize("form", ["mat", "mat73", "geotiff"])
def test_made_scenes_can_be_trained_on(capsys, tmp_path, form, recipe):
    arguments = ("make", str(tmp_path / form), "--format", form, "--height", "24", "--width", "24", "--json")
    scene = json.loads(output(capsys, *arguments))["scene"]
    text = RECIPE.replace("{type: SyntheticScene, height: 32, width: 28, bands: 14, classes: 3}", json.dumps(scene))
    (tmp_path / "r.yaml").write_text(text)
    found = json.loads(output(capsys, "stats", str(tmp_path / "r.yaml"), "--data", str(tmp_path / form), "--json"))
    assert found["bands"] == 64
    assert found["sizes"]["train"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("get", "indianpines"), "did you mean 'indian-pines'"),
        (("get", "houston-2013", "--out", "OUT"), "no address is known to fetch houston.mat"),
        (("get", "--check", "x.mat"), "name the scene"),
        (("get", "ksc", "--check", "none.mat"), "no such file"),
        (("make", "OUT", "--format", "png"), "unknown format 'png'"),
        (("make", "OUT", "--classes", "99"), "between 2 and 16"),
        (("stats", "nothing.mat"), "nothing.mat: no such file"),
        (("stats", "notes.txt"), "unknown kind of scene file"),
        (("stats", "a.mat", "b.mat", "c.mat"), "at most one label file"),
        (("stats", "demo", "data.windw=3"), "did you mean"),
        (("split", "demo", "data.window=8", "--out", "OUT"), "take 7 or 9"),
    ],
)
def test_each_mistake_is_one_error_and_exit_2(capsys, tmp_path, arguments, words):
    arguments = [str(tmp_path / "out") if item == "OUT" else item for item in arguments]
    error = output(capsys, *arguments, code=2)
    assert words in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["make", "{out}", "--noise", "nan"], "noise: wrong value nan"),
        (["make", "{out}", "--seed", "-1"], "--seed"),
        (["stats", "{recipe}", "data.scene.seed=-1"], "seed -1 is negative"),
        (["stats", "cube.mat", "labels.mat", "--block", "3"], "--block are for a recipe"),
        (["get", "indian-pines", "--check", "x.mat", "--out", "{out}"], "--check and --out"),
    ],
)
def test_what_would_be_ignored_or_wrong_is_refused(capsys, recipe, tmp_path, words, message):
    filled = [word.replace("{out}", str(tmp_path / "out")).replace("{recipe}", recipe) for word in words]
    assert message in output(capsys, *filled, code=2)
    assert not (tmp_path / "out").exists()
