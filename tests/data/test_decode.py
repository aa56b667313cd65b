"""Files as people have them: turned, untidy, in other colours, deep, or no pictures at all."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from balanced_gan.data import decode as decode_module
from balanced_gan.data.decode import UnusablePictureError, decode, known_formats

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
WHITE = (255, 255, 255)
ORIENTATION = 0x0112
# Of each EXIF orientation: upper left, upper right, lower left and lower right of a picture that is
# stored as red, green / blue, yellow.
UPRIGHT = {
    1: (RED, GREEN, BLUE, YELLOW),
    2: (GREEN, RED, YELLOW, BLUE),
    3: (YELLOW, BLUE, GREEN, RED),
    4: (BLUE, YELLOW, RED, GREEN),
    5: (RED, BLUE, GREEN, YELLOW),
    6: (BLUE, RED, YELLOW, GREEN),
    7: (YELLOW, GREEN, BLUE, RED),
    8: (GREEN, YELLOW, RED, BLUE),
}


def quadrants(alpha=False):
    """64 wide, 48 high: red, green / blue, yellow, which is transparent with `alpha`."""
    picture = np.zeros((48, 64, 4), np.uint8)
    for rows, columns, colour in zip(
        (slice(24), slice(24), slice(24, 48), slice(24, 48)),
        (slice(32), slice(32, 64)) * 2,
        (RED, GREEN, BLUE, YELLOW),
        strict=True,
    ):
        picture[rows, columns] = (*colour, 255)
    if alpha:
        picture[24:, 32:, 3] = 0
        return Image.fromarray(picture)
    return Image.fromarray(picture[:, :, :3])


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def corners(picture):
    return [picture[y, x, ::-1].astype(int) for y in (5, -6) for x in (5, -6)]


def assert_corners(picture, expected, tolerance=3):
    for found, colour in zip(corners(picture), expected, strict=True):
        assert abs(found - colour).max() <= tolerance, corners(picture)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind, alpha", [("JPEG", False), ("PNG", False), ("PNG", True),
                                         ("WEBP", False), ("WEBP", True), ("TIFF", False),
                                         ("TIFF", True)])  # fmt: skip
def test_every_orientation_of_every_format(kind, alpha, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    picture = decode(encoded(quadrants(alpha), kind, exif=exif, **options), 64)
    expected = [WHITE if alpha and c == YELLOW else c for c in UPRIGHT[orientation]]
    assert picture.shape == ((48, 64, 3) if orientation <= 4 else (64, 48, 3))
    assert_corners(picture, expected)


def deep_png(picture, chunk, **options):
    """A PNG of 16 bits with a chunk of the one of 8 bits that Pillow writes with these options."""
    deep = np.asarray(picture).astype(np.uint16) * 257
    png = cv2.imencode(".png", deep[:, :, ::-1])[1].tobytes()
    shallow = encoded(picture, "PNG", **options)
    at = shallow.index(chunk) - 4
    length = 12 + struct.unpack(">I", shallow[at : at + 4])[0]
    return png[:33] + shallow[at : at + length] + png[33:]


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation_of_a_deep_picture(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = deep_png(quadrants(), b"eXIf", exif=exif)
    assert_corners(decode(data, 64), UPRIGHT[orientation])
    for bits, most in ((np.uint16, 65535), (np.float32, 1)):
        grey = np.asarray(quadrants())[:, :, 0] // 2 + np.asarray(quadrants())[:, :, 1] // 4
        deep = Image.fromarray((grey / 255 * most).astype(bits))
        expected = [[red // 2 + green // 4] * 3 for red, green, _ in UPRIGHT[orientation]]
        assert_corners(decode(encoded(deep, "TIFF", exif=exif), 64), np.array(expected))


def test_a_deep_tiff_in_which_0_is_white_and_one_in_cmyk():
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    data = encoded(Image.fromarray(ramp), "TIFF")
    white, photometric = (struct.pack("<HHIHH", 262, 3, 1, value, 0) for value in (0, 1))
    assert photometric in data
    row = decode(data.replace(photometric, white), 64)[32, :, 0].astype(int)
    assert row[0] >= 254 and row[-1] <= 1
    cyan = np.tile(np.array([0, 0, 65535, 0], np.uint16), (64, 64, 1))  # OpenCV's order
    data = cv2.imencode(".tiff", cyan)[1].tobytes()
    rgb, cmyk = (struct.pack("<HHIHH", 262, 3, 1, value, 0) for value in (2, 5))
    assert rgb in data
    assert decode(data.replace(rgb, cmyk), 64)[32, 32, ::-1].tolist() == [0, 255, 255]


JPEG = encoded(quadrants().resize((256, 192)), "JPEG", quality=90)
SCAN = JPEG.index(b"\xff\xda")


@pytest.mark.parametrize(
    "data",
    [
        JPEG[:SCAN] + b"stray" + JPEG[SCAN:],
        JPEG[:SCAN] + b"\xff\xff\xff" + JPEG[SCAN:],
        JPEG + bytes(2000),
        JPEG + JPEG,
        JPEG + JPEG[:2000],
        JPEG[:-2],
        JPEG[:-2] + bytes(500),
    ],
    ids=["stray", "fill", "zeros after", "second after", "half after", "no end mark", "no end, 0"],
)
def test_an_untidy_jpeg_is_read(data):
    assert_corners(decode(data, 64), (RED, GREEN, BLUE, YELLOW))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("filled", [0, 5000])
def test_a_jpeg_without_all_its_pixels_is_cut_short(share, progressive, filled):
    noise = np.random.default_rng(0).integers(0, 256, (192, 256, 3), np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG", progressive=progressive)
    assert decode(data, 64).shape == (192, 256, 3)
    with pytest.raises(UnusablePictureError, match="cut short"):
        decode(data[: int(share * len(data))] + bytes(filled), 64)


def test_a_thumbnail_does_not_pass_for_the_picture():
    exif = Image.Exif()
    data = encoded(quadrants().resize((256, 192)), "JPEG", exif=exif.tobytes() + JPEG)
    with pytest.raises(UnusablePictureError, match="cut short"):
        decode(data[: len(data) - 500], 64)


def test_wrong_lengths_in_headers_do_not_matter():
    bmp = bytearray(encoded(quadrants(), "BMP"))
    bmp[2:6] = (10_000_000).to_bytes(4, "little")
    assert_corners(decode(bytes(bmp), 64), (RED, GREEN, BLUE, YELLOW))
    png = bytearray(encoded(quadrants(), "PNG"))
    png[33:37] = struct.pack(">I", 2**31 - 1)  # for which OpenCV would take 2 GiB
    assert_corners(decode(bytes(png), 64), (RED, GREEN, BLUE, YELLOW))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_colours_of_a_profile_are_converted(kind):
    path = ImageCms.createProfile("LAB")  # of no use to RGB: left as it is
    lab = ImageCms.ImageCmsProfile(path).tobytes()
    grey = Image.new("RGB", (64, 64), (100, 100, 100))
    assert abs(decode(encoded(grey, kind, icc_profile=lab), 64).astype(int) - 100).max() <= 2
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert abs(decode(encoded(grey, kind, icc_profile=srgb), 64).astype(int) - 100).max() <= 2
    # Red and green change places: a profile made of sRGB's by exchanging two tags.
    swapped = srgb.replace(b"rXYZ", b"tmp!").replace(b"gXYZ", b"rXYZ").replace(b"tmp!", b"gXYZ")
    assert swapped != srgb
    red = Image.new("RGB", (64, 64), RED)
    data = [encoded(red, kind, icc_profile=swapped)]
    if kind == "PNG":
        data.append(deep_png(red, b"iCCP", icc_profile=swapped))
    for each in data:
        found = decode(each, 64)[32, 32, ::-1].astype(int)
        assert abs(found - GREEN).max() <= 12, found


@pytest.mark.parametrize("kind", [".png", ".tiff"])
@pytest.mark.parametrize("lowest, highest", [(0, 65535), (0, 4095), (0, 1023), (60000, 61000)])
def test_deep_pictures_use_the_whole_range(kind, lowest, highest):
    ramp = np.linspace(lowest, highest, 64).astype(np.uint16)
    for picture in (np.tile(ramp, (64, 1)), np.tile(ramp[:, None], (64, 1, 3))):
        found = decode(cv2.imencode(kind, picture)[1].tobytes(), 64)
        row = found[32, :, 0].astype(int)
        assert row[0] <= 1 and row[-1] >= 254 and (np.diff(row) >= 0).all()


@pytest.mark.parametrize("lowest, highest", [(0, 1), (0, 0.1), (-5, 300), (0, 65535)])
def test_floating_point_pictures_use_the_whole_range(lowest, highest):
    ramp = np.tile(np.linspace(lowest, highest, 64, dtype=np.float32)[:, None], (64, 1, 3))
    row = decode(cv2.imencode(".tiff", ramp)[1].tobytes(), 64)[32, :, 0].astype(int)
    assert row[0] <= 1 and row[-1] >= 254


def test_a_flat_deep_picture_keeps_its_grey():
    grey = np.full((64, 64), 40_000, np.uint16)
    assert abs(decode(cv2.imencode(".png", grey)[1].tobytes(), 64).astype(int) - 156).max() <= 1


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"<!DOCTYPE html><title>404</title>", "a web page"),
        (b"\n<html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "run git lfs pull"),
        (b"just text", "not a picture that can be read"),
    ],
)
def test_files_are_named_for_what_they_are(data, reason):
    with pytest.raises(UnusablePictureError, match=reason):
        decode(data, 64)


@pytest.mark.parametrize(
    "brand, name, package", [(b"heic", "HEIF", "pillow-heif"), (b"avif", "AVIF", "-U pillow")]
)
@pytest.mark.parametrize("known", [True, False])
def test_what_to_install_is_said_only_if_it_is_missing(monkeypatch, brand, name, package, known):
    formats = ("PNG", name) if known and name in known_formats() else ("PNG",)
    monkeypatch.setattr(decode_module, "known_formats", lambda: formats)
    reason = "cut short or damaged" if name in formats else f"python -m pip install {package}"
    with pytest.raises(UnusablePictureError, match=reason):
        decode(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1" + brand + bytes(200), 64)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0no TIFF header", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"])
def test_damaged_exif_costs_only_the_orientation(kind, exif):
    data = encoded(Image.new("RGB", (40, 20), "red"), kind, exif=exif)
    assert decode(data, 16).shape == (20, 40, 3)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_a_moving_picture_the_first_frame_counts(kind):
    frames = [Image.new("RGB", (48, 48), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert decode(data, 64)[24, 24, ::-1].tolist() == [255, 0, 0]
