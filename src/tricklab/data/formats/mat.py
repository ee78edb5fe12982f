"""MATLAB scenes: the format of Indian Pines, Pavia, Salinas, KSC, Botswana and Houston as they are handed around."""

from __future__ import annotations

from dataclasses import dataclass, field

from tricklab.data.formats.label_files import with_labels
from tricklab.data.formats.mat_arrays import pick, read_array
from tricklab.data.lookup import find_file
from tricklab.data.scene import Scene, check_cube
from tricklab.registry import component


@component("scene", given=("root",))
@dataclass(frozen=True)
class MatScene:
    """Cube and labels from MATLAB files, version 4 to 7.3; picks the only array that fits.

    Args:
        image: file of the cube, (rows, columns, bands).
        labels: file of the label map (MATLAB, ENVI or TIFF; may be the same file), or null for none.
        image_key: name of the cube's array where several would fit.
        labels_key: name of the label map's array where several would fit, or a list of names whose maps are laid over
            each other (Houston 2013 keeps its training and test labels apart).
        root: folder of the files.

    Raises:
        UserError: a file is missing or unreadable, or no array or several fit; lists what there is.
    """

    image: str
    labels: str | None = None
    image_key: str | None = None
    labels_key: str | tuple[str, ...] | None = None
    root: str | None = field(kw_only=True)

    def read(self) -> Scene:
        """Read both files."""
        path = find_file(self.image, self.root, key="data.scene.image")
        key = pick(path, self.image_key, axes=3, what="cube", option="data.scene.image_key")
        cube = read_array(path, key)
        check_cube(cube, str(path))
        scene = Scene(cube, files=(str(path),))
        return with_labels(scene, self.labels, self.labels_key, self.root)
