"""tricklab export: a run's network as a file that needs neither tricklab nor Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tricklab.engine.image_network import ImageNetwork


def command(
    run: Annotated[str, typer.Argument(help="a finished run on images, or the folder of one run")],
    form: Annotated[str, typer.Option("--format", help="onnx, or torch (a .pt2 for torch.export.load)")] = "onnx",
    out: Annotated[Path | None, typer.Option(help="the file (exported/network.onnx in the run)")] = None,
    given: Annotated[
        str, typer.Option("--input", help="bytes: uint8 RGB, normalised inside; values: float32, normalised before")
    ] = "bytes",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (those of the run)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Write a run's network for batches of any size, and check it against the network itself.

    The input is `images` (batch, 3, height, width), the output `logits` (batch, classes). Class names, how images are
    to be resized and what the normalisation is stand in the file and in a JSON file beside it. The run's test-time
    augmentation is not exported.

    Examples:

      tricklab export runs/plants-1f3a2c

      tricklab export runs/plants-1f3a2c --format torch --out plants.pt2 --input values
    """
    from tricklab.cli.resume import single_run
    from tricklab.engine.image_network import open_image_network
    from tricklab.errors import UserError
    from tricklab.inference.exporting import SUFFIXES, TOLERANCE, Deployed, export
    from tricklab.records import dumps
    from tricklab.records.atomic import write_atomic

    if form not in SUFFIXES:
        raise UserError(f"unknown format {form!r}", where="--format", fix="onnx or torch")
    if given not in ("bytes", "values"):
        raise UserError(f"unknown input {given!r}", where="--input", fix="bytes or values")
    if out is not None and out.suffix not in (SUFFIXES[form], ""):
        raise UserError(f"a file of {form} ends in {SUFFIXES[form]}", where="--out")
    folder = single_run(Path(run))
    network = open_image_network(folder.path, device="cpu", threads=threads)
    target = out if out is not None else folder.path / "exported" / "network"
    path = target.with_name(target.name.removesuffix(SUFFIXES[form]) + SUFFIXES[form])
    about = description(network, normalised_inside=given == "bytes")
    deployed = Deployed(network.model, network.normalisation if given == "bytes" else None).eval()
    kind: Any = form
    difference = export(deployed, network.size, path, kind, about)
    beside = path.with_name(f"{path.name}.json")
    found = {**about, "format": form, "difference": difference, "tolerance": TOLERANCE}
    write_atomic(beside, dumps(found, indent=2) + "\n")
    if as_json:
        print(dumps({**found, "files": [str(path), str(beside)]}, indent=2))
        return
    print(f"{path}\n{beside}")
    print(f"largest difference of a logit, as a share of the largest one: {difference:.2g} (at most {TOLERANCE:g})")
    if about["left_out"]:
        print(f"not exported: {', '.join(about['left_out'])}")


def description(network: ImageNetwork, *, normalised_inside: bool) -> dict[str, Any]:
    """What somebody must know who runs the file, as plain data."""
    from tricklab import __version__

    data, normalisation = network.settings.data, network.normalisation
    return {
        "classes": list(network.classes),
        "input": {
            "name": "images",
            "shape": ["batch", 3, *network.size],
            "type": "uint8" if normalised_inside else "float32",
            "channels": "RGB",
            "resize": data["resize"],
            "interpolation": data["interpolation"],
            "antialias": True,
        },
        "normalisation": {
            "inside": normalised_inside,
            "name": normalisation.name,
            "of": "bytes / 255",
            "mean": list(normalisation.mean),
            "std": list(normalisation.std),
        },
        "output": {"name": "logits", "shape": ["batch", len(network.classes)], "probabilities": "softmax over classes"},
        "left_out": [item["type"] for item in network.settings.evaluate.postprocess],
        "run": str(network.run.path),
        "tricklab": __version__,
    }
