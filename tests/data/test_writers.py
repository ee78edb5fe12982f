import h5py
import numpy as np
import pytest
import scipy.io

from tricklab.data.formats.envi import EnviScene
from tricklab.data.formats.geotiff import GeoTiffScene
from tricklab.data.formats.mat import MatScene
from tricklab.data.formats.synthetic import SyntheticScene
from tricklab.data.formats.writers import FORMATS, write_scene
from tricklab.data.scene import Scene
from tricklab.errors import UserError

READERS = {"mat": MatScene, "mat73": MatScene, "envi": EnviScene, "geotiff": GeoTiffScene}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_what_is_written_is_read_back(tmp_path, form, dtype):
    made = SyntheticScene(12, 10, 8, 3).read()
    scene = Scene(made.cube.astype(dtype), made.labels, made.wavelengths, made.class_names)
    paths = write_scene(scene, tmp_path / "new", form)
    found = READERS[form](paths[0].name, paths[1].name, root=str(tmp_path / "new")).read()
    assert np.array_equal(found.cube, scene.cube)
    assert found.cube.dtype == scene.cube.dtype
    assert np.array_equal(found.labels, scene.labels)
    if form == "envi":
        assert found.wavelengths == scene.wavelengths
        assert {k: found.class_names[k] for k in scene.class_names} == scene.class_names


def test_the_two_matlab_versions_are_what_they_say(tmp_path):
    scene = Scene(np.arange(24.0).reshape(2, 3, 4))
    old, new = (write_scene(scene, tmp_path / form, form)[0] for form in ("mat", "mat73"))
    assert np.array_equal(scipy.io.loadmat(old)["scene"], scene.cube)
    assert new.read_bytes().startswith(b"MATLAB 7.3")
    with h5py.File(new) as file:
        assert file["scene"].shape == (4, 3, 2)
        assert file["scene"].attrs["MATLAB_class"] == b"double"


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_overwritten(tmp_path, form):
    scene = SyntheticScene(8, 8, 4, 2).read()
    paths = write_scene(scene, tmp_path, form)
    before = [path.read_bytes() for path in paths]
    paths[0].unlink()
    with pytest.raises(UserError, match="exists already"):
        write_scene(scene, tmp_path, form)
    assert paths[1].read_bytes() == before[1]
    assert not paths[0].exists()


def test_unknown_format_and_rotated_grid(tmp_path):
    scene = Scene(np.zeros((8, 8, 2), np.uint8), transform=(1.0, 0.5, 0.0, 0.0, -1.0, 0.0))
    with pytest.raises(UserError, match="did you mean 'envi'"):
        write_scene(scene, tmp_path, "envy")
    with pytest.raises(UserError, match="no rotated grid"):
        write_scene(scene, tmp_path, "envi")
