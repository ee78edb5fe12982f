"""Traps of OpenMMLab that belong to no single room; the named tests of the others stand beside what they test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from tricklab.cli.main import main
from tricklab.errors import UserError
from tricklab.losses import Losses
from tricklab.recipe import load, resolve, settings
from tricklab.records.evidence import Evidence

BASE = "cityscapes-pspnet-r50"
IGNORED = 255


@pytest.mark.parametrize("kind", ["CrossEntropyLoss", "FocalLoss", "DiceLoss", "LovaszLoss", "TverskyLoss"])
@pytest.mark.parametrize("sampler", [None, {"type": "OHEMPixelSampler", "thresh": 0.9, "min_kept": 3}])
def test_a_term_that_ignores_a_class_still_ignores_what_has_no_label(kind: str, sampler: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 3, (2, 4, 5), generator=generator)
    target[0, 0] = IGNORED
    config = {"type": kind, "ignore_index": 0, **({} if sampler is None else {"sampler": sampler})}
    found, _ = Losses([config], None, IGNORED)({"main": logits}, {"target": target})
    # the same with the class taken away beforehand
    without = target.masked_fill(target == 0, IGNORED)
    plain = {key: value for key, value in config.items() if key != "ignore_index"}
    expected, _ = Losses([plain], None, IGNORED)({"main": logits}, {"target": without})
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(found, logits)
    assert not gradient.movedim(1, -1)[without == IGNORED].any()
    if (kind, sampler) == ("CrossEntropyLoss", None):
        assert found.item() == pytest.approx(functional.cross_entropy(logits, without, ignore_index=IGNORED).item())


def test_another_optimizer_inherits_no_momentum() -> None:
    recipe = resolve(load(BASE, ["optimizer={type: AdamW, lr: 1e-3}"]))
    assert "momentum" not in recipe.get("optimizer")
    assert settings(recipe).optimizer["type"] == "AdamW"


def test_another_loss_inherits_no_sigmoid(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(f"base: {BASE}\nlosses: [{{type: CrossEntropyLoss, use_sigmoid: true}}]\n")
    recipe = load(tmp_path / "base.yaml", ["losses.0={type: DiceLoss, on: main}"])
    assert resolve(recipe).get("losses.0.use_sigmoid") is False


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("optim_wraper={type: AdamW}", "optimizer"),
        ("optimiser.lr=0.1", "optimizer"),
        ("data.crop_size=[256, 256]", "crop"),
        ("model.decode_head.num_classes=19", "num_classes"),
        ("losses.0.class_wieght=[1, 2]", "class_weight"),
        ("losses.0.sampler={type: OHEMPixelSampler, tresh: 0.7}", "thresh"),
        ("model.decode_head.loss_decode={type: DiceLoss}", "loss_decode"),
        ("train_cfg={}", "train"),
    ],
)
def test_a_misspelt_or_foreign_key_is_an_error_that_names_it(override: str, meant: str) -> None:
    with pytest.raises(UserError, match=meant):
        resolve(load(BASE, [override]))


def test_the_crop_and_the_number_of_classes_are_said_in_one_place() -> None:
    recipe = resolve(load(BASE, ["data.crop=[256, 256]"]))
    assert [path for path, value in leaves(recipe.tree) if value == 512 and "channels" not in path] == []
    assert [path for path, _ in leaves(recipe.tree) if "num_classes" in path or path.endswith(".classes")] == [
        "data.classes"
    ]
    assert recipe.get("data.classes") is None


def leaves(tree: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every value of a recipe with its place."""
    if isinstance(tree, dict):
        return [leaf for key, value in tree.items() for leaf in leaves(value, f"{path}.{key}".strip("."))]
    if isinstance(tree, list):
        return [leaf for place, value in enumerate(tree) for leaf in leaves(value, f"{path}.{place}")]
    return [(path, tree)]


@pytest.mark.slow
def test_an_average_counts_steps_and_not_the_batches_that_make_them(tmp_path: Path) -> None:
    words = ["train", "demo", "+ema(decay=0.5,warmup=false)", "train.epochs=null", "train.iterations=3"]
    words += ["train.accumulate=4", "train.batch_size=8", "--out", str(tmp_path), "--name", "t", "--threads", "1"]
    assert main(words) == 0
    assert Evidence.from_folder(tmp_path / "t" / "run" / "0").fact("averaging/distance")["updates"] == 3
