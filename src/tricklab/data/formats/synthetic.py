"""An embedded scene, deterministic and hard enough that tricks matter; no files needed."""

from __future__ import annotations

import numpy as np

from tricklab.data.scene import Scene
from tricklab.errors import UserError
from tricklab.registry import component

_MATERIALS = (
    "bare soil", "corn", "wheat", "meadow", "asphalt", "lettuce", "vineyard", "woods",
    "gravel", "soybean", "celery", "hay", "tiles", "stubble", "oats", "shadow",
)  # fmt: skip
_UNLABELLED_BORDER = 0.5


@component("scene")
class SyntheticScene:
    """A synthetic scene of fields: blobs of classes, similar spectra in pairs, mixed borders, noise, sparse label ids.

    What makes it hard, as in real scenes: the classes of a pair share their spectrum and differ in one absorption
    feature and in texture; every field has its own brightness and slope; illumination drifts across the scene; pixels
    at a border are mixtures; the sensor's noise differs by band. Some pixels have no label.

    Args:
        height: rows.
        width: columns.
        bands: spectral bands, spread evenly over 400-2500 nm.
        classes: number of classes, 2 to 16.
        noise: standard deviation of the sensor's noise, in reflectance (the spectra lie between 0 and 1).
        seed: the scene's own seed; it does not change with the block.
    """

    def __init__(
        self, height: int = 96, width: int = 96, bands: int = 64, classes: int = 6, noise: float = 0.02, seed: int = 0
    ) -> None:
        if min(height, width) < 8:
            raise UserError(f"{height} × {width} pixels are too few", where="data.scene", fix="at least 8 × 8")
        if bands < 4:
            raise UserError(f"{bands} bands are too few", where="data.scene.bands", fix="at least 4")
        if not 2 <= classes <= len(_MATERIALS):
            raise UserError(f"{classes} classes", where="data.scene.classes", fix=f"between 2 and {len(_MATERIALS)}")
        if seed < 0:
            raise UserError(f"seed {seed} is negative", where="data.scene.seed")
        if noise < 0:
            raise UserError(f"noise {noise} is negative", where="data.scene.noise")
        self.height, self.width, self.bands, self.classes = height, width, bands, classes
        self.noise, self.seed = noise, seed

    def read(self) -> Scene:
        """Make the scene: cube uint16 (reflectance × 10,000), labels uint8; the same for the same arguments."""
        rng = np.random.default_rng(self.seed)
        abundance_KHW, fields = self._fields(rng)
        wavelengths = np.linspace(400.0, 2500.0, self.bands)
        spectra_KB = self._spectra(rng, wavelengths)
        cube = np.tensordot(abundance_KHW, spectra_KB, axes=(0, 0))
        cube *= self._brightness(rng, abundance_KHW, fields)[:, :, None]
        slope = (wavelengths - wavelengths.mean()) / np.ptp(wavelengths)
        tilt = _smooth(rng, (self.height, self.width), 6.0) * 0.05 + rng.normal(0, 0.04, fields.max() + 1)[fields]
        cube += tilt[:, :, None] * slope
        by_band = self.noise * (0.6 + 0.8 * rng.random(self.bands))
        cube += rng.normal(size=cube.shape) * by_band
        classes = abundance_KHW.argmax(axis=0)
        ids = self._ids(rng)
        labels = ids[classes].astype(np.uint8)
        purity = abundance_KHW.max(axis=0)
        labels[(purity < 0.75) & (rng.random(purity.shape) < _UNLABELLED_BORDER)] = 0
        labels[_smooth(rng, purity.shape, 5.0) > 1.3] = 0
        names = {int(ids[number]): _MATERIALS[number] for number in range(self.classes)}
        return Scene(
            np.clip(np.rint(cube * 10_000), 0, 65_535).astype(np.uint16),
            labels,
            wavelengths=tuple(wavelengths.round(2).tolist()),
            class_names={key: name for key, name in names.items() if (labels == key).any()},
            files=(f"SyntheticScene(seed={self.seed})",),
        )

    def _fields(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Class abundances (K, height, width) that sum to one, and the field number of each pixel."""
        count = max(4 * self.classes, self.height * self.width // 160)
        centres = rng.random((count, 2)) * (self.height, self.width)
        owners = rng.permutation(np.arange(count) % self.classes)
        warp = np.stack([_smooth(rng, (self.height, self.width), 4.0) for _ in range(2)], axis=-1) * 3.0
        grid = np.moveaxis(np.mgrid[: self.height, : self.width], 0, -1) + warp
        from scipy.spatial import cKDTree

        fields = np.asarray(cKDTree(centres).query(grid)[1])
        sharp = (owners[fields][None] == np.arange(self.classes)[:, None, None]).astype(np.float64)
        from scipy.ndimage import gaussian_filter

        soft = np.stack([gaussian_filter(plane, 0.8, mode="nearest") for plane in sharp])
        return soft / soft.sum(axis=0), fields

    def _spectra(self, rng: np.random.Generator, wavelengths: np.ndarray) -> np.ndarray:
        """Class spectra (K, bands): pairs share a continuum and differ in one absorption feature."""
        spectra = []
        for number in range(self.classes):
            if number % 2 == 0:
                knots = np.clip(0.35 + np.cumsum(rng.normal(0, 0.09, 7)), 0.12, 0.8)
                base = np.interp(wavelengths, np.linspace(400, 2500, 7), knots)
            depth, centre, breadth = rng.uniform(0.05, 0.09), rng.uniform(500, 2400), rng.uniform(60, 200)
            dip = depth * np.exp(-0.5 * ((wavelengths - centre) / breadth) ** 2)
            spectra.append(base * (1 - dip * (1 if number % 2 else 0.3)))
        return np.array(spectra)

    def _brightness(self, rng: np.random.Generator, abundance_KHW: np.ndarray, fields: np.ndarray) -> np.ndarray:
        """Illumination × the field's own level × the texture of its class, (height, width)."""
        shape = (self.height, self.width)
        light = 1 + 0.12 * _smooth(rng, shape, min(shape) / 5)
        level = (1 + rng.normal(0, 0.12, fields.max() + 1))[fields]
        rows, columns = np.mgrid[: self.height, : self.width]
        textures = np.empty((self.classes, *shape))
        for number in range(self.classes):
            period, angle = rng.uniform(2.5, 6.0), rng.uniform(0, np.pi)
            waves = np.sin(2 * np.pi * (rows * np.cos(angle) + columns * np.sin(angle)) / period)
            grain = rng.normal(size=shape)
            textures[number] = 0.04 * (waves + 0.6 * grain if number % 2 else grain)
        return light * level * (1 + (abundance_KHW * textures).sum(axis=0))

    def _ids(self, rng: np.random.Generator) -> np.ndarray:
        """Ascending label ids with gaps, as in Salinas-A."""
        return np.sort(rng.choice(np.arange(1, 3 * self.classes + 1), self.classes, replace=False))


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], width: float) -> np.ndarray:
    """A smooth random field with mean 0 and standard deviation 1."""
    from scipy.ndimage import gaussian_filter

    found = gaussian_filter(rng.normal(size=shape), width, mode="reflect")
    return (found - found.mean()) / found.std()
