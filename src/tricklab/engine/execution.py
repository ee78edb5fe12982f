"""Bring a run folder from whatever state it is in to an end: train or resume, evaluate, record."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tricklab import registry
from tricklab.engine.classical import fit_classical, is_classical
from tricklab.engine.companions import CompanionLost, accompanied
from tricklab.engine.finish import Origin, finish
from tricklab.engine.fit import fit
from tricklab.engine.interruption import Interrupted, Interruption
from tricklab.engine.journal import NonFinite, Sink
from tricklab.engine.judge import NotLive
from tricklab.engine.loggers.several import Report, SeveralLoggers
from tricklab.engine.parallel import check_processes
from tricklab.engine.prepared import Prepared, prepare, same_data, sibling
from tricklab.engine.progress import Progress
from tricklab.engine.sources import sources_of
from tricklab.engine.trainer import pick_devices, quiet
from tricklab.errors import UserError
from tricklab.ops.denormals import flushing_denormals
from tricklab.records import RunFolder, environment, facts_of, save_tree
from tricklab.user_modules import place_in_user_code

Connect = Callable[[], contextlib.AbstractContextManager[Any]]
SETTLED = ("finished", "failed", "not_live")


def execute(
    folder: str | os.PathLike[str],
    *,
    threads: int | None = None,
    device: str | None = None,
    progress: bool = True,
    observers: Sequence[Sink] = (),
) -> dict[str, Any]:
    """Run what a run folder declares; calling it again goes on where it stopped and repeats nothing finished.

    Args:
        folder: a folder made by ``RunFolder.create``.
        threads: CPU threads; the recipe's, else torch's, if not given. A resumed run keeps those it began with.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``; the recipe's if not given.
        progress: show a bar or text lines on standard error.
        observers: called with every row of a training as it is written.

    Returns:
        ``{"state": …}`` with the result's keys when the state is ``finished``, else with those of the status:
        ``reason`` and ``message``, and ``signal`` for a run that was stopped.

    Raises:
        UserError: bad input, a folder in use; the status is then ``refused`` unless the folder belongs to another.
    """
    run = RunFolder.open(folder)
    with run.lock(), quiet(), flushing_denormals(), Interruption() as interruption:
        status = run.status()
        if status["state"] in SETTLED:
            return _outcome(run)
        show = Progress(run.declared["arm"] or "run") if progress else None
        run.set_status("running", pid=os.getpid())
        phase = ["preparing"]
        try:
            _go(run, interruption, show, threads, device, observers, phase)
        except Interrupted as stop:
            _end(run, "interrupted", "stopped", f"stopped by {stop}", signal=stop.number)
        except UserError as error:
            _end(run, "refused", "user error", str(error))
            raise
        except NotLive as error:
            _end(run, "not_live", "not live", str(error), trick=error.trick)
        except NonFinite as error:
            run.event("failure", reason="non-finite", message=str(error), term=error.term, step=error.step)
            _end(run, "failed", "non-finite", str(error))
        except (Exception, MemoryError) as error:
            _mishap_or_failure(run, error, phase[0], interruption)
        return _outcome(run)


def _go(
    run: RunFolder,
    interruption: Interruption,
    show: Progress | None,
    threads: int | None,
    device: str | None,
    observers: Sequence[Sink],
    phase: list[str],
) -> None:
    tree = run.recipe
    before = run.provenance().get("execution", {})
    world = tree["train"].get("devices", 1)
    # the bits depend on the number of threads, so a resumed run keeps it
    found = before.get("threads") or threads or tree["train"]["threads"] or max(torch.get_num_threads() // world, 1)
    torch.set_num_threads(found)
    asked = device or tree["train"]["device"]
    devices = pick_devices(before["device"] if before and asked == "auto" else asked, world)
    with accompanied(run.path, devices, found) as connect:
        _execute(run, interruption, show, devices, observers, phase, connect)


def _execute(
    run: RunFolder,
    interruption: Interruption,
    show: Progress | None,
    devices: Sequence[torch.device],
    observers: Sequence[Sink],
    phase: list[str],
    connect: Connect,
) -> None:
    started = time.perf_counter()
    before = run.provenance().get("execution", {})
    other = sibling(run)
    say = (lambda severity, text: show.say(f"{severity}: {text}")) if show else lambda severity, text: None
    prepared = prepare(run, str(devices[0]), say)
    check_processes(prepared.settings, run.declared["observers"])
    if before and before["device"] != prepared.device.type:
        raise UserError(
            f"this run began on {before['device']} and would go on on {prepared.device.type}, with other bits",
            where=str(run.path),
            fix=f"resume with device={before['device']}",
        )
    digest = prepared.task.digest()
    if other is not None or any(run.checkpoint(name).exists() for name in ("resume", "weights")):
        known = (other or run).provenance().get("environment", {})
        same_data(known.get("data_digest"), digest, str(run.path), fix="put them back, or train again as another run")
    found = environment(data_digest=digest)
    sources = {} if is_classical(prepared) else sources_of(run, other, prepared.task, prepared.settings)
    execution = {
        "threads": torch.get_num_threads(),
        "device": prepared.device.type,
        "processes": len(devices),
        **({"sources": sources} if sources else {}),
    }
    run.add_provenance({"execution": execution, "environment": found})
    use_device(prepared.device)
    _first_facts(prepared)
    phase[0] = "training"
    loggers = _loggers(prepared, say)
    sinks = [*observers, loggers.row, *([show.row] if show else [])]
    state = "failed"
    try:
        if is_classical(prepared):
            result = fit_classical(prepared, started, sinks)
            state = "finished"
            return run.set_status("finished", metric=result["metric"]["value"])
        with connect():
            if other is None:
                fit(prepared, interruption, show, sinks)
                origin = Origin(run, run.metrics(), facts_of(run.events()))
                prepared.judge.probe("fit", prepared.judge.evidence(origin.rows))
            else:
                origin = Origin(other, other.metrics(), facts_of(other.events()))
                _inherit(prepared, origin)
            phase[0] = "evaluation"
            result = finish(prepared, origin, started, sinks)
        state = "finished"
    finally:
        loggers.end(state)
    run.set_status("finished", metric=result["metric"]["value"])


def _first_facts(prepared: Prepared) -> None:
    for name, value in prepared.task.facts().items():
        prepared.judge.fact(name, value)
    prepared.judge.diagnose("before", prepared.judge.evidence([]))
    save = prepared.run.checkpoint("fitted")
    if not save.exists():
        save_tree(save, prepared.task.fitted)


def _inherit(prepared: Prepared, origin: Origin) -> None:
    """Facts of the training that this run evaluates; its averaging's distance becomes the run's own."""
    own = prepared.judge.facts()
    for name, value in origin.facts.items():
        if name not in own and not name.startswith("evaluate/"):
            prepared.judge.fact(name, value)
    distance = origin.facts.get(f"averaging/{prepared.averaging_key}/distance")
    if distance is not None:
        prepared.judge.fact("averaging/distance", distance)


def _loggers(prepared: Prepared, say: Report) -> SeveralLoggers:
    def report(logger: str, text: str) -> None:
        prepared.judge.event("logger_failed", logger=logger, text=text)
        say("warning", f"the logger {logger} failed and gets no more rows: {text}")

    declared = prepared.run.declared
    name = f"{declared['experiment']}/{declared['arm']}/{declared['block']}"
    loggers = SeveralLoggers([registry.build("logger", config) for config in prepared.settings.log.loggers], report)
    loggers.begin(prepared.recipe.tree, name, str(prepared.run.path))
    return loggers


def use_device(device: torch.device) -> None:
    """What must hold on a device before a run begins."""
    # otherwise the same step may round differently after a stop
    torch.backends.cudnn.deterministic = True
    if device.type == "cuda":
        # what an earlier run of this process needed is not this run's peak
        torch.cuda.reset_peak_memory_stats(device)


def _mishap_or_failure(run: RunFolder, error: BaseException, phase: str, interruption: Interruption) -> None:
    trace = traceback.format_exc()
    mishap = "stopped" if interruption.number is not None else mishap_of(error)
    place = place_in_user_code(error)
    message = f"{place + ': ' if place else ''}{type(error).__name__}: {error}"
    try:
        run.event("failure", reason=mishap or "exception", message=message, phase=phase, traceback=trace)
    except OSError:
        if mishap is None:
            raise
    more = {"signal": interruption.number} if interruption.number is not None else {}
    _end(run, "interrupted" if mishap else "failed", mishap or "exception", message, phase=phase, **more)


def mishap_of(error: BaseException) -> str | None:
    """The reason if an error is the machine's and not the run's, else None.

    One of ``out of memory``, ``disk full``, ``process killed`` (one of several) and ``loader worker killed`` (as by a
    system that is short of memory).
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "out of memory"
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return "out of memory"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk full"
    if isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate memory" in str(error):
        return "out of memory"
    if isinstance(error, CompanionLost):
        return "process killed"
    if isinstance(error, RuntimeError) and re.match(r"DataLoader worker \(pid.*\) (is killed|exited)", str(error)):
        return "loader worker killed"
    return None


def _end(run: RunFolder, state: str, reason: str, message: str, **more: Any) -> None:
    try:
        run.set_status(state, reason=reason, message=message, **more)
    except OSError as error:
        # on a full disk the old status, "running" by a process that is gone, says the same
        if mishap_of(error) is None:
            raise


def _outcome(run: RunFolder) -> dict[str, Any]:
    status = run.status()
    if status["state"] == "finished":
        return {"state": "finished", **(run.result() or {})}
    return status
