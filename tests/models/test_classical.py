"""The four baselines: what they read, that they are repeatable, and classes without training pixels."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from tricklab import registry
from tricklab.errors import UserError

NAMES = ["PixelSVM", "PatchSVM", "PixelForest", "PatchForest"]


def windows(count: int = 60, bands: int = 4, side: int = 5, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = np.arange(count) % classes
    centre = rng.normal(size=(classes, bands))[targets] * 3
    return (centre[:, :, None, None] + rng.normal(size=(count, bands, side, side))).astype(np.float32), targets


def model(name: str, classes: int = 3, **keys: object):
    return registry.build("model", {"type": name, **keys}, bands=4, window=5, classes=classes)


@pytest.mark.parametrize("name", NAMES)
def test_learns_and_repeats(name: str) -> None:
    x, y = windows()
    first, second = model(name), model(name)
    first.fit(x[::2], y[::2], seed=7)
    second.fit(x[::2], y[::2], seed=7)
    scores = first.predict_scores(x[1::2])
    assert scores.shape == (30, 3)
    assert np.array_equal(scores, second.predict_scores(x[1::2]))
    assert (scores.argmax(1) == y[1::2]).mean() > 0.9
    assert first.trained_by_gradient is False


@pytest.mark.parametrize("name", NAMES)
def test_only_patch_models_see_the_surroundings(name: str) -> None:
    x, y = windows()
    ours = model(name)
    ours.fit(x, y, seed=0)
    changed = x.copy()
    changed[:, :, 0, :] += 5.0
    assert ours.centre_only == name.startswith("Pixel")
    assert np.array_equal(ours.predict_scores(x), ours.predict_scores(changed)) == ours.centre_only


def test_scores_are_scikit_learns() -> None:
    x, y = windows()
    svm, forest = model("PixelSVM"), model("PatchForest", trees=20)
    svm.fit(x, y, seed=0)
    forest.fit(x, y, seed=3)
    centres = x[:, :, 2, 2]
    assert np.allclose(svm.predict_scores(x), SVC(C=100.0).fit(centres, y).decision_function(centres))
    flat = x.reshape(len(x), -1)
    expected = RandomForestClassifier(20, random_state=3).fit(flat, y).predict_proba(flat)
    assert np.allclose(forest.predict_scores(x), expected)


@pytest.mark.parametrize("name", NAMES)
def test_two_classes_and_a_class_without_training_pixels(name: str) -> None:
    x, y = windows(classes=2)
    ours = model(name, classes=4)
    ours.fit(x, y * 2, seed=0)
    scores = ours.predict_scores(x)
    assert scores.shape == (60, 4)
    assert np.isfinite(scores).all()
    assert set(scores.argmax(1)) == {0, 2}
    assert (scores.argmax(1) == y * 2).mean() > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_missing_values_are_refused_where_they_are_read(name: str) -> None:
    x, y = windows()
    ours = model(name)
    ours.fit(x, y, seed=0)
    broken = x.copy()
    broken[3, 1, 2, 2] = np.nan
    with pytest.raises(UserError, match="NaN"):
        ours.predict_scores(broken)
    broken = x.copy()
    broken[3, 1, 0, 0] = np.inf
    if ours.centre_only:
        assert np.array_equal(ours.predict_scores(broken), ours.predict_scores(x))
    else:
        with pytest.raises(UserError, match="infinite"):
            ours.predict_scores(broken)


def test_seeds_of_63_bits_are_taken_and_matter() -> None:
    x, y = windows()
    results = []
    for seed in (2**62 + 1, 2**62 + 2):
        ours = model("PixelForest", trees=5)
        ours.fit(x, y, seed=seed)
        results.append(ours.predict_scores(x))
    assert not np.array_equal(*results)


def test_bad_input_is_named() -> None:
    x, y = windows()
    with pytest.raises(UserError, match="not fitted"):
        model("PixelSVM").predict_scores(x)
    with pytest.raises(UserError, match="at least two classes"):
        model("PixelSVM").fit(x[:5], np.zeros(5, int), seed=0)
    with pytest.raises(UserError, match="NaN"):
        model("PixelSVM").fit(np.full_like(x, np.nan), y, seed=0)
    with pytest.raises(UserError, match="4 bands"):
        model("PixelSVM").fit(x[:, :3], y, seed=0)
    with pytest.raises(UserError, match="5 pixels a side"):
        model("PatchSVM").fit(x[:, :, :3, :3], y, seed=0)
    with pytest.raises(UserError, match=r"0\.\.2"):
        model("PixelSVM").fit(x, y + 1, seed=0)
    with pytest.raises(UserError, match="C of a support"):
        model("PatchSVM", C=-1.0)
    with pytest.raises(UserError, match="gamma must be"):
        model("PixelSVM", gamma=0.0)
    with pytest.raises(UserError, match="at least 1"):
        model("PatchForest", trees=0)
