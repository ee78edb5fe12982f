"""Faults planted in folders of images: the commands that a user types find each, name the file, and say it once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder
from torchvision.transforms.functional import to_tensor as transform_to_tensor

from tests.data.pictures import picture, save
from tests.doctor.image_cases import IMAGE_CASES
from tricklab.cli.main import main
from tricklab.doctor import run_rules

CLASSES = ("barley", "maize", "wheat")
RECIPE = """
task: classification
data:
  images: {{type: {layout}}}
  split: {split}
  size: 12
{data}
model: {{type: timm, name: resnet10t}}
train: {{epochs: 1, batch_size: 16, device: cpu}}
metric: {{monitor: val/accuracy, delta: 0.5}}
"""
FOLDERS = {"layout": "ClassFolders", "split": "{type: Stratified, train: 0.5, val: 0.5}", "data": ""}
GIVEN = {"layout": "SplitFolders", "split": "{type: GivenSplit}", "data": ""}


def grow(root: Path, start: int = 0, count: int = 8) -> Path:
    """``root/<class>/<number>.png``, every picture another."""
    for place, name in enumerate(CLASSES):
        for number in range(count):
            save(root / name / f"{number}.png", picture(start + 100 * place + number, 16, 16))
    return root


def write(folder: Path, options: dict[str, str]) -> str:
    place = folder / "recipe.yaml"
    place.write_text(RECIPE.format(**options))
    return str(place)


def doctor(
    folder: Path, options: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and findings of ``tricklab doctor RECIPE --data DIR``."""
    capsys.readouterr()
    code = main(["doctor", write(folder, options), "--data", str(folder / "data"), "--json"])
    return code, json.loads(capsys.readouterr().out)["findings"]


def refusal(folder: Path, options: dict[str, str], capsys: pytest.CaptureFixture[str]) -> str:
    """What ``tricklab train`` prints where it refuses; it must be one line."""
    capsys.readouterr()
    words = [
        "train",
        write(folder, options),
        "--data",
        str(folder / "data"),
        "--out",
        str(folder / "runs"),
        "--name",
        "t",
    ]
    assert main([*words, "--threads", "1"]) == 2
    printed = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(printed) == 1
    return printed[0]


def sixteen(root: Path) -> None:
    for name in CLASSES:
        for number in range(8):
            values = np.asarray(picture(number, 16, 16)[:, :, 0], dtype=np.uint16) * 16  # a camera of 12 bits
            save(root / name / f"{number}.png", Image.fromarray(values))


def transparent(root: Path) -> None:
    grey = picture(7, 16, 16)[:, :, 0]
    alpha = np.where(np.arange(16) < 8, 0, 255).astype(np.uint8) * np.ones((16, 1), np.uint8)
    save(root / "maize" / "0.png", Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]))


def printed(root: Path) -> None:
    save(root / "maize" / "cmyk.jpg", Image.fromarray(picture(990, 16, 16)).convert("CMYK"))


def wide(root: Path) -> None:
    for place, name in enumerate(CLASSES):
        for number in range(8):
            save(root / name / f"{number}.png", picture(100 * place + number, 16, 40))


def small(root: Path) -> None:
    for place, name in enumerate(CLASSES):
        for number in range(8):
            save(root / name / f"{number}.png", picture(100 * place + number, 8, 8))


def nothing(root: Path) -> None:
    """No fault in the files."""


