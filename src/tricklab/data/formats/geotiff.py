"""GeoTIFF scenes: read without GDAL; coordinates come through rasterio where it is installed."""

from __future__ import annotations

from dataclasses import dataclass, field

from tricklab.data.formats.label_files import with_labels
from tricklab.data.formats.tiff_pages import read_place, read_tiff
from tricklab.data.lookup import find_file
from tricklab.data.scene import Scene, check_cube
from tricklab.registry import component


@component("scene", given=("root",))
@dataclass(frozen=True)
class GeoTiffScene:
    """Cube from a TIFF or GeoTIFF, bands in samples or in pages; coordinates with the extra ``geo``.

    Args:
        image: file of the cube.
        labels: file of the label map (TIFF, ENVI or MATLAB), or null for none.
        labels_key: name of the label map's array in a MATLAB file.
        root: folder of the files.

    Raises:
        UserError: a file is missing or unreadable.
    """

    image: str
    labels: str | None = None
    labels_key: str | None = None
    root: str | None = field(kw_only=True)

    def read(self) -> Scene:
        """Read both files."""
        path = find_file(self.image, self.root, key="data.scene.image")
        cube = read_tiff(path)
        check_cube(cube, str(path))
        place = read_place(path)
        scene = Scene(
            cube,
            wavelengths=place.wavelengths if len(place.wavelengths or ()) == cube.shape[2] else None,
            nodata=place.nodata,
            crs=place.crs,
            transform=place.transform,
            files=(str(path),),
        )
        return with_labels(scene, self.labels, self.labels_key, self.root)
