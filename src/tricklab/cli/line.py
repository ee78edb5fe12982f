"""tricklab line: loss and metric along the line from the last to the averaged weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tricklab.engine import LoadedRun


def command(
    run: Annotated[str, typer.Argument(help="a finished run with an average (+ema, +swa, +soup)")],
    on: Annotated[str | None, typer.Option(help="which items: train, val or test (val where there are any)")] = None,
    steps: Annotated[int, typer.Option(min=1, help="points from one end to the other")] = 10,
    average: Annotated[str | None, typer.Option(help="which average, where the training has several")] = None,
    data: Annotated[str | None, typer.Option(help="folder of the data files, if they have moved")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (those of the run)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Score the weights (1 - t) · last + t · average for t from -0.5 to 1.5: figures/line.svg and figures/line.json.

    A bowl whose bottom lies near t = 1 says that averaging found the middle of a valley. A slope says that the weights
    were still on their way, and a wall between the ends that they belong to different valleys and must not be mixed.
    Running statistics of batch normalisation are estimated anew at every point.

    Examples:

      tricklab line runs/demo-1f3a2c

      tricklab line runs/demo-1f3a2c/run/0 --on train --steps 4 --json
    """
    from tricklab.cli.resume import single_run
    from tricklab.engine import load_run
    from tricklab.engine.weight_line import weight_line
    from tricklab.errors import UserError
    from tricklab.lab.report.line_figure import line_figure
    from tricklab.records import dumps
    from tricklab.records.atomic import replacing

    if on not in (None, "test", "val", "train"):
        raise UserError(f"unknown set {on!r}", where="--on", fix="test, val or train")
    folder = single_run(Path(run))
    loaded = load_run(folder.path, data=data, threads=threads)
    split = on or ("val" if loaded.task.sizes()["val"] else "train")
    line = weight_line(loaded, split, steps, average)
    metric = loaded.prepared.settings.metric
    name = metric.monitor.split("/", 1)[1]
    found: dict[str, Any] = {"run": str(folder.path), "metric": name, "mode": metric.mode, **line.to_dict()}
    found["figure"] = str(line_figure(line.points, name, split, folder.figures / "line.svg"))
    with replacing(folder.figures / "line.json") as place:
        place.write_text(dumps(found, indent=1), encoding="utf-8")
    if as_json:
        print(dumps(found, indent=2))
    else:
        print("\n".join(said(loaded, found)))


def said(loaded: LoadedRun, found: dict[str, Any]) -> list[str]:
    """What was found, for a person."""
    name, points = found["metric"], found["points"]
    lines = [f"{'t':>6}  {found['split']}/{name:<18}{'loss':>10}"]
    for point in points:
        end = {0.0: "last", 1.0: "average"}.get(point["t"], "")
        loss = point["values"].get("loss")
        shown = "" if loss is None else f"{loss:10.4f}"
        lines.append(f"{point['t']:6.2f}  {point['values'][name]:<22.4f}{shown}  {end}".rstrip())
    best = (max if found["mode"] == "max" else min)(points, key=lambda point: point["values"][name])
    lines.append(
        f"best at t = {best['t']:g}; the average lies {found['distance']:.3g} of the last weights' length away"
    )
    if found["statistics_reestimated"]:
        lines.append("running statistics were estimated anew at every point, also at the ends")
    lines.append(f"figure: {found['figure']}")
    return lines
