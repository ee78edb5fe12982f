"""Images as the network's published weights know them: size and normalisation from the model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from tests.tasks.test_classification import task_of
from tricklab.cli.main import main
from tricklab.data.classification import ImageData
from tricklab.errors import UserError
from tricklab.seeds import Seeds

IMAGES: dict[str, Any] = {"type": "SyntheticImages", "classes": 3, "per_class": 20, "size": 24}
BOTH = ("data.normalise=model", "data.size=model")


def test_size_and_normalisation_are_those_of_the_weights() -> None:
    task = task_of(*BOTH, "model.name=vit_tiny_patch16_224")
    assert task.fold.store.size == (224, 224)
    assert task.fitted["normalise"] == "model"
    assert (task.fitted["mean"], task.fitted["std"], task.fitted["size"]) == ([0.5] * 3, [0.5] * 3, [224, 224])
    facts = task.facts()
    assert facts["data/normalise"] == {"name": "model", "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    assert facts["data/input"]["size"] == [224, 224]
    assert facts["data/input"]["model"].startswith("timm vit_tiny_patch16_224.")
    half = task_of("data.normalise=half", "data.size=224")
    images, others = (one.fold.dataset("val").__getitems__([0, 3])["image"] for one in (task, half))
    assert torch.equal(images, others)
    assert half.facts()["data/input"] == {"size": [224, 224], "model": None}


def test_networks_without_published_weights_are_refused_before_anything_is_read() -> None:
    for override in BOTH:
        with pytest.raises(UserError, match=rf"^{override.partition('=')[0]}: timm has no weights of resnetblur18"):
            task_of(override, "model.name=resnetblur18", "data.images={type: ClassFolders}", "data.root=/none")


def test_data_without_a_recipe_have_no_model() -> None:
    for key in ("size", "normalise"):
        data = ImageData(images=IMAGES, **{"size": 24, key: "model"})
        with pytest.raises(UserError, match=f"data.{key}: without a recipe there is no model"):
            data.prepare(Seeds(0, 0))


def test_the_command_for_data_knows_the_model(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "task: classification\ndata: {images: {type: SyntheticImages, per_class: 12}, size: model, normalise: model}\n"
        "model: {type: timm, name: test_resnet}\n"
    )
    assert main(["data", "stats", str(recipe), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert np.sum([row["images"] for row in found["per_class"]]) == found["images"]
