"""Users' own files: imported as a script would be, known by what was run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tricklab import user_modules
from tricklab.errors import UserError
from tricklab.user_modules import code_digest, code_files, import_user_module, place_in_user_code


def test_errors_carry_the_cause_and_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        import_user_module(str(tmp_path / "none.py"))
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0\n")
    for _ in range(2):
        with pytest.raises(UserError, match="ZeroDivisionError") as caught:
            import_user_module(str(broken))
        assert caught.value.where == f"{broken}:1"
    leaving = tmp_path / "leaving.py"
    leaving.write_text("raise SystemExit(0)\n")
    with pytest.raises(UserError, match="SystemExit"):
        import_user_module(str(leaving))
    (tmp_path / "neighbour.py").write_text("x = 1\ny = (\n")
    outer = tmp_path / "outer.py"
    outer.write_text("import neighbour\n")
    with pytest.raises(UserError, match="SyntaxError") as caught:
        import_user_module(str(outer))
    assert caught.value.where == f"{tmp_path / 'neighbour.py'}:2"


def test_a_file_is_imported_once_and_anew_when_it_has_changed(tmp_path: Path) -> None:
    good = tmp_path / "good.py"
    good.write_text("ANSWER = 42\n")
    first, digest = import_user_module(str(good)), code_digest(str(good))
    assert first.ANSWER == 42
    assert import_user_module(str(good)) is first
    good.write_text("ANSWER = 43\n")
    assert import_user_module(str(good)).ANSWER == 43
    assert code_digest(str(good)) != digest
    good.write_text("ANSWER = 42\n")
    assert code_digest(str(good)) == digest


def test_neighbours_are_found_counted_and_not_mixed_up_between_folders(tmp_path: Path) -> None:
    files = []
    for name, value in (("one", 1), ("two", 2)):
        folder = tmp_path / name
        (folder / "parts").mkdir(parents=True)
        (folder / "parts" / "__init__.py").write_text("")
        (folder / "parts" / "blocks.py").write_text(f"VALUE = {value}\n")
        (folder / "net.py").write_text("from parts.blocks import VALUE\n")
        files.append(str(folder / "net.py"))
    assert [import_user_module(file).VALUE for file in files] == [1, 2]
    assert str(tmp_path / "two") not in sys.path
    assert list(code_files(files[1])) == ["net.py", "parts/__init__.py", "parts/blocks.py"]
    digests = [code_digest(file) for file in files]
    (tmp_path / "one" / "parts" / "blocks.py").write_text("VALUE = 2\n")
    assert import_user_module(files[0]).VALUE == 2
    assert code_digest(files[0]) == digests[1] != digests[0]


def test_a_dotted_name_is_known_by_its_file() -> None:
    assert import_user_module("tricklab.user_modules") is user_modules
    assert list(code_files("tricklab.user_modules")) == ["user_modules.py"]
    assert code_files("sys") == {}


def test_the_place_of_an_error_is_the_users_innermost_line(tmp_path: Path) -> None:
    file = tmp_path / "raising.py"
    file.write_text("import json\n\n\ndef go():\n    return json.loads('{')\n")
    import_user_module("json")  # a recipe may name a module of Python's own: its folder is not the user's
    module = import_user_module(str(file))
    with pytest.raises(ValueError, match="Expecting") as caught:
        module.go()
    assert place_in_user_code(caught.value) == f"{file}:5"
    assert place_in_user_code(ValueError("elsewhere")) is None
