import h5py
import numpy as np
import pytest
import scipy.io

from tricklab.data.formats.mat import MatScene
from tricklab.data.formats.mat_arrays import list_arrays
from tricklab.errors import UserError

CUBE = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3)
LABELS = (np.arange(20).reshape(5, 4) % 3).astype(np.uint8)


def save(path, arrays, version):
    if version == 5:
        scipy.io.savemat(path, arrays)
        return
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values.T)  # MATLAB's order of axes
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


@pytest.mark.parametrize("version", [5, 73])
def test_takes_the_only_arrays_that_fit_in_matlab_order(tmp_path, version):
    save(tmp_path / "a.mat", {"cube": CUBE, "title_numbers": np.ones((1, 4)), "gt": LABELS}, version)
    scene = MatScene("a.mat", "a.mat", root=str(tmp_path)).read()
    assert np.array_equal(scene.cube, CUBE)
    assert scene.cube.dtype == CUBE.dtype
    assert np.array_equal(scene.labels, LABELS)
    assert scene.files == (str(tmp_path / "a.mat"),) * 2


@pytest.mark.parametrize("version", [5, 73])
def test_key_by_option_and_the_map_of_the_cubes_size_among_several(tmp_path, version):
    arrays = {"one": CUBE, "two": CUBE + 1, "gt": LABELS, "other": np.ones((7, 7))}
    save(tmp_path / "a.mat", arrays, version)
    scene = MatScene("a.mat", "a.mat", image_key="two", root=str(tmp_path)).read()
    assert np.array_equal(scene.cube, CUBE + 1)
    assert np.array_equal(scene.labels, LABELS)


@pytest.mark.parametrize("version", [5, 73])
@pytest.mark.parametrize(
    ("arrays", "key", "words"),
    [
        ({"flat": LABELS}, None, ["no array can be the cube", "flat 5×4 uint8"]),
        ({"one": CUBE, "two": CUBE}, None, ["2 arrays could be the cube", "one 5×4×3", "data.scene.image_key"]),
        ({"cube": CUBE}, "cub", ["no array 'cub'", "did you mean 'cube'?"]),
        ({"cube": CUBE, "gt": LABELS}, "gt", ["is no cube", "3 axes"]),
    ],
)
def test_unusable_files_list_their_arrays(tmp_path, version, arrays, key, words):
    save(tmp_path / "a.mat", arrays, version)
    with pytest.raises(UserError) as caught:
        MatScene("a.mat", image_key=key, root=str(tmp_path)).read()
    for word in ["a.mat", *words]:
        assert word in str(caught.value)


def test_structures_text_and_complex_numbers_are_not_candidates(tmp_path):
    arrays = {
        "cube": CUBE,
        "info": {"a": np.ones((2, 2, 2))},
        "text": "three",
        "cells": np.empty((2, 2, 2), dtype=object),
    }
    arrays["cells"][:] = 1.0
    scipy.io.savemat(tmp_path / "a.mat", arrays)
    assert {a.name for a in list_arrays(tmp_path / "a.mat") if a.numeric} == {"cube"}
    assert np.array_equal(MatScene("a.mat", root=str(tmp_path)).read().cube, CUBE)
    scipy.io.savemat(tmp_path / "c.mat", {"cube": CUBE * 1j})
    with pytest.raises(UserError, match="complex128, not real numbers"):
        MatScene("c.mat", root=str(tmp_path)).read()


@pytest.mark.parametrize("version", [5, 73])
def test_damaged_files(tmp_path, version):
    path = tmp_path / "a.mat"
    save(path, {"cube": np.random.default_rng(0).normal(size=(20, 20, 20))}, version)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"a\.mat"):
        MatScene("a.mat", root=str(tmp_path)).read()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(200), bytes(500)])
def test_something_else_under_that_name(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.mat"):
        MatScene("a.mat", root=str(tmp_path)).read()


def test_real_scene(real_data):
    path = real_data("hsi/salinas_a/SalinasA_corrected.mat")
    scene = MatScene(path.name, "SalinasA_gt.mat", root=str(path.parents[1])).read()
    assert scene.cube.shape == (83, 86, 204)
    assert scene.cube.dtype == np.int16
    assert (scene.cube.min(), scene.cube.max()) == (-9, 8373)
    ids, counts = np.unique(scene.labels, return_counts=True)
    assert dict(zip(ids.tolist(), counts.tolist(), strict=True)) == {
        0: 1790, 1: 391, 10: 1343, 11: 616, 12: 1525, 13: 674, 14: 799,
    }  # fmt: skip


def test_whatever_damage_to_a_newer_file_is_one_error_or_none(tmp_path):
    save(tmp_path / "whole.mat", {"cube": CUBE}, 73)
    whole, rng, errors = (tmp_path / "whole.mat").read_bytes(), np.random.default_rng(1), 0
    for _ in range(150):
        harmed = bytearray(whole)
        for place in rng.integers(512, len(harmed), 6):
            harmed[place] = rng.integers(256)
        (tmp_path / "a.mat").write_bytes(harmed)
        try:
            MatScene("a.mat", root=str(tmp_path)).read()
        except UserError:
            errors += 1
    assert errors > 10
