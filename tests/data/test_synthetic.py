import numpy as np
import pytest

from tricklab.data.formats.synthetic import SyntheticScene
from tricklab.errors import UserError


def test_same_arguments_same_scene_and_another_seed_another():
    one, two, other = (SyntheticScene(24, 20, 8, 4, seed=seed).read() for seed in (3, 3, 4))
    assert np.array_equal(one.cube, two.cube)
    assert np.array_equal(one.labels, two.labels)
    assert not np.array_equal(one.labels, other.labels)


@pytest.mark.parametrize("classes", [2, 6, 16])
def test_every_class_sparse_ids_and_unlabelled_pixels(classes):
    scene = SyntheticScene(64, 48, 10, classes, seed=1).read()
    assert scene.cube.shape == (64, 48, 10)
    assert scene.cube.dtype == np.uint16
    ids, counts = np.unique(scene.labels, return_counts=True)
    assert len(ids) == classes + 1
    assert ids[0] == 0
    assert 0.05 < counts[0] / scene.labels.size < 0.4
    assert counts.min() >= 20
    assert ids[-1] > classes
    assert set(scene.class_names) == set(ids[1:].tolist())


def test_blobs_not_confetti():
    """Most labelled neighbours are of the same class, as in fields."""
    labels = SyntheticScene().read().labels
    both = (labels[:, 1:] > 0) & (labels[:, :-1] > 0)
    assert (labels[:, 1:] == labels[:, :-1])[both].mean() > 0.85


def test_hard_for_a_pixel_classifier_and_harder_with_noise():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    scores = []
    for noise in (0.005, 0.02, 0.08):
        scene = SyntheticScene(noise=noise).read()
        known = scene.labels > 0
        x, y = scene.cube[known].astype(float), scene.labels[known]
        scores.append(LinearDiscriminantAnalysis().fit(x[::10], y[::10]).score(x, y))
    assert scores[0] > scores[1] > scores[2]
    assert 0.5 < scores[1] < 0.92


@pytest.mark.parametrize("arguments", [{"classes": 1}, {"classes": 17}, {"height": 3}, {"bands": 1}, {"noise": -1.0}])
def test_impossible_arguments(arguments):
    with pytest.raises(UserError):
        SyntheticScene(**arguments)
