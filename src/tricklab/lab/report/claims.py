"""What a document claimed, as plain data, and which arms of which experiments tested it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tricklab.errors import UserError
from tricklab.lab.report.source import Source

ANSWERS = ("the opposite is shown", "no difference that matters", "not shown", "shown")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trial(_Strict):
    """An arm that tests a claim: it matches when each of its changes is one of these, written with any arguments."""

    label: str
    changes: tuple[str, ...] = Field(min_length=1)


class Claim(_Strict):
    """One sentence of the document, what it means for a verdict, and the arms that test it."""

    name: str
    says: str
    quote: str = ""
    mean: Literal["helps", "hurts", "equivalent"] | None = None
    steadiness: Literal["steadier", "less steady"] | None = None
    tested_by: tuple[Trial, ...] = Field(min_length=1)
    remark: str = ""


class Scores(_Strict):
    """Two lists of scores that the document prints and compares."""

    metric: str
    without: str
    without_scores: tuple[float, ...] = Field(min_length=1)
    with_: str = Field(alias="with")
    with_scores: tuple[float, ...] = Field(min_length=1)
    delta: float | None = None


class Document(_Strict):
    """A claims file: the document in words, the scores it prints, its claims."""

    title: str
    about: str
    protocol: str = ""
    scores: tuple[Scores, ...] = ()
    claims: tuple[Claim, ...] = Field(min_length=1)


def read_claims(path: str | os.PathLike[str]) -> Document:
    """Read a claims file.

    Raises:
        UserError: it is missing, no YAML, or holds an unknown, missing or wrongly typed key; names the key.
    """
    try:
        with open(path, encoding="utf-8") as file:
            found = yaml.safe_load(file)
    except OSError as error:
        raise UserError(f"the claims cannot be read: {error.strerror}", where=os.fspath(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"the claims are no YAML: {error}", where=os.fspath(path)) from None
    try:
        return Document.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(f"{key}: {first['msg'].lower()}", where=os.fspath(path)) from None


def arm_tests(arm: Mapping[str, Any], tested: Trial) -> bool:
    """Whether the changes of a plan's arm are exactly those asked for; a trick without arguments stands for any.

    >>> arm = {"changes": [{"kind": "set", "text": "optimizer.lr=0.0001"}, {"kind": "trick", "text": "+ema(decay=.9)"}]}
    >>> arm_tests(arm, Trial(label="both", changes=("optimizer.lr=1e-4", "+ema")))
    True
    """
    changes = [(str(change["kind"]), str(change["text"])) for change in arm["changes"]]
    wanted = list(tested.changes)
    for kind, text in changes:
        match = next((one for one in wanted if _same(kind, text, one)), None)
        if match is None:
            return False
        wanted.remove(match)
    return not wanted


def _same(kind: str, text: str, wanted: str) -> bool:
    if kind == "without":
        return wanted.split() == ["without", text]
    if kind == "trick":
        name = text.partition("(")[0].partition(":")[0].strip()
        return wanted.replace(" ", "") in (name, text.replace(" ", ""))
    key, _, value = text.partition("=")
    asked_key, _, asked = wanted.partition("=")
    return key.strip() == asked_key.strip() and _value(value) == _value(asked)


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.strip()


def answer_to(claim: Claim, trick: Mapping[str, Any]) -> str:
    """What a measured arm says about a claim: one of ``ANSWERS`` (of several parts the worst), or ``no verdict``."""
    verdict = str(trick.get("verdict"))
    if verdict in ("refused", "not_live", "smoke", "screening"):
        return "no verdict"
    answers = []
    if claim.mean is not None:
        if verdict == claim.mean:
            answers.append("shown")
        elif verdict == "undecided":
            answers.append("not shown")
        else:
            answers.append("no difference that matters" if verdict == "equivalent" else "the opposite is shown")
    if claim.steadiness is not None:
        steady = str((trick.get("steadiness") or {}).get("verdict") or "undecided")
        if steady == claim.steadiness:
            answers.append("shown")
        else:
            answers.append("not shown" if steady == "undecided" else "the opposite is shown")
    return min(answers, key=ANSWERS.index) if answers else "measured"


def arms_that_test(source: Source, tested: Trial) -> list[dict[str, Any]]:
    """The judged arms of an experiment that match."""
    names = {str(arm["name"]) for arm in source.plan.get("arms") or () if arm_tests(arm, tested)}
    return [trick for trick in source.tricks if str(trick["name"]) in names]
