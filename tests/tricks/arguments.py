"""How the contract tests turn each trick on: its arguments, and what the recipe must say for it to matter."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tricklab import tricks
from tricklab.recipe import Recipe, load

# arguments where a trick needs some, or where its defaults would do nothing in so short a run
ARGUMENTS = {
    "step_decay": "(at=[1])",
    "warmup": "(epochs=2)",
    "dropout": "(p=0.2)",
    "clip_norm": "(value=0.05)",
    "clip_value": "(value=1e-3)",
    "adaptive_clip": "(factor=0.001)",
    "freeze": "(layers=1, until=1)",
    "gradual_unfreeze": "(times=2)",
    "warmup_cosine": "(epochs=1)",
    "sgd": "(lr=0.05)",
    "weight_decay": "(value=1e-3)",
    "ema": "(decay=0.9)",
    "swa": "(start=0.3)",
    "snapshot": "(members=3)",
    "fge": "(members=3, start=0.4)",
    "soup": "(members=2)",
    "normalise": "(kind=imagenet)",
    "resize": "(how=crop)",
    "random_crop": "(padding=2)",
    "distill": "(teacher=./teacher)",
    "copy_paste": "(paste=[shape 1, shape 2])",
    "pretrained": "(weights=WEIGHTS)",
    "head_lr": "(key=out)",
    "paramwise": "(bias_lr=2, bias_decay=0)",
    "context": "(type=GloRe, after=conv2d)",
    "ohem": "(thresh=null, min_kept=100)",
}
# what the baseline must say so that the trick changes it, or so that it shows
BASELINE = {
    "whiten": ["data.whiten=false"],
    "resize": ["data.size=[24, 32]"],
    "no_decay": ["optimizer.weight_decay=0.01"],
    "paramwise": ["optimizer.weight_decay=0.01"],
    "norm_no_decay": ["optimizer.weight_decay=0.01", "model={type: timm, name: test_resnet}"],
    "drop_path": ["model={type: timm, name: test_resnet}"],
    "aux_head": ["model.auxiliary_head=null", "losses=[{type: CrossEntropyLoss}]"],
    "avg_non_ignore": ["losses.0.divisor=all", "losses.1.divisor=all"],
    "stochastic_depth": ["model={type: timm, name: test_resnet}"],
    "pretrained": ["model={type: timm, name: test_resnet}"],
}
# what no CPU can do
NEEDS_GPU = {"fp16"}
# what the contract is tested on where a trick is not for the first task
RECIPES: dict[str, Any] = {
    "hyperspectral": "demo",
    "classification": {
        "task": "classification",
        "data": {"images": {"type": "SyntheticImages"}, "size": 32},
        "model": {"type": "PixelSVM"},
    },
    "segmentation": {
        "task": "segmentation",
        "data": {"images": {"type": "SyntheticMasks", "images": 12}, "crop": [32, 48]},
        "model": {
            "type": "EncoderDecoder",
            "backbone": {"type": "ResNetV1c", "depth": 18, "base_channels": 8, "stem_channels": 8},
            "decode_head": {"type": "FCNHead", "channels": 8, "num_convs": 1},
            "auxiliary_head": {"type": "FCNHead", "in_index": 2, "channels": 8, "num_convs": 1},
        },
        "losses": [
            {"type": "CrossEntropyLoss", "on": "main"},
            {"type": "CrossEntropyLoss", "on": "aux", "weight": 0.4},
        ],
        "train": {"epochs": 2, "batch_size": 4},
        "metric": {"monitor": "val/miou", "mode": "max", "delta": 0.01},
    },
}


def baseline(name: str) -> Recipe:
    """The recipe, with the task of the trick, that its contract is tested on."""
    tasks = tricks.get(name).tasks
    task = "hyperspectral" if tasks == "all" or "hyperspectral" in tasks else tasks[0]
    return load(RECIPES[task], BASELINE.get(name, []))


def call_of(name: str) -> str:
    """The trick's text on the command line; ``WEIGHTS`` stands for a file of test_resnet's weights."""
    text = ARGUMENTS.get(name, "")
    return f"+{name}{text.replace('WEIGHTS', _weights()) if 'WEIGHTS' in text else text}"


@functools.cache
def _weights() -> str:
    import timm
    import torch

    file = Path(tempfile.mkdtemp()) / "weights.pth"
    atexit.register(shutil.rmtree, file.parent)
    torch.save({"state_dict": timm.create_model("test_resnet", num_classes=7).state_dict()}, file)
    return str(file)


def own_tricks() -> list[tricks.Trick]:
    """tricklab's own catalogue, without what other tests declare for themselves."""
    folder = Path(tricks.__file__).parent
    return [trick for trick in tricks.catalogue() if Path(trick.file).parent == folder]
