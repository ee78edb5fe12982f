"""The ``data:`` part of a hyperspectral recipe: from files to a fold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np

from tricklab.data.bands import kept_bands
from tricklab.data.digests import split_digest
from tricklab.data.fold import HyperspectralFold
from tricklab.data.labels import LabelMap, map_labels
from tricklab.data.leakage import measure_leakage
from tricklab.data.padding import check_window
from tricklab.data.projection import SpectralProjection, fit_projection
from tricklab.data.scene import Scene, check_cube, check_finite, valid_pixels
from tricklab.data.split import SPLITS, Split, check_split, class_counts
from tricklab.errors import UserError
from tricklab.registry import Kind, build, component
from tricklab.seeds import Seeds

_TEN_PERCENT = {"type": "RandomPixels", "train": 0.1, "val": 0.0}
_SHUFFLE = {"type": "Shuffle"}


@component("data", name="hyperspectral")
class HyperspectralData:
    """Windows of a hyperspectral scene around labelled pixels.

    Args:
        scene: where the cube and the labels come from.
        root: folder of the files; no part of any identity.
        ignore: label ids that mean "no label", beside the one that the label file itself may call missing.
        class_names: {label id: name}; adds to and overrides what the files say.
        remove_bands: 1-based band numbers or ranges such as "104-108".
        window: side of the windows in pixels, odd.
        pca: number of principal components, or null for none.
        whiten: divide each component by its standard deviation.
        standardise: bring each band to mean 0 and standard deviation 1 before PCA.
        fit_on: pixels that standardisation and PCA are fitted on: the training pixels, or all (as most papers do).
        padding: what lies outside the scene: zero (after PCA that is the mean), or its reflection.
        split: how the labelled pixels are divided.
        augment: changes of training windows, in order.
        sampler: the order of training.
    """

    def __init__(
        self,
        scene: Annotated[dict[str, Any], Kind("scene")],
        root: str | None = None,
        ignore: tuple[int, ...] = (0,),
        class_names: dict[str, str] | None = None,
        remove_bands: tuple[int | str, ...] = (),
        window: int = 25,
        pca: int | None = 30,
        whiten: bool = True,
        standardise: bool = False,
        fit_on: Literal["train", "all"] = "train",
        padding: Literal["zero", "reflect"] = "zero",
        split: Annotated[dict[str, Any], Kind("split")] = _TEN_PERCENT,
        augment: list[Annotated[dict[str, Any], Kind("transform")]] = [],  # noqa: B006
        sampler: Annotated[dict[str, Any], Kind("sampler")] = _SHUFFLE,
    ) -> None:
        check_window(window)
        self.scene = scene
        self.root = root
        self.ignore = tuple(ignore)
        self.class_names = _by_id(class_names or {})
        self.remove_bands = tuple(remove_bands)
        self.window = window
        self.pca = pca
        self.whiten = whiten
        self.standardise = standardise
        self.fit_on = fit_on
        self.padding = padding
        self.split = split
        self.augment = list(augment)
        self.sampler = sampler

    def read(self) -> Scene:
        """Read the scene's files.

        Raises:
            UserError: a file is missing or unusable.
        """
        return build("scene", self.scene, root=self.root).read()

    def prepare(self, seeds: Seeds, scene: Scene | None = None) -> HyperspectralFold:
        """Read, check, split, fit and project for one block.

        Args:
            seeds: the block's streams; they decide the split, the order and the augmentation.
            scene: the scene if it was read before; the same one serves any number of blocks.

        Raises:
            UserError: anything about the files or options that cannot work; one error that names the place.
        """
        scene = scene or self.read()
        label_map, valid, kept = self.labelled(scene)
        split = self.draw(label_map, seeds)
        fit_mask = split.train if self.fit_on == "train" else valid
        projection = fit_projection(
            scene.cube, fit_mask, kept=kept, pca=self.pca, whiten=self.whiten, standardise=self.standardise
        )
        planes = projection.apply(scene.cube)
        planes[:, ~valid] = 0
        fits = self.pca is not None or self.standardise
        per_class = class_counts(split, label_map.labels, len(label_map.ids))
        counts = {name: found.tolist() for name, found in per_class.items()}
        leakage = self.leakage_of(split, fit_mask if fits else None)
        used = scene.cube if len(kept) == scene.cube.shape[2] else scene.cube[:, :, kept]
        digest = {
            name: split_digest(used, label_map.labels, split, name, self.window, fit_mask if fits else None)
            for name in SPLITS
        }
        return HyperspectralFold(
            scene=scene,
            label_map=label_map,
            split=split,
            planes=planes,
            window=self.window,
            padding=self.padding,
            sampler=build("sampler", self.sampler),
            transforms=[build("transform", item) for item in self.augment],
            seeds=seeds,
            fitted=self._fitted(projection, label_map, counts, scene),
            leakage=leakage,
            facts=self._facts(split, counts, leakage, fit_mask if fits else None, scene, valid),
            digest=digest,
        )

    def labelled(self, scene: Scene) -> tuple[LabelMap, np.ndarray, np.ndarray]:
        """Check a scene; its classes, the pixels with a measurement (height, width), the 0-based bands that stay."""
        check_cube(scene.cube, scene.name)
        if scene.labels is None:
            raise UserError("the scene has no label map", where="data.scene.labels", fix="name its file")
        kept = kept_bands(self.remove_bands, scene.cube.shape[2])
        used = scene.cube if len(kept) == scene.cube.shape[2] else scene.cube[:, :, kept]
        valid = valid_pixels(used, scene.nodata, scene.name, kept + 1)
        check_finite(used, valid, scene.name, kept + 1)
        height, width = scene.cube.shape[:2]
        ids = set(np.unique(scene.labels).tolist())
        from_files = {key: name for key, name in scene.class_names.items() if key in ids}
        label_map = map_labels(
            scene.labels,
            shape=(height, width),
            ignore=(*self.ignore, *scene.unlabelled),
            names={**from_files, **self.class_names},
            valid=valid,
            where=scene.labels_name,
        )
        return label_map, valid, kept

    def draw(self, label_map: LabelMap, seeds: Seeds) -> Split:
        """Draw and check the split of one block."""
        names = tuple(label_map.describe(number) for number in range(len(label_map.ids)))
        splitter = build(
            "split", self.split, window=self.window, root=self.root, class_names=names, label_ids=label_map.ids
        )
        split = splitter.draw(label_map.labels, seeds)
        check_split(split, label_map.labels, names)
        return split

    def leakage_of(self, split: Split, fit_mask: np.ndarray | None) -> dict[str, Any]:
        """The leakage figures: of the test windows (of val where there is no test), then of each evaluated split."""
        found = {name: measure_leakage(split, self.window, name) for name in ("test", "val")}
        figures = {name: figure.to_dict() for name, figure in found.items() if figure is not None}
        first = next(iter(figures.values()), {"window": self.window})
        train = 0 if fit_mask is None else int((fit_mask & split.train).sum())
        total = 0 if fit_mask is None else int(fit_mask.sum())
        return {
            **first,
            "training_pixels_in_statistics": train,
            "other_pixels_in_statistics": total - train,
            "regions_cut_apart": split.region is not None,
            "splits": figures,
        }

    def _fitted(
        self, projection: SpectralProjection, label_map: LabelMap, counts: dict[str, list[int]], scene: Scene
    ) -> dict[str, Any]:
        return {
            **projection.to_arrays(),
            "label_ids": list(label_map.ids),
            "class_names": list(label_map.names),
            "class_counts": counts,
            "window": self.window,
            "padding": self.padding,
            "scene_bands": int(scene.cube.shape[2]),
        }

    def _facts(
        self,
        split: Split,
        counts: dict[str, list[int]],
        leakage: dict[str, Any],
        fit_mask: np.ndarray | None,
        scene: Scene,
        valid: np.ndarray,
    ) -> dict[str, Any]:
        return {
            "data/sizes": {name: int(split.mask(name).sum()) for name in SPLITS},
            "data/class_counts": counts,
            "data/leakage": leakage,
            "data/statistics_fitted_on": {
                "split": None if fit_mask is None else self.fit_on,
                "train_pixels": leakage["training_pixels_in_statistics"],
                "other_pixels": leakage["other_pixels_in_statistics"],
            },
            "data/split": {"type": self.split["type"], "redrawn": 0, **split.facts, "digest": split.digest()},
            "data/augment": [item["type"] for item in self.augment],
            "data/scene": {
                "shape": list(scene.cube.shape),
                "dtype": str(scene.cube.dtype),
                "missing_pixels": int((~valid).sum()),
            },
        }


def _by_id(names: dict[str, str]) -> dict[int, str]:
    try:
        return {int(key): name for key, name in names.items()}
    except ValueError:
        raise UserError(
            f"class names are given by label id, not {list(names)!r}",
            where="data.class_names",
            fix="write {1: Alfalfa}",
        ) from None
