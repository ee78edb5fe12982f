"""tricklab predict: class maps of whole scenes, classes of images, masks of images and rasters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tricklab.engine import LoadedRun
    from tricklab.tasks.scene_rows import SceneRows


def command(
    run: Annotated[str, typer.Argument(help="a finished run, or the folder of one run")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(help="images, folders of them; scenes: .hdr (ENVI), .tif, .npy, .mat, or none for its own"),
    ] = None,
    out: Annotated[str | None, typer.Option(help="folder of what is written (predictions/ in the run)")] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help="scenes: geotiff, envi, npy (theirs); images: csv, json (both)"),
    ] = None,
    method: Annotated[str | None, typer.Option(help="scenes: windows or dense (the recipe's)")] = None,
    key: Annotated[str | None, typer.Option(help="name of the cube's array in a .mat file with several")] = None,
    memory: Annotated[int, typer.Option(min=1, help="MiB for a strip of a scene as read and projected")] = 1024,
    top_k: Annotated[int, typer.Option(min=1, help="images: so many classes, the most probable first")] = 1,
    all_probabilities: Annotated[bool, typer.Option("--all", help="images: the probability of every class")] = False,
    unreadable: Annotated[str, typer.Option(help="files that are no images: error or skip (and list)")] = "error",
    truth: Annotated[str | None, typer.Option(help="folders: an image's folder is its class, and is scored")] = None,
    window: Annotated[int | None, typer.Option(help="masks: side of windows that overlap by a quarter")] = None,
    data: Annotated[str | None, typer.Option(help="folder of the run's data files, if they have moved")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (those of the run)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """The class of each image as CSV and JSON, a class map of each scene, or a mask of each image.

    Images: folders are searched to the bottom; any number, for only a batch at a time is in memory. The images that the
    run was trained on are not needed. With ``--truth folders`` they are scored too.

    Scenes: label ids as GeoTIFF, ENVI or .npy with the scene's place on the ground, and a PNG.

    Without a scene the run's own is predicted; its map.npy holds class numbers, as the figures of `tricklab test` show.

    Scenes are read in strips, so they may be larger than memory (ENVI, .npy, GeoTIFF with tricklab[geo]).

    Masks: label values as PNG, .npy or GeoTIFF, as the image is, and a picture. Rasters larger than memory (.npy,
    GeoTIFF with tricklab[geo]) are read by rows, in the recipe's windows or those of ``--window``.

    Examples:

      tricklab predict runs/plants-1f3a2c photographs one.jpg --top-k 3 --out found

      tricklab predict runs/demo-1f3a2c

      tricklab predict runs/roads-1f3a2c town.tif --window 512 --out masks

      tricklab predict runs/salinas-1f3a2c other.hdr more.tif --out maps --method dense
    """
    from tricklab.cli.resume import single_run
    from tricklab.engine import load_run
    from tricklab.errors import UserError, nearest
    from tricklab.tasks.class_maps import FORMATS
    from tricklab.tasks.scene_rows import open_rows, rows_of

    if form not in (None, "csv", "json", *FORMATS):
        raise UserError(f"unknown format {form!r}", where="--format", fix=nearest(str(form), ("csv", "json", *FORMATS)))
    folder = single_run(Path(run))
    if folder.recipe.get("task") == "segmentation":
        others = {
            "--format": form, "--method": method, "--key": key, "--truth": truth, "--data": data,
            "--top-k": None if top_k == 1 else top_k, "--all": all_probabilities or None,
        }  # fmt: skip
        unfit = next((name for name, value in others.items() if value is not None), None)
        if unfit is not None:
            raise UserError("this is not for masks", where=unfit)
        _masks(folder.path, inputs or [], folder.predictions if out is None else Path(out), window, threads, as_json)
        return
    if window is not None:
        raise UserError("this is for masks", where="--window")
    if folder.recipe.get("task") == "classification":
        for name, value in (("--method", method), ("--key", key), ("--data", data)):
            if value is not None:
                raise UserError("this is for scenes", where=name)
        target = folder.predictions if out is None else Path(out)
        _images(folder.path, inputs or [], target, form, top_k, all_probabilities, unreadable, truth, threads, as_json)
        return
    for name, given in (("--top-k", top_k != 1), ("--all", all_probabilities), ("--truth", truth)):
        if given:
            raise UserError("this is for images", where=name)
    if method not in (None, "windows", "dense"):
        raise UserError(f"unknown method {method!r}", where="--method", fix="windows or dense")
    if form in ("csv", "json"):
        raise UserError(f"{form} is for images", where="--format", fix=nearest("", FORMATS))
    loaded = load_run(folder.path, data=data, threads=threads)
    task: Any = loaded.task
    target = folder.predictions if out is None else Path(out)
    target.mkdir(parents=True, exist_ok=True)
    scenes = [(Path(name), open_rows(Path(name), key)) for name in inputs or ()]
    stems = [path.stem for path, _ in scenes]
    doubled = next((stem for stem in stems if stems.count(stem) > 1), None)
    if doubled is not None:
        raise UserError(f"two scenes are named {doubled!r}", where="inputs", fix="predict them one after the other")
    if any(path.resolve().parent == target.resolve() for path, _ in scenes):
        raise UserError("maps beside their scenes would take the scenes' names", where="--out", fix="another folder")
    found = [predict(loaded, rows, target / path.stem, form or own_form(path), method, memory) for path, rows in scenes]
    if not scenes:
        found = [predict(loaded, rows_of(task.fold.scene), target / "map", form, method, memory)]
    if as_json:
        print(json.dumps({"run": str(folder.path), "maps": found}, indent=2))
        return
    for one in found:
        shares = ", ".join(f"{name} {share:.1%}" for name, share in one["shares"].items())
        print(f"{one['scene']}: {one['height']} × {one['width']} pixels: {shares}")
        print("\n".join(f"  {path}" for path in one["files"]))


def _masks(run: Path, inputs: list[str], out: Path, window: int | None, threads: int | None, as_json: bool) -> None:
    from tricklab.cli.predict_masks import predict_masks, show_masks

    found = predict_masks(run, inputs, out, window, threads)
    if as_json:
        print(json.dumps({"run": str(run), "masks": found}, indent=2))
    else:
        show_masks(found)


def _images(
    run: Path, inputs: list[str], out: Path, form: str | None, top_k: int, everything: bool, unreadable: str,
    truth: str | None, threads: int | None, as_json: bool,
) -> None:  # fmt: skip
    from tricklab.cli.predict_images import Wanted, images_of, predict_images, show_predictions
    from tricklab.engine.image_network import open_image_network
    from tricklab.errors import UserError
    from tricklab.records import dumps

    for name, given, known in (
        ("--format", form, (None, "csv", "json")),
        ("--unreadable", unreadable, ("error", "skip")),
        ("--truth", truth, (None, "folders")),
    ):
        if given not in known:
            words = " or ".join(str(word) for word in known if word is not None)
            raise UserError(f"unknown value {given!r}", where=name, fix=words)
    paths = images_of(inputs)
    network = open_image_network(run, threads=threads)
    forms = ("csv", "json") if form is None else (form,)
    wanted: Any = {"truth": truth, "unreadable": unreadable}
    found = predict_images(network, paths, out, Wanted(top_k=top_k, everything=everything, forms=forms, **wanted))
    if as_json:
        print(dumps(found, indent=2))
    else:
        show_predictions(found)


def predict(
    loaded: LoadedRun, rows: SceneRows, stem: Path, form: str | None, method: str | None, memory: int
) -> dict[str, Any]:
    """Predict one scene and write its files; returns what was written and how the classes share the scene.

    Args:
        stem: path of the files without suffix.
        form: format of the map of label ids, or None for class numbers (-1: no measurement) in ``.npy``, which the
            run's figures read.
    """
    import numpy as np

    from tricklab.tasks.class_maps import file_of, to_ids, write_map, write_picture
    from tricklab.tasks.scene_prediction import predict_strips

    chosen, task = loaded.prepared.settings.evaluate, loaded.task
    classes = np.empty(rows.shape[:2], dtype=np.int32)
    strips = predict_strips(
        loaded.model,
        rows,
        task.fitted,
        method=method or chosen.method,
        postprocess=loaded.prepared.postprocess,
        batch_size=chosen.batch_size,
        memory_limit=memory * 2**20,
    )
    for strip in strips:
        classes[strip.top : strip.top + len(strip.classes)] = strip.classes
    names = dict(zip(task.label_ids, task.classes, strict=True))
    ids = to_ids(classes, task.label_ids)
    if form is None:
        files = [file_of(stem, ".npy")]
        np.save(files[0], classes)
    else:
        files = [write_map(ids, stem, form, names, rows.crs, rows.transform)]
    files.append(write_picture(classes, file_of(stem, ".png")))
    measured = max(int((classes >= 0).sum()), 1)
    shares = {name: float((classes == number).sum() / measured) for number, name in enumerate(task.classes)}
    return {
        "scene": rows.name,
        "height": rows.shape[0],
        "width": rows.shape[1],
        "shares": shares,
        "without_measurement": int((classes < 0).sum()),
        "files": [str(path) for path in files],
    }


def own_form(path: Path) -> str:
    """The map format that goes with a scene's file."""
    return {".tif": "geotiff", ".tiff": "geotiff", ".npy": "npy", ".mat": "npy"}.get(path.suffix.lower(), "envi")
