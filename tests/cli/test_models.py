"""tricklab models."""

from __future__ import annotations

import json

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
