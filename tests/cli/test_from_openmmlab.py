"""OpenMMLab's configurations and their recipes, side by side: each recipe is one and trains, each command plans."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tricklab import tricks
from tricklab.cli.main import main
from tricklab.data.mask_layouts.cityscapes_masks import CLASSES
from tricklab.recipe import load, resolve, settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "from-openmmlab.md").read_text(encoding="utf-8")
OLD = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NEW = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = re.findall(r"^```\n(tricklab .*)\n```$", PAGE, re.MULTILINE)
# the same network, steps and windows at a size that trains in a second; what the block itself is about stays
SMALL = [
    "model.backbone.base_channels=8",
    "model.decode_head.channels=8",
    "model.auxiliary_head.channels=8",
    "data.crop=[32, 48]",
    "train.iterations=2",
    "train.batch_size=2",
    "train.workers=0",
]
RESNET = ["model.backbone.stem_channels=8", "data.cache=memory"]
SCALES = {
    "RandomResize": [[64, 48], [96, 72]],
    "RandomChoiceResize": [[64, 48], [80, 60], [96, 72]],
}


def written(block: int, folder: Path) -> Path:
    """The block as the recipe file that the page says it is."""
    file = folder / f"block-{block}.yaml"
    file.write_text(NEW[block], encoding="utf-8")
    return file


def smaller(recipe: Any) -> list[str]:
    """Overrides that make a recipe of the page tiny."""
    found = [*SMALL]
    unet = recipe.get("model.backbone.type") == "UNet"
    found += ["data.cache=memory"] if unet else RESNET
    if recipe.get("data.images.type") == "DriveMasks":
        found += ["data.images={type: SyntheticMasks, classes: 2, images: 8}", "data.split.val=0.0"]
        found += ["evaluate.window=[32, 32]", "evaluate.stride=[16, 16]"]
    for place, item in enumerate(recipe.get("data.augment")):
        if item["type"] in SCALES:
            key = "scale" if item["type"] == "RandomResize" else "scales"
            small = SCALES[item["type"]] if item.get("ratio_range") is None else [64, 48]
            found.append(f"data.augment.{place}.{key}={small}")
    return found


@pytest.fixture(scope="module")
def cityscapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images in the layout of Cityscapes, each with all nineteen classes and one id that is ignored."""
    root = tmp_path_factory.mktemp("cityscapes")
    generator = np.random.default_rng(0)
    ids = np.array([0, *CLASSES.values()], dtype=np.uint8)
    for side, town, count in (("train", "aachen", 4), ("val", "ulm", 2)):
        for number in range(count):
            mask = np.repeat(np.roll(ids, number), 4)[None].repeat(48, axis=0)
            pixels = np.stack([mask * 7, 255 - mask * 7, mask * 3], axis=-1)
            pixels = pixels + generator.integers(0, 9, pixels.shape, dtype=np.uint8)
            for kind, what, name in (("leftImg8bit", pixels, "leftImg8bit"), ("gtFine", mask, "gtFine_labelIds")):
                folder = root / kind / side / town
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(what).save(folder / f"{town}_{number:06d}_000019_{name}.png")
    return root


def test_old_and_new_stand_side_by_side() -> None:
    rows = re.findall(r"```python\n.*?```\n\n</td><td valign=\"top\">\n\n```yaml\n", PAGE, re.DOTALL)
    assert len(OLD) == len(NEW) == len(rows) >= 15


@pytest.mark.parametrize("block", range(len(OLD)))
def test_what_stands_for_openmmlabs_side_is_python(block: int) -> None:
    # a configuration, or arguments of one
    text = f"dict(\n{OLD[block]}\n)" if re.match(r"\w+=", OLD[block]) else OLD[block]
    found = ast.parse(text).body
    assert found
    assert all(isinstance(one, ast.Assign | ast.Expr | ast.Import | ast.ImportFrom) for one in found)


@pytest.mark.parametrize("block", range(len(NEW)))
def test_every_block_is_a_recipe(block: int, tmp_path: Path) -> None:
    recipe = resolve(load(written(block, tmp_path)))
    assert settings(recipe).task == "segmentation"
    said = load(written(block, tmp_path))
    assert said.get("base", None) is None, "the base is merged"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_a_recipe_and_tricks_that_apply(
    command: str, cityscapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(command)[1:]
    assert words[0] == "ablate"
    assert main([*words, "--out", str(tmp_path), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    for arm in (word for word in words if word.startswith("+")):
        assert arm in shown
    assert not list(tmp_path.iterdir())


def test_the_parameter_rules_are_the_documents() -> None:
    block = next(number for number, text in enumerate(NEW) if "decay_mult: 0.9" in text)
    assert "lr_mult=0.1, decay_mult=0.9" in OLD[block]
    head = next(number for number, text in enumerate(NEW) if "head: {lr_mult" in text)
    changed = tricks.apply(load("cityscapes-pspnet-r50", tricks=["+head_lr(mult=10)"])).recipe
    assert f"custom_keys: {{head: {{lr_mult: {changed.get('optimizer.custom_keys.head.lr_mult'):g}}}}}" in NEW[head]


@pytest.mark.slow
@pytest.mark.parametrize("block", range(len(NEW)))
def test_every_block_trains(block: int, cityscapes: Path, tmp_path: Path) -> None:
    file = written(block, tmp_path)
    words = ["train", str(file), *smaller(resolve(load(file))), "--data", str(cityscapes)]
    assert main([*words, "--out", str(tmp_path), "--name", "t", "--threads", "1"]) == 0
    assert (tmp_path / "t" / "run" / "0" / "result.json").is_file()
