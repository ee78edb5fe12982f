import numpy as np
import pytest

from tests.data.pictures import save
from tricklab.data.image_list import ImageList
from tricklab.data.image_statistics import join_moments, moments_of, pooled_statistics
from tricklab.data.image_survey import survey_images
from tricklab.data.image_threads import map_images
from tricklab.errors import UserError


def images(count=7):
    rng = np.random.default_rng(0)
    return [
        rng.integers(low, low + 90, (rng.integers(1, 40), rng.integers(1, 40), 3), dtype=np.uint8)
        for low in rng.integers(0, 160, count)
    ]


@pytest.mark.parametrize("threads", [1, 3])
def test_equal_to_numpy_over_all_pixels(tmp_path, threads):
    arrays = images()
    paths = [save(tmp_path / f"{number}.png", array) for number, array in enumerate(arrays)]
    everything = np.concatenate([array.reshape(-1, 3) for array in arrays]).astype(np.float64) / 255
    seen = []
    for found in (
        pooled_statistics(arrays, threads=threads),
        pooled_statistics(paths, threads=threads, progress=lambda *now: seen.append(now)),
    ):
        np.testing.assert_allclose(found.mean, everything.mean(axis=0), rtol=1e-14)
        np.testing.assert_allclose(found.std, everything.std(axis=0), rtol=1e-13)
        assert found.minimum.tolist() == everything.min(axis=0).tolist()
        assert found.maximum.tolist() == everything.max(axis=0).tolist()
        assert found.pixels == len(everything)
        own = np.mean([(array / 255.0).std(axis=(0, 1)) for array in arrays], axis=0)
        np.testing.assert_allclose(found.mean_of_image_stds, own, rtol=1e-12)
        assert (found.mean_of_image_stds < found.std).all()
    assert seen == [(number, 7) for number in range(1, 8)]


def test_views_of_arrays_count_as_they_are_seen():
    array = images()[0]
    for view in (array[::-1, ::2], array.transpose(1, 0, 2), array[..., ::-1]):
        found = moments_of(view)
        assert found.pixels.tolist() == [view.shape[0] * view.shape[1]]
        assert found.sums.tolist() == [view.astype(int).sum(axis=(0, 1)).tolist()]
        assert found.high.tolist() == [view.max(axis=(0, 1)).tolist()]


def test_nothing_cancels_where_the_deviation_is_tiny():
    array = np.full((300, 300, 3), 254, dtype=np.uint8)
    array[0, 0] = 255
    found = pooled_statistics([array] * 3)
    share = 1 / 90_000
    np.testing.assert_allclose(found.std * 255, (share * (1 - share)) ** 0.5, rtol=1e-13)
    assert pooled_statistics([np.full((5, 5, 3), 9, dtype=np.uint8)]).std.tolist() == [0, 0, 0]


def test_sums_beyond_63_bits():
    one = moments_of(np.full((1, 1, 3), 255, dtype=np.uint8))
    many = join_moments([one] * 4)
    for item in (many.pixels, many.sums, many.squares):
        item *= 10**14
    assert many.pooled().std.tolist() == [0, 0, 0]
    assert many.pooled().pixels == 4 * 10**14


def test_the_statistics_of_a_subset_follow_from_one_pass():
    arrays = images()
    moments = join_moments([moments_of(array) for array in arrays])
    train = np.array([True, False, True, True, False, False, True])
    expected = pooled_statistics([array for array, used in zip(arrays, train, strict=True) if used])
    for key, item in vars(moments.take(train).pooled()).items():
        assert np.array_equal(item, getattr(expected, key))


def test_survey_of_files(tmp_path):
    arrays = images()
    paths = [save(tmp_path / f"{number}.png", array) for number, array in enumerate(arrays)]
    paths[2].write_bytes(paths[2].read_bytes()[:60])
    listed = ImageList(tuple(paths), np.arange(7, dtype=np.int64) % 2, ("a", "b"), "here", root=tmp_path)
    kept = {}
    survey = survey_images(listed, unreadable="skip", also=kept.__setitem__, threads=2)
    assert list(survey.unreadable) == [2]
    assert "2.png" in survey.unreadable[2]
    assert sorted(kept) == [0, 1, 3, 4, 5, 6]
    assert all(np.array_equal(pixels, arrays[number]) for number, pixels in kept.items())
    assert survey.sizes.tolist() == [list(a.shape[:2]) if n != 2 else [0, 0] for n, a in enumerate(arrays)]
    usable = listed.take(survey.readable)
    assert [usable.key(number) for number in range(6)] == [f"{number}.png" for number in (0, 1, 3, 4, 5, 6)]
    left = survey.take(survey.readable)
    assert left.unreadable == {}
    assert np.array_equal(left.moments.pooled().mean, pooled_statistics([arrays[n] for n in sorted(kept)]).mean)
    assert survey.take(np.array([2, 5])).unreadable.keys() == {0}
    with pytest.raises(UserError, match=r"here: 1 of 7 images cannot be read: .*2\.png.*unreadable: skip"):
        survey_images(listed)


def test_work_stops_at_the_first_failure():
    begun = []

    def work(number):
        begun.append(number)
        if number == 3:
            raise UserError("three")
        return number

    with pytest.raises(UserError, match="three"):
        map_images(work, 10_000, threads=2)
    assert len(begun) < 100
    assert map_images(lambda number: number**2, 100, threads=4) == [number**2 for number in range(100)]


@pytest.mark.slow
def test_plant_seedlings(real_data):
    files = sorted(real_data("classification/plant_seedlings").rglob("*.jpg"))
    found = pooled_statistics(files)
    assert found.pixels == 4750 * 150 * 150
    np.testing.assert_allclose(found.std, [0.1604, 0.1577, 0.1673], atol=5e-5)
    np.testing.assert_allclose(found.mean_of_image_stds, [0.1361, 0.1392, 0.1512], atol=5e-5)
