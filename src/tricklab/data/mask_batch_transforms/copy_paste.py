"""Pixels or objects of some classes copied from one image to a random place of another."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tricklab.data.mask_batch_transforms.objects import drawn_objects, object_numbers
from tricklab.data.mask_batch_transforms.pasting import TAKEN, check_rest, pixels_of, reported, untouched
from tricklab.data.mask_list import IGNORE
from tricklab.errors import UserError, nearest
from tricklab.registry import component


@component(
    "mask_batch_transform",
    source="Ghiasi et al., CVPR 2021, arXiv 2012.07177 (of instances; here of classes and what hangs together of them)",
    given=("names",),
)
class CopyPaste:
    """Copy the pixels of some classes, with their labels, to a random place of another image.

    The source is the image at the same place of the reversed batch, mirrored in half of the cases and shifted by a
    random part of the image's size; what falls outside is lost. Edges are hard: nothing is blended. The image in the
    middle of an odd batch pastes into itself. Reports ``mix/changed`` and
    ``mix/lambda``, what changed images keep of their own.

    Args:
        paste: names of the classes that are copied, such as the rare ones.
        p: chance of each image.
        shift: the most that is shifted, as a share of height and width; 0 keeps everything at its place.
        flip: mirror half of the sources.
        objects: copy what hangs together (by sides or corners) of one class with this chance each, at least one of an
            image that has any; null copies all pixels of the classes. Neighbours of one class that touch are one
            object. Finding them needs the masks on the CPU.
        off_epoch: from this epoch on nothing is pasted; null for never.
        names: of all classes.

    Raises:
        UserError: no class, an unknown one, or all of them.
    """

    def __init__(
        self,
        paste: list[str],
        p: float = 0.5,
        shift: float = 0.5,
        flip: bool = True,
        objects: float | None = None,
        off_epoch: float | None = None,
        *,
        names: tuple[str, ...],
    ) -> None:
        check_rest("CopyPaste", p, off_epoch)
        for name in paste:
            if name not in names:
                raise UserError(f"unknown class {name!r}", where="CopyPaste.paste", fix=nearest(name, names))
        if not paste or len(set(paste)) == len(names):
            raise UserError(
                f"{'all' if paste else 'none'} of the classes would be copied",
                where="CopyPaste.paste",
                fix="some of them, such as the rare ones" + (" (CutMix copies boxes of everything)" if paste else ""),
            )
        if not 0 <= shift < 1:
            raise UserError(f"a share is 0 or more and below 1, not {shift}", where="CopyPaste.shift")
        if objects is not None and not 0 < objects <= 1:
            raise UserError(
                f"a chance is above 0 and at most 1, not {objects}",
                where="CopyPaste.objects",
                fix="null copies all pixels of the classes",
            )
        self.chosen, self.objects = torch.tensor([name in paste for name in names]), objects
        self.p, self.shift, self.flip, self.off_epoch = p, shift, flip, off_epoch

    def __call__(self, batch: dict[str, Any], rng: np.random.Generator, epoch: float) -> dict[str, Any]:
        """A new batch with the pasted ``image``, ``target`` and ``soft_target``."""
        target = batch["target"]
        count, height, width = target.shape
        done = rng.random(count) < self.p
        reach = np.floor(self.shift * np.array([height, width])).astype(np.int64)
        moves = rng.integers(-reach, reach + 1, (count, 2))
        mirrored = (rng.random(count) < 0.5) & self.flip
        if self.off_epoch is not None and epoch >= self.off_epoch:
            return untouched(batch, "CopyPaste")
        device = target.device
        chosen = self.chosen.to(device) & torch.from_numpy(done).to(device)[:, None]
        # by the images that receive: row n is about what image N - 1 - n gives
        taken = pixels_of(target.flip(0), chosen)
        if self.objects is not None:
            taken = self._of_objects(taken, target.flip(0), rng)
        number, row, column = taken.nonzero(as_tuple=True)
        down, right = torch.from_numpy(moves).to(device)[number].unbind(1)
        to_row = row + down
        to_column = torch.where(torch.from_numpy(mirrored).to(device)[number], width - 1 - column, column) + right
        inside = (to_row >= 0) & (to_row < height) & (to_column >= 0) & (to_column < width)
        number, row, column, to_row, to_column = (places[inside] for places in (number, row, column, to_row, to_column))
        result = dict(batch)
        for key in (key for key in TAKEN if key in batch):
            result[key] = batch[key].clone()
            given, made = ((one if one.ndim == 3 else one.movedim(1, -1)) for one in (batch[key], result[key]))
            made[number, to_row, to_column] = given[count - 1 - number, row, column]
        pasted = torch.bincount(number, minlength=count).float() / (height * width)
        return reported(result, 1 - pasted, "CopyPaste")

    def _of_objects(self, taken_NHW: Tensor, target_NHW: Tensor, rng: np.random.Generator) -> Tensor:
        """What is left of these pixels when only some objects are taken."""
        wanted = target_NHW.where(taken_NHW, IGNORE).to(torch.uint8).cpu().numpy()
        numbers, image = object_numbers(wanted, np.flatnonzero(self.chosen.numpy()))
        assert self.objects is not None
        drawn = np.zeros(len(image) + 1, dtype=bool)
        drawn[1:] = drawn_objects(image, rng.random(len(image)), self.objects)
        return torch.from_numpy(drawn[numbers]).to(taken_NHW.device)
