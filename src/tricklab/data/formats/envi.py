"""ENVI scenes: a raw cube with a text header, as most instruments and toolboxes write them."""

from __future__ import annotations

from dataclasses import dataclass, field

from tricklab.data.formats.envi_files import read_envi
from tricklab.data.formats.label_files import with_labels
from tricklab.data.lookup import find_file
from tricklab.data.scene import Scene, check_cube
from tricklab.registry import component


@component("scene", given=("root",))
@dataclass(frozen=True)
class EnviScene:
    """Cube from an ENVI file (bil, bip or bsq), with wavelengths, data ignore value and map projection.

    Args:
        image: the header (``.hdr``) or the data file.
        labels: file of the label map (ENVI, MATLAB or TIFF), or null for none.
        labels_key: name of the label map's array in a MATLAB file.
        root: folder of the files.

    Raises:
        UserError: a file is missing, damaged, or of another size than its header says.
    """

    image: str
    labels: str | None = None
    labels_key: str | None = None
    root: str | None = field(kw_only=True)

    def read(self) -> Scene:
        """Read both files."""
        path = find_file(self.image, self.root, key="data.scene.image")
        found = read_envi(path)
        check_cube(found.cube, str(path))
        scene = Scene(
            found.cube,
            wavelengths=found.wavelengths,
            class_names=found.class_names,
            nodata=found.nodata,
            crs=found.crs,
            transform=found.transform,
            files=(str(path),),
        )
        return with_labels(scene, self.labels, self.labels_key, self.root)
