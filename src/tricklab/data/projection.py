"""Spectral statistics: standardisation and principal components, fitted on chosen pixels, kept as plain arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tricklab.errors import UserError

_PIXELS_PER_CHUNK = 1 << 15
_SMALLEST_VARIANCE = 1e-12


@dataclass(frozen=True)
class SpectralProjection:
    """Maps spectra to network inputs: ``((x[kept] - mean) / scale) @ components.T / output_scale``.

    Args:
        kept: 0-based indices of the bands used, int64 (B,).
        mean: subtracted, float64 (B,).
        scale: divided by, float64 (B,); ones without standardisation.
        components: principal axes, float64 (C, B), or None.
        output_scale: standard deviation of each component where whitened, else ones, float64 (C,).
        explained: share of the variance that each component explains, float64 (C,); empty without PCA.
    """

    kept: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray | None
    output_scale: np.ndarray
    explained: np.ndarray

    @property
    def bands(self) -> int:
        """Channels that come out."""
        return len(self.kept) if self.components is None else len(self.components)

    def apply(self, cube_HWB: np.ndarray) -> np.ndarray:
        """Project a whole cube with all its bands; (height, width, all bands) → float32 (C, height, width)."""
        height, width, bands = cube_HWB.shape
        if bands <= int(self.kept[-1]):
            raise UserError(f"the scene has {bands} bands, but band {int(self.kept[-1]) + 1} is needed")
        flat = cube_HWB.reshape(height * width, bands)
        out_CN = np.empty((self.bands, height * width), dtype=np.float32)
        axes = None if self.components is None else self.components.T / self.output_scale
        for start in range(0, height * width, _PIXELS_PER_CHUNK):
            part = flat[start : start + _PIXELS_PER_CHUNK]
            x = _float64(part if len(self.kept) == bands else part[:, self.kept])
            x = (x - self.mean) / self.scale
            out_CN[:, start : start + _PIXELS_PER_CHUNK] = (x if axes is None else x @ axes).T
        return out_CN.reshape(self.bands, height, width)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays for ``fitted.safetensors``; an absent PCA is an array with no rows."""
        components = np.zeros((0, len(self.kept))) if self.components is None else self.components
        return {
            "kept": self.kept,
            "mean": self.mean,
            "scale": self.scale,
            "components": components,
            "output_scale": self.output_scale,
            "explained": self.explained,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> SpectralProjection:
        """The inverse of :meth:`to_arrays`; tensors are accepted too."""
        plain = {key: np.asarray(arrays[key]) for key in ("kept", "mean", "scale", "output_scale", "explained")}
        components = np.asarray(arrays["components"])
        return cls(components=components if len(components) else None, **plain)


def fit_projection(
    cube_HWB: np.ndarray,
    pixels_HW: np.ndarray,
    *,
    kept: np.ndarray,
    pca: int | None,
    whiten: bool,
    standardise: bool,
) -> SpectralProjection:
    """Fit standardisation and PCA in float64 on the chosen pixels.

    Equals scikit-learn's ``StandardScaler`` (division by n) followed by ``PCA(svd_solver="full", whiten=…)`` (division
    by n - 1), with the same signs: the largest entry of each component is positive. Without PCA and standardisation
    nothing is changed.

    Args:
        cube_HWB: (height, width, all bands), any real dtype.
        pixels_HW: bool (height, width), the pixels to fit on.
        kept: 0-based indices of the bands used.

    Raises:
        UserError: more components than bands or pixels, or whitening of a direction without variance.
    """
    count = int(pixels_HW.sum())
    bands = len(kept)
    if pca is not None:
        if pca < 1:
            raise UserError(f"pca must be at least 1 component or null, not {pca}", where="data.pca")
        if pca > bands:
            raise UserError(
                f"pca={pca} components, but only {bands} bands are used", where="data.pca", fix=f"at most {bands}"
            )
        if pca > count - 1:
            raise UserError(
                f"pca={pca} components cannot be fitted on {count} pixels",
                where="data.pca",
                fix="take fewer components, more training pixels, or data.fit_on=all",
            )
    if pca is None and not standardise:
        return SpectralProjection(kept, np.zeros(bands), np.ones(bands), None, np.ones(bands), np.zeros(0))
    mean = sum(part.sum(axis=0) for part in _spectra(cube_HWB, pixels_HW, kept)) / count
    scatter = np.zeros((bands, bands))
    for part in _spectra(cube_HWB, pixels_HW, kept):
        centred = part - mean
        scatter += centred.T @ centred
    scale = np.ones(bands)
    if standardise:
        scale = np.sqrt(np.diag(scatter) / count)
        scale = np.where(scale > 10 * np.finfo(np.float64).eps * np.abs(mean), scale, 1.0)  # a constant band stays 0
    if pca is None:
        return SpectralProjection(kept, mean, scale, None, np.ones(bands), np.zeros(0))
    covariance = scatter / (count - 1) / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(covariance)
    variance = np.clip(values[::-1], 0.0, None)
    components = vectors.T[::-1][:pca]
    largest = components[np.arange(pca), np.abs(components).argmax(axis=1)]
    components = np.ascontiguousarray(components * np.sign(largest)[:, None])
    kept_variance = variance[:pca]
    if whiten and kept_variance[-1] <= _SMALLEST_VARIANCE * max(kept_variance[0], np.finfo(np.float64).tiny):
        usable = int((kept_variance > _SMALLEST_VARIANCE * kept_variance[0]).sum())
        raise UserError(
            f"only {usable} of the {pca} components vary over the {count:,} pixels they are fitted on; "
            "whitening would divide by zero",
            where="data.pca",
            fix=f"at most {usable}" if usable else "the cube is constant there",
        )
    output_scale = np.sqrt(kept_variance) if whiten else np.ones(pca)
    total = float(variance.sum())
    explained = kept_variance / total if total else np.zeros(pca)
    return SpectralProjection(kept, mean, scale, components, output_scale, explained)


def _spectra(cube_HWB: np.ndarray, pixels_HW: np.ndarray, kept: np.ndarray) -> Iterator[np.ndarray]:
    """The chosen pixels' spectra, float64 (n, B), a chunk of pixels at a time in reading order."""
    rows, columns = np.nonzero(pixels_HW)
    every = len(kept) == cube_HWB.shape[2]
    for start in range(0, len(rows), _PIXELS_PER_CHUNK):
        here = slice(start, start + _PIXELS_PER_CHUNK)
        part = cube_HWB[rows[here], columns[here]]
        yield _float64(part if every else part[:, kept])


def _float64(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64)
