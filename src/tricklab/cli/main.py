"""The command line: one thin file per command, imported only when that command runs."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence

from tricklab.errors import UserError, nearest

COMMANDS = {
    "The main job": {
        "ablate": "judge tricks against the baseline on the same random blocks",
        "judge": "verdict on two pasted lists of scores",
        "report": "write an experiment's report again (HTML, Markdown, CSV, JSON)",
        "almanac": "what a document claimed beside what was measured",
    },
    "One run": {
        "train": "train and evaluate one recipe",
        "test": "per-class report of a run on its test set",
        "predict": "classes of images, class maps of whole scenes",
        "export": "a run's network as an ONNX or torch file",
        "resume": "go on with a stopped run or experiment",
        "status": "what runs, what is finished, how long it will take",
        "line": "loss along the line from the last to the averaged weights",
        "compare": "how two runs differ: recipe, data, versions, results",
        "doctor": "why a run went wrong: ranked causes with evidence",
    },
    "What there is": {
        "tricks": "every trick, its arguments and its source",
        "models": "every model and its source, or what one costs",
        "recipes": "the recipes that come with tricklab",
        "explain": "where every value of a resolved recipe came from",
        "schema": "JSON Schema of recipes, for editors",
        "data": "statistics, splits, known data sets, synthetic scenes",
    },
}
EXAMPLES = (
    'tricklab ablate demo +se "+step_decay(at=[6, 8])" --design both --blocks 5',
    "tricklab train salinas-a-hybridsn --data DIR +ema:decay=0.99 train.epochs=25",
    "tricklab explain indian-pines-hybridsn +se",
    'tricklab judge ".9498 .9786 .9560" ".9780 .9778 .9808 .9802 .9797"',
)
INTERRUPTED = 130
_NOT_THE_INPUT = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code: 0 done, 2 bad input, 1 a run failed, 130 or 143 interrupted."""
    sys.exit(main(list(sys.argv[1:] if arguments is None else arguments)))


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    if arguments[:1] == ["help"] and len(arguments) > 1:
        arguments = [arguments[1], "--help"]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print_help()
        return 0
    if arguments[0] == "--version":
        from tricklab import __version__

        print(f"tricklab {__version__}")
        return 0
    try:
        return dispatch(arguments[0], arguments[1:])
    except UserError as error:
        print_error(str(error))
        return 2
    except KeyboardInterrupt:
        print_error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # the reader of a pipe went away, as `| head` does; nothing may be flushed to it any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # a folder that cannot be made or written, a full disk: the system's own words and the place say it all
        place = f"{error.filename}: " if error.filename is not None else ""
        print_error(f"{place}{error.strerror or error}")
        return 1 if error.errno in _NOT_THE_INPUT else 2


def dispatch(name: str, arguments: list[str]) -> int:
    """Import one command's file and hand it its arguments."""
    known = [command for group in COMMANDS.values() for command in group]
    if name not in known:
        raise UserError(f"unknown command {name!r}", fix=nearest(name, known))
    import typer

    module = importlib.import_module(f"tricklab.cli.{name}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode="rich")
        app.command()(module.command)
    try:
        # typer prints usage errors itself and leaves with 2
        typer.main.get_command(app)(arguments, prog_name=f"tricklab {name}", standalone_mode=True)
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    return 0


def print_help() -> None:
    """The list of commands with examples; imports no command."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(
        "[bold]tricklab[/bold]: turn any training trick on with one line, and know honestly whether it helped.\n"
    )
    for title, commands in COMMANDS.items():
        table = Table(
            title=title, title_justify="left", title_style="bold", box=None, show_header=False, padding=(0, 2)
        )
        table.add_column(style="cyan", min_width=10)
        table.add_column()
        for name, summary in commands.items():
            table.add_row(name, summary)
        console.print(table)
        console.print()
    console.print("[bold]Examples[/bold]")
    for example in EXAMPLES:
        console.print(f"  {example}", markup=False, soft_wrap=True)
    console.print("\n`tricklab COMMAND --help` tells a command's options with examples; --version the version.")


def print_error(text: str) -> None:
    """One clear error on standard error."""
    if sys.stderr.isatty():
        text = f"\x1b[1;31merror:\x1b[0m {text}"
    else:
        text = f"error: {text}"
    print(text, file=sys.stderr)


if __name__ == "__main__":
    run()
