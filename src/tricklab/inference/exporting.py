"""A trained network as a file that runs without tricklab: ONNX, or torch's own exported program."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from tricklab.data.image_normalisation import Normalisation
from tricklab.errors import UserError
from tricklab.records.atomic import replacing

Form = Literal["onnx", "torch"]
SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
BATCHES = (1, 2, 5)
TOLERANCE = 1e-4
_ENTRY = "tricklab.json"


class Deployed(nn.Module):
    """Images in, logits (N, K) out.

    Args:
        model: gives ``{"main": logits}``; in evaluation mode, on the CPU.
        normalisation: what is done to bytes; None where the images come normalised.

    Shape:
        uint8 (N, 3, H, W), or with no normalisation float32 normalised values → float32 (N, K).
    """

    def __init__(self, model: nn.Module, normalisation: Normalisation | None) -> None:
        super().__init__()
        self.model = model
        self.stretched = normalisation is not None and normalisation.name == "minmax"
        self.bytes = normalisation is not None
        mean = torch.tensor(normalisation.mean if normalisation else (0.0,) * 3).view(1, 3, 1, 1)
        std = torch.tensor(normalisation.std if normalisation else (1.0,) * 3).view(1, 3, 1, 1)
        self.register_buffer("scale", 1.0 / (255.0 * std), persistent=True)
        self.register_buffer("shift", mean / std, persistent=True)

    def forward(self, images: Tensor) -> Tensor:
        values = images
        if self.stretched:
            values = images.to(torch.float32)
            low, high = values.amin(dim=(1, 2, 3), keepdim=True), values.amax(dim=(1, 2, 3), keepdim=True)
            values = (values - low) / (high - low).clamp(min=1.0)
        elif self.bytes:
            values = images.to(torch.float32) * self.get_buffer("scale") - self.get_buffer("shift")
        found: Tensor = self.model(values)["main"]
        return found


def export(deployed: Deployed, size: tuple[int, int], path: Path, form: Form, about: Mapping[str, Any]) -> float:
    """Write the network for batches of any size, read it again and compare it with the network itself.

    Args:
        deployed: in evaluation mode, on the CPU.
        size: (height, width) of the images.
        path: of the file.
        form: ``onnx`` or ``torch`` (``torch.export.load`` reads it).
        about: plain data that goes into the file, as JSON under ``tricklab`` in ONNX's metadata, or as the extra file
            ``tricklab.json``.

    Returns:
        The largest difference of a logit, as a share of the largest logit where that is above 1, over batches of 1, 2
        and 5 random images.

    Raises:
        UserError: packages are missing, the network cannot be traced, or the file gives other logits; then there is
            no file.
    """
    if form == "onnx":
        _require("onnx", "onnxscript", "onnxruntime")
    program = _traced(deployed, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as place:
        run = _written_onnx(program, place, about) if form == "onnx" else _written_torch(program, place, about)
        difference = largest_difference(deployed, run, size)
        if not difference <= TOLERANCE:
            raise UserError(
                f"the exported network's logits differ by {difference:.2g}, more than {TOLERANCE:g}", where=str(path)
            )
    return difference


def largest_difference(deployed: Deployed, run: Callable[[Tensor], np.ndarray], size: tuple[int, int]) -> float:
    """See :func:`export`; the images are noise of several brightnesses, the same each time."""
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for count in BATCHES:
        images = torch.randint(0, 256, (count, 3, *size), generator=generator)
        given = (images // torch.randint(1, 5, (count, 1, 1, 1), generator=generator)).to(torch.uint8)
        given = given if deployed.bytes else given.to(torch.float32) / 128 - 1
        with torch.inference_mode():
            wanted = deployed(given).numpy()
        found = run(given)
        if found.shape != wanted.shape:
            return float("inf")
        worst = max(worst, float(np.abs(found - wanted).max() / max(float(np.abs(wanted).max()), 1.0)))
    return worst


def _traced(deployed: Deployed, size: tuple[int, int]) -> Any:
    example = torch.zeros(2, 3, *size, dtype=torch.uint8 if deployed.bytes else torch.float32)
    batch = torch.export.Dim("batch", min=1)
    try:
        with torch.no_grad(), _quiet():
            return torch.export.export(deployed, (example,), dynamic_shapes=({0: batch},), strict=False)
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"torch cannot trace this network for batches of any size: {first}", where="export") from error


def _written_torch(program: Any, place: Path, about: Mapping[str, Any]) -> Callable[[Tensor], np.ndarray]:
    # torch wants its suffix, the file has a temporary name until it is whole
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={_ENTRY: json.dumps(about)})
    place.write_bytes(buffer.getvalue())
    buffer.seek(0)
    module = torch.export.load(buffer).module()

    def run(images: Tensor) -> np.ndarray:
        with torch.inference_mode():
            found: np.ndarray = module(images).numpy()
        return found

    return run


def _written_onnx(program: Any, place: Path, about: Mapping[str, Any]) -> Callable[[Tensor], np.ndarray]:
    import onnxruntime

    with _quiet(), contextlib.redirect_stdout(io.StringIO()):
        made = torch.onnx.export(
            program, input_names=["images"], output_names=["logits"], dynamo=True, verbose=False, optimize=True
        )
    assert made is not None
    made.model.metadata_props["tricklab"] = json.dumps(about)
    made.save(place)
    session = onnxruntime.InferenceSession(str(place), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: Tensor) -> np.ndarray:
        found: np.ndarray = session.run(None, {name: images.numpy()})[0]
        return found

    return run


def _require(*packages: str) -> None:
    missing = []
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError:
            missing.append(package)
    if missing:
        raise UserError(
            f"{', '.join(missing)} is not installed", where="--format onnx", fix="pip install 'tricklab[export]'"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Exporters warn of their own future."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
