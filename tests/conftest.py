"""Shared fixtures: the real data of the test bank, and the SLOW switch."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

DATA_ROOT = Path(os.environ.get("TRICKLAB_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("SLOW") == "1":
        return
    skip = pytest.mark.skip(reason="slow test: set SLOW=1 to run it")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Path of a real file below the folder that TRICKLAB_DATA names; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        path = DATA_ROOT / name
        if not path.exists():
            pytest.skip(
                f"real data file {name} is not below {DATA_ROOT} (set TRICKLAB_DATA to the folder that holds it)"
            )
        return path

    return find
