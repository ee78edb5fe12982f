import numpy as np
import pytest

from tricklab.data.formats.envi import EnviScene
from tricklab.errors import UserError

CUBE = np.arange(5 * 4 * 3).reshape(5, 4, 3) - 7
CODES = {"u1": 1, "i2": 2, "i4": 3, "f4": 4, "f8": 5, "u2": 12}
ORDER = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}


def write(folder, name="s", dtype="i2", interleave="bil", big=False, extra="", offset=0, suffix=".img", cube=CUBE):
    """A file by the format's definition, not by the library that reads it."""
    values = cube.astype((">" if big else "<") + dtype).transpose(ORDER[interleave])
    (folder / f"{name}{suffix}").write_bytes(bytes(offset) + values.tobytes())
    header = (
        f"ENVI\nsamples = {cube.shape[1]}\nlines = {cube.shape[0]}\nbands = {cube.shape[2]}\nheader offset = {offset}\n"
        f"file type = ENVI Standard\ndata type = {CODES[dtype]}\ninterleave = {interleave}\n"
        f"byte order = {int(big)}\n{extra}\n"
    )
    (folder / f"{name}.hdr").write_text(header)


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize(
    ("dtype", "big", "offset"), [("i2", False, 0), ("i2", True, 0), ("f4", True, 128), ("f8", False, 3)]
)
def test_every_interleave_byte_order_and_offset(tmp_path, interleave, dtype, big, offset):
    write(tmp_path, dtype=dtype, interleave=interleave, big=big, offset=offset)
    scene = EnviScene("s.hdr", root=str(tmp_path)).read()
    assert np.array_equal(scene.cube, CUBE)
    assert scene.cube.dtype.kind == dtype[0]
    assert scene.cube.dtype.itemsize == int(dtype[1])


def change(folder, old, new):
    header = folder / "s.hdr"
    assert old in header.read_text()
    header.write_text(header.read_text().replace(old, new))


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
def test_words_of_the_header_in_any_case(tmp_path, interleave):
    write(tmp_path, interleave=interleave, extra="Wavelength = {1, 2, 3,}")
    change(tmp_path, f"interleave = {interleave}", f"Interleave = {interleave.capitalize()}")
    scene = EnviScene("s.hdr", root=str(tmp_path)).read()
    assert np.array_equal(scene.cube, CUBE)
    assert scene.wavelengths == (1, 2, 3)


@pytest.mark.parametrize(("turn", "kept"), [("0.0", True), ("12.5", False)])
def test_a_rotation_of_zero_is_none(tmp_path, turn, kept):
    write(tmp_path, extra=f"map info = {{UTM, 2, 3, 500000, 4000000, 30, 20, 11, North, rotation={turn}}}")
    found = EnviScene("s.hdr", root=str(tmp_path)).read().transform
    assert found == ((30.0, 0.0, 499970.0, 0.0, -20.0, 4000040.0) if kept else None)


@pytest.mark.parametrize("suffix", ["", ".dat", ".bil"])
def test_data_file_or_header_may_be_named(tmp_path, suffix):
    write(tmp_path, suffix=suffix)
    for name in ("s.hdr", f"s{suffix}"):
        assert np.array_equal(EnviScene(name, root=str(tmp_path)).read().cube, CUBE)


def test_what_the_header_says(tmp_path):
    extra = (
        "wavelength = {450.5, 550, 650}\ndata ignore value = -9999\n"
        'map info = {UTM, 1, 1, 500000, 4000000, 30, 20, 11, North}\ncoordinate system string = {LOCAL_CS["x"]}'
    )
    write(tmp_path, extra=extra)
    scene = EnviScene("s.hdr", root=str(tmp_path)).read()
    assert scene.wavelengths == (450.5, 550.0, 650.0)
    assert scene.nodata == -9999
    assert scene.transform == (30.0, 0.0, 500000.0, 0.0, -20.0, 4000000.0)
    assert scene.crs == 'LOCAL_CS["x"]'


def test_labels_with_class_names(tmp_path):
    write(tmp_path)
    labels = (np.arange(20).reshape(5, 4, 1)) % 3
    write(tmp_path, name="gt", dtype="u1", cube=labels, extra="classes = 3\nclass names = {none, corn, wheat}")
    scene = EnviScene("s.hdr", "gt.hdr", root=str(tmp_path)).read()
    assert np.array_equal(scene.labels, labels[:, :, 0])
    assert scene.class_names == {0: "none", 1: "corn", 2: "wheat"}
    assert scene.unlabelled == ()
    write(tmp_path, name="gt", dtype="u1", cube=labels, extra="data ignore value = 2")
    assert EnviScene("s.hdr", "gt.hdr", root=str(tmp_path)).read().unlabelled == (2,)
    with pytest.raises(UserError, match="one band, this file has 3"):
        EnviScene("s.hdr", "s.hdr", root=str(tmp_path)).read()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda d: (d / "s.img").unlink(), "no data file beside the header; tried s, s.img"),
        (lambda d: (d / "s.img").write_bytes(b"short"), "the header asks for 120 bytes, the file has 5"),
        (lambda d: (d / "s.img").write_bytes(bytes(121)), "the header asks for 120 bytes, the file has 121"),
        (lambda d: (d / "s.hdr").write_text("ENVI\nlines = 5\n"), "the header lacks 'samples'"),
        (lambda d: change(d, "samples = 4", "samples = -4"), "samples is '-4', not a whole number from 1 up"),
        (lambda d: change(d, "lines = 5", "lines = 0"), "lines is '0', not a whole number"),
        (lambda d: change(d, "data type = 2", "data type = 6"), "data type 6 is none of real numbers"),
        (lambda d: change(d, "= bil", "= foo"), "interleave 'foo'"),
        (lambda d: change(d, "byte order = 0", "byte order = 7"), "byte order 7"),
        (lambda d: change(d, "ENVI Standard", "ENVI Spectral Library"), "a spectral library, not an image"),
        (lambda d: write(d, extra="file compression = 1"), "a compressed file"),
        (lambda d: write(d, extra="data ignore value = none"), "data ignore value holds something other than numbers"),
        (lambda d: write(d, extra="map info = {UTM, a, 1, 5e5, 4e6, 30, 30}"), "map info holds something other"),
        (lambda d: (d / "s.hdr").write_text("hello"), "not a readable ENVI file"),
        (lambda d: write(d, extra="wavelength = {1, 2}"), "2 wavelengths for 3 bands"),
    ],
)
def test_bad_files(tmp_path, harm, words):
    write(tmp_path)
    harm(tmp_path)
    with pytest.raises(UserError, match=words):
        EnviScene("s.hdr", root=str(tmp_path)).read()


def test_data_file_without_header(tmp_path):
    (tmp_path / "s.img").write_bytes(b"")
    with pytest.raises(UserError, match=r"no ENVI header beside the file; tried s\.img\.hdr, s\.hdr"):
        EnviScene("s.img", root=str(tmp_path)).read()
