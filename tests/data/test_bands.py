import pytest

from tricklab.data.bands import kept_bands
from tricklab.errors import UserError


def test_indian_pines_water_bands():
    kept = kept_bands(["104-108", "150-163", 220], 220)
    assert len(kept) == 200
    assert not {103, 107, 149, 162, 219} & set(kept.tolist())
    assert {102, 108, 148, 163, 218} <= set(kept.tolist())


@pytest.mark.parametrize(
    ("remove", "words"),
    [
        ([0], "not within the bands 1-10"),
        (["9-11"], "not within the bands 1-10"),
        (["5-3"], "not within"),
        (["1-3", 3], "band 3 is named twice"),
        (["1-10"], "all 10 bands are removed"),
        (["a"], "neither a band number nor a range"),
        (["1..3"], "neither"),
    ],
)
def test_bad_bands(remove, words):
    with pytest.raises(UserError, match=words):
        kept_bands(remove, 10)
