"""The almanac: claims are matched to arms by what they change, and the page is written from folders alone."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.lab.report.synthetic import build
from tricklab.cli.main import main
from tricklab.errors import UserError
from tricklab.lab.arms import parse_recipe_arms
from tricklab.lab.report import write_almanac
from tricklab.lab.report.almanac import portable
from tricklab.lab.report.claims import Claim, Trial, answer_to, arm_tests, read_claims

SHIPPED = Path(__file__).parents[3] / "docs" / "almanac" / "claims" / "hybridsn.yaml"
RATES = ["low: optimizer.lr=1e-4 +step_decay(at=[41, 76])", "+step_decay(at=[41, 76])", "optimizer.lr=0.0001", "+se"]


@pytest.fixture(scope="module")
def rates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "rates"
    return build(folder, RATES, design="add-one", effect=lambda cell, block: 0.02 * ("+se" in cell))


@pytest.mark.parametrize(
    ("arm", "changes", "matches"),
    [
        ("+se", ["+se"], True),
        ("+se(reduction=8)", ["+se"], True),
        ("+se:reduction=8", ["+se"], True),
        ("+se(reduction=8)", ["+se(reduction=16)"], False),
        ("+sea", ["+se"], False),
        ("optimizer.lr=0.0001", ["optimizer.lr=1e-4"], True),
        ("optimizer.lr=1e-3", ["optimizer.lr=1e-4"], False),
        ("model=PixelSVM", ["model=PixelSVM"], True),
        ("x: optimizer.lr=1e-4 +step_decay(at=[4])", ["+step_decay", "optimizer.lr=1e-4"], True),
        ("x: optimizer.lr=1e-4 +step_decay(at=[4])", ["+step_decay"], False),
        ("+step_decay(at=[4])", ["+step_decay", "optimizer.lr=1e-4"], False),
        ("without se", ["without se"], True),
        ("without se", ["+se"], False),
    ],
)
def test_arms_match_by_their_changes(arm: str, changes: list[str], matches: bool) -> None:
    (parsed,) = parse_recipe_arms([arm])
    assert arm_tests(parsed.to_dict(), Trial(label="", changes=tuple(changes))) is matches


@pytest.mark.parametrize(
    ("mean", "steadiness", "verdict", "steady", "answer"),
    [
        ("helps", None, "helps", "undecided", "shown"),
        ("helps", None, "hurts", "undecided", "the opposite is shown"),
        ("helps", None, "equivalent", "undecided", "no difference that matters"),
        ("helps", None, "undecided", "steadier", "not shown"),
        ("helps", None, "screening", "undecided", "no verdict"),
        ("helps", None, "not_live", "undecided", "no verdict"),
        ("equivalent", None, "helps", "undecided", "the opposite is shown"),
        (None, "steadier", "helps", "steadier", "shown"),
        (None, "steadier", "helps", "less steady", "the opposite is shown"),
        (None, "steadier", "helps", "undecided", "not shown"),
        ("helps", "steadier", "helps", "undecided", "not shown"),
        ("helps", "steadier", "hurts", "steadier", "the opposite is shown"),
        (None, None, "helps", "steadier", "measured"),
    ],
)
def test_answer_to_a_claim(mean: str | None, steadiness: str | None, verdict: str, steady: str, answer: str) -> None:
    tested = [{"label": "x", "changes": ["+se"]}]
    claim = Claim.model_validate({"name": "", "says": "", "mean": mean, "steadiness": steadiness, "tested_by": tested})
    assert answer_to(claim, {"verdict": verdict, "steadiness": {"verdict": steady}}) == answer


def test_shipped_claims_hold_the_eight_accuracies() -> None:
    document = read_claims(SHIPPED)
    (scores,) = document.scores
    assert scores.without_scores == (0.9498, 0.9786, 0.9560)
    assert scores.with_scores == (0.9780, 0.9778, 0.9808, 0.9802, 0.9797)
    assert {claim.mean for claim in document.claims} == {None, "helps"}


def test_page_sets_claims_beside_verdicts(rates: Path, experiment: Path, tmp_path: Path) -> None:
    files = write_almanac([rates, experiment], SHIPPED, tmp_path / "almanac" / "hybridsn.md")
    assert files[0] == tmp_path / "almanac" / "hybridsn.md"
    text = files[0].read_text(encoding="utf-8")
    row = next(
        line for line in text.splitlines() if line.startswith("| SE after") and "rates (RandomPixels 10 %)" in line
    )
    assert "| helps |" in row
    both = [line for line in text.splitlines() if line.startswith("| both, as in the note |")]
    assert len(both) == 2
    assert "Of 4 comparisons:" in text
    assert "None of the experiments tests this." in text
    assert "low stands for optimizer.lr=1e-4" in text
    assert "Judged as two unpaired lists: mean undecided" in text
    assert "p .18" in text
    assert "| 0.0288 |" in text


def test_every_picture_of_the_page_exists_and_is_valid(rates: Path, tmp_path: Path) -> None:
    page, *figures = write_almanac([rates], SHIPPED, tmp_path / "hybridsn.md")
    named = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    assert [tmp_path / name for name in named] == figures
    assert [path.name for path in figures] == ["rates-effects.svg", "rates-metric.svg", "rates-difference.svg"]
    for path in figures:
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert root.get("width")
        assert "prefers-color-scheme" in "".join(root.itertext())


def test_page_tells_no_path_of_the_machine(rates: Path, experiment: Path, tmp_path: Path) -> None:
    page = write_almanac([rates, experiment], SHIPPED, tmp_path / "hybridsn.md")[0].read_text(encoding="utf-8")
    assert "private" not in page
    assert "somebody" not in page
    assert "--data DIR" in page


def test_page_names_its_experiments_as_they_were_given(
    rates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(rates.parent.parent)
    given = f"{rates.parent.name}/{rates.name}"
    page, *_ = write_almanac([given], SHIPPED, tmp_path / "page.md")
    assert f"tricklab almanac {given} --claims hybridsn.yaml --out " in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("tricklab ablate demo +se", "tricklab ablate demo +se"),
        ("/usr/bin/tricklab ablate /home/me/recipes/mine.yaml --data '/a b/c'", "tricklab ablate mine.yaml --data DIR"),
        ("tricklab ablate x data.root=/a/b --data=/c", "tricklab ablate x data.root=DIR --data=DIR"),
        ("tricklab ablate recipes/mine.yaml", "tricklab ablate recipes/mine.yaml"),
    ],
)
def test_commands_lose_the_paths_of_the_machine(command: str, expected: str) -> None:
    assert portable(command) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: [", "no YAML"),
        ("title: a\nabout: b\n", "claims: field required"),
        ("title: a\nabout: b\nclams: []\n", "field required|clams"),
        ("title: a\nabout: b\nclaims: [{name: x, says: y, mean: better, tested_by: [{label: l, changes: [+se]}]}]\n",
         r"claims\.0\.mean"),
        ("- a\n", "the file: input should be"),
    ],
)  # fmt: skip
def test_bad_claims_are_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    place = tmp_path / "claims.yaml"
    place.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message) as error:
        read_claims(place)
    assert str(place) in str(error.value)


def test_bad_input_of_the_command(rates: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "page.md")]
    assert main(["almanac", str(rates), str(rates), "--claims", str(SHIPPED), *out]) == 2
    assert "two experiments are called 'rates'" in capsys.readouterr().err
    assert main(["almanac", str(rates), "--claims", str(tmp_path / "none.yaml"), *out]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert main(["almanac", str(tmp_path), "--claims", str(SHIPPED), *out]) == 2
    assert "not an experiment" in capsys.readouterr().err
    assert not (tmp_path / "page.md").exists()


def test_command_names_its_files(rates: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["almanac", str(rates), "--claims", str(SHIPPED), "--out", str(tmp_path / "page.md"), "--json"]
    assert main(arguments) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert files[0] == str(tmp_path / "page.md")
    assert all(Path(file).is_file() for file in files)
