"""A run of a command line, without a shell: its score is the last JSON line that it prints, or a pattern's match."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tricklab.errors import UserError
from tricklab.lab.jobs.function import block_seed
from tricklab.lab.jobs.settling import Failed, settle
from tricklab.ops.parent_death import die_with_parent
from tricklab.records import RunFolder

# not a digit of a name such as acc1, nor the letters of a word
_NUMBER = re.compile(
    r"(?<![\w.])[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|(?:inf|infinity|nan)\b)(?!\.?\d)", re.IGNORECASE
)
_TAIL = 4000
_LARGEST_DIGESTED = 1 << 26  # bytes
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def words(command: str, *, arguments: list[str], seed: int, block: int) -> list[str]:
    """The words of a command with ``{seed}``, ``{block}`` and ``{args}`` filled in; no shell looks at them.

    >>> words("python train.py --seed {seed} {args}", arguments=["lr=0.1"], seed=5, block=0)
    ['python', 'train.py', '--seed', '5', 'lr=0.1']
    """
    filled: list[str] = []
    for word in shlex.split(command):
        if word == "{args}":
            filled.extend(part for argument in arguments for part in shlex.split(argument))
        else:
            plain = word.replace("{seed}", str(seed)).replace("{block}", str(block))
            filled.append(plain.replace("{args}", " ".join(arguments)))
    return filled


def check(command: str, regex: str | None) -> None:
    """Raise UserError for a command that cannot be an ablation."""
    try:
        found = shlex.split(command)
    except ValueError as error:
        raise UserError(f"the command cannot be split into words: {error}", where="--command") from None
    if not found:
        raise UserError("the command is empty", where="--command")
    if "{args}" not in command:
        raise UserError(
            "the command has no place for the arms", where="--command", fix="put {args} where an arm's words belong"
        )
    if "{seed}" not in command and "{block}" not in command:
        raise UserError(
            "the command takes no seed, so every block would repeat the same run",
            where="--command",
            fix="put {seed} (or {block}) into it, for example --seed {seed}",
        )
    if regex is not None:
        try:
            groups = re.compile(regex).groups
        except re.error as error:
            raise UserError(f"not a regular expression: {error}", where="--metric-regex") from None
        if groups > 1:
            raise UserError("more than one group", where="--metric-regex", fix="put one group around the number")


def code_digest(command: str) -> str | None:
    """A digest of the files that the command names (the training script), or None if it names none.

    Of a file above 64 MiB, which is data, only the size counts.
    """
    digest = hashlib.blake2b(digest_size=8)
    # os.path, since Path.is_file raises for a word that is too long to be a name
    files = [word for word in shlex.split(command) if os.path.isfile(word)]
    for file in files:
        size = os.path.getsize(file)
        digest.update(Path(file).read_bytes() if size <= _LARGEST_DIGESTED else f"{size} bytes".encode())
    return digest.hexdigest() if files else None


def run(folder: str, threads: int) -> None:
    """Run the command that the folder declares and settle the folder."""
    place = RunFolder.open(folder)
    declared = place.recipe
    block = place.declared["block"]
    argv = words(
        declared["command"], arguments=declared["arguments"], seed=block_seed(declared["seed"], block), block=block
    )

    code = code_digest(declared["command"])

    def work() -> dict[str, Any]:
        if code != declared["source"]:
            raise UserError(
                "the files that the command names are not those that the plan was declared with",
                where=os.getcwd(),
                fix="go on in the folder where it was declared, with the script as it was, or choose another --name",
            )
        output = _output(argv, place.path)
        return numbers(output, declared["metric"]["name"], declared["metric_regex"])

    settle(place, work, threads=threads, metric_code=code)


def numbers(output: str, metric: str, regex: str | None) -> dict[str, Any]:
    """The named numbers in what a command printed.

    >>> numbers('epoch 1\\n{"accuracy": 0.5, "epoch": 3}\\nbye', "accuracy", None)
    {'accuracy': 0.5, 'epoch': 3.0}
    >>> numbers("oa = 12.5 %\\noa = 91.0 %", "oa", r"oa = (\\S+)")
    {'oa': 91.0}
    """
    if regex is not None:
        found = list(re.finditer(regex, output))
        if not found:
            raise UserError(f"nothing that the command printed matches {regex!r}", where="--metric-regex")
        text = found[-1].group(found[-1].re.groups and 1) or ""
        inside = _NUMBER.findall(text)
        if len(inside) != 1:
            raise UserError(
                f"the match {text!r} holds {'more than one' if inside else 'no'} number",
                where="--metric-regex",
                fix="put a group around the number",
            )
        return {metric: float(inside[0])}
    for line in reversed(output.splitlines()):
        try:
            found_line = json.loads(line)
        except ValueError:
            continue
        if isinstance(found_line, bool) or not isinstance(found_line, int | float | dict):
            continue
        if not isinstance(found_line, dict):
            return {metric: float(found_line)}
        plain = {key: float(value) for key, value in found_line.items() if isinstance(value, int | float)}
        if metric not in plain:
            raise UserError(
                f"the last JSON line holds no number {metric!r}",
                where="the command's output",
                fix=f"it holds {', '.join(plain) or 'no numbers'}: name one with --metric",
            )
        return plain
    raise UserError(
        "the command printed no JSON line",
        where="the command's output",
        fix='print {"score": 0.93} at the end, or give --metric-regex',
    )


def _output(argv: list[str], folder: Path) -> str:
    """Standard output of the command, also kept in ``output.txt``; Failed with the tail of its errors if it fails."""
    caller = os.getpid()
    printed, errors = folder / "output.txt", folder / "errors.txt"
    with open(printed, "wb") as out, open(errors, "wb") as err:
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, preexec_fn=lambda: die_with_parent(caller)
            )
        except OSError as error:
            raise UserError(f"the command cannot be started: {error}", where=argv[0]) from None
        stopped = []

        def forward(number: int, _frame: object) -> None:
            stopped.append(number)
            process.send_signal(number)

        signal.signal(signal.SIGTERM, forward)
        code = process.wait()
    sys.stderr.write(errors.read_text(errors="replace")[-_TAIL:])
    if stopped:
        raise KeyboardInterrupt
    if code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        raise MemoryError("the command was killed, as a machine short of memory does")
    for number in _STOPPING:
        if code in (-number, 128 + number):
            raise KeyboardInterrupt(f"the command was stopped by {number.name}")
    if code != 0:
        tail = errors.read_text(errors="replace")[-_TAIL:].strip()
        raise Failed("exception", f"exit code {code}: {tail or '(it printed no error)'}")
    return printed.read_text(errors="replace")
