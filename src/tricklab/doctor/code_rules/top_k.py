"""Top-5 accuracy with hardly more than five classes."""

from __future__ import annotations

import re

from tricklab.doctor.code import Code
from tricklab.doctor.code_rules._base import code_rule
from tricklab.doctor.finding import Finding

_TOP = re.compile(
    r"(?<![A-Za-z])(?:ACC|top|prec)[-_ @]?([2-9])(?![0-9])|topk\s*=\s*\(\s*1\s*,\s*([2-9])\s*\)", re.IGNORECASE
)


@code_rule
def top_k_says_little(code: Code) -> Finding | None:
    """Guessing is right at least two times in five."""
    match = _TOP.search(code.text)
    counts = [call.argument("num_classes") for call in code.calls]
    known = [
        count for count in [*counts, code.numbers.get("num_classes")] if isinstance(count, int | float) and count > 1
    ]
    if match is None or not known:
        return None
    k, classes = int(match[1] or match[2]), int(known[0])
    if k / classes < 0.4:
        return None
    return Finding(
        "M09",
        "note",
        f"line {code.line_of(match.start())}: top-{k} accuracy with {classes} classes: guessing is right in "
        f"{min(1.0, k / classes):.0%} of the cases",
        {"k": k, "classes": classes, "chance": min(1.0, k / classes)},
        ("the metric was made for 1000 classes",),
        "look at accuracy, macro F1 and the confusion matrix",
        ("metric.monitor=val/macro_f1",),
    )
