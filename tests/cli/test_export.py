"""tricklab export: files that give the network's own logits without tricklab."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.cli.image_runs import train_images
from tricklab.cli.main import main
from tricklab.data.image_normalisation import FIXED, Normalisation
from tricklab.engine import load_run
from tricklab.errors import UserError
from tricklab.inference.exporting import TOLERANCE, Deployed, export
from tricklab.models.groupmamba import GroupMamba
from tricklab.records import RunFolder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_images(tmp_path_factory.mktemp("runs"), "train.epochs=1", "+tta")


def validation(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """The validation images as bytes, and the run's own logits for them."""
    loaded = load_run(run)
    fold = loaded.task.fold  # type: ignore[attr-defined]
    images = fold.store.images(fold.members["val"])
    with torch.inference_mode():
        return images.numpy(), loaded.model(fold.normalisation(images.clone()))["main"].numpy()


def test_onnx_takes_bytes_and_gives_the_runs_logits(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, wanted = validation(run)
    assert main(["export", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    path, beside = (Path(name) for name in found["files"])
    assert path == RunFolder.open(run).path / "exported" / "network.onnx"
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for part in (images, images[:1], images[:7]):
        (got,) = session.run(["logits"], {"images": part})
        assert got == pytest.approx(wanted[: len(part)], abs=float(1e-4 * np.abs(wanted).max()))
    onnx.checker.check_model(onnx.load(path))
    (entry,) = [item for item in onnx.load(path).metadata_props if item.key == "tricklab"]
    about = json.loads(entry.value)
    assert about["classes"] == list(load_run(run).task.classes)
    assert about["input"] | {"shape": ["batch", 3, 24, 24], "type": "uint8"} == about["input"]
    assert about["left_out"] == ["ImageViews"]
    assert json.loads(beside.read_text())["classes"] == about["classes"]
    assert found["difference"] <= found["tolerance"] == TOLERANCE


def test_a_torch_file_of_values_needs_no_tricklab(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, wanted = validation(run)
    out = tmp_path / "plants.pt2"
    assert main(["export", str(run), "--format", "torch", "--out", str(out), "--input", "values"]) == 0
    said = capsys.readouterr().out
    assert str(out) in said
    assert "not exported: ImageViews" in said
    about = json.loads((tmp_path / "plants.pt2.json").read_text())["normalisation"]
    assert about["inside"] is False
    values = (images / 255 - np.array(about["mean"])[:, None, None]) / np.array(about["std"])[:, None, None]
    np.save(tmp_path / "values.npy", values.astype(np.float32))
    code = (
        "import sys, numpy, torch\n"
        f"module = torch.export.load({str(out)!r}).module()\n"
        f"numpy.save({str(tmp_path / 'logits.npy')!r}, module(torch.from_numpy(numpy.load("
        f"{str(tmp_path / 'values.npy')!r}))).detach().numpy())\n"
        "sys.exit('tricklab' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert np.load(tmp_path / "logits.npy") == pytest.approx(wanted, abs=float(1e-4 * np.abs(wanted).max()))


def test_groupmambas_scans_export(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = GroupMamba(embed_dims=[16, 16, 16, 16], depths=[1, 1, 1, 1], mlp_ratios=[1, 1, 1, 1], classes=3).eval()
    deployed = Deployed(model, Normalisation("half", *FIXED["half"])).eval()
    for form, name in (("torch", "g.pt2"), ("onnx", "g.onnx")):
        assert export(deployed, (32, 48), tmp_path / name, form, {}) <= TOLERANCE  # type: ignore[arg-type]


def test_a_stretched_image_is_stretched_inside() -> None:
    images = torch.randint(0, 200, (4, 3, 5, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    class Itself(torch.nn.Module):
        def forward(self, values: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"main": values.flatten(1)}

    for normalisation in (Normalisation("minmax"), Normalisation("imagenet", *FIXED["imagenet"])):
        found = Deployed(Itself(), normalisation)(images)
        torch.testing.assert_close(found, normalisation(images.clone()).flatten(1))
    assert torch.equal(Deployed(Itself(), None)(images.float()), images.float().flatten(1))


def test_a_file_that_gives_other_logits_is_not_left(tmp_path: Path) -> None:
    class Counting(torch.nn.Module):
        """Not the same twice, so that no exported file can be right."""

        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, values: torch.Tensor) -> dict[str, torch.Tensor]:
            self.calls += 1
            return {"main": values.mean(dim=(2, 3)) + self.calls}

    with pytest.raises(UserError, match="logits differ by"):
        export(Deployed(Counting(), None).eval(), (8, 8), tmp_path / "x.pt2", "torch", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [(("--format", "tflite"), "onnx or torch"), (("--input", "floats"), "bytes or values"),
     (("--out", "x.pt"), "a file of onnx ends in .onnx")],
)  # fmt: skip
def test_bad_input(run: Path, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), *words]) == 2
    assert message in capsys.readouterr().err
