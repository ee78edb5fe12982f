"""tricklab models."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tricklab.cli.main import main


def test_every_model_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    shown = capsys.readouterr().out
    assert "HybridSN" in shown
    assert "Roy et al." in shown
    assert main(["models", "--json"]) == 0
    listed = {item["name"]: item for item in json.loads(capsys.readouterr().out)["models"]}
    assert {"HybridSN", "PixelSVM"} <= set(listed)
    assert all(item["summary"] and item["source"] for item in listed.values() if item["module"].startswith("tricklab."))


def test_the_parts_of_a_recipe_s_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "cityscapes-pspnet-r50", "--classes", "19", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["input"] == [3, 512, 1024]
    assert found["parameters"] == 48_975_494
    parts = {row["part"]: row for row in found["parts"]}
    assert parts["auxiliary_head"]["macs"] == 0, "it computes in training alone"
    assert sum(parts[name]["macs"] for name in ("backbone", "decode_head")) == found["macs"]
    assert sum(row["parameters"] for name, row in parts.items() if "." not in name) == found["parameters"]
    assert "of_recipe_alone" not in found


@pytest.mark.slow
def test_res2net_s_split_beside_the_recipe_alone(capsys: pytest.CaptureFixture[str]) -> None:
    split = ["model.backbone.scales=4", "model.backbone.base_width=26"]
    words = ["cityscapes-pspnet-r50", *split, "--classes", "19"]
    found = _found(capsys, *words)
    alone = found["of_recipe_alone"]
    assert alone["parameters"] == 48_975_494
    # published for the backbones: 25.70 M against 25.56 M parameters
    assert found["parameters"] - alone["parameters"] == pytest.approx(0.14e6, abs=0.01e6)
    assert 1 < found["macs"] / alone["macs"] < 1.05
    assert main(["models", *words]) == 0
    assert "the recipe alone" in capsys.readouterr().out


def test_frozen_parameters_and_windows_of_bands(capsys: pytest.CaptureFixture[str]) -> None:
    found = _found(capsys, "camvid-fcn-r18", "model.backbone.frozen_stages=1", "--classes", "11")
    frozen = {row["part"]: row["frozen"] for row in found["parts"]}
    assert frozen["backbone.stem"] > 0
    assert frozen["backbone.layer2"] == 0
    found = _found(capsys, "salinas-a-hybridsn", "--classes", "6")
    assert found["input"] == [15, 15, 15]
    assert found["parameters"] == 912_246


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["camvid-fcn-r18"], "--classes: the recipe does not name its classes"),
        (["camvid-fcn-r18", "--classes", "11", "--size", "12by3"], "--size: '12by3' is no size"),
        (["camvid-fcn-r18", "strange", "--classes", "11"], "neither a trick nor a value"),
        (["salinas-a-hybridsn", "model=PixelSVM", "--classes", "6"], "has no layers to count"),
        (["salinas-a-hybridsn", "--classes", "6", "--size", "3x3"], "needs windows of at least 9 pixels"),
        (["--classes", "3"], "--classes: this is for a recipe's network. name a recipe before it"),
    ],
)
def test_bad_words_are_told(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", *words]) == 2
    assert told in capsys.readouterr().err


def _found(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["models", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found
