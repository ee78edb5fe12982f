"""The ``data:`` part of a segmentation recipe: from files to a fold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np

from tricklab.data.image_division import Copies, Division, refuse_copies
from tricklab.data.image_facts import copies_across
from tricklab.data.mask_classes import FindsClasses
from tricklab.data.mask_division import check_division, draw_apart, side_counts, units_of
from tricklab.data.mask_duplicates import find_mask_duplicates
from tricklab.data.mask_fold import MaskFold
from tricklab.data.mask_labels import Labels, labels_of
from tricklab.data.mask_list import MaskList
from tricklab.data.mask_resizing import resizing_of
from tricklab.data.mask_store import MaskStore
from tricklab.data.mask_survey import MaskSurvey
from tricklab.data.mask_transforms import check_augment, kind_of
from tricklab.data.mask_units import as_one_class
from tricklab.data.pixel_normalisation import PixelName, PixelNormalisation, fixed, given, scale_of
from tricklab.data.split import SPLITS
from tricklab.errors import UserError
from tricklab.registry import Kind, build, component, load
from tricklab.seeds import Seeds

_FOLDERS = {"type": "MaskFolders"}
_GIVEN = {"type": "GivenImages"}
_SHUFFLE = {"type": "Shuffle"}


def _complete(values: Mapping[str, Any]) -> dict[str, Any]:
    images = with_found_classes(values["images"], values["root"], values["ignore"])
    return {**values, "images": images, "augment": check_augment(values["augment"])}


def with_found_classes(images: Mapping[str, Any], root: str | None, ignore: Sequence[int]) -> dict[str, Any]:
    """A layout's mapping with the classes that its files say and it does not.

    So a run's recipe names them: a rerun looks for nothing, and a value that comes in later is an error. Files that
    are not there or cannot be read say nothing here; who reads them for good says what is wrong.
    """
    if root is None or not issubclass(load("mask_layout", images["type"]), FindsClasses):
        return dict(images)
    try:
        return {**images, **build("mask_layout", images, root=root).found(ignore)}
    except (UserError, OSError):
        return dict(images)


@component("data", name="segmentation", complete=_complete)
class SegmentationData:
    """Images with a class for every pixel.

    Args:
        root: folder of the files; no part of any identity.
        images: where images and masks come from.
        split: how the images are divided.
        duplicates: identical and near-identical images: ``group`` keeps them on one side of the split, ``keep`` lets
            them fall anywhere, ``error`` refuses them. A split that the files or a manifest give is not changed: near
            copies on two of its sides are recorded, identical ones refused.
        classes: names; null: as the layout says, or the label values.
        ignore: label values without a class; in batches they are 255, whatever they are in the files.
        crop: (height, width) of a training batch, cut at a random place; null: whole images.
        resize: of every image, [height, width] or {long: …, short: …}; masks by the nearest pixel. Predictions are
            scored at the size of the files all the same.
        cache: ``memory`` keeps the files' pixels; ``none`` reads files anew each epoch.
        augment: changes of training images, in order: of image and mask together (kind ``pair_transform``), of bytes,
            of normalised values (kind ``image_transform``, those that move no pixel).
        batch_augment: what mixes the images and masks of a training batch, in order.
        normalise: ``dataset`` (mean and standard deviation over all pixels of the training images), ``imagenet``,
            ``half`` (.5 and .5), ``none``, or {mean: […], std: […]}, one number a channel of values divided by the
            largest of the files' type.
        sampler: the order of training.
    """

    def __init__(
        self,
        root: str | None = None,
        images: Annotated[dict[str, Any], Kind("mask_layout")] = _FOLDERS,
        split: Annotated[dict[str, Any], Kind("mask_split")] = _GIVEN,
        duplicates: Copies = "group",
        classes: list[str] | None = None,
        ignore: list[int] = [],  # noqa: B006
        crop: tuple[int, int] | None = None,
        resize: tuple[int, int] | dict[str, int] | None = None,
        cache: Literal["memory", "none"] = "memory",
        augment: list[dict[str, Any]] = [],  # noqa: B006
        batch_augment: list[Annotated[dict[str, Any], Kind("mask_batch_transform")]] = [],  # noqa: B006
        normalise: PixelName | dict[str, list[float]] = "dataset",
        sampler: Annotated[dict[str, Any], Kind("sampler")] = _SHUFFLE,
    ) -> None:
        if crop is not None and min(crop) < 1:
            raise UserError(f"a crop must have pixels, not {list(crop)}", where="data.crop")
        self.root, self.images, self.split = root, images, split
        self.duplicates: Copies = duplicates
        self.classes, self.ignore = classes, list(ignore)
        self.crop = None if crop is None else (crop[0], crop[1])
        self.resizing = resizing_of(resize if resize is None or isinstance(resize, dict) else list(resize))
        self.resize, self.cache, self.normalise, self.sampler = resize, cache, normalise, sampler
        self.augment, self.batch_augment = list(augment), list(batch_augment)

    def transforms(self) -> list[Any]:
        """The augmentations, built."""
        return [
            build(kind_of(item, f"augment.{place}"), item, crop=self.crop) for place, item in enumerate(self.augment)
        ]

    def listed(self) -> tuple[MaskList, Labels]:
        """The images, not read yet, and what their label values mean.

        Raises:
            UserError: a folder or file is missing or not as it should be; classes that do not fit.
        """
        images = build("mask_layout", self.images, root=self.root).read()
        return images, labels_of(images, self.classes, self.ignore)

    def store(self) -> MaskStore:
        """Read and check all images and masks.

        Raises:
            UserError: anything about the files that cannot work; names the file.
        """
        return MaskStore(*self.listed(), self.resizing, self.cache, likeness=self.duplicates != "keep")

    def divide(self, images: MaskList, classes: Sequence[str], survey: MaskSurvey, seeds: Seeds) -> Division:
        """Draw one block's split.

        Args:
            survey: of these images, all of them readable; with likeness where copies are looked for.

        Raises:
            UserError: a split that cannot be drawn, that leaks, evaluates nothing or starves a class in training;
                copies that are not allowed.
        """
        known = replace(images, shown=survey.counts > 0)
        splitter = build("mask_split", self.split, root=self.root)
        if self.duplicates == "keep":
            found, exact = None, np.arange(len(images))
            sides = splitter.draw(known, exact, seeds)
        else:
            found, exact = find_mask_duplicates(survey), units_of(survey.pictures)
            if self.duplicates == "error":
                refuse_copies(as_one_class(images), found)
            sides = draw_apart(splitter, known, exact, found, seeds)
        check_division(images, classes, survey.counts, exact, sides)
        return Division(sides, found, ())

    def prepare(self, seeds: Seeds) -> MaskFold:
        """Read, check, split and normalise for one block.

        Args:
            seeds: the block's streams; they decide the split, the order and the augmentation.

        Raises:
            UserError: anything about the files or options that cannot work; one error that names the place.
        """
        transforms = self.transforms()
        store = self.store()
        division = self.divide(store.list, store.labels.classes, store.survey, seeds)
        assigned, copies = division.sides, division.duplicates
        chosen = np.flatnonzero(assigned == "train")
        normalisation, pixels = self._normalisation(store, chosen)
        counts = side_counts(store.counts, assigned)
        bytes_only = [one for one in transforms if one.stage == "image"]
        if bytes_only and (store.dtype != np.uint8 or store.channels != 3):
            raise UserError(
                f"{type(bytes_only[0]).__name__} is for 8-bit RGB, the images are {store.dtype} with {store.channels} "
                "channels",
                where="data.augment",
            )
        return MaskFold(
            store=store,
            assigned=assigned,
            normalisation=normalisation,
            sampler=build("sampler", self.sampler),
            transforms=transforms,
            crop=self.crop,
            seeds=seeds,
            fitted={
                "class_names": list(store.labels.classes),
                "label_values": list(store.labels.values),
                "ignore": list(store.labels.ignore),
                "class_counts": counts,
                "channels": store.channels,
                "dtype": str(store.dtype),
                "resize": self.resize,
                "normalise": normalisation.name,
                "mean": list(normalisation.mean),
                "std": list(normalisation.std),
                "scale": normalisation.scale,
            },
            facts={
                "data/sizes": {name: int((assigned == name).sum()) for name in SPLITS},
                "data/class_counts": counts,
                "data/unlabelled": {name: int(store.unlabelled[assigned == name].sum()) for name in SPLITS},
                "data/statistics_fitted_on": {
                    "split": "train" if pixels else None,
                    "train_pixels": pixels,
                    "other_pixels": 0,
                },
                "data/split": {"type": self.split["type"], "digest": split_digest(store.list, assigned)},
                "data/duplicates": division.facts(),
                "data/copies": None if copies is None else copies_across(as_one_class(store.list), assigned, copies),
                "data/augment": [item["type"] for item in (*self.augment, *self.batch_augment)],
                "data/normalise": {"name": normalisation.name, "mean": normalisation.mean, "std": normalisation.std},
                "data/image_sizes": {
                    "smallest": store.sizes.min(axis=0).tolist(),
                    "largest": store.sizes.max(axis=0).tolist(),
                },
                "data/layout": dict(store.list.facts),
            },
            digest={name: _digest(store, np.flatnonzero(assigned == name)) for name in SPLITS},
        )

    def _normalisation(self, store: MaskStore, train: np.ndarray) -> tuple[PixelNormalisation, int]:
        """The normalisation, and how many pixels it was learned from."""
        scale = scale_of(store.dtype)
        if isinstance(self.normalise, dict):
            return given(self.normalise, store.channels, scale), 0
        if self.normalise != "dataset":
            return fixed(self.normalise, store.channels, scale), 0
        mean, std, pixels = store.moments(train)
        std = np.where(std > 0, std, scale)
        return PixelNormalisation(
            "dataset", tuple((mean / scale).tolist()), tuple((std / scale).tolist()), scale
        ), pixels


def _digest(store: MaskStore, numbers: np.ndarray) -> str:
    state = hashlib.blake2b(digest_size=16)
    for number in numbers.tolist():
        state.update(f"{store.digests[number]}\n".encode())
    state.update("\n".join(store.labels.classes).encode())
    return state.hexdigest()


def split_digest(images: MaskList, sides: np.ndarray) -> str:
    """Hash of every image's name and side, 32 hex digits."""
    state = hashlib.blake2b(digest_size=16)
    for key, side in zip(images.keys, sides.tolist(), strict=True):
        state.update(f"{key}\t{side}\n".encode())
    return state.hexdigest()
