import numpy as np
import pytest

from tricklab.data.labels import map_labels
from tricklab.errors import UserError

IDS = np.array([[0, 14, 14], [10, 1, 255]])


def mapped(labels=IDS, ignore=(0, 255), names=None, shape=(2, 3), valid=None):
    return map_labels(labels, shape=shape, ignore=ignore, names=names or {}, valid=valid, where="gt.mat")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float64])
def test_sparse_ids_become_dense(dtype):
    found = mapped(IDS.astype(dtype), names={10: "Corn"})
    assert found.ids == (1, 10, 14)
    assert found.names == ("class 1", "Corn", "class 14")
    assert found.labels.tolist() == [[-1, 2, 2], [1, 0, -1]]
    assert found.labels.dtype == np.int64
    assert found.counts().tolist() == [1, 1, 2]
    assert found.describe(1) == "Corn (id 10)"
    assert found.describe(0) == "class 1"


def test_zero_may_be_a_class_and_minus_one_the_ignored():
    found = mapped(np.array([[0, 1, -1], [0, 1, -1]]), ignore=(-1,))
    assert found.ids == (0, 1)
    assert (found.labels == -1).sum() == 2


def test_pixels_without_measurement_lose_their_label():
    valid = np.ones((2, 3), bool)
    valid[0, 1] = False
    found = mapped(valid=valid, names={14: "Oats"})
    assert found.ids == (1, 10, 14)
    assert found.labels[0].tolist() == [-1, -1, 2]


def test_a_class_without_any_measured_pixel_is_named():
    valid = np.ones((2, 3), bool)
    valid[0, 1:] = False
    with pytest.raises(UserError, match=r"no pixel of Oats holds a measurement.*add 14 to data\.ignore"):
        mapped(valid=valid, names={14: "Oats"})
    assert mapped(valid=valid, ignore=(0, 14, 255), names={14: "Oats"}).ids == (1, 10)


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        (IDS.T, {}, ["3 × 2 pixels", "cube 2 × 3"]),
        (IDS * 0, {}, ["every pixel is ignored", "ids present are 0"]),
        (IDS, {"ignore": (0, 1, 10, 14, 255)}, ["every pixel is ignored"]),
        (IDS, {"ignore": (0, 1, 10, 255)}, ["only one class is left, id 14"]),
        (IDS - 2, {"ignore": ()}, ["negative label ids: -2, -1", "data.ignore"]),
        (IDS + 0.5, {}, ["whole numbers", "row 0, column 0"]),
        (np.where(IDS == 1, np.nan, IDS), {}, ["whole numbers", "nan at row 1, column 1"]),
        (IDS.astype(complex), {}, ["complex128"]),
        (IDS, {"names": {11: "Oats"}}, ["id 11", "1, 10, 14"]),
        (IDS, {"valid": np.zeros((2, 3), bool)}, ["no labelled pixel holds a measurement"]),
    ],
)
def test_bad_maps(labels, options, words):
    with pytest.raises(UserError) as caught:
        mapped(labels, **options)
    for word in words:
        assert word in str(caught.value)
