"""The ``data:`` part of an image classification recipe: from files to a fold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np

from tricklab.data.image_division import Contradictions, Copies, divide
from tricklab.data.image_facts import image_facts
from tricklab.data.image_fold import ImageFold
from tricklab.data.image_inspection import inspect_images
from tricklab.data.image_list import ImageList
from tricklab.data.image_normalisation import FIXED, Name, Normalisation, given_normalisation
from tricklab.data.image_statistics import ChannelStatistics
from tricklab.data.image_store import ImageStore
from tricklab.data.image_survey import survey_images
from tricklab.data.split import SPLITS
from tricklab.errors import UserError
from tricklab.models.network_input import NetworkInput, network_input
from tricklab.registry import Kind, build, component
from tricklab.seeds import Seeds

_FOLDERS = {"type": "ClassFolders"}
_SEVENTY_PERCENT = {"type": "Stratified", "train": 0.7, "val": 0.3}
_SHUFFLE = {"type": "Shuffle"}
_STAGES = ("geometry", "image", "tensor")


@component("data", name="classification")
class ImageData:
    """Images with one class each.

    Args:
        images: where the images and their classes come from.
        root: folder of the files; no part of any identity.
        split: how the images are divided.
        duplicates: identical and near-identical images: ``group`` keeps them on one side of the split, ``keep`` lets
            them fall anywhere, ``error`` refuses them.
        contradictions: the same picture under two classes: ``error``, ``drop`` leaves all of its copies out, ``keep``.
        unreadable: files that are no image: ``error``, or ``skip`` leaves them out and lists them.
        size: what the network sees: pixels of a square's side, [height, width], or ``model``: what the network's
            published weights were trained on.
        resize: ``squash`` changes the aspect ratio, ``crop`` cuts the middle out, ``pad`` puts black around.
        interpolation: of every resizing, antialiased.
        cache: ``memory`` keeps the images as bytes at the network's size; ``none`` reads files anew each epoch.
        augment: changes of training images, in order: geometry, then bytes, then normalised values.
        batch_augment: what mixes the images of a training batch, in order.
        normalise: ``dataset`` (mean and standard deviation over all pixels of the training images), ``imagenet``,
            ``half`` (.5 and .5), ``minmax`` (each image to [0, 1]), ``running`` (batch normalisation of the input),
            ``none`` (bytes / 255), ``model`` (that of the network's published weights), or {mean: [3 numbers],
            std: [3 numbers]}.
        sampler: the order of training.
    """

    def __init__(
        self,
        images: Annotated[dict[str, Any], Kind("layout")] = _FOLDERS,
        root: str | None = None,
        split: Annotated[dict[str, Any], Kind("image_split")] = _SEVENTY_PERCENT,
        duplicates: Copies = "group",
        contradictions: Contradictions = "error",
        unreadable: Literal["error", "skip"] = "error",
        size: int | tuple[int, int] | Literal["model"] = 224,
        resize: Literal["squash", "crop", "pad"] = "squash",
        interpolation: Literal["bilinear", "bicubic"] = "bilinear",
        cache: Literal["memory", "none"] = "memory",
        augment: list[Annotated[dict[str, Any], Kind("image_transform")]] = [],  # noqa: B006
        batch_augment: list[Annotated[dict[str, Any], Kind("batch_transform")]] = [],  # noqa: B006
        normalise: Name | dict[str, list[float]] = "dataset",
        sampler: Annotated[dict[str, Any], Kind("sampler")] = _SHUFFLE,
    ) -> None:
        self.network: NetworkInput | None = None
        self._size = None if size == "model" else (size, size) if isinstance(size, int) else (size[0], size[1])
        if self._size is not None and min(self._size) < 1:
            raise UserError(f"an image must have pixels, not {self._size}", where="data.size")
        self.images, self.root, self.split = images, root, split
        self.duplicates, self.contradictions, self.unreadable = duplicates, contradictions, unreadable
        self.resize, self.interpolation, self.cache = resize, interpolation, cache
        self.augment, self.batch_augment, self.sampler = list(augment), list(batch_augment), sampler
        self.normalise = normalise
        if isinstance(normalise, dict):
            given_normalisation_of(normalise)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the network sees."""
        return self._size or self._known("data.size").size

    def for_network(self, model: Mapping[str, Any]) -> ImageData:
        """These data with what ``model`` stands for in ``size`` and ``normalise``.

        Args:
            model: the recipe's ``model``.

        Raises:
            UserError: no weights of this network are published, so that nothing is known.
        """
        for key in ("size", "normalise"):
            if (key == "size" and self._size is None) or (key == "normalise" and self.normalise == "model"):
                self.network = network_input(model, f"data.{key}")
        return self

    def _known(self, where: str) -> NetworkInput:
        if self.network is None:
            raise UserError("without a recipe there is no model", where=where, fix="say numbers")
        return self.network

    def read(self) -> ImageList:
        """List the images.

        Raises:
            UserError: a folder or file is missing or not as it should be.
        """
        return build("layout", self.images, root=self.root).read()

    def transforms(self) -> list[Any]:
        """The augmentations.

        Raises:
            UserError: their order cannot be: bytes are changed before normalisation, values after it.
        """
        made = [build("image_transform", item) for item in self.augment]
        check_order([type(one).__name__ for one in made], [one.stage for one in made])
        return made

    def prepare(self, seeds: Seeds) -> ImageFold:
        """Read, check, split and normalise for one block.

        Args:
            seeds: the block's streams; they decide the split, the order and the augmentation.

        Raises:
            UserError: anything about the files or options that cannot work; one error that names the place.
        """
        if self.normalise == "model":
            self._known("data.normalise")
        images = self.read()
        transforms = self.transforms()
        store = ImageStore(
            images,
            self.size,
            self.resize,
            self.interpolation,
            self.cache,
            originals=any(one.stage == "geometry" for one in transforms),
        )
        survey = survey_images(images, unreadable=self.unreadable, also=store.keep)
        usable = survey.readable
        division = divide(
            images, survey, self.split, seeds,
            duplicates=self.duplicates, contradictions=self.contradictions, root=self.root,
        )  # fmt: skip
        assigned = division.sides
        _check(assigned, images, self.split["type"])
        statistics = survey.moments.take(assigned == "train").pooled() if self.normalise == "dataset" else None
        normalisation = self._normalisation(statistics)
        counts = {
            name: np.bincount(images.labels[assigned == name], minlength=len(images.classes)).tolist()
            for name in SPLITS
        }
        return ImageFold(
            images=images,
            store=store,
            assigned=assigned,
            normalisation=normalisation,
            sampler=build("sampler", self.sampler),
            transforms=transforms,
            seeds=seeds,
            fitted={
                "class_names": list(images.classes),
                "class_counts": counts,
                "size": list(self.size),
                "resize": self.resize,
                "interpolation": self.interpolation,
                "normalise": normalisation.name,
                "mean": list(normalisation.mean),
                "std": list(normalisation.std),
            },
            facts={
                "data/sizes": {name: int((assigned == name).sum()) for name in SPLITS},
                "data/class_counts": counts,
                "data/statistics_fitted_on": {
                    "split": None if statistics is None else "train",
                    "train_pixels": 0 if statistics is None else statistics.pixels,
                    "other_pixels": 0,
                },
                "data/split": {"type": self.split["type"], "digest": division.digest(images)},
                "data/augment": [item["type"] for item in (*self.augment, *self.batch_augment)],
                "data/normalise": {"name": normalisation.name, "mean": normalisation.mean, "std": normalisation.std},
                "data/unreadable": list(survey.unreadable.values()),
                "data/duplicates": division.facts(),
                "data/image_sizes": _sizes(store.sizes[usable]),
                "data/input": {"size": list(self.size), "model": self.network and self.network.source},
                **image_facts(
                    images,
                    survey,
                    assigned,
                    division.duplicates,
                    self.size,
                    self.resize,
                    None if normalisation.name in ("minmax", "running") else (normalisation.mean, normalisation.std),
                ),
            },
            digest={name: _digest(store, images, assigned == name) for name in SPLITS},
        )

    def inspect(self, seeds: Seeds) -> dict[str, Any]:
        """Facts about the images, whatever is wrong with them; see :func:`inspect_images`."""
        return inspect_images(self, seeds)

    def _normalisation(self, statistics: ChannelStatistics | None) -> Normalisation:
        if isinstance(self.normalise, dict):
            return given_normalisation_of(self.normalise)
        if self.normalise == "model":
            network = self._known("data.normalise")
            return Normalisation("model", network.mean, network.std)
        if statistics is not None:
            std = tuple(float(value) if value > 0 else 1.0 for value in statistics.std)
            return Normalisation("dataset", tuple(float(value) for value in statistics.mean), std)
        return Normalisation(self.normalise, *FIXED.get(self.normalise, ()))


