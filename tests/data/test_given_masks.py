import numpy as np
import pytest
import scipy.io

from tests.data.scenes import real_labels
from tricklab.data.formats.mat import MatScene
from tricklab.data.formats.writers import write_scene
from tricklab.data.leakage import measure_leakage
from tricklab.data.scene import Scene
from tricklab.data.split import check_split
from tricklab.data.splits.given_masks import GivenMasks
from tricklab.errors import UserError
from tricklab.registry import build
from tricklab.seeds import Seeds

LABELS = np.array([[0, 1, 2, -1], [0, 1, 2, -1], [0, 1, 2, 2]])
IDS = (3, 5, 9)


def save(folder, **masks):
    scipy.io.savemat(folder / "m.mat", {name: np.asarray(mask, dtype=np.uint8) for name, mask in masks.items()})


def draw(folder, **arguments):
    masks = GivenMasks(**{"train": "m.mat", **arguments}, root=str(folder), label_ids=IDS)
    return masks.draw(LABELS, Seeds(0, 0))


def test_binary_train_mask_and_the_rest_is_test(tmp_path):
    save(tmp_path, tr=[[1, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]])
    split = draw(tmp_path)
    check_split(split, LABELS)
    assert split.train.sum() == 3
    assert np.array_equal(split.test, (LABELS >= 0) & ~split.train)
    assert split.facts["train_pixels_without_label"] == 1


def test_masks_by_key_with_ids_and_val(tmp_path):
    save(
        tmp_path,
        tr=[[3, 5, 9, 0], [0] * 4, [0] * 4],
        te=[[0] * 4, [3, 5, 9, 0], [0] * 4],
        va=[[0] * 4, [0] * 4, [1, 1, 0, 0]],
    )
    split = draw(tmp_path, train_key="tr", test="m.mat", test_key="te", val="m.mat", val_key="va")
    check_split(split, LABELS)
    assert (split.train.sum(), split.val.sum(), split.test.sum()) == (3, 2, 3)


def test_permuted_ids_are_refused_with_the_table_that_would_work(tmp_path):
    save(tmp_path, tr=[[1, 2, 3, 0], [1, 2, 3, 0], [0] * 4])
    with pytest.raises(UserError, match=r"6 of 6.*data\.split\.ids: \{1: 3, 2: 5, 3: 9\}"):
        draw(tmp_path)
    split = draw(tmp_path, ids={"1": 3, "2": 5, "3": 9})
    assert split.train.sum() == 6
    assert split.facts["train_labels_that_differ"] == 0


@pytest.mark.parametrize(
    ("masks", "arguments", "words"),
    [
        ({"tr": np.zeros((3, 4))}, {}, "train mask is empty"),
        ({"tr": np.ones((4, 4))}, {}, "4 × 4 pixels, the scene 3 × 4"),
        ({"tr": np.eye(3, 4)}, {"test": "m.mat"}, "in the training and in the test mask"),
        ({"tr": np.eye(3, 4)}, {"train": "n.mat"}, "no file n.mat"),
        ({"tr": [[1, 2, 3, 0]] * 3}, {"ids": {"1": 3}}, "the id 2 of m.mat is not translated"),
        ({"tr": [[1, 2, 3, 0]] * 3}, {"ids": {"a": 3}}, "ids are whole numbers"),
        ({"tr": np.eye(3, 4)}, {"differing": 2.0}, "between 0 and 1, not 2.0"),
        ({"a": np.eye(3, 4), "b": np.eye(3, 4)}, {}, "2 arrays could be the label map.*data.split.train_key"),
    ],
)
def test_bad_masks(tmp_path, masks, arguments, words):
    save(tmp_path, **masks)
    with pytest.raises(UserError, match=words):
        draw(tmp_path, **arguments)


def test_what_a_mask_file_calls_missing_is_not_in_the_split(tmp_path):
    mask = np.array([[1, 1, 1, 255], [0, 0, 255, 0], [0, 0, 0, 0]], dtype=np.uint8)
    write_scene(Scene(mask[:, :, None], nodata=255.0), tmp_path, "geotiff", "mask")
    split = draw(tmp_path, train="mask.tif")
    assert np.array_equal(split.train, (mask == 1))


