"""One process for several GPUs."""

from __future__ import annotations

import re

from tricklab.doctor.code import Code
from tricklab.doctor.code_rules._base import code_rule
from tricklab.doctor.finding import Finding

_WORD = re.compile(r"(?<![A-Za-z])DataParallel(?![A-Za-z])")


@code_rule
def data_parallel(code: Code) -> Finding | None:
    """``DataParallel``, called or allowed for."""
    match = _WORD.search(code.text)
    if match is None:
        return None
    called = bool(code.named("DataParallel"))
    line = code.line_of(match.start())
    return Finding(
        "P06",
        "warning" if called else "note",
        f"line {line}: DataParallel is {'used' if called else 'allowed for'}: it is one process for all GPUs, batch "
        "normalisation sees each GPU's part alone, and state dicts get the prefix 'module.'",
        {"line": line, "called": called},
        ("a script from before DistributedDataParallel",),
        "print the batch size inside forward: it is the batch divided by the GPUs, the last one smaller",
    )
