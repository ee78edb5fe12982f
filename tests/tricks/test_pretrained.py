"""First weights by a trick: published ones, a file's, and one in the place of the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tricklab import tricks
from tricklab.errors import UserError
from tricklab.recipe import load, parse
from tricklab.recipe.recipe import Recipe
from tricklab.records import Evidence

RECIPE: dict[str, Any] = {"task": "classification", "data": {"images": {"type": "SyntheticImages"}}}


@pytest.fixture
def file(tmp_path: Path) -> str:
    place = tmp_path / "w.pth"
    place.write_bytes(b"any")
    return str(place)


def applied(call: str, **model: Any) -> Recipe:
    return tricks.apply(load({**RECIPE, "model": model}), [parse(call)]).recipe


def test_published_weights_and_a_file_take_each_others_place(file: str) -> None:
    found = applied("+pretrained", type="timm", name="resnet10t", weights=file)
    assert [found.get(f"model.{key}") for key in ("pretrained", "weights", "weights_digest")] == [True, None, None]
    found = applied(f"+pretrained(weights={file})", type="timm", name="resnet10t", pretrained=True)
    assert (found.get("model.pretrained"), found.get("model.weights")) == (False, file)
    assert len(found.get("model.weights_digest")) == 32


def test_networks_without_a_name_for_their_weights_need_a_file(file: str) -> None:
    with pytest.raises(UserError, match=r"weights: no published weights of GroupMamba.*weights=FILE"):
        applied("+pretrained", type="GroupMamba")
    assert applied(f"+pretrained(weights={file})", type="GroupMamba").get("model.weights") == file
    with pytest.raises(UserError, match="there is no file '/none"):
        applied("+pretrained(weights=/none.pth)", type="GroupMamba")


@pytest.mark.parametrize(
    ("fact", "live"),
    [
        (None, False),
        ({"source": "/other/w.pth", "loaded": 60, "kept": ["fc.weight"]}, True),
        ({"source": "/other/w.pth", "loaded": 0, "kept": ["fc.weight"]}, False),
        ({"source": "/other/v.pth", "loaded": 60, "kept": []}, False),
    ],
)
def test_the_probe_wants_tensors_of_that_file(fact: dict[str, Any] | None, live: bool) -> None:
    ((_, _, probe),) = tricks.probes([parse("+pretrained(weights=here/w.pth)")])
    assert probe(Evidence(facts={} if fact is None else {"model/weights_loaded": fact})).live is live
