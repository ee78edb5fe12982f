from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from tests.toy_bases import Base, Middle
from tricklab import arguments, registry
from tricklab.errors import UserError

Declare = Callable[..., Callable[[type], type]]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Declare:
    """``registry.component`` for blocks that are known for the length of a test."""
    monkeypatch.setattr(registry, "_RUNTIME", dict(registry._RUNTIME))
    return lambda **options: registry.component("block", **options)


def made(declare: Declare, **options: Any) -> type:
    class Narrow(Middle):
        """A block.

        Args:
            depth: how many of them.
            width: of this one.
                Twice as wide as high.

        Shape:
            (N, C)
        """

        def __init__(self, depth: int, width: float = 2.0, **rest: Any) -> None:
            super().__init__(width=width, **rest)
            self.depth = depth

    return declare(**options)(Narrow)


def test_a_class_has_the_arguments_of_its_bases_and_its_own_first(declare: Declare) -> None:
    made(declare)
    assert list(registry.check("block", {"type": "Narrow", "depth": 1}).items()) == [
        ("type", "Narrow"), ("depth", 1), ("width", 2.0), ("name", None), ("height", 3),
        ("kind", {"type": "ToySplit", "share": 0.5}),
    ]  # fmt: skip
    built = registry.build("block", {"type": "Narrow", "depth": 1, "height": 5, "name": "n"}, counts=(1, 2), more=0)
    assert isinstance(built, Base)
    assert (built.width, built.height, built.name, built.counts) == (2.0, 5, "n", (1, 2))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"depth": 1, "heigth": 1}, r"block\.heigth: unknown key 'heigth' of Narrow\. did you mean 'height'"),
        ({"height": 1}, r"block\.depth: Narrow needs the key 'depth'"),
        ({"depth": 1, "height": 1.5}, r"block\.height: wrong value 1\.5 of Narrow: .*integer"),
        ({"depth": 1, "name": 3}, r"block\.name: wrong value 3 of Narrow"),
        ({"depth": 1, "counts": [1]}, r"block\.counts: 'counts' of Narrow is set by tricklab"),
        ({"depth": 1, "kind": {"type": "ToySplit", "shar": 1}}, r"block\.kind\.shar: unknown key 'shar' of ToySplit"),
    ],
)
def test_keys_of_bases_are_checked_as_own_ones(declare: Declare, config: dict[str, Any], message: str) -> None:
    made(declare)
    with pytest.raises(UserError, match=message):
        registry.check("block", {"type": "Narrow", **config}, "block")


def test_what_the_framework_gives_a_base_is_asked_for(declare: Declare) -> None:
    made(declare)
    with pytest.raises(UserError, match="Narrow needs counts, which this task does not give"):
        registry.build("block", {"type": "Narrow", "depth": 1})


def test_what_a_class_sets_itself_is_no_key(declare: Declare) -> None:
    class Set(Base):
        """A block."""

        def __init__(self, **rest: Any) -> None:
            super().__init__(height=7, **rest)

    declare(fixed=("height",))(Set)
    with pytest.raises(UserError, match="unknown key 'height' of Set"):
        registry.check("block", {"type": "Set", "height": 1})
    assert registry.build("block", {"type": "Set"}, counts=()).height == 7

    class Open(Set):
        """A block that names again what its base sets."""

        def __init__(self, height: int = 1, **rest: Any) -> None:
            super().__init__(**rest)
            self.height = height

    declare()(Open)
    assert registry.build("block", {"type": "Open", "height": 2}, counts=()).height == 2


def test_what_is_called_fixed_must_be_an_argument_of_a_base(declare: Declare) -> None:
    with pytest.raises(UserError, match=r"Narrow: no base class has what it calls fixed: depth, hight"):
        made(declare, fixed=("hight", "depth"))


def test_a_derived_class_without_rest_has_its_own_arguments_alone(declare: Declare) -> None:
    class Alone(Middle):
        """A block."""

        def __init__(self, depth: int = 1) -> None: ...

    declare()(Alone)
    assert registry.check("block", {"type": "Alone"}) == {"type": "Alone", "depth": 1}
    assert isinstance(registry.build("block", {"type": "Alone"}), Alone)


