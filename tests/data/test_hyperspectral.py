import numpy as np
import pytest
import scipy.io
import torch
from sklearn.decomposition import PCA

from tricklab.data.loaders import make_loader
from tricklab.data.new_scene import apply_fitted
from tricklab.data.scene import Scene
from tricklab.errors import UserError
from tricklab.registry import build, check, schema
from tricklab.seeds import Seeds

SYNTHETIC = {"type": "SyntheticScene", "height": 32, "width": 28, "bands": 12, "classes": 3}
AUGMENT = [{"type": "FlipWindows"}, {"type": "SpectralNoise", "sigma": 0.1}, {"type": "BandDropout"}]


def data(**changes):
    return build("data", {"type": "hyperspectral", "scene": SYNTHETIC, "window": 7, "pca": 5, **changes})


def test_recipe_keys_are_strict_and_defaults_filled_in():
    found = check("data", {"type": "hyperspectral", "scene": {"type": "SyntheticScene"}})
    assert found["split"] == {"type": "RandomPixels", "train": 0.1, "val": 0.0}
    assert found["sampler"] == {"type": "Shuffle"}
    assert (found["window"], found["pca"], found["ignore"], found["augment"]) == (25, 30, [0], [])
    assert found["scene"]["noise"] == 0.02
    with pytest.raises(UserError, match="did you mean 'window'"):
        data(windw=9)
    with pytest.raises(UserError, match="may not stand in a recipe"):
        data(scene={"type": "MatScene", "image": "a.mat", "root": "x"})
    assert schema("data", "hyperspectral")["properties"]["scene"]["x-kind"] == "scene"


def test_fold_holds_what_a_task_needs():
    fold = data().prepare(Seeds(0, 0))
    assert (fold.bands, fold.window, fold.shape) == (5, 7, (32, 28))
    assert len(fold.classes) == len(fold.label_ids) == 3
    assert fold.labels.min() == -1
    assert fold.labels.max() == 2
    assert fold.cube_for("train").shape == (5, 38, 34)
    for split in ("train", "test"):
        centres, targets = fold.centres[split], fold.targets[split]
        assert np.array_equal(fold.labels[centres[:, 0], centres[:, 1]], targets)
        batch = fold.dataset(split)[list(range(4))]
        assert batch["image"].shape == (4, 5, 7, 7)
        assert np.array_equal(batch["image"][:, :, 3, 3], fold.planes[:, centres[:4, 0], centres[:4, 1]].T)
    assert len(fold.centres["val"]) == 0
    assert fold.facts["data/sizes"] == {
        "train": len(fold.targets["train"]),
        "val": 0,
        "test": len(fold.targets["test"]),
    }
    assert fold.facts["data/class_counts"]["train"] == np.bincount(fold.targets["train"], minlength=3).tolist()
    assert fold.facts["data/split"]["type"] == "RandomPixels"
    assert fold.facts["data/leakage"]["touch_share"] == 1.0
    with pytest.raises(UserError, match="did you mean 'train'"):
        fold.cube_for("trian")


@pytest.mark.parametrize("fit_on", ["train", "all"])
def test_statistics_come_from_training_pixels_unless_asked_otherwise(fit_on):
    fold = data(fit_on=fit_on).prepare(Seeds(0, 0))
    cube = fold.scene.cube.astype(np.float64)
    train = cube[fold.split.train] if fit_on == "train" else cube.reshape(-1, 12)
    reference = PCA(5, whiten=True, svd_solver="full").fit(train)
    expected = reference.transform(cube.reshape(-1, 12)).T.reshape(5, 32, 28)
    np.testing.assert_allclose(fold.planes, expected, atol=1e-4)
    fact = fold.facts["data/statistics_fitted_on"]
    n = int(fold.split.train.sum())
    assert fact == {"split": fit_on, "train_pixels": n, "other_pixels": 0 if fit_on == "train" else 32 * 28 - n}


def test_without_pca_and_standardisation_nothing_is_fitted():
    fold = data(pca=None).prepare(Seeds(0, 0))
    assert fold.facts["data/statistics_fitted_on"] == {"split": None, "train_pixels": 0, "other_pixels": 0}
    assert np.array_equal(fold.planes, fold.scene.cube.transpose(2, 0, 1).astype(np.float32))


def test_each_split_reads_only_its_own_region():
    fold = data(split={"type": "DisjointBands", "train": 0.3, "val": 0.2}).prepare(Seeds(0, 0))
    cubes = [fold.cube_for(name)[:, 3:-3, 3:-3] for name in ("train", "val", "test")]
    alive = [(cube != 0).any(0) for cube in cubes]
    assert not (alive[0] & alive[1]).any()
    assert not (alive[0] & alive[2]).any()
    assert not (alive[1] & alive[2]).any()
    assert (alive[0] | alive[1] | alive[2]).all()
    assert torch.equal(sum(cubes), torch.from_numpy(fold.planes))
    assert fold.leakage["touch_share"] == 0
    assert set(fold.leakage["splits"]) == {"test", "val"}
    assert fold.leakage["regions_cut_apart"] is True


