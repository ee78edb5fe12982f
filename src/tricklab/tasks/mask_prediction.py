"""Masks of image files: as evaluations ask where an image fits into memory, by rows and windows where it does not."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from tricklab.data.formats.label_files import TIFF_SUFFIXES
from tricklab.data.mask_reading import read_bands
from tricklab.data.mask_resizing import resize_image
from tricklab.data.scene import Scene
from tricklab.errors import UserError
from tricklab.inference.disagreement import half_as_large_again
from tricklab.inference.mask_scores import require_answered
from tricklab.inference.raster import PredictedRaster, predict_raster
from tricklab.inference.sliding import Sliding
from tricklab.ops.denormals import flushing_denormals
from tricklab.tasks.class_maps import file_of, to_ids, write_map, write_picture
from tricklab.tasks.mask_evaluation import predicted_classes
from tricklab.tasks.mask_network import sliding_of
from tricklab.tasks.mask_run import MaskRun
from tricklab.tasks.scene_rows import SceneRows, open_rows, rows_of
from tricklab.tasks.window_agreement import WindowAgreement, agreement

LARGEST_WHOLE = 2**24
"""Pixels of an image that is asked about as evaluations ask; larger ones go by rows."""


@dataclass(frozen=True)
class PredictedMask:
    """What was written for one image.

    Attributes:
        name: the image.
        size: (height, width).
        windows: how many it was asked in, in each view.
        shares: {class name: share of the pixels}.
        files: the mask of label values and a picture of it.
        agreement: what larger windows would have made of the middle of an image that was asked by rows; None where one
            window holds it, and of others.
    """

    name: str
    size: tuple[int, int]
    windows: int
    shares: dict[str, float]
    files: list[Path]
    agreement: WindowAgreement | None = None


def predict_mask(run: MaskRun, path: Path, stem: Path, window: int | None = None) -> PredictedMask:
    """Predict one image and write its mask of label values, at the size of the file.

    An image of at most ``LARGEST_WHOLE`` pixels is asked about as the run's evaluations ask. A larger one is read,
    asked and written by rows: with the recipe's windows or those asked for, postprocessing inside each window.

    Args:
        run: the network.
        path: an image file; ``.npy`` (height, width, channels) is mapped, GeoTIFF read by rows.
        stem: path of the files without suffix; the folder exists. The mask is a GeoTIFF of a ``.tif``, ``.npy`` of a
            ``.npy``, else a grey PNG; ``<stem>-colours.png`` shows it.
        window: side of windows that overlap by a quarter, whatever the recipe says; any size of image is then read by
            rows.

    Raises:
        UserError: an unreadable image, one of another kind than the network's, one too large to be seen whole, or
            scores that are no numbers.
    """
    rows = _opened(path, run)
    size = rows.shape[:2]
    with tempfile.TemporaryDirectory(dir=stem.parent, prefix=".mask-") as folder:
        if window is None and size[0] * size[1] <= LARGEST_WHOLE:
            classes, apart = _whole(run, rows), None
            windows = _windows_of(run, (size[0], size[1]))
        else:
            found, apart = _by_rows(run, rows, Path(folder) / "classes.npy", window)
            classes, windows = np.load(found.path, mmap_mode="r"), found.windows
        files = _written(run, rows, classes, path, stem)
    counts = np.zeros(len(run.classes), dtype=np.int64)
    for strip in np.array_split(classes, -(-classes.size // LARGEST_WHOLE)):
        counts += np.bincount(strip.reshape(-1), minlength=len(counts))
    shares = {name: float(count / classes.size) for name, count in zip(run.classes, counts, strict=True)}
    return PredictedMask(str(path), (size[0], size[1]), windows, shares, files, apart)


def _opened(path: Path, run: MaskRun) -> SceneRows:
    if path.suffix.lower() in (".npy", *TIFF_SUFFIXES):
        return open_rows(path)
    layout = run.settings.data["images"]
    pixels = read_bands(path, layout.get("bands", "rgb"))
    return rows_of(Scene(pixels, files=(str(path),)))


def _whole(run: MaskRun, rows: SceneRows) -> np.ndarray:
    """Class numbers (H, W) of an image in memory."""
    pixels = rows.read(0, rows.shape[0])
    size = pixels.shape[:2]
    if run.resizing is not None:
        pixels = resize_image(pixels, run.resizing.size_of(*size))
    with torch.inference_mode(), flushing_denormals():
        logits = run.ask(run.settings.evaluate.method)(run.values(pixels, rows.name)).float()
        if logits.shape[-2:] != size:
            logits = functional.interpolate(logits, size, mode="bilinear", align_corners=False)
        require_answered(logits, rows.name)
        found: np.ndarray = predicted_classes(logits)[0].cpu().numpy()
    return found


def _windows_of(run: MaskRun, size: tuple[int, int]) -> int:
    """Windows of an image that is asked about as evaluations ask; of each of its views where there are several."""
    plan = sliding_of(run.settings.evaluate)
    return 1 if plan is None else plan.count(size if run.resizing is None else run.resizing.size_of(*size))


def _by_rows(
    run: MaskRun, rows: SceneRows, path: Path, window: int | None
) -> tuple[PredictedRaster, WindowAgreement | None]:
    size = (rows.shape[0], rows.shape[1])
    if run.resizing is not None:
        raise UserError(
            f"{size[0]:,} × {size[1]:,} pixels are read by rows, and data.resize needs the whole image",
            where=rows.name,
            fix="predict parts of it" if size[0] * size[1] > LARGEST_WHOLE else "leave --window out",
        )
    evaluate = run.settings.evaluate
    if window is not None:
        step = max(window - window // 4, 1)
        plan: Sliding | None = Sliding((window, window), (step, step), batch=evaluate.batch_size)
    else:
        plan = sliding_of(evaluate)
    if plan is None:
        raise UserError(
            f"{size[0]:,} × {size[1]:,} pixels are too many to be seen at once",
            where=rows.name,
            fix="give --window, such as 512",
        )

    def read(top: int, bottom: int) -> Tensor:
        return run.values(rows.read(top, bottom), rows.name)

    with flushing_denormals():
        found = predict_raster(run.ask("whole"), read, size, plan, path)
    # two of the larger windows each way: enough for borders between windows, however large the image
    spans = [_middle(side, 2 * length) for side, length in zip(size, half_as_large_again(plan).window, strict=True)]
    part = run.values(rows.read(spans[0].start, spans[0].stop)[:, spans[1]], rows.name)
    return found, agreement(run.ask("whole"), [part], plan)


def _middle(side: int, length: int) -> slice:
    start = max(side - length, 0) // 2
    return slice(start, min(start + length, side))


def _written(run: MaskRun, rows: SceneRows, classes: np.ndarray, path: Path, stem: Path) -> list[Path]:
    ids = to_ids(classes, run.label_ids)
    suffix = path.suffix.lower()
    if suffix == ".npy" or suffix in TIFF_SUFFIXES:
        names = dict(zip(run.label_ids, run.classes, strict=True))
        mask = write_map(ids, stem, "npy" if suffix == ".npy" else "geotiff", names, rows.crs, rows.transform)
    else:
        mask = file_of(stem, ".png")
        Image.fromarray(ids).save(mask)
    return [mask, write_picture(classes, file_of(stem, "-colours.png"))]
