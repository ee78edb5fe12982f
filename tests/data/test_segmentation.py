"""Images with masks from files to batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tricklab.data.loaders import make_loader
from tricklab.data.mask_fold import MaskFold
from tricklab.data.mask_labels import Labels
from tricklab.data.mask_list import IGNORE, OUTSIDE
from tricklab.data.mask_resizing import resize_image, resize_mask, resizing_of
from tricklab.errors import UserError
from tricklab.recipe import load, resolve
from tricklab.registry import build
from tricklab.seeds import Seeds

SYNTHETIC = {"type": "SyntheticMasks", "images": 12, "size": [24, 32]}


def fold_of(block: int = 0, **data: Any) -> MaskFold:
    """A prepared fold of drawn masks."""
    found: MaskFold = build("data", {"type": "segmentation", "images": SYNTHETIC, **data}).prepare(Seeds(0, block))
    return found


def test_batches_hold_crops_with_their_masks() -> None:
    fold = fold_of(crop=[16, 20])
    batch = next(iter(make_loader(fold, "train", 4, Seeds(0, 0), train=True)))
    assert batch["image"].shape == (4, 3, 16, 20)
    assert batch["image"].dtype == torch.float32
    assert batch["target"].shape == (4, 16, 20)
    assert batch["target"].dtype == torch.int64
    assert set(batch["target"].unique().tolist()) <= {0, 1, 2, 3, IGNORE}


def test_a_crop_is_a_part_of_the_image_and_of_the_mask_at_one_place() -> None:
    fold = fold_of(crop=[16, 20], normalise="none")
    dataset = fold.dataset("train")
    for index in range(4):
        item = dataset.__getitems__([(3, index, 0)])
        image, mask = fold.store.original(int(fold.members["train"][index]))
        cut = (item["image"][0].movedim(0, -1) * 255).round().to(torch.uint8).numpy()
        places = [
            (top, left)
            for top in range(24 - 16 + 1)
            for left in range(32 - 20 + 1)
            if np.array_equal(image[top : top + 16, left : left + 20], cut)
        ]
        assert len(places) == 1
        top, left = places[0]
        assert np.array_equal(mask[top : top + 16, left : left + 20], item["target"][0].numpy())


def test_crops_depend_on_epoch_and_item_alone() -> None:
    dataset = fold_of(crop=[16, 20]).dataset("train")
    together = dataset.__getitems__([(1, 0, 0), (1, 3, 0)])
    alone = dataset.__getitems__([(1, 3, 0)])
    assert torch.equal(together["image"][1], alone["image"][0])
    assert torch.equal(together["target"][1], alone["target"][0])
    other = dataset.__getitems__([(2, 3, 0)])
    again = dataset.__getitems__([(1, 3, 1)])
    assert not torch.equal(alone["image"], other["image"])
    assert not torch.equal(alone["image"], again["image"])


def test_an_image_smaller_than_the_crop_is_filled_up_with_the_mean_and_no_label() -> None:
    fold = fold_of(crop=[30, 40])
    item = fold.dataset("train")[0]
    assert item["image"].shape == (3, 30, 40)
    assert (item["target"][24:] == IGNORE).all()
    assert (item["target"][:, 32:] == IGNORE).all()
    assert item["image"][:, 24:].abs().max() < 0.02
    assert (item["target"][:24, :32] != IGNORE).any()


def test_normalisation_is_that_of_the_training_pixels_alone() -> None:
    fold = fold_of()
    seen = np.concatenate([fold.store.original(int(n))[0].reshape(-1, 3) for n in fold.members["train"]]) / 255.0
    assert np.allclose(fold.normalisation.mean, seen.mean(axis=0), atol=1e-9)
    assert np.allclose(fold.normalisation.std, seen.std(axis=0), atol=1e-9)
    every = torch.cat([fold.values("train", index) for index in range(len(fold.members["train"]))])
    assert every.mean(dim=(0, 2, 3)).abs().max() < 1e-4
    assert (every.std(dim=(0, 2, 3)) - 1).abs().max() < 1e-3


def test_label_values_become_classes_and_others_are_an_error_that_names_them() -> None:
    labels = Labels(["sky", "road"], [0, 7], [11])
    assert labels.numbers(np.array([[7, 0, 11, OUTSIDE]]), "a.png").tolist() == [[1, 0, IGNORE, IGNORE]]
    with pytest.raises(UserError, match=r"a\.png.*label values without a class: 3 \(2 pixels\), 90000 \(1 pixels\)"):
        labels.numbers(np.array([[3, 3, 0, 90000]]), "a.png")
    with pytest.raises(UserError, match="the label value 7 has a class and is ignored"):
        Labels(["sky", "road"], [0, 7], [7])


def test_colours_as_label_values_are_found_as_well() -> None:
    labels = Labels(["sky", "road"], [0x808080, 0x804080], [0])
    assert labels.numbers(np.array([[0x804080, 0, 0x808080]]), "a.png").tolist() == [[1, IGNORE, 0]]


def test_a_class_may_be_ignored_by_its_label_value() -> None:
    fold = fold_of(ignore=[2])
    assert fold.classes == ("ground", "shape 1", "shape 3")
    assert fold.label_ids == (0, 1, 3)
    assert fold.store.counts.shape[1] == 3
    masks = np.concatenate([fold.store.original(n)[1].ravel() for n in range(12)])
    assert set(np.unique(masks).tolist()) == {0, 1, 2, IGNORE}


def test_names_of_classes_must_be_as_many_as_the_classes() -> None:
    assert fold_of(classes=list("abcd")).classes == ("a", "b", "c", "d")
    with pytest.raises(UserError, match="3 names for 4 classes, whose label values are 0, 1, 2, 3"):
        fold_of(classes=list("abc"))


def test_masks_are_resized_by_the_nearest_pixel_and_scored_as_they_were() -> None:
    fold = fold_of(resize=[12, 20])
    batch = fold.dataset("val").__getitems__([0])
    assert batch["image"].shape == (1, 3, 12, 20)
    assert fold.truth("val", 0).shape == (24, 32)
    found = set(batch["target"].unique().tolist())
    assert found <= set(fold.truth("val", 0).unique().tolist())


def test_nearest_takes_the_pixel_under_the_centre() -> None:
    mask = np.arange(35, dtype=np.uint8).reshape(5, 7)
    found = resize_mask(mask, (3, 4))
    rows = [int((row + 0.5) * 5 / 3) for row in range(3)]
    columns = [int((column + 0.5) * 7 / 4) for column in range(4)]
    assert found.tolist() == mask[np.ix_(rows, columns)].tolist()


def test_images_of_sixteen_bits_keep_their_type_when_resized() -> None:
    image = np.full((6, 6, 2), 40000, dtype=np.uint16)
    found = resize_image(image, (3, 4))
    assert found.dtype == np.uint16
    assert (found == 40000).all()


def test_resizing_to_long_and_short_keeps_the_shape() -> None:
    resizing = resizing_of({"long": 100, "short": 50})
    assert resizing is not None
    assert resizing.size_of(360, 480) == (50, 67)
    assert resizing.size_of(100, 1000) == (10, 100)
    with pytest.raises(UserError, match=r"data\.resize"):
        resizing_of({"long": 3})


def test_a_transform_that_would_leave_the_mask_behind_is_refused() -> None:
    recipe = {"task": "segmentation", "data": {"images": SYNTHETIC}, "model": {"type": "PixelSVM"}}
    with pytest.raises(UserError, match=r"data\.augment\.0\.type.*Rotation would move the pixels of the image"):
        resolve(load({**recipe, "data": {"images": SYNTHETIC, "augment": [{"type": "Rotation"}]}}))
    with pytest.raises(UserError, match=r"data\.augment\.1.*ColourJitter works on bytes and stands after Noise"):
        resolve(
            load({**recipe, "data": {"images": SYNTHETIC, "augment": [{"type": "Noise"}, {"type": "ColourJitter"}]}})
        )
    with pytest.raises(UserError, match=r"data\.augment\.0.*strenght"):
        resolve(load({**recipe, "data": {"images": SYNTHETIC, "augment": [{"type": "Noise", "strenght": 1}]}}))


def test_defaults_of_augmentations_stand_in_the_resolved_recipe() -> None:
    recipe = resolve(
        load(
            {
                "task": "segmentation",
                "data": {"images": SYNTHETIC, "augment": [{"type": "HorizontalFlip"}]},
                "model": {"type": "PixelSVM"},
            }
        )
    )
    assert recipe.get("data.augment.0") == {"type": "HorizontalFlip", "p": 0.5}
    assert recipe.get("evaluate.method") == "whole"
    assert recipe.get("metric.monitor") == "val/miou"


def test_pairs_are_flipped_together() -> None:
    plain, flipped = fold_of(), fold_of(augment=[{"type": "HorizontalFlip", "p": 1.0}])
    before, after = plain.dataset("train")[0], flipped.dataset("train")[0]
    assert torch.equal(before["image"].flip(-1), after["image"])
    assert torch.equal(before["target"].flip(-1), after["target"])
    assert bool(after["drawn"]["HorizontalFlip"])


def test_photometric_changes_leave_masks_alone() -> None:
    plain, changed = fold_of(), fold_of(augment=[{"type": "ColourJitter", "brightness": 0.5}, {"type": "Noise"}])
    before, after = plain.dataset("train").__getitems__([0, 1]), changed.dataset("train").__getitems__([0, 1])
    assert not torch.allclose(before["image"], after["image"])
    assert torch.equal(before["target"], after["target"])
    assert set(after["drawn"]) == {"ColourJitter", "Noise"}


def test_whole_images_of_several_sizes_make_no_batch(tmp_path: Path) -> None:
    root = written(tmp_path, [(10, 12), (10, 12), (8, 12), (8, 8)])
    fold = build(
        "data",
        {"type": "segmentation", "root": str(root), "split": {"type": "RandomImages", "train": 0.75, "val": 0.25}},
    ).prepare(Seeds(0, 0))
    with pytest.raises(UserError, match=r"data\.crop.*images of one size"):
        fold.dataset("train").__getitems__([0, 1, 2])


def test_a_mask_of_another_size_is_an_error_that_names_both(tmp_path: Path) -> None:
    root = written(tmp_path, [(10, 12), (10, 12)])
    save(root / "masks" / "1.png", np.zeros((9, 12), dtype=np.uint8))
    with pytest.raises(UserError, match=r"masks/1\.png.*9 × 12 pixels, the image .*1\.png 10 × 12"):
        build("data", {"type": "segmentation", "root": str(root)}).prepare(Seeds(0, 0))


def test_more_label_values_than_names_are_an_error_that_lists_them(tmp_path: Path) -> None:
    root = written(tmp_path, [(10, 12), (10, 12)])
    mask = np.zeros((10, 12), dtype=np.uint8)
    mask[0, :5] = 9
    save(root / "masks" / "0.png", mask)
    with pytest.raises(UserError, match="2 names for 3 classes, whose label values are 0, 1, 9"):
        build("data", {"type": "segmentation", "root": str(root), "classes": ["a", "b"]}).prepare(Seeds(0, 0))


def test_no_cache_gives_the_same_batches() -> None:
    kept, anew = fold_of(crop=[16, 16]), fold_of(crop=[16, 16], cache="none")
    assert not anew.store._kept
    first, second = (fold.dataset("train").__getitems__([(0, 2, 0), (0, 1, 0)]) for fold in (kept, anew))
    assert torch.equal(first["image"], second["image"])
    assert torch.equal(first["target"], second["target"])
    assert kept.digest == anew.digest


def test_camvid_is_read_as_its_source_says(real_data: Callable[[str], Path]) -> None:
    root = real_data("segmentation/camvid")
    fold = build(
        "data", {"type": "segmentation", "images": {"type": "CamVidMasks"}, "root": str(root), "crop": [192, 256]}
    ).prepare(Seeds(0, 0))
    assert {name: len(found) for name, found in fold.members.items()} == {"train": 92, "val": 26, "test": 39}
    assert len(fold.classes) == 11
    assert set(fold.dataset("train")[0]["target"].unique().tolist()) <= {*range(11), IGNORE}


def written(folder: Path, sizes: list[tuple[int, int]]) -> Path:
    """Images and masks of two classes in files."""
    rng = np.random.default_rng(0)
    for number, size in enumerate(sizes):
        save(folder / "images" / f"{number}.png", rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        save(folder / "masks" / f"{number}.png", rng.integers(0, 2, size, dtype=np.uint8))
    return folder


def save(path: Path, pixels: np.ndarray) -> None:
    """Write a PNG file."""
    from PIL import Image

    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
