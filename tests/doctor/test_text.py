from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import DATA_ROOT
from tricklab.doctor import read_text, text_findings
from tricklab.errors import UserError

DOCUMENT_002 = """
net.train()
First run:
accuracy 0.9498 9225
Second run:
accuracy 0.9786 9225
Third run:
accuracy 0.9560 9225
the accuracy floats a lot



optimizer = Adam(lr=0.0001)
accuracy 0.9780 9225
again:
accuracy 0.9778 9225
again:
accuracy 0.9808 9225
again:
accuracy 0.9802 9225
again:
accuracy 0.9797 9225
"""


def check_facts_of_document_002(path: Path) -> None:
    log = read_text(path)
    assert [group.values for group in log.groups] == [
        (0.9498, 0.9786, 0.9560),
        (0.9780, 0.9778, 0.9808, 0.9802, 0.9797),
    ]
    judged, mode = text_findings(log)
    assert "undecided" in judged.title
    assert judged.numbers["p"] == pytest.approx(0.18, abs=0.005)
    assert 100 * judged.numbers["sd_first"] == pytest.approx(1.52, abs=0.005)
    assert 100 * judged.numbers["sd_second"] == pytest.approx(0.13, abs=0.005)
    assert 100 * judged.numbers["binomial_se"] == pytest.approx(0.15, abs=0.005)
    assert mode.rule == "S02"


def test_two_groups_of_runs_are_judged(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(DOCUMENT_002)
    check_facts_of_document_002(path)


def test_the_document_itself() -> None:
    path = DATA_ROOT.parent / "seeds" / "002_a7f00bc61ecde314.txt"
    if not path.exists():
        pytest.skip(f"the source document is not at {path}")
    check_facts_of_document_002(path)


def test_code_that_calls_eval_is_not_blamed(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(DOCUMENT_002 + "net.eval()\n")
    assert [found.rule for found in text_findings(read_text(path))] == ["M08"]


def test_a_single_run_proves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("accuracy 0.90 100\n" + "\n" * 9 + "accuracy 0.95 100\naccuracy 0.96 100\n")
    (found,) = text_findings(read_text(path))
    assert "single run" in found.title


@pytest.mark.parametrize("content", [b"no scores here", b"\xff\xfe\x00binary"])
def test_bad_input_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"notes\.txt"):
        read_text(path)
