"""One written report shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.report.synthetic import build
from tricklab.lab.report import write


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tricks, design both, five blocks, one failed run; the report is written beside it."""
    folder = build(
        tmp_path_factory.mktemp("runs") / "se-and-decay",
        failed=[(1, 3)],
        effect=lambda cell, block: 0.012 * ("+se" in cell) - 0.003 * any("ema" in arm for arm in cell),
    )
    write(folder)
    return folder
