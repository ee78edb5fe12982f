"""Every process of a run but the first: does the same work with its share of every batch, and writes nothing."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

import torch

from tricklab.engine.companions import join
from tricklab.engine.execution import mishap_of, use_device
from tricklab.engine.finish import evaluate_weights
from tricklab.engine.fit import fit
from tricklab.engine.interruption import Interrupted, Interruption
from tricklab.engine.prepared import prepare, sibling
from tricklab.engine.silent_run import SilentRun
from tricklab.engine.trainer import quiet
from tricklab.errors import UserError
from tricklab.ops.denormals import flushing_denormals
from tricklab.ops.parent_death import die_with_parent


def main() -> None:
    """Read from standard input what to do, do it, and say on standard output what went wrong."""
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not stand in the report
    setup = json.loads(sys.stdin.readline())
    die_with_parent(setup["parent"])
    sys.path[:] = setup["path"]
    code = 0
    try:
        follow(setup)
    except BaseException as error:
        code = 1
        reports.write(json.dumps(report(error)))
    reports.flush()
    sys.stderr.flush()
    os._exit(code)  # a broken process group would be waited for


def follow(setup: dict[str, Any]) -> None:
    """Train and evaluate along with the first process."""
    torch.set_num_threads(setup["threads"])
    devices = [torch.device(name) for name in setup["devices"]]
    run = SilentRun(setup["run"])
    with quiet(), flushing_denormals(), Interruption() as interruption:
        prepared = prepare(run, setup["devices"][setup["rank"]])
        use_device(prepared.device)
        with join(setup["port"], setup["rank"], devices):
            other = sibling(run)
            if other is None:
                fit(prepared, interruption, None)
            evaluate_weights(prepared, other or run)


def report(error: BaseException) -> dict[str, Any]:
    """How this process ended, as plain data."""
    if isinstance(error, Interrupted):
        return {"kind": "stopped", "signal": error.number}
    if isinstance(error, UserError):
        return {"kind": "user error", "what": error.what, "where": error.where, "fix": error.fix}
    memory = mishap_of(error) == "out of memory"
    return {
        "kind": "out of memory" if memory else "error",
        "message": f"{type(error).__name__}: {error}" if memory else str(error),
        "traceback": "".join(traceback.format_exception(error)),
    }
