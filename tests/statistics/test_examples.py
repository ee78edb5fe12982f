"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tricklab.statistics

MODULES = [module.name for module in pkgutil.iter_modules(tricklab.statistics.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"tricklab.statistics.{name}")).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    found = [finder.find(importlib.import_module(f"tricklab.statistics.{name}")) for name in MODULES]
    assert sum(bool(test.examples) for tests in found for test in tests) >= 6