def test_fixed_split_of_pavia_university(real_data):
    folder = real_data("hsi/disjoint_splits/TRpavia_fixed.mat").parents[1]
    labels = real_labels(folder / "gt_maps/PaviaU_gt.mat", "paviaU_gt")
    split = GivenMasks("TRpavia_fixed.mat", "TSpavia_fixed.mat", root=str(folder), label_ids=range(1, 10)).draw(
        labels, Seeds(0, 0)
    )
    assert (split.train.sum(), split.test.sum()) == (2774, 40002)
    assert split.facts["train_pixels_without_label"] == 1147
    assert split.facts["train_labels_that_differ"] == split.facts["test_labels_that_differ"] == 0


def test_fixed_split_of_indian_pines_counts_its_classes_in_another_order(real_data):
    folder = real_data("hsi/disjoint_splits/indianpines_disjoint_dset.mat").parents[1]
    labels = real_labels(folder / "indian_pines/Indian_pines_gt.mat", "indian_pines_gt")
    table = dict(zip(map(str, range(1, 17)), [2, 3, 5, 6, 8, 10, 11, 12, 14, 1, 4, 7, 9, 13, 15, 16], strict=True))
    arguments = {"root": str(folder), "label_ids": range(1, 17)}
    with pytest.raises(UserError) as caught:
        GivenMasks("indianpines_disjoint_dset.mat", **arguments).draw(labels, Seeds(0, 0))
    assert "{" + ", ".join(f"{key}: {value}" for key, value in table.items()) + "}" in str(caught.value)
    split = GivenMasks("indianpines_disjoint_dset.mat", ids=table, **arguments).draw(labels, Seeds(0, 0))
    assert (split.train.sum(), split.test.sum()) == (5689 - 151, 4711)
    assert split.facts == {"train_pixels_without_label": 151, "train_labels_that_differ": 10}
    assert measure_leakage(split, 25).touch_share == 1  # "disjoint" by pixel, not by window


def test_official_split_of_houston_2013_from_a_recipe(real_data, tmp_path):
    """Training and test labels lie in two arrays; laid over each other they are the scene's label map."""
    labels = real_data("hsi/gt_maps/houston_gt.mat")
    scipy.io.savemat(tmp_path / "cube.mat", {"cube": np.zeros((349, 1905, 2), np.uint8)})
    keys = ["houston_gt_tr", "houston_gt_te"]
    config = {
        "type": "hyperspectral",
        "scene": {"type": "MatScene", "image": "cube.mat", "labels": str(labels), "labels_key": keys},
        "root": str(tmp_path),
        "pca": None,
        "split": {
            "type": "GivenMasks",
            "train": str(labels),
            "train_key": keys[0],
            "test": str(labels),
            "test_key": keys[1],
        },
    }
    fold = build("data", config).prepare(Seeds(0, 0))
    assert fold.facts["data/sizes"] == {"train": 2832, "val": 0, "test": 12197}
    assert len(fold.classes) == 15
    assert round(100 * fold.leakage["centre_share"], 1) == 41.0
    assert round(100 * fold.leakage["touch_share"], 1) == 72.2
    assert round(100 * fold.leakage["covered_share"], 1) == 37.3


def test_label_arrays_that_contradict_each_other(tmp_path):
    one, two = np.array([[1, 0], [2, 2]]), np.array([[0, 3], [2, 1]])
    scipy.io.savemat(tmp_path / "s.mat", {"cube": np.zeros((2, 2, 3)), "one": one, "two": two, "big": np.ones((3, 3))})
    with pytest.raises(UserError, match=r"s\.mat: 1 pixels have two labels, one of them in two"):
        MatScene("s.mat", "s.mat", labels_key=("one", "two"), root=str(tmp_path)).read()
    with pytest.raises(UserError, match="one, big differ in size"):
        MatScene("s.mat", "s.mat", labels_key=("one", "big"), root=str(tmp_path)).read()
    with pytest.raises(UserError, match="empty list"):
        MatScene("s.mat", "s.mat", labels_key=(), root=str(tmp_path)).read()
