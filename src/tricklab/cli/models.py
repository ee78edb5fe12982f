"""tricklab models: every model and its source, and what a recipe's own network costs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from torch import nn

    from tricklab.models.multiplications import Cost
    from tricklab.recipe.schema import Settings

_COLOURS = 3


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE [+TRICK | KEY=VALUE]...]", help="a recipe, then tricks and values"),
    ] = None,
    classes: Annotated[
        int | None, typer.Option(min=2, help="number of classes, where the recipe does not name them")
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="of the input in pixels (the recipe's crop, size or window)")
    ] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="of the input (3; the components of data.pca)")] = None,
    depth: Annotated[int | None, typer.Option(min=1, help="how far down the parts are listed (2)")] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="TRICK", help="leave out one of the recipe's own tricks")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Every model that a recipe can name, or the parts of one recipe's network with parameters and multiply-adds.

    The network is built with random weights and without data. Multiply-adds are those of convolutions and matrix
    products for one input in evaluation mode.

    Examples:

      tricklab models

      tricklab models camvid-fcn-r18 "+context(type=GloRe)" --classes 11 --size 360x480

      tricklab models cityscapes-pspnet-r50 model.backbone.scales=4 model.backbone.base_width=26 --classes 19
    """
    if words:
        _network(words, without or [], classes, size, channels, depth or 2, as_json)
        return
    given = {"--classes": classes, "--size": size, "--channels": channels, "--depth": depth, "--without": without}
    for option, value in given.items():
        if value:
            from tricklab.errors import UserError

            raise UserError("this is for a recipe's network", where=option, fix="name a recipe before it")
    _list(as_json)


def _list(as_json: bool) -> None:
    from tricklab.registry import entries

    models = entries("model")
    if as_json:
        print(json.dumps({"models": [asdict(entry) for entry in models]}, indent=2))
        return
    from rich.markup import escape
    from rich.table import Table

    from tricklab.cli.console import console

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("model", "what it is", "source"):
        table.add_column(title, overflow="fold")
    for entry in models:
        table.add_row(f"[cyan]{escape(entry.name)}[/cyan]", escape(entry.summary), escape(entry.source))
    out = console()
    out.print(table)
    out.print("\nName one in a recipe (model: {type: NAME}) or on the command line (model=NAME).")


def _network(
    words: list[str],
    without: list[str],
    classes: int | None,
    size: str | None,
    channels: int | None,
    depth: int,
    as_json: bool,
) -> None:
    from tricklab.cli.recipe_words import applied_recipe
    from tricklab.models.multiplications import cost_of
    from tricklab.recipe import settings
    from tricklab.tasks.networks import build_for_shape

    loaded, applied = applied_recipe(words, without)
    chosen = settings(applied.recipe)
    shape = _size(size, chosen)
    deep = channels or chosen.data.get("pca") or _COLOURS
    model = build_for_shape(chosen, classes or _classes(chosen), deep, shape)
    cost = cost_of(model, deep, shape)
    rows = list(_parts(model, cost, depth))
    total = sum(parameter.numel() for parameter in model.parameters())
    found = {"recipe": loaded.name, "input": [deep, *shape], "parameters": total, "macs": cost.macs, "parts": rows}
    if words[1:] or without:
        plain = build_for_shape(settings(applied_recipe(words[:1])[1].recipe), classes or _classes(chosen), deep, shape)
        found["of_recipe_alone"] = {
            "parameters": sum(parameter.numel() for parameter in plain.parameters()),
            "macs": cost_of(plain, deep, shape).macs,
        }
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)


def _classes(chosen: Settings) -> int:
    from tricklab.errors import UserError

    named = chosen.data.get("classes")
    if not named:
        raise UserError("the recipe does not name its classes", where="--classes", fix="say how many: --classes 11")
    return len(named)


def _size(given: str | None, chosen: Settings) -> tuple[int, int]:
    import re

    from tricklab.errors import UserError

    if given is not None:
        found = re.fullmatch(r"([1-9]\d*)[x×]([1-9]\d*)", given)
        if not found:
            raise UserError(
                f"{given!r} is no size", where="--size", fix="height and width in pixels, as in --size 360x480"
            )
        return int(found[1]), int(found[2])
    own = next((chosen.data[key] for key in ("crop", "size", "window") if chosen.data.get(key)), None)
    if isinstance(own, int):
        return own, own
    if isinstance(own, list):
        return own[0], own[1]
    raise UserError("the recipe does not say how large its inputs are", where="--size", fix="say it: --size 360x480")


def _parts(model: nn.Module, cost: Cost, depth: int) -> Iterator[dict[str, Any]]:
    for name, module in model.named_modules():
        if not name or name.count(".") >= depth:
            continue
        parameters = [parameter.numel() for parameter in module.parameters()]
        trained = [parameter.numel() for parameter in module.parameters() if parameter.requires_grad]
        yield {
            "part": name,
            "type": type(module).__name__,
            "parameters": sum(parameters),
            "frozen": sum(parameters) - sum(trained),
            "macs": cost.of(name, module),
        }


def _show(found: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from tricklab.cli.console import console

    rows, alone = found["parts"], found.get("of_recipe_alone")
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("part")
    table.add_column("")
    table.add_column("parameters", justify="right")
    table.add_column("multiply-adds, M", justify="right")
    for row in rows:
        if not row["parameters"] and not row["macs"]:
            continue
        inside = row["part"].count(".")
        frozen = f" ({row['frozen']:,} frozen)" if row["frozen"] else ""
        name, kind = escape(f"{'  ' * inside}{row['part']}"), f"[dim]{escape(row['type'])}[/dim]"
        table.add_row(name, kind, f"{row['parameters']:,}{frozen}", _millions(row["macs"]))
    table.add_row("all", "", f"{found['parameters']:,}", _millions(found["macs"]), style="bold")
    if alone:
        table.add_row("the recipe alone", "", f"{alone['parameters']:,}", _millions(alone["macs"]), style="dim")
        table.add_row("difference", "", *(_difference(found[key], alone[key]) for key in ("parameters", "macs")))
    out = console()
    out.print(f"{found['recipe']}: one input of {' x '.join(map(str, found['input']))}", markup=False)
    out.print(table)
    if any(row["parameters"] and not row["macs"] for row in rows):
        out.print("[dim]-: no convolution or matrix product in evaluation mode[/dim]")


def _millions(macs: int) -> str:
    if not macs:
        return "-"
    return f"{macs / 1e6:,.1f}" if macs >= 1e6 else f"{macs / 1e6:.2g}"


def _difference(value: int, before: int) -> str:
    return f"{(value - before) / before:+.1%}" if before else "-"
