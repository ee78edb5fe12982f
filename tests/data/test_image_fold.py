"""Images made ready for a block: geometry, normalisation, memory or files, what a split must leave."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.data.pictures import class_tree, picture, save
from tricklab.data.classification import ImageData, check_order
from tricklab.data.free_memory import free_memory
from tricklab.data.image_geometry import crop_to_size, fit_to_size
from tricklab.data.image_normalisation import FIXED, Normalisation
from tricklab.data.image_store import ImageStore
from tricklab.data.loaders import make_loader
from tricklab.errors import UserError
from tricklab.seeds import Seeds

SHAPES = {"type": "SyntheticImages", "classes": 3, "per_class": 12, "size": 24}


def gradient(rows: int, columns: int) -> torch.Tensor:
    line = torch.linspace(0, 255, columns).round().to(torch.uint8)
    return line.expand(3, rows, columns).contiguous()


def test_geometry_keeps_squashes_cuts_or_pads() -> None:
    wide = gradient(20, 60)
    assert torch.equal(fit_to_size(wide, (20, 60)), wide)
    squashed = fit_to_size(wide, (20, 20), "squash")
    assert squashed[0, 0, 0] < 15
    assert squashed[0, 0, -1] > 240
    cut = fit_to_size(wide, (20, 20), "crop")
    assert torch.equal(cut, wide[:, :, 20:40])
    padded = fit_to_size(wide, (60, 60), "pad")
    assert torch.equal(padded[:, 20:40], wide)
    assert padded[:, :20].max() == padded[:, 40:].max() == 0
    assert torch.equal(crop_to_size(wide, (5, 10, 10, 30), (10, 30)), wide[:, 5:15, 10:40])
    outside = crop_to_size(wide, (-10, 0, 20, 60), (20, 60))
    assert outside[:, :10].max() == 0
    assert torch.equal(outside[:, 10:], wide[:, :10])


@pytest.mark.parametrize("how", ["squash", "crop", "pad"])
@pytest.mark.parametrize("size", [(7, 31), (64, 64), (1, 1)])
def test_every_geometry_gives_the_size(how: Any, size: tuple[int, int]) -> None:
    assert fit_to_size(gradient(33, 50), size, how, "bicubic").shape == (3, *size)


@pytest.mark.parametrize("name", ["imagenet", "half", "none"])
def test_normalisation_in_float64(name: str) -> None:
    images = torch.randint(0, 256, (4, 3, 5, 6), dtype=torch.uint8)
    mean, std = (np.array(part).reshape(1, 3, 1, 1) for part in FIXED[name])
    expected = (images.numpy().astype(np.float64) / 255 - mean) / std
    found = Normalisation(name, *FIXED[name])(images)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-6)


def test_min_max_stretches_each_image() -> None:
    images = torch.randint(40, 200, (3, 3, 8, 8), dtype=torch.uint8)
    images[2] = 7
    found = Normalisation("minmax")(images)
    assert found[:2].amin(dim=(1, 2, 3)).tolist() == [0, 0]
    assert found[:2].amax(dim=(1, 2, 3)).tolist() == [1, 1]
    assert found[2].abs().max() == 0


def folder_of(root: Path, per_class: int = 6) -> Path:
    rng = np.random.default_rng(0)
    for name in ("daisy", "rose"):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            pixels = rng.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def test_memory_and_files_give_the_same_images(tmp_path: Path) -> None:
    root = str(folder_of(tmp_path))
    folds = [ImageData(root=root, size=16, cache=cache).prepare(Seeds(0, 0)) for cache in ("memory", "none")]  # type: ignore[arg-type]
    one, other = (fold.dataset("train").__getitems__([2, 0, 1]) for fold in folds)
    assert torch.equal(one["image"], other["image"])
    assert folds[0].digest == folds[1].digest
    members, boxes = np.array([0, 1]), np.array([[0, 0, 10, 10], [2.4, 3.2, 15, 20]])
    kept = ImageStore(folds[0].images, (8, 8), originals=True)
    for number in range(2):
        kept.keep(number, folds[0].images.read(number))
    fresh = ImageStore(folds[0].images, (8, 8), cache="none")
    assert torch.equal(kept.crops(members, boxes), fresh.crops(members, boxes))


def test_augmentation_depends_on_item_and_epoch_not_on_the_batch() -> None:
    data = ImageData(images=SHAPES, size=24, augment=[{"type": "HorizontalFlip"}, {"type": "RandomErasing"}])
    dataset = data.prepare(Seeds(0, 0)).dataset("train")
    together = dataset.__getitems__([(1, number, 0) for number in range(8)])
    alone = dataset.__getitems__([(1, 5, 0)])
    assert torch.equal(together["image"][5], alone["image"][0])
    later = dataset.__getitems__([(2, number, 0) for number in range(8)])
    assert not torch.equal(together["image"], later["image"])
    assert set(together["drawn"]) == {"HorizontalFlip", "RandomErasing"}


def test_batches_are_the_same_with_any_number_of_workers() -> None:
    fold = ImageData(images=SHAPES, size=24, augment=[{"type": "HorizontalFlip"}]).prepare(Seeds(0, 1))
    here = [batch["image"] for batch in make_loader(fold, "train", 8, Seeds(0, 1), 0, train=True)]
    there = [batch["image"] for batch in make_loader(fold, "train", 8, Seeds(0, 1), 2, train=True)]
    assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))


@pytest.mark.parametrize(
    ("names", "stages", "message"),
    [
        (["RandomErasing", "Cutout"], ["tensor", "image"], "Cutout works on bytes and stands after RandomErasing"),
        (["HorizontalFlip", "RandomCrop"], ["image", "geometry"], "RandomCrop works on the original"),
        (["RandomCrop", "RandomResizedCrop"], ["geometry", "geometry"], "both cut the image out"),
    ],
)
def test_an_order_that_cannot_be_is_refused(names: list[str], stages: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_order(names, stages)
    check_order(["a", "b", "c", "d"], ["geometry", "image", "image", "tensor"])


def test_unreadable_files_stop_or_are_listed(tmp_path: Path) -> None:
    root = folder_of(tmp_path)
    broken = root / "daisy" / "3.png"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(UserError, match=r"daisy.3\.png"):
        ImageData(root=str(root), size=8).prepare(Seeds(0, 0))
    fold = ImageData(root=str(root), size=8, unreadable="skip").prepare(Seeds(0, 0))
    assert len(fold.facts["data/unreadable"]) == 1
    assert sum(fold.facts["data/sizes"].values()) == 11


def test_copies_stay_on_one_side_and_contradictions_stop(tmp_path: Path) -> None:
    root = folder_of(tmp_path, 8)
    for number in range(4):
        (root / "rose" / f"copy{number}.png").write_bytes((root / "rose" / f"{number}.png").read_bytes())
    fold = ImageData(root=str(root), size=8).prepare(Seeds(0, 0))
    sides = {fold.images.key(number): side for number, side in enumerate(fold.assigned.tolist())}
    assert all(sides[f"rose/{number}.png"] == sides[f"rose/copy{number}.png"] for number in range(4))
    (root / "daisy" / "stray.png").write_bytes((root / "rose" / "0.png").read_bytes())
    with pytest.raises(UserError, match="under more than one label"):
        ImageData(root=str(root), size=8).prepare(Seeds(0, 0))
    dropped = ImageData(root=str(root), size=8, contradictions="drop").prepare(Seeds(0, 0))
    assert sum(dropped.facts["data/sizes"].values()) == len(dropped.images) - 3


def test_images_that_do_not_fit_into_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tricklab.data.image_store.free_memory", lambda: 1000)
    with pytest.raises(UserError, match=r"data\.cache.*write cache: none"):
        ImageData(images=SHAPES, size=24).prepare(Seeds(0, 0))


def test_originals_that_will_not_fit_into_memory_are_refused_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_tree(tmp_path, {"a": 20, "b": 20})
    asked: list[int] = []

    def free() -> int:
        asked.append(1)
        return 15_000

    monkeypatch.setattr("tricklab.data.image_store._WORTH_A_LOOK", 2_000)
    monkeypatch.setattr(ImageStore, "_reserved", lambda *_: torch.zeros((40, 3, 4, 4), dtype=torch.uint8))
    monkeypatch.setattr("tricklab.data.image_store.free_memory", free)
    cut = [{"type": "RandomResizedCrop"}]
    # 40 images of 12 × 16 × 3 bytes, of which a few are kept when memory is first looked at
    with pytest.raises(UserError, match=r"data\.cache: the originals .* for 40 images.*write cache: none"):
        ImageData(root=str(tmp_path), size=4, augment=cut).prepare(Seeds(0, 0))
    assert 0 < len(asked) < 20
    ImageData(root=str(tmp_path), size=4).prepare(Seeds(0, 0))
    monkeypatch.setattr("tricklab.data.image_store.free_memory", lambda: 40_000)
    ImageData(root=str(tmp_path), size=4, augment=cut).prepare(Seeds(0, 0))


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:       5 kB\n"}, 5 * 1024),
        ({}, None),
        (
            {
                "proc/meminfo": "MemAvailable: 5000 kB\n",
                "proc/self/cgroup": "0::/job/7\n",
                "groups/job/7/memory.max": "3000\n",
                "groups/job/7/memory.current": "1000\n",
                "groups/job/7/memory.stat": "anon 700\ninactive_file 300\n",
            },
            2300,
        ),
        ({"proc/self/cgroup": "0::/\n", "groups/memory.max": "max\n", "groups/memory.current": "7\n"}, None),
        ({"groups/memory.max": "3000\n", "groups/memory.current": "4000\n"}, 0),
    ],
)
def test_free_memory_is_what_machine_and_container_leave(tmp_path: Path, files: dict[str, str], left: Any) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert free_memory(tmp_path / "proc", tmp_path / "groups") == left


def test_a_fold_is_the_same_wherever_and_whenever_its_files_were_written(tmp_path: Path) -> None:
    def prepared(root: Path) -> Any:
        fold = ImageData(root=str(root), size=8).prepare(Seeds(3, 1))
        return fold.digest, fold.facts["data/split"]["digest"], fold.assigned.tolist()

    root = class_tree(tmp_path / "here", {"a": 9, "b": 11})
    first = prepared(root)
    assert first == prepared(root)
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        os.utime(path, (number, number))
    # written anew in another order, under a link
    shutil.copytree(root, tmp_path / "moved" / "deep")
    (tmp_path / "link").symlink_to(tmp_path / "moved/deep")
    for other in (root, tmp_path / "moved/deep", tmp_path / "link"):
        assert prepared(other) == first
    save(root / "a/3.png", picture(77))
    changed = prepared(root)
    assert changed[0] != first[0]
    assert changed[1:] == first[1:]
    save(root / "a/more.png", picture(78))
    assert prepared(root)[1] != first[1]
