"""What a scene holds, in numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tricklab.data.hyperspectral import HyperspectralData
from tricklab.data.labels import whole_ids
from tricklab.data.scene import Scene, missing_values
from tricklab.data.split import SPLITS, Split, class_counts
from tricklab.errors import UserError
from tricklab.seeds import Seeds

_VALUES_PER_CHUNK = 1 << 23


def summarise(scene: Scene, ignore: Iterable[int] = (0,)) -> dict[str, Any]:
    """Shape, type, range, faults and classes of a scene; reports faults instead of refusing them.

    Args:
        ignore: label ids that mean "no label".

    Returns:
        Plain data: ``files, shape, bands, dtype, minimum, maximum, mean, nan, infinite, nodata, missing_pixels,
        constant_bands`` (1-based), ``wavelengths`` (first, last) or None, ``crs``, ``labels`` or None with ``shape,
        labelled, unlabelled, classes`` (a list of ``id, name, pixels, share``).

    Raises:
        UserError: label ids that are no whole numbers.
    """
    height, width, bands = scene.cube.shape
    rows = max(1, _VALUES_PER_CHUNK // max(1, width * bands))
    low, high = np.full(bands, np.inf), np.full(bands, -np.inf)
    total, finite, nan, infinite, missing = 0.0, 0, 0, 0, 0
    for top in range(0, height, rows):
        absent = missing_values(scene.cube[top : top + rows], scene.nodata)
        values = scene.cube[top : top + rows].astype(np.float64)
        bad = ~np.isfinite(values) & ~absent
        nan += int(np.isnan(values[bad]).sum())
        infinite += int(np.isinf(values[bad]).sum())
        missing += int(absent.any(axis=2).sum())
        good = ~bad & ~absent
        total += float(values.sum(where=good))
        finite += int(good.sum())
        low = np.minimum(low, values.min(axis=(0, 1), where=good, initial=np.inf))
        high = np.maximum(high, values.max(axis=(0, 1), where=good, initial=-np.inf))
    return {
        "files": list(scene.files),
        "shape": [height, width, bands],
        "bands": bands,
        "dtype": str(scene.cube.dtype),
        "minimum": float(low.min()) if finite else None,
        "maximum": float(high.max()) if finite else None,
        "mean": total / finite if finite else None,
        "nan": nan,
        "infinite": infinite,
        "nodata": scene.nodata,
        "missing_pixels": missing,
        "constant_bands": (np.flatnonzero(low == high) + 1).tolist(),
        "wavelengths": None if scene.wavelengths is None else [scene.wavelengths[0], scene.wavelengths[-1]],
        "crs": scene.crs,
        "labels": None if scene.labels is None else _classes(scene, {*ignore, *scene.unlabelled}),
    }


def summarise_split(holder: HyperspectralData, scene: Scene, seeds: Seeds) -> tuple[Split, dict[str, Any]]:
    """Draw one block's split of a scene; nothing is fitted.

    Returns:
        The split, and plain data: ``split`` (its type, block and facts), ``sizes``, ``per_class`` (``id, name, train,
        val, test``) and ``leakage``.
    """
    label_map, valid, _ = holder.labelled(scene)
    split = holder.draw(label_map, seeds)
    counts = class_counts(split, label_map.labels, len(label_map.ids))
    fit_mask = None
    if holder.pca is not None or holder.standardise:
        fit_mask = split.train if holder.fit_on == "train" else valid
    return split, {
        "split": {"type": holder.split["type"], "block": seeds.block, **split.facts, "digest": split.digest()},
        "sizes": {name: int(split.mask(name).sum()) for name in SPLITS},
        "per_class": [
            {"id": key, "name": label_map.names[number], **{name: int(counts[name][number]) for name in SPLITS}}
            for number, key in enumerate(label_map.ids)
        ],
        "leakage": holder.leakage_of(split, fit_mask),
    }


def _classes(scene: Scene, ignore: set[int]) -> dict[str, Any]:
    assert scene.labels is not None
    ids_HW = whole_ids(scene.labels, scene.labels_name)
    if ids_HW.shape != scene.cube.shape[:2]:
        raise UserError(
            f"the label map is {' × '.join(map(str, ids_HW.shape))} pixels, the cube "
            f"{' × '.join(map(str, scene.cube.shape[:2]))}",
            where=scene.labels_name,
        )
    ids, counts = np.unique(ids_HW, return_counts=True)
    labelled = int(counts[~np.isin(ids, list(ignore))].sum())
    table = [
        {
            "id": int(key),
            "name": scene.class_names.get(int(key), f"class {key}"),
            "pixels": int(count),
            "share": int(count) / labelled,
        }
        for key, count in zip(ids, counts, strict=True)
        if int(key) not in ignore
    ]
    return {
        "shape": list(ids_HW.shape),
        "labelled": labelled,
        "unlabelled": int(ids_HW.size - labelled),
        "classes": table,
    }
