import struct
import warnings
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.data.pictures import picture, save
from tricklab.data.image_reading import is_image_name, read_image
from tricklab.errors import UserError

GREY = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "ppm", "tga", "gif", "jp2"])
def test_kinds_of_files(tmp_path, suffix):
    pixels = np.kron(
        np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]], np.uint8), np.ones((8, 8, 1), np.uint8)
    )
    options = {"lossless": True} if suffix == "webp" else {}
    found = read_image(save(tmp_path / f"a.{suffix}", pixels, **options))
    assert np.array_equal(found, pixels)
    assert found.dtype == np.uint8
    assert found.flags.writeable


def test_jpeg_is_what_pillow_decodes_and_the_suffix_means_nothing(tmp_path):
    path = save(tmp_path / "a.jpg", picture(0, 40, 50), quality=90)
    expected = np.array(Image.open(path))
    path.rename(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_obeyed(tmp_path, orientation, suffix):
    pixels = picture(3)
    turned = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: np.rot90(pixels, -1),
        7: pixels[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(pixels),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    more = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"a.{suffix}", pixels, exif=exif, **more)
    assert np.array_equal(read_image(path), turned)


def exif_of(*entries):
    """An EXIF block of (tag, type, count, four bytes)."""
    body = b"".join(struct.pack(">HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + body + bytes(4)


ORIENTATION_6 = (0x0112, 3, 1, b"\0\x06\0\0")


@pytest.mark.parametrize(
    ("exif", "turned"),
    [
        (exif_of(ORIENTATION_6), True),
        # a tag that can be read but not be written anew: a width of -1
        (exif_of((0x0100, 9, 1, b"\xff\xff\xff\xff"), ORIENTATION_6), True),
        (exif_of((0x0112, 3, 1, b"\0\x2a\0\0")), False),
        (exif_of((0x0112, 2, 2, b"6\0\0\0")), False),
        (b"Exif\0\0garbage", False),
        (b"Exif\0\0MM\0*\0\0\xff\xff", False),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tags_that_cannot_be_read_do_not_cost_the_picture(tmp_path, exif, turned):
    pixels = picture(3)
    plain = np.array(Image.open(save(tmp_path / "plain.jpg", pixels)))
    found = read_image(save(tmp_path / "a.jpg", pixels, exif=exif))
    assert np.array_equal(found, np.rot90(plain, -1) if turned else plain)


def test_grey_and_one_bit_have_three_equal_channels(tmp_path):
    assert np.array_equal(read_image(save(tmp_path / "l.png", GREY)), np.dstack([GREY] * 3))
    bits = Image.fromarray(GREY > 90)
    assert np.array_equal(read_image(save(tmp_path / "1.png", bits))[..., 1], np.where(GREY > 90, 255, 0))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_pixels_are_laid_over_white(tmp_path, mode):
    alpha = np.full(GREY.shape, 255, np.uint8)
    alpha[0, 0], alpha[0, 1] = 0, 102
    colour = np.full_like(GREY, 50)
    channels = [colour, alpha] if mode == "LA" else [colour, colour, colour, alpha]
    found = read_image(save(tmp_path / "a.png", Image.fromarray(np.dstack(channels))))
    assert found[0, 0].tolist() == [255, 255, 255]
    # 0.4 · 50 + 0.6 · 255
    assert np.abs(found[0, 1].astype(int) - 173).max() <= 1
    assert found[1, 1].tolist() == [50, 50, 50]


def test_palette_with_and_without_a_transparent_colour(tmp_path):
    image = Image.fromarray((GREY % 3).astype(np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 0, 1, 2, 3] + [0] * 759)
    indices = np.asarray(image)
    table = np.array([[10, 20, 30], [200, 100, 0], [1, 2, 3]])
    assert np.array_equal(read_image(save(tmp_path / "p.png", image)), table[indices])
    table[1] = 255
    assert np.array_equal(read_image(save(tmp_path / "t.png", image, transparency=1)), table[indices])
    assert np.array_equal(read_image(save(tmp_path / "t.gif", image, transparency=1)), table[indices])


def test_rgb_with_a_transparent_colour(tmp_path):
    pixels = np.full((4, 4, 3), 7, np.uint8)
    pixels[1, 2] = (200, 0, 0)
    found = read_image(save(tmp_path / "a.png", pixels, transparency=(200, 0, 0)))
    assert found[1, 2].tolist() == [255, 255, 255]
    assert found[0, 0].tolist() == [7, 7, 7]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_keep_their_range(tmp_path, suffix):
    values = np.array([[0, 127, 128, 129], [257, 65535, 32768, 65406]], np.uint16)
    found = read_image(save(tmp_path / f"a.{suffix}", values))[..., 0]
    assert np.array_equal(found, np.floor(values / 257 + 0.5))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_files_in_which_white_is_zero(tmp_path, dtype):
    values = np.array([[0, 0], [0, np.iinfo(dtype).max]], dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite")
    assert read_image(tmp_path / "a.tif")[..., 1].tolist() == [[255, 255], [255, 0]]


def test_sixteen_bits_with_a_transparent_value_keep_their_range_too(tmp_path):
    values = np.array([[0, 257, 25_700], [40_000, 500, 65_535]], np.uint16)
    found = read_image(save(tmp_path / "a.png", Image.fromarray(values), transparency=40_000))[..., 0]
    assert found.tolist() == [[0, 1, 100], [255, 2, 255]]


def test_sixteen_bit_colour_and_32_bit_whole_numbers(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (6, 5, 3)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "rgb.tif", values, photometric="rgb")
    assert np.abs(read_image(tmp_path / "rgb.tif").astype(int) - values / 257).max() <= 1
    tifffile.imwrite(tmp_path / "i.tif", values[..., 0].astype(np.int32))
    assert np.array_equal(read_image(tmp_path / "i.tif")[..., 2], np.floor(values[..., 0] / 257 + 0.5))
    tifffile.imwrite(tmp_path / "big.tif", values[..., 0].astype(np.int32) * 40)
    with pytest.raises(UserError, match=r"big\.tif: its pixels are whole numbers from .*, whose range is unknown"):
        read_image(tmp_path / "big.tif")
    tifffile.imwrite(tmp_path / "f.tif", values[..., 0].astype(np.float32))
    with pytest.raises(UserError, match=r"f\.tif: its pixels are floating-point"):
        read_image(tmp_path / "f.tif")


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk(tmp_path, suffix):
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    found = read_image(save(tmp_path / f"a.{suffix}", cyan))
    assert np.abs(found.astype(int) - [0, 255, 255]).max() <= 3


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("L", (4, 4), value) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_image(tmp_path / "a.gif") == 10).all()


@pytest.mark.parametrize(
    ("name", "share"), [("a.jpg", 0.5), ("a.png", 0.5), ("a.jpg", 0.95), ("a.tif", 0.7), ("a.webp", 0.6)]
)
def test_truncated_files_are_named(tmp_path, name, share):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / name, pixels)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UserError, match=r"a\.\w+: (the image is corrupt|this is no image)"):
        read_image(path)


def test_every_kind_of_noise_in_a_file_is_a_user_error(tmp_path):
    rng = np.random.default_rng(0)
    whole = save(tmp_path / "a.png", picture(1)).read_bytes()
    told = {}
    for number in range(150):
        content = bytearray(whole)
        for place in rng.integers(8, len(content), 6):
            content[place] = rng.integers(256)
        path = tmp_path / f"{number}.png"
        path.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read_image(path)
        except UserError as error:
            told[str(path)] = str(error)
    assert len(told) > 50
    assert all(text.startswith(f"{path}: ") for path, text in told.items())


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "the file is empty"), (b"hello", "no image that can be read"), (None, "No such file")]
)
def test_what_is_no_image(tmp_path, content, words):
    path = tmp_path / "x.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"x\.jpg: .*{words}"):
        read_image(path)
    with pytest.raises(UserError, match="it cannot be read"):
        read_image(tmp_path)


def bomb(side):
    """A PNG of a few bytes that claims side × side pixels."""
    data = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", data) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_decompression_bombs_are_refused_before_they_are_decoded(tmp_path, side):
    (tmp_path / "b.png").write_bytes(bomb(side))
    with pytest.raises(UserError, match=r"b\.png: the image is too large"):
        read_image(tmp_path / "b.png")


def test_suffixes():
    assert all(is_image_name(name) for name in ("a.JPG", "b.Jpeg", "c.tiff", "x.y.webp"))
    assert not any(is_image_name(name) for name in ("a", ".jpg", "a.jpg.txt", "a.npy"))