def test_the_same_block_is_bit_equal_and_another_differs():
    one, again, other = (data().prepare(Seeds(3, block)) for block in (0, 0, 1))
    assert one.digest == again.digest
    assert np.array_equal(one.planes, again.planes)
    assert one.facts["data/split"]["digest"] != other.facts["data/split"]["digest"]


@pytest.mark.parametrize("split", [{"type": "RandomPixels"}, {"type": "DisjointBands"}])
def test_digests_follow_exactly_the_values_that_a_split_uses(split):
    holder = data(split=split)
    scene = holder.read()
    before = holder.prepare(Seeds(0, 0), scene)
    reach = 3
    for name, other in (("train", "test"), ("test", "train")):
        mask = before.split.mask(name)
        padded = np.pad(mask, reach)
        used = np.zeros_like(mask)
        for down in range(2 * reach + 1):
            for right in range(2 * reach + 1):
                used |= padded[down : down + mask.shape[0], right : right + mask.shape[1]]
        used &= before.split.readable(name)
        row, column = np.argwhere(used & ~before.split.train)[0]  # training pixels enter the statistics of all
        cube = scene.cube.copy()
        cube[row, column, 3] += 1
        after = holder.prepare(Seeds(0, 0), Scene(cube, scene.labels))
        assert after.digest[name] != before.digest[name]
        if split["type"] == "DisjointBands":
            assert after.digest[other] == before.digest[other]


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_give_bit_equal_batches_and_leave_torchs_generator_alone(workers):
    fold = data(augment=AUGMENT, sampler={"type": "ClassBalanced"}).prepare(Seeds(0, 0))
    runs = []
    for count in (0, workers):
        loader = make_loader(fold, "train", 16, Seeds(0, 0), count, train=True)
        state = torch.random.get_rng_state()
        batches = []
        for epoch in (0, 1):
            loader.batch_sampler.set_epoch(epoch)
            batches += list(loader)
        loader.batch_sampler.set_epoch(1)
        loader.batch_sampler.start_at(2)
        batches += list(loader)
        assert torch.equal(state, torch.random.get_rng_state())
        runs.append(batches)
    assert len(runs[0]) == len(runs[1])
    for one, two in zip(*runs, strict=True):
        assert torch.equal(one["image"], two["image"])
        assert torch.equal(one["index"], two["index"])
        assert one["drawn"].keys() == two["drawn"].keys() == {"FlipWindows", "SpectralNoise", "BandDropout"}
    per_epoch = len(loader.batch_sampler)
    assert torch.equal(runs[0][per_epoch + 2]["image"], runs[0][2 * per_epoch]["image"])


def test_evaluation_reads_every_pixel_once_in_order_and_unchanged():
    fold = data(augment=AUGMENT).prepare(Seeds(0, 0))
    for split in ("train", "test"):
        batches = list(make_loader(fold, split, 50, Seeds(0, 0)))
        assert torch.equal(torch.cat([batch["target"] for batch in batches]), fold.targets[split])
        centres = fold.centres[split]
        values = torch.cat([batch["image"][:, :, 3, 3] for batch in batches])
        assert np.array_equal(values, fold.planes[:, centres[:, 0], centres[:, 1]].T)
    with pytest.raises(UserError, match="workers"):
        make_loader(fold, "train", 4, Seeds(0, 0), -1)


def test_missing_measurements_are_zero_and_unlabelled():
    holder = data(standardise=True)
    scene = holder.read()
    cube = scene.cube.astype(np.float32)
    cube[:6, :, :] = -9999
    fold = holder.prepare(Seeds(0, 0), Scene(cube, scene.labels, nodata=-9999.0))
    assert (fold.planes[:, :6] == 0).all()
    assert (fold.labels[:6] == -1).all()
    assert fold.facts["data/scene"]["missing_pixels"] == 6 * 28
    assert np.abs(fold.planes).max() < 50


def test_a_band_that_is_missing_everywhere_is_named():
    holder = data()
    scene = holder.read()
    cube = scene.cube.astype(np.float32)
    cube[:, :, 4] = np.nan
    for removed in ([], [1, 3]):
        with pytest.raises(UserError, match=r"remove_bands; missing everywhere: 5$"):
            data(remove_bands=removed).prepare(Seeds(0, 0), Scene(cube, scene.labels, nodata=float("nan")))
    assert data(remove_bands=[5]).prepare(Seeds(0, 0), Scene(cube, scene.labels, nodata=float("nan"))).bands == 5


