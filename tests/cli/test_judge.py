"""`tricklab judge` from the shell's side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tricklab.cli.main import main

A = ".9498 .9786 .9560"
B = ".9780 .9778 .9808 .9802 .9797"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["judge", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_document_002(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, A, B)
    assert code == 0
    mean, spread = (line for line in out.splitlines() if line.strip().startswith(("mean", "spread")))
    assert "undecided" in mean
    assert "0.18" in mean.split()
    assert "steadier" in spread
    assert "0.0152" in spread
    assert "0.0013" in spread
    assert "Brown-Forsythe does not confirm" in out


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, A, B, "--delta", ".005", "--json")
    result = json.loads(out)
    assert code == 0
    (trick,) = result["tricks"]
    assert trick["verdict"] == "undecided"
    assert trick["p"] == pytest.approx(0.178, abs=5e-4)
    assert trick["blocks_needed"] > 0
    assert [arm["n"] for arm in result["arms"]] == [3, 5]


@pytest.mark.parametrize("text", [".1,.2,.3,.1,.2", "[0.1, 0.2, 0.3, 0.1, 0.2]", " .1;.2 .3\n.1\t2e-1 "])
def test_numbers_in_any_dress(capsys: pytest.CaptureFixture[str], text: str) -> None:
    code, out, _ = run(capsys, text, ".1 .2 .3 .1 .2", "--paired", "--json")
    assert code == 0
    assert json.loads(out)["tricks"][0]["effect"] == 0.0


@pytest.mark.parametrize("name", ["", "nothing-here.txt", "~nobody-of-that-name/a.txt", "a" * 5000])
def test_a_file_that_cannot_be_read(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, _, err = run(capsys, f"@{name}", B)
    assert code == 2
    assert err.startswith(f"error: list A, {name}: the file cannot be read: ")


def test_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0.9498\n0.9786\n0.9560\n", encoding="utf-8")
    code, out, _ = run(capsys, f"@{tmp_path / 'a.txt'}", B, "--json")
    assert code == 0
    assert json.loads(out)["tricks"][0]["verdict"] == "undecided"


def test_paired_and_direction(capsys: pytest.CaptureFixture[str]) -> None:
    low, high = ".10 .11 .12 .13 .14", ".20 .22 .21 .24 .23"
    for extra, word in (([], "helps"), (["--lower-is-better"], "hurts"), (["--paired"], "helps")):
        code, out, _ = run(capsys, low, high, *extra, "--json")
        assert (code, json.loads(out)["tricks"][0]["verdict"]) == (0, word)


def test_one_number_each(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, ".9", ".95")
    assert code == 0
    assert "smoke" in out


def test_worth_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "1 1.1 .9 1 1.05", "5 5.1 4.9 5 5.05", "--delta", "0.5")
    assert code == 0
    assert "helps, worth it" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([".9 x", ".9"], "'x' is not a number"),
        (["", ".9"], "no numbers"),
        ([".9 nan", ".9"], "'nan' is not a score"),
        ([".9", ".9 inf"], "list B"),
        (["@absent.txt", ".9"], "absent.txt"),
        ([".9 .8", ".9", "--paired"], "one length"),
        ([".9 .8", ".9 .7", "--delta", "-1"], "delta"),
        ([".9 .8"], ""),
        ([".9 .8", ".9", "--delta", "x"], ""),
        ([".9 .8", ".9", "--bogus"], ""),
    ],
)
def test_bad_input_is_one_clear_error(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
