"""The time to gather windows from a padded cube, against the ways that hyperspectral code usually takes.

    python benchmarks/window_loading.py [--json] [--bands 30] [--window 25] [--batch 64] [--repeats 30]

Every way must give the same bits. Times are medians of processor time (one thread) over batches of random pixels of a
145 × 145 scene (Indian Pines); the memory is what each way keeps: the padded cube, or the
windows of every pixel.
"""

from __future__ import annotations

import argparse
import json
from collections import deque
from collections.abc import Callable

import numpy as np
import torch
from _compare import medians_s
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tricklab.data.batches import EpochBatches
from tricklab.data.padding import pad_cube
from tricklab.data.shuffle import Shuffle
from tricklab.data.windows import WindowDataset
from tricklab.ops.windows import gather_windows
from tricklab.seeds import Seeds

SIDE, LABELLED = 145, 1024


class OneByOne(Dataset[tuple[Tensor, Tensor]]):
    """The usual PyTorch dataset: one slice per item, stacked by the loader."""

    def __init__(self, cube: Tensor, centres: Tensor, targets: Tensor, window: int) -> None:
        self.cube, self.centres, self.targets, self.window = cube, centres.tolist(), targets, window

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        row, column = self.centres[item]
        return self.cube[:, row : row + self.window, column : column + self.window], self.targets[item]


def stacked(cube: Tensor, centres: Tensor, window: int) -> Tensor:
    """A Python loop over windows."""
    return torch.stack([cube[:, r : r + window, c : c + window] for r, c in centres.tolist()])


def advanced(cube: Tensor, centres: Tensor, window: int) -> Tensor:
    """torch's advanced indexing with broadcast rows and columns."""
    reach = torch.arange(window)
    rows, columns = centres[:, :1] + reach, centres[:, 1:] + reach
    return cube[:, rows[:, :, None], columns[:, None, :]].transpose(0, 1).contiguous()


def unfolded(cube: Tensor, centres: Tensor, window: int) -> Tensor:
    """torch's unfold and one indexing call."""
    views = cube.unfold(1, window, 1).unfold(2, window, 1).permute(1, 2, 0, 3, 4)
    return views[centres[:, 0], centres[:, 1]].contiguous()


def row_indexed(cube: Tensor, centres: Tensor, window: int) -> Tensor:
    """torch's index_select over a strided view of all rows of a window's width."""
    bands, height, width = cube.shape
    rows = torch.as_strided(cube, (cube.numel() - window + 1, window), (1, 1))
    first = (centres[:, 0] * width + centres[:, 1])[:, None, None]
    offset = torch.arange(bands)[:, None] * (height * width) + torch.arange(window) * width
    return rows.index_select(0, (first + offset).reshape(-1)).view(len(centres), bands, window, window)


def band_last(cube: Tensor, centres: Tensor, window: int, cube_HWB: Tensor) -> Tensor:
    """A band-last cube, one copy of whole rows, and a transposition."""
    _, width, bands = cube_HWB.shape
    rows = torch.as_strided(cube_HWB, (cube_HWB.numel() // bands - window + 1, window * bands), (bands, 1))
    first = (centres[:, 0] * width + centres[:, 1])[:, None] + torch.arange(window) * width
    found = rows.index_select(0, first.reshape(-1)).view(len(centres), window * window, bands)
    return found.transpose(1, 2).contiguous().view(len(centres), bands, window, window)


def measure(bands: int, window: int, batch: int, repeats: int) -> list[dict[str, object]]:
    """Time each way on the same batch and the loaders on one epoch."""
    rng = np.random.default_rng(0)
    cube = pad_cube(rng.normal(size=(bands, SIDE, SIDE)).astype(np.float32), window)
    cube_HWB = cube.permute(1, 2, 0).contiguous()
    centres = torch.from_numpy(rng.integers(0, SIDE, (LABELLED, 2)))
    targets = torch.from_numpy(rng.integers(0, 16, LABELLED))
    some = centres[:batch]
    ways: dict[str, Callable[[], Tensor]] = {
        "ours": lambda: gather_windows(cube, some, window),
        "slice and stack": lambda: stacked(cube, some, window),
        "torch advanced indexing": lambda: advanced(cube, some, window),
        "torch unfold": lambda: unfolded(cube, some, window),
        "torch index_select of rows": lambda: row_indexed(cube, some, window),
        "band-last rows, transposed": lambda: band_last(cube, some, window, cube_HWB),
    }
    for name, way in ways.items():
        if not torch.equal(way(), ways["ours"]()):
            raise SystemExit(f"{name} gives other windows")
    times = medians_s(dict(ways), repeats)
    results = [row(f"gather {batch} windows", name, times["ours"], times[name]) for name in ways if name != "ours"]
    dataset = WindowDataset(cube, centres, targets, window)
    batches = EpochBatches(Shuffle(), targets.numpy(), batch, Seeds(0, 0))
    loader = DataLoader(dataset, batch_sampler=batches, collate_fn=lambda found: found)
    usual = DataLoader(OneByOne(cube, centres, targets, window), batch_size=batch, shuffle=True)
    epochs = medians_s({"ours": lambda: deque(loader, 0), "usual": lambda: deque(usual, 0)}, max(5, repeats // 5))
    name = f"one epoch of {LABELLED} windows"
    results.append(row(name, "DataLoader with one item per call", epochs["ours"], epochs["usual"]))
    ours_mb, peer_mb = cube.numel() * 4 / 2**20, SIDE * SIDE * bands * window**2 * 8 / 2**20
    results.append(
        {
            "name": "memory of a scene",
            "peer": "all windows in float64, as the reference code",
            "ours_mb": round(ours_mb, 2),
            "peer_mb": round(peer_mb, 1),
            "ratio": round(peer_mb / ours_mb, 1),
        }
    )
    return results


def row(name: str, peer: str, ours_s: float, peer_s: float) -> dict[str, object]:
    """One line of the result."""
    return {"name": name, "peer": peer, "ours_s": ours_s, "peer_s": peer_s, "ratio": round(peer_s / ours_s, 2)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="windows per second against other ways")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--bands", type=int, default=30)
    parser.add_argument("--window", type=int, default=25)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=30)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    results = measure(asked.bands, asked.window, asked.batch, asked.repeats)
    if asked.json:
        print(json.dumps({"results": results}, indent=2))
        return
    for item in results:
        unit, scale = ("mb", 1.0) if "ours_mb" in item else ("s", 1000.0)
        ours, peer = (float(str(item[f"{side}_{unit}"])) * scale for side in ("ours", "peer"))
        shown = "MB" if unit == "mb" else "ms"
        print(f"{item['name']:32} {ours:9.2f} {shown}   {item['peer']:46} {peer:9.2f} {shown}   {item['ratio']}×")


if __name__ == "__main__":
    main()
