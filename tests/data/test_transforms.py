import numpy as np
import pytest
import torch

from tricklab.data.padding import pad_cube
from tricklab.data.transforms.band_dropout import BandDropout
from tricklab.data.transforms.flip import FlipWindows
from tricklab.data.transforms.rotate import Rotate90
from tricklab.data.transforms.spectral_noise import SpectralNoise
from tricklab.data.windows import WindowDataset
from tricklab.errors import UserError
from tricklab.seeds import Seeds

ALL = [FlipWindows(), Rotate90(), SpectralNoise(0.1, (0.9, 1.1), 0.5), SpectralNoise(0.1, per="band"), BandDropout(0.2)]


def dataset(transforms, block=0, bands=5, window=5):
    planes = np.random.default_rng(0).normal(size=(bands, 20, 20)).astype(np.float32)
    centres = torch.cartesian_prod(torch.arange(20), torch.arange(20))
    return WindowDataset(
        pad_cube(planes, window), centres, torch.zeros(400).long(), window, transforms, Seeds(0, block)
    )


def items(*index, epoch=0, occurrence=0):
    return [(epoch, number, occurrence) for number in index]


@pytest.mark.parametrize("transform", ALL, ids=lambda t: type(t).__name__)
def test_an_item_is_bit_equal_in_any_batch_and_differs_by_epoch_occurrence_and_block(transform):
    data = dataset([transform])
    whole = data[items(*range(400))]
    again = data[items(7, 3, 350)]
    assert torch.equal(again["image"], whole["image"][[7, 3, 350]])
    name = type(transform).__name__
    assert torch.equal(again["drawn"][name], whole["drawn"][name][[7, 3, 350]])
    for other in (
        data[items(*range(400), epoch=1)],
        data[items(*range(400), occurrence=1)],
        dataset([transform], block=1)[items(*range(400))],
    ):
        assert not torch.equal(other["image"], whole["image"])
    mixed = data[[(0, 5, 0), (1, 5, 0), (0, 5, 1)]]
    assert torch.equal(mixed["image"][0], whole["image"][5])
    assert torch.equal(mixed["image"][1], data[items(*range(400), epoch=1)]["image"][5])


@pytest.mark.parametrize("transform", ALL, ids=lambda t: type(t).__name__)
def test_the_flag_says_which_windows_changed(transform):
    plain = dataset([])[items(*range(400))]["image"]
    batch = dataset([transform])[items(*range(400))]
    changed = (batch["image"] != plain).flatten(1).any(1)
    assert torch.equal(changed, batch["drawn"][type(transform).__name__])
    assert 0.3 < changed.float().mean() <= 1
    assert batch["image"].is_contiguous()
    assert batch["image"].dtype == torch.float32


def test_adding_a_transform_does_not_change_what_another_draws():
    alone = dataset([Rotate90()])[items(*range(50))]["drawn"]["Rotate90"]
    both = dataset([BandDropout(), Rotate90()])[items(*range(50))]["drawn"]
    assert torch.equal(both["Rotate90"], alone)
    assert set(both) == {"BandDropout", "Rotate90"}
    twice = dataset([Rotate90(), Rotate90()])[items(*range(50))]["drawn"]
    assert set(twice) == {"Rotate90", "Rotate90#2"}
    assert not torch.equal(twice["Rotate90"], twice["Rotate90#2"])


@pytest.mark.parametrize(
    ("flip", "expected"),
    [
        (FlipWindows(vertical=False, p=1.0), lambda x: x.flip(-1)),
        (FlipWindows(horizontal=False, p=1.0), lambda x: x.flip(-2)),
        (FlipWindows(p=1.0), lambda x: x.flip(-1, -2)),
    ],
)
def test_flips(flip, expected):
    plain = dataset([])[items(*range(9))]["image"]
    assert torch.equal(dataset([flip])[items(*range(9))]["image"], expected(plain))


def test_rotations_are_the_three_turns_in_equal_shares():
    plain = dataset([])[items(*range(400))]["image"]
    found = dataset([Rotate90(p=0.75)])[items(*range(400))]["image"]
    counts = [(found == plain.rot90(turn, (-2, -1))).flatten(1).all(1).sum().item() for turn in range(4)]
    assert sum(counts) == 400
    assert min(counts) > 70


def test_noise_has_the_asked_moments_and_gain_is_one_per_window():
    plain = dataset([])[items(*range(400))]["image"]
    noise = dataset([SpectralNoise(0.3)])[items(*range(400))]["image"] - plain
    assert noise.mean().abs() < 0.005
    assert abs(noise.std() - 0.3) < 0.005
    kurtosis = (noise / noise.std()).pow(4).mean()
    assert abs(kurtosis - 3) < 0.1
    per_band = dataset([SpectralNoise(0.3, per="band")])[items(*range(400))]["image"] - plain
    assert per_band.flatten(2).std(dim=2).max() < 1e-6
    changed = dataset([SpectralNoise(0.0, (0.9, 1.1))])[items(*range(400))]["image"]
    gain = changed.flatten(1).norm(dim=1) / plain.flatten(1).norm(dim=1)
    torch.testing.assert_close(changed, plain * gain[:, None, None, None])
    assert 0.9 <= gain.min() < 0.905
    assert 1.095 < gain.max() <= 1.1001


def test_dropped_bands_are_zero_and_one_band_stays():
    found = dataset([BandDropout(0.3)], bands=8)[items(*range(400))]["image"]
    dropped = (found == 0).flatten(2).all(2)
    assert abs(dropped.float().mean() - 0.3) < 0.03
    most = dataset([BandDropout(0.99)], bands=8)[items(*range(400))]["image"]
    kept = (most != 0).flatten(2).any(2).sum(1)
    assert kept.min() == 1


@pytest.mark.parametrize(
    "build",
    [
        lambda: FlipWindows(p=1.5),
        lambda: FlipWindows(False, False),
        lambda: Rotate90(p=-0.1),
        lambda: SpectralNoise(-1.0),
        lambda: SpectralNoise(0.0),
        lambda: SpectralNoise(0.1, (1.1, 0.9)),
        lambda: SpectralNoise(0.1, p=2.0),
        lambda: BandDropout(0.0),
        lambda: BandDropout(1.0),
    ],
)
def test_bad_arguments(build):
    with pytest.raises(UserError):
        build()
