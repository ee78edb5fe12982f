"""tricklab recipes."""

from __future__ import annotations

import json

import pytest

from tricklab.cli.main import main
from tricklab.recipe import shipped


def test_every_shipped_recipe_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    shown = capsys.readouterr().out
    assert main(["recipes", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["recipes"]
    assert [item["name"] for item in listed] == list(shipped())
    assert all(item["name"] in shown and len(item["summary"]) > 20 for item in listed)
