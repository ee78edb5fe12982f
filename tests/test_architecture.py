"""The rooms stand in one order; a room imports only from rooms above it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOMS = [
    "errors", "user_modules", "arguments", "registry", "seeds", "observe", "statistics", "records", "ops", "layers",
    "losses", "optim", "models", "data", "metrics", "inference", "recipe", "tricks", "doctor", "tasks", "engine", "lab",
    "web", "cli",
]  # fmt: skip
SOURCE = Path(__file__).resolve().parents[1] / "src" / "tricklab"
FILES = sorted(SOURCE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> list[tuple[int, str]]:
    """(line, dotted module) of every import of tricklab in a file, inside functions and TYPE_CHECKING too."""
    found = []
    package = ["tricklab", *path.relative_to(SOURCE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] == "tricklab"]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "tricklab":
                found += [(node.lineno, f"tricklab.{alias.name}") for alias in node.names]
            elif module.startswith("tricklab."):
                found.append((node.lineno, module))
    return found


def test_there_is_source_to_look_at() -> None:
    assert len(FILES) > 50


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_only_from_rooms_above(path: Path) -> None:
    if path == SOURCE / "__init__.py":
        return  # the package's face hands names on lazily
    room = room_of(path)
    assert room in ROOMS, f"{room} is not a room of the plan"
    allowed = ROOMS[: ROOMS.index(room) + 1]
    for line, module in imported(path):
        target = module.split(".")[1]
        assert target in allowed or target == "__version__", f"{path}:{line} imports {module}, which is below {room}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_lightning_stays_in_the_engine(path: Path) -> None:
    if room_of(path) in ("engine",):
        return
    text = path.read_text(encoding="utf-8")
    names = [
        alias.name if isinstance(node, ast.Import) else (node.module or "")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    assert not [name for name in names if name.split(".")[0] in ("lightning", "pytorch_lightning")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_code_is_run_from_data(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec"), f"{path}:{node.lineno}"
        if isinstance(node, ast.Import):
            assert not [a.name for a in node.names if a.name in ("pickle", "dill", "cloudpickle")], (
                f"{path}:{node.lineno}"
            )
        if isinstance(node, ast.keyword) and node.arg == "shell":
            assert not (isinstance(node.value, ast.Constant) and node.value.value is True), (
                f"{path}:{node.value.lineno}"
            )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_stay_short(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    assert len(lines) <= 400 or "long because" in "\n".join(lines[:15]), f"{path} has {len(lines)} lines"
    assert path.stem not in ("utils", "misc", "helpers", "common")


@pytest.mark.parametrize(
    "module",
    ["tricklab", "tricklab.registry", "tricklab.seeds", "tricklab.observe", "tricklab.statistics", "tricklab.records",
     "tricklab.recipe", "tricklab.tricks", "tricklab.doctor", "tricklab.cli.main"],
)  # fmt: skip
def test_light_rooms_import_no_torch(module: str) -> None:
    heavy = {"torch", "lightning", "matplotlib", "jinja2"}
    code = f"import sys, {module}; sys.exit(int(bool({heavy!r} & set(sys.modules))))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
