"""A trained network that tells a student what it thinks of each training image."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from tricklab.data.image_geometry import Interpolation
from tricklab.data.image_normalisation import Normalisation
from tricklab.errors import UserError
from tricklab.models.weights_digest import weights_digest


@dataclass(frozen=True)
class Student:
    """What a teacher must know of whom it teaches.

    Args:
        classes: class names, in the order of the student's scores.
        size: (height, width) of the student's images.
        normalisation: of the student's images.
        interpolation: how its images were resized.
        block: the run's block.
    """

    classes: tuple[str, ...]
    size: tuple[int, int]
    normalisation: Normalisation
    interpolation: Interpolation
    block: int


class Teacher:
    """A network in evaluation mode, without gradients; no part of the student's model, so of none of its checkpoints.

    Args:
        model: gives ``{"main": scores (N, K)}``.
        name: what to call it in messages and facts.
        student: whom it teaches.
        normalisation: of the images that it was trained on.
        size: (height, width) of the images that it was trained on.
        classes: its class names; None if they are the student's, in the same order.
        seen: hashes of the images that it, or its own teachers, were trained on, uint8 (N, 16); None if unknown.

    Raises:
        UserError: other classes than the student's, or a normalisation that cannot be turned into its own.
    """

    def __init__(
        self,
        model: nn.Module,
        name: str,
        student: Student,
        normalisation: Normalisation,
        size: tuple[int, int],
        classes: Sequence[str] | None = None,
        seen: Tensor | None = None,
    ) -> None:
        self.model = model.float().eval().requires_grad_(False)
        self.name, self.seen, self.size = name, seen, size
        self.normalisation, self._from = normalisation, student.normalisation
        self._interpolation = student.interpolation
        self._resizes = tuple(size) != tuple(student.size)
        self.order = _order(classes, student.classes, name)
        check_normalisations(student.normalisation, normalisation, name)
        self.digest = self._digest()

    def __call__(self, images: Tensor) -> Tensor:
        """Scores float (N, K) in the order of the student's classes, of its images (N, 3, H, W), mixed or not."""
        if next(self.model.parameters()).device != images.device:
            self.model.to(images.device)
        with torch.no_grad():
            values = renormalised(images.float(), self._from, self.normalisation)
            if self._resizes:
                mode = InterpolationMode.BILINEAR if self._interpolation == "bilinear" else InterpolationMode.BICUBIC
                values = functional.resize(values, list(self.size), interpolation=mode, antialias=True)
            found: Tensor = self.model(values)["main"]
        return found if self.order is None else found[:, self.order]

    def facts(self) -> dict[str, Any]:
        """Who it is, as a run records it."""
        return {
            "name": self.name,
            "digest": self.digest,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "size": list(self.size),
            "normalise": {
                "name": self.normalisation.name,
                "mean": list(self.normalisation.mean),
                "std": list(self.normalisation.std),
            },
            "reordered": self.order is not None,
            "images_known": self.seen is not None,
        }

    def _digest(self) -> str:
        weights = weights_digest(self.model.state_dict())
        text = f"{weights}{self.normalisation}{tuple(self.size)}{self.order}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def renormalised(images_N3HW: Tensor, before: Normalisation, after: Normalisation) -> Tensor:
    """Images normalised one way, as they are when normalised another way; blended images stay blended.

    >>> half, none = Normalisation("half", (0.5,) * 3, (0.5,) * 3), Normalisation("none")
    >>> renormalised(torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1), half, none).flatten().tolist()
    [0.0, 0.5, 1.0]
    """
    if before == after:
        return images_N3HW

    def channels(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=images_N3HW.dtype, device=images_N3HW.device).view(1, 3, 1, 1)

    plain = images_N3HW * channels(before.std) + channels(before.mean)
    if after.name == "minmax":
        low, high = plain.amin(dim=(1, 2, 3), keepdim=True), plain.amax(dim=(1, 2, 3), keepdim=True)
        return (plain - low) / (high - low).clamp(min=1 / 255)
    return (plain - channels(after.mean)) / channels(after.std)


def check_normalisations(student: Normalisation, teacher: Normalisation, name: str) -> None:
    """Refuse a student whose images cannot be turned into the teacher's.

    Raises:
        UserError: the student's are stretched one by one, the teacher's are not.
    """
    if student.name == "minmax" and teacher.name != "minmax":
        raise UserError(
            f"each of the student's images is stretched to [0, 1] and cannot be turned back for the teacher {name}, "
            f"which was trained with normalise: {teacher.name}",
            where="data.normalise",
            fix="take another normalisation for the student",
        )


def refuse_seen(teacher: Teacher, held_out: Mapping[str, tuple[Tensor, Sequence[str]]]) -> None:
    """Refuse a teacher that was trained on images that its student is scored on.

    Args:
        held_out: {split: hashes uint8 (N, 16) of its images, their names}.

    Raises:
        UserError: with their number and the first of them.
    """
    if teacher.seen is None:
        return
    known = {row.tobytes() for row in teacher.seen.numpy()}
    for split, (hashes, names) in held_out.items():
        both = [name for row, name in zip(hashes.numpy(), names, strict=True) if row.tobytes() in known]
        if both:
            raise UserError(
                f"the teacher {teacher.name} was trained on {len(both)} of the {len(names)} {split} images, "
                f"the first: {both[0]}",
                where="data.split",
                fix="train the teacher with the same data, seed and block, or name the folder of an arm: the run of "
                "the same block is taken",
            )


def _order(classes: Sequence[str] | None, wanted: Sequence[str], name: str) -> list[int] | None:
    """Where each of the student's classes stands in the teacher's scores; None if they stand alike."""
    if classes is None or list(classes) == list(wanted):
        return None
    missing, other = sorted(set(wanted) - set(classes)), sorted(set(classes) - set(wanted))
    if missing or other:
        told = [f"it does not know {', '.join(map(repr, missing[:3]))}"] if missing else []
        told += [f"it knows {', '.join(map(repr, other[:3]))}, which this run does not"] if other else []
        raise UserError(f"the teacher {name} has other classes: {' and '.join(told)}", where="losses, teacher")
    place = {known: number for number, known in enumerate(classes)}
    return [place[known] for known in wanted]
