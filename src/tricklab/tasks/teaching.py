"""The teachers that a task's losses learn from: built when a training begins, asked about each of its batches."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tricklab import registry
from tricklab.data.image_fold import ImageFold
from tricklab.tasks.teacher import Student, Teacher, refuse_seen

DIGEST_BYTES = 16


class Teaching:
    """Teachers by what their scores are called in a batch.

    Nothing is built before it is asked for: a finished run is scored without its teachers.

    Args:
        configs: recipe sections of kind teacher.
        fold: the student's images.
        block: the run's block.
    """

    def __init__(self, configs: Mapping[str, Mapping[str, Any]], fold: ImageFold, block: int) -> None:
        self.configs, self.fold, self.block = configs, fold, block
        self.built = False

    @cached_property
    def teachers(self) -> dict[str, Teacher]:
        """The teachers, none of whom was trained on images that the student is scored on.

        Raises:
            UserError: one cannot be had or does not fit.
        """
        fold = self.fold
        student = Student(fold.classes, fold.store.size, fold.normalisation, fold.store.interpolation, self.block)
        found = {}
        for key, config in self.configs.items():
            # what a teacher draws for itself is no part of the student's streams
            with torch.random.fork_rng(devices=[]):
                teacher: Teacher = registry.build("teacher", config, student=student)
            refuse_seen(teacher, {split: self._held_out(split) for split in ("val", "test")})
            found[key] = teacher
        self.built = bool(found)
        return found

    def ask(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The batch with every teacher's scores (N, K) of its images."""
        return {**batch, **{key: teacher(batch["image"]) for key, teacher in self.teachers.items()}}

    def seen_images(self) -> Tensor:
        """Hashes of the images that the student learns from, itself or by its teachers: uint8 (N, 16), distinct."""
        rows = [hashes_of(self.fold, "train")]
        if self.built:
            rows += [teacher.seen for teacher in self.teachers.values() if teacher.seen is not None]
        return torch.unique(torch.cat(rows), dim=0)

    def _held_out(self, split: str) -> tuple[Tensor, list[str]]:
        names = [self.fold.name_of(split, index) for index in range(len(self.fold.members[split]))]
        return hashes_of(self.fold, split), names


def hashes_of(fold: ImageFold, split: str) -> Tensor:
    """Hashes of the pixels of a split's images as they lie in their files, uint8 (N, 16), in the split's order."""
    text = "".join(fold.store.digests[number] for number in fold.members[split].tolist())
    rows = np.frombuffer(bytes.fromhex(text), dtype=np.uint8).reshape(-1, DIGEST_BYTES)
    return torch.from_numpy(rows.copy())
