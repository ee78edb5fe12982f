"""tricklab train: train and evaluate one recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tricklab.records import RunFolder

_LONGEST_NAME = 200
UNFINISHED = {"failed": 1, "not_live": 1}


def command(
    words: Annotated[
        list[str],
        typer.Argument(metavar="RECIPE [+TRICK | KEY=VALUE]...", help="a recipe, then tricks and values"),
    ],
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="TRICK", help="leave out one of the recipe's own tricks; may be repeated"),
    ] = None,
    data: Annotated[str | None, typer.Option(help="folder of the data files")] = None,
    block: Annotated[int, typer.Option(min=0, help="which random block: split, weights, order, dropout")] = 0,
    name: Annotated[str | None, typer.Option(help="name of the run (the recipe's name and a hash)")] = None,
    out: Annotated[str, typer.Option(help="folder of experiments")] = "runs",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Train one recipe with its tricks and evaluate it. The same command again goes on where it was stopped.

    One run proves nothing about a trick: whether it helps is what `tricklab ablate` says.

    Examples:

      tricklab train demo +se train.epochs=5

      tricklab train salinas-a-hybridsn "+ema(decay=0.99)" optimizer.lr=2e-4 --data DIR --block 1
    """
    run = declare(words, without or [], data, block, name, out)
    finish(run, threads, as_json)


def declare(
    words: list[str], without: list[str], data: str | None, block: int, name: str | None, out: str
) -> RunFolder:
    """The folder ``<out>/<name>/run/<block>`` for a recipe with its tricks and values.

    Raises:
        UserError: a word that is neither a trick nor a value, or anything wrong in the recipe.
    """
    from tricklab.cli.recipe_words import applied_recipe
    from tricklab.records import RunFolder

    check_name(name)
    loaded, applied = applied_recipe(words, without, data)
    chosen = name or f"{loaded.name}-{applied.recipe.digest('all')[:6]}"
    return RunFolder.create(
        Path(out) / chosen / "run" / str(block),
        recipe=applied.recipe.tree,
        block=block,
        arm="run",
        experiment=chosen,
        tricks=[
            {"name": call.name, "arguments": call.arguments, "writes": applied.writes[place]}
            for place, call in enumerate(applied.calls)
        ],
    )


def check_name(name: str | None) -> None:
    """Refuse a name that is no folder of its own below ``--out``.

    Raises:
        UserError: the name is empty, a path, or too long for a file system.
    """
    from tricklab.errors import UserError

    if name is None:
        return
    if not name.strip() or name in (".", "..") or "/" in name or "\\" in name:
        raise UserError(f"{name!r} is not a name", where="--name", fix="give one word; --out says the folder around it")
    if len(name.encode(errors="surrogateescape")) > _LONGEST_NAME:
        raise UserError(f"the name is longer than {_LONGEST_NAME} bytes", where="--name")


def finish(run: RunFolder, threads: int | None, as_json: bool) -> None:
    """Execute a run, print how it ended and leave with the exit code that tells it."""
    from tricklab import engine
    from tricklab.ops.host_memory import keep_freed_memory
    from tricklab.records import dumps

    keep_freed_memory()
    outcome = engine.execute(run.path, threads=threads)
    if as_json:
        print(dumps({"run": str(run.path), **outcome}, indent=2))
    else:
        from tricklab.cli.console import console

        for line in summary(run.path, outcome):
            console().print(line, soft_wrap=True, markup=False)
    if outcome["state"] == "interrupted":
        raise typer.Exit(128 + outcome["signal"] if "signal" in outcome else 1)
    if outcome["state"] in UNFINISHED:
        raise typer.Exit(UNFINISHED[outcome["state"]])


def summary(path: Path, outcome: dict[str, Any]) -> list[str]:
    """How a run ended, for a person."""
    if outcome["state"] != "finished":
        lines = [f"{outcome['state']}: {outcome.get('message', '')}", f"run: {path}"]
        if outcome["state"] == "interrupted":
            lines.append(f"go on with: tricklab resume {path}")
        elif outcome["state"] == "failed":
            lines.append(f"look into it with: tricklab doctor {path}")
        return lines
    metric, cost = outcome["metric"], outcome["cost"]
    trivial = outcome["trivial"].get(metric["name"])
    floor = "" if trivial is None else f"  (always the commonest class: {trivial:.4f})"
    lines = [f"{metric['name']} {metric['value']:.4f}{floor}"]
    lines.append(
        "  ".join(f"{name} {value:.4f}" for name, value in outcome["values"].items() if name != metric["name"])
    )
    if outcome["averaged"]:
        lines += [
            f"{title:<9}" + "  ".join(f"{name} {value:.4f}" for name, value in outcome[title].items())
            for title in ("raw", "averaged")
        ]
    for number, values in enumerate(outcome.get("members") or ()):
        lines.append(f"member {number:<2}" + "  ".join(f"{name} {value:.4f}" for name, value in values.items()))
    lines.append(
        f"{outcome['steps']} steps, {outcome['samples_seen']} samples, {cost['wall_s']:.1f} s on {cost['device']} with "
        f"{cost['threads']} thread{'s' * (cost['threads'] > 1)}, peak memory {cost['peak_memory_mb']:.0f} MiB"
    )
    lines.append(f"run: {path}")
    return lines
