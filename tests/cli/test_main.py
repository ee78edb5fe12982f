from __future__ import annotations

import errno
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tricklab
from tricklab.cli.main import COMMANDS, main

NAMES = [name for group in COMMANDS.values() for name in group]
ROOT = Path(__file__).resolve().parents[2]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(re.search(rf"^\s+{name}\s", printed, re.MULTILINE) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_a_file_and_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"tricklab.cli.{name}")
    assert hasattr(module, "command") or hasattr(module, "app")
    assert main([name, "--help"]) == 0
    printed = capsys.readouterr().out
    assert "Usage" in printed
    assert f"tricklab {name}" in printed


@pytest.mark.parametrize("arguments", [["train"], ["train", "--nothing"], ["judge", "1 2"]])
def test_wrong_usage_leaves_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_help_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "judge"]) == 0
    assert "--paired" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "make", "{file}"],
        ["data", "split", "demo", "--out", "{file}/below"],
        ["train", "demo", "--out", "{file}"],
        ["doctor", "x" * 5000],
    ],
    ids=["make", "split", "train", "doctor"],
)
def test_what_the_system_refuses_is_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert main([word.replace("{file}", str(file)) for word in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(r"^error: .*(exists|Not a directory|too long)", line)


def test_a_full_disk_is_no_bad_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(name: str, arguments: list[str]) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "runs/a")

    monkeypatch.setattr("tricklab.cli.main.dispatch", full)
    assert main(["train"]) == 1
    assert capsys.readouterr().err == "error: runs/a: No space left on device\n"


@pytest.mark.parametrize(
    "command", [["train", "demo"], ["ablate", "demo", "+se", "--dry-run"]], ids=["train", "ablate"]
)
@pytest.mark.parametrize("name", ["", " ", "..", "../x", "a/b", "é" * 150])
def test_a_name_is_one_folder(command: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--name", name]) == 2
    assert capsys.readouterr().err.startswith("error: --name: ")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"tricklab {tricklab.__version__}"


@pytest.mark.parametrize("arguments", [["--help"], ["tricks"], ["models"], ["recipes"], ["tricks", "--json"]])
def test_what_only_lists_imports_no_torch(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom tricklab.cli.main import main\n"
        f"assert main({arguments!r}) == 0\n"
        "assert not {'torch', 'lightning', 'matplotlib'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_public_names_can_be_had() -> None:
    for name in tricklab.__all__:
        assert getattr(tricklab, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'abblate'"):
        _ = tricklab.abblate


def test_links_of_the_documentation_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
