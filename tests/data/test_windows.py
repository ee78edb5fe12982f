import numpy as np
import pytest
import torch

from tricklab.data.padding import pad_cube
from tricklab.data.transforms.flip import FlipWindows
from tricklab.data.windows import WindowDataset
from tricklab.errors import UserError
from tricklab.seeds import Seeds


@pytest.mark.parametrize("window", [1, 3, 7, 25])
@pytest.mark.parametrize("padding", ["zero", "reflect"])
def test_each_window_is_centred_on_its_pixel(window, padding):
    planes = np.random.default_rng(0).normal(size=(4, 9, 11)).astype(np.float32)
    padded = pad_cube(planes, window, padding)
    assert padded.shape == (4, 9 + window - 1, 11 + window - 1)
    centres = torch.tensor([[0, 0], [8, 10], [4, 5], [4, 5]])
    found = WindowDataset(padded, centres, torch.arange(4), window)[[0, 1, 2, 3]]["image"]
    assert found.is_contiguous()
    assert found.dtype == torch.float32
    for image, (row, column) in zip(found, centres.tolist(), strict=True):
        assert torch.equal(image, padded[:, row : row + window, column : column + window])
        reach = window // 2
        assert np.array_equal(image[:, reach, reach].numpy(), planes[:, row, column])
    if padding == "zero" and window > 1:
        assert (found[0, :, 0] == 0).all()


def test_a_batch_and_its_single_items_agree():
    planes = np.random.default_rng(0).normal(size=(3, 6, 6)).astype(np.float32)
    dataset = WindowDataset(pad_cube(planes, 3), torch.tensor([[0, 0], [3, 4], [5, 5]]), torch.tensor([2, 0, 1]), 3)
    batch = dataset[[2, 0]]
    assert len(dataset) == 3
    assert batch["index"].tolist() == [2, 0]
    assert batch["target"].tolist() == [1, 2]
    assert (batch["target"].dtype, batch["index"].dtype, batch["drawn"]) == (torch.int64, torch.int64, {})
    one = dataset[0]
    assert torch.equal(one["image"], batch["image"][1])
    assert one["target"] == 2


def test_writing_to_a_batch_leaves_the_cube_alone():
    padded = pad_cube(np.ones((2, 4, 4), np.float32), 3)
    dataset = WindowDataset(padded, torch.tensor([[1, 1]]), torch.tensor([0]), 3)
    dataset[[0]]["image"].zero_()
    assert padded.sum() == 32


@pytest.mark.parametrize(("window", "words"), [(24, "take 23 or 25"), (0, "odd side"), (-3, "odd side")])
def test_even_windows(window, words):
    with pytest.raises(UserError, match=words):
        pad_cube(np.zeros((1, 4, 4), np.float32), window)


def test_unknown_padding_and_transforms_without_seeds():
    with pytest.raises(UserError, match="known: zero, reflect"):
        pad_cube(np.zeros((1, 4, 4), np.float32), 3, "wrap")
    with pytest.raises(UserError, match="seeds"):
        WindowDataset(torch.zeros(1, 4, 4), torch.zeros(1, 2).long(), torch.zeros(1).long(), 1, [FlipWindows()])
    with pytest.raises(UserError, match="odd"):
        WindowDataset(torch.zeros(1, 4, 4), torch.zeros(1, 2).long(), torch.zeros(1).long(), 2, seeds=Seeds(0, 0))
