import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from tricklab.data import projection as module
from tricklab.data.projection import SpectralProjection, fit_projection
from tricklab.errors import UserError


@pytest.fixture
def cube():
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(30, 25, 6)) @ rng.normal(size=(6, 12)) + 0.1 * rng.normal(size=(30, 25, 12))
    return np.rint(1000 * mixed + 3000).astype(np.int16)


def fit(cube, mask, **options):
    return fit_projection(
        cube, mask, **{"kept": np.arange(cube.shape[2]), "pca": 5, "whiten": True, "standardise": False, **options}
    )


@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize("standardise", [True, False])
def test_agrees_with_scikit_learn_in_float64_and_signs(cube, whiten, standardise):
    mask = np.random.default_rng(1).random(cube.shape[:2]) < 0.3
    kept = np.array([0, 2, 3, 5, 6, 7, 8, 9, 11])
    found = fit(cube, mask, kept=kept, whiten=whiten, standardise=standardise)
    x = cube[:, :, kept].astype(np.float64)
    train, everything = x[mask], x.reshape(-1, len(kept))
    if standardise:
        scaler = StandardScaler().fit(train)
        train, everything = scaler.transform(train), scaler.transform(everything)
    reference = PCA(5, whiten=whiten, svd_solver="full").fit(train)
    np.testing.assert_allclose(found.components, reference.components_, atol=1e-9)
    np.testing.assert_allclose(found.explained, reference.explained_variance_ratio_, rtol=1e-9)
    expected = reference.transform(everything).T.reshape(5, *cube.shape[:2])
    np.testing.assert_allclose(found.apply(cube), expected, rtol=1e-4, atol=1e-4)
    if whiten:
        np.testing.assert_allclose(found.apply(cube)[:, mask].std(axis=1, ddof=1), 1, atol=1e-4)


def test_only_the_chosen_pixels_count(cube):
    mask = np.zeros(cube.shape[:2], bool)
    mask[:10] = True
    changed = cube.copy()
    changed[10:] = -999
    np.testing.assert_array_equal(fit(cube, mask).components, fit(changed, mask).components)
    assert not np.allclose(fit(cube, mask).mean, fit(changed, np.ones_like(mask)).mean)


def test_chunks_do_not_matter(cube, monkeypatch):
    mask = np.ones(cube.shape[:2], bool)
    whole = fit(cube, mask)
    monkeypatch.setattr(module, "_PIXELS_PER_CHUNK", 37)
    parts = fit(cube, mask)
    np.testing.assert_allclose(parts.components, whole.components, atol=1e-9)
    np.testing.assert_allclose(parts.apply(cube), whole.apply(cube), atol=1e-5)


def test_standardisation_alone_and_nothing_at_all(cube):
    mask = np.ones(cube.shape[:2], bool)
    scaled = fit(cube, mask, pca=None, standardise=True).apply(cube)
    np.testing.assert_allclose(scaled.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=(1, 2)), 1, atol=1e-5)
    plain = fit(cube, mask, pca=None).apply(cube)
    np.testing.assert_array_equal(plain, cube.transpose(2, 0, 1).astype(np.float32))
    assert plain.dtype == np.float32


def test_a_constant_band_stays_zero(cube):
    cube[:, :, 4] = 77
    scaled = fit(cube, np.ones(cube.shape[:2], bool), pca=None, standardise=True).apply(cube)
    assert (scaled[4] == 0).all()


@pytest.mark.parametrize("pca", [3, None])
def test_plain_arrays_bring_it_back(cube, pca):
    fitted = fit(cube, np.ones(cube.shape[:2], bool), pca=pca, standardise=True)
    arrays = fitted.to_arrays()
    assert all(isinstance(value, np.ndarray) for value in arrays.values())
    again = SpectralProjection.from_arrays(arrays)
    np.testing.assert_array_equal(again.apply(cube), fitted.apply(cube))
    assert again.bands == (pca or 12)


@pytest.mark.parametrize(
    ("options", "pixels", "words"),
    [
        ({"pca": 13}, 750, "only 12 bands are used"),
        ({"pca": 0}, 750, "at least 1"),
        ({"pca": 5}, 5, "cannot be fitted on 5 pixels"),
        ({"pca": 5}, -1, "only 1 of the 5 components vary"),
    ],
)
def test_impossible(cube, options, pixels, words):
    mask = np.zeros(cube.size // 12, bool)
    mask[: abs(pixels) if pixels > 0 else 750] = True
    if pixels < 0:
        cube = np.arange(750).reshape(30, 25, 1) * np.ones((1, 1, 12))
    with pytest.raises(UserError, match=words) as caught:
        fit(cube, mask.reshape(30, 25), **options)
    assert caught.value.where == "data.pca"


def test_more_bands_are_needed_than_a_new_scene_has(cube):
    fitted = fit(cube, np.ones(cube.shape[:2], bool))
    with pytest.raises(UserError, match="band 12 is needed"):
        fitted.apply(cube[:, :, :8])