WRONG = "  normalise: {mean: [0.1, 0.1, 0.1], std: [0.1, 0.1, 0.1]}"
RIGHT = "  normalise: dataset"
# fault: (what is done to the files, the recipe's data, the finding, words of its title)
FAULTS: dict[str, tuple[Callable[[Path], None], str, str, tuple[str, ...]]] = {
    "grey-alpha": (transparent, RIGHT, "D26", ("1 of 24 images have transparency", "maize/0.png")),
    "cmyk": (printed, RIGHT, "D27", ("1 of 25 images are CMYK", "maize/cmyk.jpg")),
    "16 bits": (sixteen, RIGHT, "D28", ("24 of 24 images have 16 bits", "nearly black")),
    "cutout before normalisation": (nothing, "  augment: [{type: Cutout}]", "D25", ("holes before normalisation",)),
    "out of shape": (wide, RIGHT, "D21", ("squashed to 12 × 12, 100% of the images", "the worst 2.5 times")),
    "smaller than the network's": (small, RIGHT, "D20", ("100% of the images are smaller", "0.67 of it")),
    "wrong mean and std": (nothing, WRONG, "D08", ("after normalisation (given)", "instead of 0 and 1")),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_finding_and_its_twin_none(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant, data, rule, words = FAULTS[fault]
    grow(tmp_path / "data")
    assert doctor(tmp_path, FOLDERS, capsys) == (0, [])
    plant(tmp_path / "data")
    code, findings = doctor(tmp_path, FOLDERS | {"data": f"{data}\n  contradictions: keep"}, capsys)
    assert code == 0
    found = [finding for finding in findings if finding["rule"] not in ("D05", "D16")]
    assert [finding["rule"] for finding in found] == [rule]
    assert all(word in found[0]["title"] for word in words)


@pytest.mark.parametrize("near", [False, True], ids=["identical", "recompressed"])
def test_a_copy_on_both_sides_of_a_given_split(near: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow(tmp_path / "data" / "train")
    grow(tmp_path / "data" / "val", start=50)
    keep = GIVEN | {"data": "  duplicates: keep"}
    assert doctor(tmp_path, keep, capsys) == (0, [])
    pixels = picture(203, 16, 16)
    if near:
        save(tmp_path / "data" / "train" / "wheat" / "3.jpg", pixels, quality=95)
        (tmp_path / "data" / "train" / "wheat" / "3.png").unlink()
    save(tmp_path / "data" / "val" / "wheat" / "copy.png", pixels)
    code, (finding,) = doctor(tmp_path, keep, capsys)
    assert (code, finding["rule"]) == (0, "D05")
    assert finding["title"].startswith("1 of 25 val images (4.0%) have a copy among the training images")
    assert "val/wheat/copy.png (val)" in finding["title"]
    assert finding["fix"] == ["data.duplicates=group"]


def test_a_given_split_of_masks_that_tears_near_copies_apart_has_no_fix_in_the_recipe() -> None:
    copies = IMAGE_CASES["D05"][0]
    (finding,) = run_rules(copies)
    assert finding.fix == ("data.duplicates=group",)
    (finding,) = run_rules(replace(copies, recipe={"data": {"duplicates": "group"}}))
    assert finding.rule == "D05"
    assert finding.fix == ()
    assert finding.causes == ("the given split was drawn without looking for copies",)


def test_a_copy_under_another_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = grow(tmp_path / "data")
    save(root / "barley" / "copy.png", picture(200, 16, 16))
    said = refusal(tmp_path, FOLDERS, capsys)
    assert "1 picture under more than one label: barley/copy.png (barley) = wheat/0.png (wheat)" in said
    code, (refused, finding) = doctor(tmp_path, FOLDERS, capsys)
    assert (code, refused["rule"], finding["rule"]) == (1, "D00", "D16")
    assert "barley/copy.png (barley) = wheat/0.png (wheat)" in finding["title"]
    code, (finding,) = doctor(tmp_path, FOLDERS | {"data": "  contradictions: drop"}, capsys)
    assert (code, finding["rule"], finding["severity"]) == (0, "D16", "note")


def test_a_class_without_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = grow(tmp_path / "data")
    (root / "oat").mkdir()
    assert "no image in the class folder oat" in refusal(tmp_path, FOLDERS, capsys)
    assert main(["doctor", write(tmp_path, FOLDERS), "--data", str(root)]) == 2
    assert "no image in the class folder oat" in capsys.readouterr().err


def test_a_class_that_only_training_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "data"
    grow(root / "train")
    grow(root / "val", start=50)
    rows = ["image,label,split"]
    for split in ("train", "val"):
        for name in CLASSES:
            used = "" if (split, name) == ("val", "maize") else split
            rows += [f"{split}/{name}/{number}.png,{name},{used}" for number in range(8)]
    (root / "list.csv").write_text("\n".join(rows) + "\n")
    options = {"layout": "CsvImages, file: list.csv, split: split", "split": "{type: GivenSplit}", "data": ""}
    assert "no val image of maize" in refusal(tmp_path, options, capsys)
    code, (finding,) = doctor(tmp_path, options, capsys)
    assert (code, finding["rule"]) == (1, "D00")
    assert "no val image of maize" in finding["title"]


def test_a_file_that_was_cut_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = grow(tmp_path / "data")
    place = save(root / "wheat" / "cut.jpg", picture(991, 64, 64))
    place.write_bytes(place.read_bytes()[:-300])
    assert "1 of 25 images cannot be read" in (said := refusal(tmp_path, FOLDERS, capsys))
    assert "cut.jpg" in said
    code, (refused, finding) = doctor(tmp_path, FOLDERS, capsys)
    assert (code, refused["rule"], finding["rule"]) == (1, "D00", "D17")
    assert "cut.jpg" in finding["title"]
    code, (finding,) = doctor(tmp_path, FOLDERS | {"data": "  unreadable: skip"}, capsys)
    assert (code, finding["rule"]) == (0, "D17")


@pytest.mark.slow
def test_what_a_run_recorded_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def found(name: str, data: str) -> set[str]:
        (tmp_path / name).mkdir()
        grow(tmp_path / name / "data")
        recipe = write(tmp_path / name, FOLDERS | {"data": data})
        words = [
            "train",
            recipe,
            "--data",
            str(tmp_path / name / "data"),
            "--out",
            str(tmp_path),
            "--name",
            f"run-{name}",
        ]
        assert main([*words, "--threads", "1", "train.epochs=3"]) == 0
        capsys.readouterr()
        main(["doctor", str(tmp_path / f"run-{name}" / "run" / "0"), "--json"])
        return {finding["rule"] for finding in json.loads(capsys.readouterr().out)["findings"]}

    rules = {"D08", "D25", "O22"}
    assert rules <= found(
        "faulty", f"{WRONG}\n  augment: [{{type: Cutout}}]\n  batch_augment: [{{type: Mixup, p: 0.2}}]"
    )
    assert not rules & found("clean", RIGHT)


def as_many_scripts_do(folder: Path) -> tuple[list[float], list[float]]:
    """Mean and deviation the way of document 004: batches of one image, means added up, over all folders."""
    tensors = [transform_to_tensor(image) for image, _ in ImageFolder(str(folder))]
    means = torch.stack([one.mean(dim=(1, 2)) for one in tensors]).mean(dim=0)
    deviations = torch.stack([one.std(dim=(1, 2)) for one in tensors]).mean(dim=0)
    return [round(v, 6) for v in means.tolist()], [round(v, 6) for v in deviations.tolist()]


def check_document_004(folder: Path, capsys: pytest.CaptureFixture[str], size: int) -> dict[str, dict[str, Any]]:
    """A recipe that says what the document's script says; the statistics that it computed are used."""
    mean, std = as_many_scripts_do(folder / "data")
    data = (
        f"  normalise: {{mean: {mean}, std: {std}}}\n  duplicates: keep\n  augment: [{{type: Cutout}}]\n"
        "  batch_augment: [{type: MixupOrCutMix, prob: 0.1}]"
    )
    place = Path(write(folder, FOLDERS | {"split": "{type: Stratified, train: 0.7, val: 0.3}", "data": data}))
    ema = "evaluate: {averaging: {type: Ema, decay: 0.9999, warmup: false}, weights: average}\n"
    place.write_text(place.read_text().replace("size: 12", f"size: {size}") + ema)
    capsys.readouterr()
    assert main(["doctor", str(place), "--data", str(folder / "data"), "--json"]) == 0
    found = {finding["rule"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert {"D18", "D19", "D25", "O22", "S05"} <= set(found)
    pooled, given = (np.array(found["D18"]["numbers"][key]) for key in ("pooled", "given"))
    assert (given < pooled).all()
    assert given.tolist() == std
    assert found["D19"]["numbers"]["given"] == mean
    return found


def test_the_script_of_document_004_as_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow(tmp_path / "data")
    check_document_004(tmp_path, capsys, 12)


@pytest.mark.slow
def test_the_script_of_document_004_on_its_own_kind_of_images(
    real_data: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").symlink_to(real_data("classification/plant_seedlings"))
    found = check_document_004(tmp_path, capsys, 64)
    assert found["D05"]["numbers"]["crossing"]["val"] > 0
    pooled, given = (np.array(found["D18"]["numbers"][key]) for key in ("pooled", "given"))
    assert (pooled / given).tolist() == pytest.approx([1.18, 1.13, 1.11], abs=0.02)
