"""What `tricklab predict` does with runs on masks: a mask of label values and a picture for each image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tricklab.errors import UserError


def predict_masks(
    run: Path, inputs: Sequence[str], out: Path, window: int | None, threads: int | None
) -> list[dict[str, Any]]:
    """Predict images and rasters; their files go into ``out``.

    Args:
        run: the run's folder.
        inputs: images, folders of them, ``.npy`` and GeoTIFF rasters.
        out: folder.
        window: side of windows, see :func:`~tricklab.tasks.mask_prediction.predict_mask`.
        threads: CPU threads; as the run's if not given.

    Raises:
        UserError: no such run or file, two images of one name, or masks that would take their images' names.
    """
    import torch

    from tricklab.engine.trainer import pick_device
    from tricklab.records import RunFolder
    from tricklab.tasks.mask_prediction import predict_mask
    from tricklab.tasks.mask_run import mask_run

    paths = _paths(inputs)
    stems = [path.stem for path in paths]
    doubled = next((stem for stem in stems if stems.count(stem) > 1), None)
    if doubled is not None:
        both = " and ".join([str(path) for path in paths if path.stem == doubled][:2])
        raise UserError(f"{both} would give masks of one name", where="inputs", fix="predict each with its own --out")
    if any(path.resolve().parent == out.resolve() for path in paths):
        raise UserError("masks beside their images would take the images' names", where="--out", fix="another folder")
    if window is not None and window < 8:
        raise UserError(f"windows of {window} pixels", where="--window", fix="at least 8")
    folder = RunFolder.open(run)
    network = mask_run(folder, pick_device("auto"))
    torch.set_num_threads(threads or folder.provenance()["execution"]["threads"])
    out.mkdir(parents=True, exist_ok=True)
    found = [predict_mask(network, path, out / path.stem, window) for path in paths]
    return [
        {
            "image": one.name,
            "height": one.size[0],
            "width": one.size[1],
            "windows": one.windows,
            "other_windows": one.agreement and {**one.agreement.as_data(), "text": str(one.agreement)},
            "shares": one.shares,
            "files": [str(path) for path in one.files],
        }
        for one in found
    ]


def show_masks(found: Sequence[dict[str, Any]]) -> None:
    """Print what ``predict_masks`` found, for a person."""
    for one in found:
        shares = ", ".join(f"{name} {share:.1%}" for name, share in one["shares"].items() if share)
        print(f"{one['image']}: {one['height']} × {one['width']} pixels: {shares}")
        if one["other_windows"]:
            print(f"  {one['other_windows']['text']}")
        print("\n".join(f"  {path}" for path in one["files"]))


def _paths(inputs: Sequence[str]) -> list[Path]:
    from tricklab.cli.predict_images import images_of

    rasters = [name for name in inputs if Path(name).is_file()]
    folders = [name for name in inputs if not Path(name).is_file()]
    if not inputs:
        raise UserError("images to predict are needed", where="inputs", fix="name files or folders")
    return [*map(Path, rasters), *(images_of(folders) if folders else [])]
