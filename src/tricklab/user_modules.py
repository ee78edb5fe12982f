"""A user's own Python files: imported by path or dotted name, with the hash of what was imported.

A file may import its neighbours as a script would. What it holds is known by the bytes that were run: a file that has
changed since is imported anew.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import sysconfig
import traceback
import types
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tricklab.errors import UserError

_OWN = Path(__file__).parent
_PYTHON = Path(sysconfig.get_paths()["stdlib"]).resolve()


@dataclass(frozen=True)
class _Loaded:
    module: types.ModuleType
    files: dict[Path, str]
    folder: Path


_LOADED: dict[str, _Loaded] = {}
_NEIGHBOURS: dict[str, Path] = {}


def import_user_module(name: str) -> types.ModuleType:
    """Import a user's own module: a ``.py`` file or a dotted name. Its components and tricks become known by importing.

    Raises:
        UserError: the file is missing, or the import fails; the message carries the cause and its line.
    """
    return _load(name).module


def code_files(name: str) -> dict[str, str]:
    """{path: hash} of the file behind a user's module, and of the neighbours that it imported.

    Paths are relative to the file's folder, so that they are the same wherever it lies. What a function imports when it
    is called, and installed packages, are not among them.

    Raises:
        UserError: as :func:`import_user_module`.
    """
    found = _load(name)
    return {str(path.relative_to(found.folder)): digest for path, digest in sorted(found.files.items())}


def code_digest(name: str) -> str:
    """One hash, 32 hexadecimal digits, for :func:`code_files`."""
    text = "\n".join(f"{path}\0{digest}" for path, digest in code_files(name).items())
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def place_in_user_code(error: BaseException) -> str | None:
    """``file.py:line`` of the innermost line of a user's code that an error went through; None if there is none."""
    return _place(error, {loaded.folder for loaded in _LOADED.values()})


def _place(error: BaseException, folders: set[Path]) -> str | None:
    if isinstance(error, SyntaxError) and error.filename and error.lineno and _among(error.filename, folders):
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno}" for frame in frames if _among(frame.filename, folders)]
    return places[-1] if places else None


def _among(file: str, folders: set[Path]) -> bool:
    path = Path(file)
    if path.is_relative_to(_OWN) or path.is_relative_to(_PYTHON) or "site-packages" in path.parts:
        return False
    return any(path.is_relative_to(folder) for folder in folders)


def _load(name: str) -> _Loaded:
    path = Path(name).resolve() if name.endswith(".py") else None
    if path is not None and not path.is_file():
        raise UserError("no such file", where=name, fix="give a .py file or a module's dotted name")
    known = _LOADED.get(str(path or name))
    if known is not None and (path is None or all(_digest(file) == digest for file, digest in known.files.items())):
        return known
    try:
        found = _from_file(path) if path is not None else _dotted(name)
    except UserError:
        raise
    except (Exception, SystemExit) as cause:
        folders = {path.parent} if path is not None else {loaded.folder for loaded in _LOADED.values()}
        what = " ".join(f"importing failed: {type(cause).__name__}: {cause}".split())
        raise UserError(what, where=_place(cause, folders) or name) from cause
    _LOADED[str(path or name)] = found
    return found


def _dotted(name: str) -> _Loaded:
    module = importlib.import_module(name)
    file = getattr(module, "__file__", None)
    place = Path(file).resolve() if file else None
    files = {place: _digest(place)} if place is not None and place.suffix == ".py" else {}
    return _Loaded(module, files, place.parent if place is not None else Path(os.devnull))


def _from_file(path: Path) -> _Loaded:
    module_name = f"tricklab_user_{path.stem}_{zlib.crc32(str(path).encode())}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    digest = _digest(path)
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(module_name)
    sys.modules[module_name] = module
    try:
        with _beside(path.parent) as neighbours:
            spec.loader.exec_module(module)
    except BaseException:
        if before is None:
            del sys.modules[module_name]
        else:
            sys.modules[module_name] = before
        raise
    return _Loaded(module, {path: digest, **{file: _digest(file) for file in neighbours}}, path.parent)


@contextmanager
def _beside(folder: Path) -> Iterator[list[Path]]:
    """Imports find the neighbours in a folder, each time anew; gives their files afterwards."""
    for name in _NEIGHBOURS:
        sys.modules.pop(name, None)
    _NEIGHBOURS.clear()
    importlib.invalidate_caches()
    before = set(sys.modules)
    found: list[Path] = []
    sys.path.insert(0, str(folder))
    try:
        yield found
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and file.endswith(".py") and _among(file, {folder}) and not name.startswith("tricklab_user_"):
                _NEIGHBOURS[name] = Path(file).resolve()
                found.append(_NEIGHBOURS[name])


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() if path.is_file() else ""
