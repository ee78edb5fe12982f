"""The examples in the docstrings of this room run as they stand."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tricklab.records as room

MODULES = [found.name for found in pkgutil.walk_packages(room.__path__, room.__name__ + ".")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
