"""HybridSN's training: windows per second and memory of the windows, against the straightforward script.

    python benchmarks/hybridsn_training.py [--json] [--quick] [--threads 2]

Both sides train the same network by the same Adam with batches from their own loaders, each in a process of its own;
steps alternate. Times are those of the best step, divided by its windows. The memory is what the windows need: all
windows of the scene in the script's float64 array, our padded cube and one batch.
"""

from __future__ import annotations

import itertools
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from _compare import Row, Side, memory_row, parser, show, time_row, turns_s
from _script import PlainHybridSN, data_set, training_step
from torch.nn import functional
from torch.utils.data import DataLoader

from tricklab.data.batches import EpochBatches
from tricklab.data.padding import pad_cube
from tricklab.data.shuffle import Shuffle
from tricklab.data.windows import WindowDataset
from tricklab.models.hybridsn import HybridSN
from tricklab.ops.host_memory import keep_freed_memory
from tricklab.seeds import Seeds


@dataclass(frozen=True)
class Shape:
    """A scene of random numbers with the sizes of a real one."""

    name: str
    height: int
    width: int
    bands: int
    window: int
    classes: int
    labelled: int
    training: int

    def scene(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image (H, W, B), labels (H, W), numbers of the training pixels among the labelled ones."""
        rng = np.random.default_rng(0)
        image = rng.normal(size=(self.height, self.width, self.bands)).astype(np.float32)
        labels = np.zeros(self.height * self.width, dtype=np.int64)
        spots = rng.permutation(labels.size)[: self.labelled]
        labels[spots] = 1 + np.arange(self.labelled) % self.classes
        return image, labels.reshape(self.height, self.width), rng.permutation(self.labelled)[: self.training]

    def training_places(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Padded cube, centres (N, 2), targets (N,) of the training pixels."""
        image, labels, chosen = self.scene()
        centres = np.argwhere(labels > 0)[chosen]
        cube = pad_cube(np.ascontiguousarray(image.transpose(2, 0, 1)), self.window)
        targets = torch.from_numpy(labels[centres[:, 0], centres[:, 1]] - 1)
        return cube, torch.from_numpy(centres), targets


INDIAN_PINES = Shape("Indian Pines 145x145x30, S=25", 145, 145, 30, 25, 16, 10_249, 1024)
SALINAS_A = Shape("Salinas-A 83x86x15, S=15", 83, 86, 15, 15, 6, 5348, 535)


def script(shape: Shape, batch: int) -> Callable[[], None]:
    """The straightforward script."""
    image, labels, chosen = shape.scene()
    data = data_set(image, labels, shape.window, chosen)
    return training_step(data, PlainHybridSN(shape.bands, shape.window, shape.classes), batch)


def ours(shape: Shape, batch: int, shared: bool, keep: bool) -> Callable[[], None]:
    """Windows gathered on the fly, or convolutions shared between the batch's windows."""
    if keep:
        keep_freed_memory()
    cube, centres, targets = shape.training_places()
    model = HybridSN(bands=shape.bands, window=shape.window, classes=shape.classes)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    data = WindowDataset(cube, centres, targets, shape.window)
    order = EpochBatches(Shuffle(), targets.numpy(), batch, Seeds(0, 0))

    def full_batches() -> Iterator[list[tuple[int, int, int]]]:
        for epoch in itertools.count():
            order.set_epoch(epoch)
            yield from (items for items in order if len(items) == batch)

    places = full_batches()
    windows = iter(DataLoader(data, batch_sampler=places, collate_fn=lambda found: found))

    def step() -> None:
        if shared:
            index = torch.tensor([item[1] for item in next(places)])
            logits, target = model.forward_windows(cube, centres[index])["main"], targets[index]
        else:
            found = next(windows)
            logits, target = model(found["image"])["main"], found["target"]
        optimizer.zero_grad()
        functional.cross_entropy(logits, target).backward()
        optimizer.step()

    return step


def script_store_bytes(shape: Shape) -> int:
    """Peak of the script's NumPy arrays while it prepares the training data; its float32 tensor comes on top."""
    image, labels, chosen = shape.scene()
    tracemalloc.start()
    data = data_set(image, labels, shape.window, chosen)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(data) == shape.training
    return peak


def our_store_bytes(shape: Shape, batch: int) -> int:
    """Peak of our NumPy arrays while a batch of windows is gathered, and the tensors of cube, centres and targets."""
    cube, centres, targets = shape.training_places()
    data = WindowDataset(cube, centres, targets, shape.window)
    tracemalloc.start()
    found = data.__getitems__([(0, item, 0) for item in range(batch)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found["image"]) == batch
    return peak + sum(tensor.nbytes for tensor in (cube, centres, targets))


def measure(threads: int, quick: bool) -> list[Row]:
    """All lines."""
    repeats = 3 if quick else 9
    cases = [
        (INDIAN_PINES, 64, False, 1.0),
        (INDIAN_PINES, 256, True, 1.0),
        (SALINAS_A, 128, False, None),  # the same sums in the same order as the script: no bar, noise decides
        (SALINAS_A, 256, True, 1.0),
    ]
    results = []
    for shape, batch, shared, bar in cases:
        sides = [Side(ours, shape, batch, shared, keep, threads=threads) for keep in (False, True)]
        sides.append(Side(script, shape, batch, threads=threads))
        fresh_s, keep_s, peer_s = (taken / batch for taken in turns_s(sides, repeats))
        for side in sides:
            side.close()
        how = "convolutions shared" if shared else "window by window"
        name = f"a training window, {shape.name}, batches of {batch}, {how}"
        more = {"threads": threads, "windows_per_s": 1 / fresh_s, "peer_windows_per_s": 1 / peer_s}
        results.append(time_row(name, "the straightforward script", fresh_s, peer_s, bar, **more))
        more["windows_per_s"] = 1 / keep_s
        results.append(
            time_row(f"{name}, freed memory kept", "the straightforward script", keep_s, peer_s, bar, **more)
        )
    for shape, batch in ((INDIAN_PINES, 64), (SALINAS_A, 128)):
        mine, peer = our_store_bytes(shape, batch), script_store_bytes(shape)
        results.append(
            memory_row(f"memory of the windows, {shape.name}", "the straightforward script", mine, peer, 100.0)
        )
    return results


def main() -> int:
    """Measure and print."""
    asked = parser(
        "training windows per second and memory of the windows, against the straightforward script"
    ).parse_args()
    return show(measure(asked.threads, asked.quick), asked.json)


if __name__ == "__main__":
    sys.exit(main())