def given_normalisation_of(numbers: dict[str, list[float]]) -> Normalisation:
    """The normalisation of a recipe's ``{mean: …, std: …}``."""
    if set(numbers) != {"mean", "std"}:
        raise UserError(f"expected mean and std, not {', '.join(numbers) or 'nothing'}", where="data.normalise")
    return given_normalisation(numbers["mean"], numbers["std"], "data.normalise")


def check_order(names: Sequence[str], stages: Sequence[str]) -> None:
    """Refuse augmentations whose order cannot be.

    Raises:
        UserError: two geometries, or one that stands behind a later stage.
    """
    if stages.count("geometry") > 1:
        both = [name for name, stage in zip(names, stages, strict=True) if stage == "geometry"]
        raise UserError(f"{both[0]} and {both[1]} both cut the image out", where="data.augment", fix="keep one")
    for place in range(1, len(stages)):
        if _STAGES.index(stages[place]) < _STAGES.index(stages[place - 1]):
            raise UserError(
                f"{names[place]} works on {_WHAT[stages[place]]} and stands after {names[place - 1]}, "
                f"which works on {_WHAT[stages[place - 1]]}",
                where=f"data.augment.{place}",
                fix="order: cutting out of the original, then bytes, then normalised values",
            )


_WHAT = {"geometry": "the original", "image": "bytes", "tensor": "normalised values"}


def _check(assigned: np.ndarray, images: ImageList, split: str) -> None:
    present = np.unique(images.labels[assigned == "train"])
    missing = sorted(set(range(len(images.classes))) - set(present.tolist()))
    if missing:
        names = ", ".join(images.classes[number] for number in missing[:5])
        raise UserError(
            f"{split} leaves no training image of {names}",
            where="data.split",
            fix="give train a larger share, or remove the class",
        )


def _digest(store: ImageStore, images: ImageList, chosen: np.ndarray) -> str:
    state = hashlib.blake2b(digest_size=16)
    for number in np.flatnonzero(chosen):
        state.update(f"{store.digests[number]}{images.classes[int(images.labels[number])]}\n".encode())
    return state.hexdigest()


def _sizes(sizes_N2: np.ndarray) -> dict[str, Any]:
    ratios = sizes_N2[:, 1] / np.maximum(sizes_N2[:, 0], 1)
    return {
        "smallest": sizes_N2.min(axis=0).tolist(),
        "largest": sizes_N2.max(axis=0).tolist(),
        "aspect_ratio": {"median": float(np.median(ratios)), "min": float(ratios.min()), "max": float(ratios.max())},
    }