def test_nan_in_the_cube_names_file_place_and_band():
    holder = data(remove_bands=[1])
    scene = holder.read()
    cube = scene.cube.astype(np.float64)
    cube[5, 7, 3], cube[6, 7, 9] = np.nan, np.inf
    with pytest.raises(UserError) as caught:
        holder.prepare(Seeds(0, 0), Scene(cube, scene.labels, files=("cube.mat", "gt.mat")))
    assert "cube.mat: 2 of" in str(caught.value)
    assert "row 5, column 7, band 4; bands concerned: 4, 10" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"window": 8}, "take 7 or 9"),
        ({"pca": 13}, "only 12 bands"),
        ({"pca": 12, "remove_bands": ["1-3"]}, "only 9 bands"),
        ({"remove_bands": [13]}, "not within the bands 1-12"),
        ({"ignore": list(range(20))}, "every pixel is ignored"),
        ({"class_names": {"300": "Oats"}}, "id 300, which does not occur"),
        ({"class_names": {"oats": "Oats"}}, "label id"),
        ({"scene": {"type": "MatScene", "image": "none.mat"}}, "no file"),
        ({"split": {"type": "RandomPixels", "train": 0.003}}, "cannot hold 3 classes"),
        ({"fit_on": "test"}, "fit_on"),
    ],
)
def test_each_mistake_is_one_clear_error(changes, words):
    with pytest.raises(UserError, match=words):
        data(**changes).prepare(Seeds(0, 0))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.ones((31, 28), np.uint8), r"gt\.mat: the label map is 31 × 28 pixels, the cube 32 × 28"),
        (np.zeros((32, 28), np.uint8), r"gt\.mat: every pixel is ignored"),
        (np.pad(np.full((1, 1), 9), ((0, 31), (0, 27)), constant_values=2), r"class 9 has one pixel"),
    ],
)
def test_bad_label_files(tmp_path, labels, words):
    made = data().read()
    scipy.io.savemat(tmp_path / "c.mat", {"cube": made.cube})
    scipy.io.savemat(tmp_path / "gt.mat", {"gt": labels})
    holder = data(scene={"type": "MatScene", "image": "c.mat", "labels": "gt.mat"}, root=str(tmp_path))
    with pytest.raises(UserError, match=words):
        holder.prepare(Seeds(0, 0))


def test_a_scene_without_labels_cannot_be_trained_on(tmp_path):
    scipy.io.savemat(tmp_path / "c.mat", {"cube": data().read().cube})
    holder = data(scene={"type": "MatScene", "image": "c.mat"}, root=str(tmp_path))
    with pytest.raises(UserError, match=r"data\.scene\.labels: the scene has no label map"):
        holder.prepare(Seeds(0, 0))


def test_a_new_scene_goes_through_what_was_fitted():
    fold = data(remove_bands=[2], standardise=True).prepare(Seeds(0, 0))
    padded, valid = apply_fitted(fold.scene, fold.fitted)
    assert torch.equal(padded, fold.cube_for("test"))
    assert valid.all()
    half = Scene(fold.scene.cube[:10], nodata=None)
    assert torch.equal(apply_fitted(half, fold.fitted)[0][:, 3:13, 3:-3], fold.cube_for("test")[:, 3:13, 3:-3])
    with pytest.raises(UserError, match="11 bands, the run was trained on 12"):
        apply_fitted(Scene(fold.scene.cube[:, :, :11]), fold.fitted)


def test_salinas_a(real_data):
    root = str(real_data("hsi/salinas_a/SalinasA_corrected.mat").parents[1])
    scene = {"type": "MatScene", "image": "SalinasA_corrected.mat", "labels": "SalinasA_gt.mat"}
    fold = data(scene=scene, root=root, window=15, pca=15).prepare(Seeds(0, 0))
    assert fold.label_ids == (1, 10, 11, 12, 13, 14)
    assert fold.facts["data/sizes"] == {"train": 534, "val": 0, "test": 4814}
    assert fold.cube_for("train").shape == (15, 97, 100)
    train = fold.planes[:, fold.split.train]
    np.testing.assert_allclose(train.std(axis=1, ddof=1), 1, atol=1e-3)
    np.testing.assert_allclose(train.mean(axis=1), 0, atol=1e-4)


def test_a_class_that_gets_no_training_pixel_is_one_clear_error():
    holder = data(split={"type": "RandomPixels", "train": 0.02}, class_names={"200": "Oats"})
    scene = holder.read()
    labels = scene.labels.astype(np.int64)
    labels[0, :2] = 200
    with pytest.raises(UserError, match=r"data\.split: no training pixel of 1 of the 4 classes \(Oats \(id 200\): 2 "):
        holder.prepare(Seeds(0, 0), Scene(scene.cube, labels))


def test_what_the_label_file_calls_missing_is_no_class():
    holder = data()
    scene = holder.read()
    labels = scene.labels.copy()
    labels[:4] = 255
    fold = holder.prepare(Seeds(0, 0), Scene(scene.cube, labels, unlabelled=(255,)))
    assert 255 not in fold.label_ids
    assert (fold.labels[:4] == -1).all()
