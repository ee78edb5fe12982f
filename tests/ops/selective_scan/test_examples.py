"""The examples in the docstrings run as they stand."""

from __future__ import annotations

import doctest

from tricklab.ops.selective_scan import scan


def test_examples() -> None:
    found = doctest.testmod(scan)
    assert found.attempted > 0
    assert found.failed == 0