class Endless:
    def __init__(self, *places: int, **rest: Any) -> None: ...


@pytest.mark.parametrize("base", [object, Endless, dict, type("Bare", (), {})])
def test_rest_that_no_base_names_is_refused(declare: Declare, base: type) -> None:
    def init(self: Any, width: int = 1, **rest: Any) -> None: ...

    declare(name="Open")(type("Open", (base,), {"__init__": init, "__module__": __name__}))
    with pytest.raises(UserError, match=r"its parameter .*rest.* would swallow misspelt keys"):
        registry.check("block", {"type": "Open"})


def test_a_type_is_looked_up_where_it_is_written(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    """``Weight`` is a name of the base's module alone."""
    monkeypatch.setitem(sys.modules, "elsewhere", types.ModuleType("elsewhere"))
    cls = made(declare)
    cls.__module__ = "elsewhere"
    with pytest.raises(UserError, match="'x' of Narrow"):
        registry.check("block", {"type": "Narrow", "depth": 1, "height": "x"})


def test_help_shows_all_arguments(declare: Declare) -> None:
    cls = made(declare)
    shown = inspect.signature(cls)
    assert str(shown).startswith("(depth: 'int', width: 'float' = 2.0, *, name: 'str | None' = None, height: 'Height' ")
    shown.bind(1, 2.0, height=1, counts=())
    with pytest.raises(TypeError):
        shown.bind(1, 2.0, heigth=1)
    # the base shows its own
    assert list(inspect.signature(Base).parameters) == ["width", "height", "name", "kind", "counts"]


def test_docs_of_arguments_are_put_together(declare: Declare) -> None:
    expected = """A block.

Args:
    depth: how many of them.
    width: of this one.
        Twice as wide as high.
    name: what it is called;
        None for nothing.
    height, kind: of all.
    counts: of each.

Shape:
    (N, C)"""
    assert made(declare).__doc__ == expected


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ("A block.", "A block.\n\nArgs:\n    width: across.\n"),
        ("A block.\n\nRaises:\n    UserError: never.", "A block.\n\nArgs:\n    width: across.\n"),
        ("A block.\n\n>>> 1 + 1\n2", "A block.\n\nArgs:\n    width: across.\n"),
    ],
)
def test_docs_without_arguments_get_them(declare: Declare, doc: str, expected: str) -> None:
    def init(self: Base, **rest: Any) -> None: ...

    cls = type("New", (Base,), {"__init__": init, "__doc__": doc, "__module__": __name__})
    found = declare(name="New")(cls).__doc__
    assert found is not None
    assert found.startswith(expected)
    assert found.endswith(doc.removeprefix("A block."))
    assert "    height, kind: of all.\n    name: hidden by the middle's.\n    counts: of each." in found


def test_a_class_without_arguments_of_its_own_describes_its_bases(declare: Declare) -> None:
    class Same(Middle):
        """A block."""

    found = declare()(Same).__doc__
    assert found is not None
    assert "    name: what it is called;\n        None for nothing.\n    width: across." in found
    assert list(inspect.signature(Same).parameters) == ["name", "width", "height", "kind", "counts"]


def test_docs_that_were_stripped_stay_away(declare: Declare) -> None:
    def init(self: Base, **rest: Any) -> None: ...

    bare = declare(name="New")(type("New", (Base,), {"__init__": init, "__module__": __name__}))
    assert bare.__doc__ is None


@pytest.mark.parametrize("kind", sorted(registry.FOLDERS))
def test_every_argument_that_is_taken_is_described(kind: str) -> None:
    for entry in registry.entries(kind):
        cls = registry.load(kind, entry.name)
        if not inspect.isclass(cls) or len(arguments.takes(cls)) < 2:
            continue
        described = (cls.__doc__ or "").split("Args:")[-1]
        for key in inspect.signature(cls).parameters:
            assert re.search(rf"^ +(\w+, )*{key}(, \w+)*: ", described, re.M), (
                f"{entry.name} does not say what {key} is"
            )
