import io
import os

import cv2
import numpy as np
import pytest
from bad_files import bad_files
from conftest import REAL_PICTURES
from PIL import Image, features

from balanced_gan import InputError
from balanced_gan.data import folder as folder_module
from balanced_gan.data.batches import batches
from balanced_gan.data.finding import SUFFIXES, find_images
from balanced_gan.data.folder import fit_square, load_folder
from balanced_gan.output.images import encode_png, sheet, to_uint8
from balanced_gan.settings import Settings


def load(folder, **changes):
    return load_folder(folder, Settings(**{"image_size": 32, **changes}))


def flat(*colour, size=(60, 40), mode="RGB"):
    """A one-coloured Pillow picture, width x height."""
    return Image.new(mode, size, colour if len(colour) > 1 else colour[0])


def quadrants():
    """Red, green / blue, white: shows every flip, turn and swap of channels."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32, :32], picture[:32, 32:] = (255, 0, 0), (0, 255, 0)
    picture[32:, :32], picture[32:, 32:] = (0, 0, 255), (255, 255, 255)
    return picture


def only(folder, **changes):
    """The one picture of a folder."""
    pictures, skipped = load(folder, **changes)
    assert len(pictures) == 1 and skipped == []
    return pictures[0]


@pytest.mark.parametrize("suffix", [*SUFFIXES, *(s.upper() for s in SUFFIXES)])
def test_formats_in_any_letter_case(tmp_path, suffix):
    kind = {".tif": "TIFF"} | dict.fromkeys((".jpg", ".jpe", ".jfif"), "JPEG")
    kind = kind.get(suffix.lower(), suffix[1:].upper())
    if kind in ("HEIC", "HEIF"):
        pytest.importorskip("pillow_heif").register_heif_opener()
        kind = "HEIF"
    elif kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    Image.fromarray(quadrants()).save(tmp_path / f"é ü{suffix}", kind, quality=95)
    picture = only(tmp_path)
    assert picture.shape == (32, 32, 3) and picture.dtype == np.uint8
    corners = [picture[y, x] for y in (5, 26) for x in (5, 26)]
    for corner, colour in zip(
        corners, [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255,) * 3], strict=True
    ):
        assert abs(corner.astype(int) - colour).max() < 12


def test_walks_sub_folders_in_a_fixed_order_and_filters(tmp_path):
    for name in ("b/2F.png", "b/2S.png", "a/1F.png", "0F.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        flat(1, 2, 3).save(tmp_path / name, "PNG")
    assert find_images(tmp_path).names == ["0F.png", "a/1F.png", "b/2F.png", "b/2S.png"]
    assert find_images(tmp_path, "*F.png").names == ["0F.png", "a/1F.png", "b/2F.png"]
    assert find_images(tmp_path, "**/*F.png").names == ["0F.png", "a/1F.png", "b/2F.png"]
    assert find_images(tmp_path, "b/*.png").names == ["b/2F.png", "b/2S.png"]


def test_folders_that_are_left_out_are_said(tmp_path, faces, monkeypatch):
    (tmp_path / "a.png").write_bytes(encode_png(faces[0]))
    (tmp_path / "shut").mkdir()
    (tmp_path / "other").mkdir()
    try:
        (tmp_path / "link").symlink_to(tmp_path / "other", target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make links")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    pictures, skipped = load(str(tmp_path))
    assert len(pictures) == 1
    assert skipped == [
        ("link", "a link to a folder, not followed"),
        ("shut", "cannot be opened: Permission denied"),
    ]


def test_companions_of_pictures_are_passed_over(tmp_path, faces):
    for name in ("a.png", "._a.png", ".trash/b.png", "__MACOSX/a.png", "x/@eaDir/thumb.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(encode_png(faces[0]))
    pictures, skipped = load(str(tmp_path))
    assert len(pictures) == 1 and skipped == []


def test_max_images_counts_good_ones(tmp_path):
    for i in range(4):
        flat(i, i, i).save(tmp_path / f"{i}.png")
    (tmp_path / "0.png").write_bytes(b"")
    pictures, skipped = load(tmp_path, max_images=2)
    assert pictures[:, 0, 0, 0].tolist() == [1, 2] and skipped == [("0.png", "an empty file")]


def test_bad_files_are_skipped_and_named(tmp_path, capfd):
    expected = bad_files(tmp_path)
    flat(200, 100, 50).save(tmp_path / "good.png")
    pictures, skipped = load(tmp_path)
    assert dict(skipped) == expected
    assert len(pictures) == 1 and pictures[0, 0, 0].tolist() == [200, 100, 50]
    assert capfd.readouterr().err == ""  # and the decoders print nothing in between


def test_no_folder_and_no_picture_say_what_was_looked_for(tmp_path):
    with pytest.raises(InputError, match=r"no folder to read pictures from: path='.*nowhere'"):
        load(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"below '.*jpg, jpeg, .*png, .* none found"):
        load(tmp_path)
    (tmp_path / "x.jpg").touch()
    (tmp_path / "y.jpg").touch()
    (tmp_path / "z.jpg").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(InputError, match=r"3 found, none usable.* an empty file \(2\); a Git"):
        load(tmp_path)
    with pytest.raises(InputError, match=r"ends in '\*F.png'"):
        load(tmp_path, pattern="*F.png")


NO_MEMORY = cv2.error("")
NO_MEMORY.code = cv2.Error.STS_NO_MEM


@pytest.mark.parametrize(
    "call, error",
    [
        ("PIL.Image.open", MemoryError()),
        ("PIL.ImageFile.ImageFile.load", OSError("out of memory error when reading image file")),
        ("balanced_gan.data.folder.fit_square", NO_MEMORY),
    ],
)
def test_a_lack_of_memory_is_not_taken_for_a_bad_file(tmp_path, monkeypatch, call, error):
    def fail(*args, **kwargs):
        raise error

    flat(1, 2, 3).save(tmp_path / "a.png")
    monkeypatch.setattr(call, fail)
    with pytest.raises(MemoryError):
        folder_module.read_picture(tmp_path / "a.png", Settings())


def test_alpha_is_composited_on_white(tmp_path):
    picture = np.zeros((40, 40, 4), np.uint8)
    picture[:, :20] = (255, 0, 0, 255)
    picture[:, 20:] = (0, 0, 255, 64)
    for kind in ("png", "webp", "tiff"):
        folder = tmp_path / kind
        folder.mkdir()
        options = {"lossless": True} if kind == "webp" else {}
        Image.fromarray(picture).save(folder / f"a.{kind}", **options)
        loaded = only(folder)
        assert loaded[5, 5].tolist() == [255, 0, 0]
        assert abs(loaded[5, 28].astype(int) - (191, 191, 255)).max() <= 1


def test_transparent_palette(tmp_path):
    flat(0, mode="P").save(tmp_path / "p.png", transparency=0)
    assert only(tmp_path).min() == 255


@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("shape", [(40, 40), (40, 40, 3), (40, 40, 4)])
def test_sixteen_bits(tmp_path, kind, shape):
    picture = np.full(shape, 40000, np.uint16)
    if shape[-1] == 4:
        picture[..., 3] = 65535
    (tmp_path / f"a.{kind}").write_bytes(cv2.imencode(f".{kind}", picture)[1].tobytes())
    assert abs(only(tmp_path).astype(int) - 40000 / 257).max() <= 1


def test_floating_point_tiff_with_four_channels_is_no_crash(tmp_path):
    flat(9, 9, 9).save(tmp_path / "good.png")
    picture = np.full((40, 40, 4), 0.5, np.float32)
    (tmp_path / "float.tiff").write_bytes(cv2.imencode(".tiff", picture)[1].tobytes())
    pictures, skipped = load(tmp_path)
    assert len(pictures) + len(skipped) == 2


def test_cmyk(tmp_path):
    for kind in ("jpg", "tiff"):
        folder = tmp_path / kind
        folder.mkdir()
        flat(0, 255, 255, 0, mode="CMYK").save(folder / f"red.{kind}")
        red, green, blue = only(folder)[5, 5].astype(int)
        assert red > 200 and green < 60 and blue < 60


def test_grey_in_and_out(tmp_path):
    flat(77, mode="L").save(tmp_path / "a.jpg")
    assert abs(only(tmp_path).astype(int) - 77).max() <= 2
    grey = only(tmp_path, channels=1)
    assert grey.shape == (32, 32, 1) and abs(grey.astype(int) - 77).max() <= 2


@pytest.mark.parametrize(
    "orientation, corner", [(1, "red"), (3, "white"), (6, "blue"), (8, "green")]
)
def test_exif_orientation(tmp_path, orientation, corner):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for large in (1, 8):  # as it is, and decoded at reduced scale
        picture = Image.fromarray(np.kron(quadrants(), np.ones((large, large, 1), np.uint8)))
        picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
        colours = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
        upper_left = only(tmp_path)[5, 5].astype(int)
        assert abs(upper_left - colours.get(corner, (255,) * 3)).max() < 20


def test_crops():
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = 200
    assert fit_square(picture, 32, "center").min() == 200
    padded = fit_square(picture, 32, "pad")
    assert padded[:7].max() == 0 and padded[10:20, 10:20].min() == 200
    stretched = fit_square(picture, 32, "stretch")
    assert stretched[:, :7].max() == 0 and stretched[:, 9:23].min() == 200
    assert fit_square(np.full((1, 500, 3), 9, np.uint8), 32, "pad").shape == (32, 32, 3)


def test_shrinking_averages(tmp_path):
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255  # aliasing would give black or white
    Image.fromarray(stripes).save(tmp_path / "a.png")
    assert abs(only(tmp_path).astype(int) - 128).max() <= 1


def test_reduced_decoding_looks_like_full_decoding(tmp_path):
    if not REAL_PICTURES.is_dir():
        pytest.skip("the real pictures beside the project are not here")
    source = next((REAL_PICTURES / "congress_400").glob("*.jpg"))
    picture = cv2.resize(cv2.imread(str(source)), (900, 1100), interpolation=cv2.INTER_CUBIC)
    Image.fromarray(picture[..., ::-1]).save(tmp_path / "a.jpg", quality=95)
    full = fit_square(cv2.imread(str(tmp_path / "a.jpg")), 64, "center")[..., ::-1]
    difference = abs(only(tmp_path, image_size=64).astype(int) - full)
    assert difference.mean() < 2 and difference.max() < 40


def test_batches_are_repeatable_complete_and_resumable(faces):
    def first(count, **kwargs):
        dataset = batches(faces, batch_size=6, seed=5, mirror=False, **kwargs)
        return [batch.numpy() for batch in dataset.take(count)]

    whole = first(7)
    assert whole[0].shape == (6, 32, 32, 3) and whole[0].dtype == np.float32
    assert -1 <= whole[0].min() < -0.5 and 0.5 < whole[0].max() <= 1
    np.testing.assert_array_equal(whole, first(7))
    np.testing.assert_array_equal(whole[4:], first(3, first_batch=4))
    # 20 pictures make 3 batches of 6 an epoch: 18 different ones, in another order each time.
    epochs = [[to_uint8(p).tobytes() for b in whole[at : at + 3] for p in b] for at in (0, 3)]
    assert len(set(epochs[0])) == len(set(epochs[1])) == 18 and epochs[0] != epochs[1]
    assert set(epochs[0]) <= {face.tobytes() for face in faces}


def test_mirroring_flips_about_half(faces):
    plain, mirrored = (
        np.concatenate([b.numpy() for b in batches(faces, 20, 5, mirror).take(10)])
        for mirror in (False, True)
    )
    flipped = [not np.array_equal(a, b) for a, b in zip(plain, mirrored, strict=True)]
    assert all(
        np.array_equal(a[:, ::-1], b) for a, b, f in zip(plain, mirrored, flipped, strict=True) if f
    )
    assert 0.35 < np.mean(flipped) < 0.65


def test_uint8_round_trip_is_exact():
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(np.float32(values) / 127.5 - 1), values)
    assert to_uint8(np.array([-7.0, 7.0])).tolist() == [0, 255]


def test_sheet_and_png(faces):
    page = sheet(faces[:5], 3)
    assert page.shape == (64, 96, 3)
    np.testing.assert_array_equal(page[32:, 32:64], faces[4])
    assert page[32:, 64:].min() == 255
    back = np.asarray(Image.open(io.BytesIO(encode_png(page))))
    np.testing.assert_array_equal(back, page)
    assert Image.open(io.BytesIO(encode_png(page[..., :1]))).mode == "L"


@pytest.mark.parametrize("scale", [1, 8])  # the larger one would be decoded at reduced scale
def test_source_size_counts_pixels_of_the_file(tmp_path, scale):
    picture = np.full((300 * scale, 400 * scale, 3), 255, np.uint8)
    top, left = (300 * scale - 208) // 2, (400 * scale - 178) // 2
    picture[top : top + 208, left : left + 178] = (200, 0, 0)
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=95)
    cut = only(tmp_path, source_width=178, source_height=208)
    assert abs(cut.astype(int) - (200, 0, 0)).max() < 20
    assert only(tmp_path).max() > 240  # without it the white is there


def test_source_size_beyond_the_picture_keeps_all(tmp_path):
    Image.fromarray(quadrants()).save(tmp_path / "a.png")
    beyond = only(tmp_path, source_width=999, source_height=999)
    np.testing.assert_array_equal(beyond, only(tmp_path))
    high = only(tmp_path, source_height=32)  # the middle rows, then a square of them
    assert (high[0, 0] == (255, 0, 0)).all() and (high[31, 31] == 255).all()


def test_batches_of_points_stay_as_they_are():
    points = np.arange(20, dtype=np.float32).reshape(10, 2) - 7
    seen = np.concatenate(list(batches(points, 5, seed=0, mirror=True).take(2)))
    assert seen.dtype == np.float32
    np.testing.assert_array_equal(seen[seen[:, 0].argsort()], points)


def test_no_thread_that_tunes_holds_up_the_end_of_training():
    # TensorFlow's sleeps for up to a minute and misses the call to end; 20 to 75 s were seen.
    options = batches(np.zeros((4, 8, 8, 3), np.uint8), 2, seed=0, mirror=False).options()
    assert options.autotune.enabled is False


def test_pictures_are_read_again_once_another_format_is_known(tmp_path, faces, monkeypatch):
    (tmp_path / "a.png").write_bytes(encode_png(faces[0]))
    read = []
    really = folder_module.read_picture
    monkeypatch.setattr(
        folder_module, "read_picture", lambda path, *how: read.append(path) or really(path, *how)
    )
    for formats, times in ((("PNG",), 1), (("PNG",), 1), (("PNG", "HEIF"), 2)):
        monkeypatch.setattr(folder_module, "known_formats", lambda formats=formats: formats)
        load_folder(tmp_path, Settings(), tmp_path / "cache")
        assert len(read) == times
