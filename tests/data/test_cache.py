import os
import time

import numpy as np
import pytest
from PIL import Image

from balanced_gan import InputError
from balanced_gan.data import cache
from balanced_gan.data import folder as reading
from balanced_gan.data.batches import batches
from balanced_gan.data.folder import load_folder
from balanced_gan.settings import Settings


@pytest.fixture
def folder(tmp_path, faces):
    """Five pictures and a bad one."""
    path = tmp_path / "faces"
    path.mkdir()
    for number, face in enumerate(faces[:5]):
        Image.fromarray(face).save(path / f"{number}.png")
    (path / "bad.jpg").touch()
    return path


@pytest.fixture
def store(tmp_path):
    return tmp_path / "cache"


def load(folder, store, **changes):
    return load_folder(folder, Settings(**{"image_size": 32, **changes}), store)


def test_the_second_time_nothing_is_decoded(folder, store, faces, monkeypatch):
    first, skipped = load(folder, store)
    monkeypatch.setattr(reading, "read_picture", lambda *args, **kwargs: 1 / 0)
    again, skipped_again = load(folder, store, mirror=False, oversampling=0.0)  # not in files
    np.testing.assert_array_equal(first[:], faces[:5])
    np.testing.assert_array_equal(again[:], faces[:5])
    assert skipped == skipped_again == [("bad.jpg", "an empty file")]


def test_other_files_and_other_settings_are_read_anew(folder, store, faces):
    load(folder, store)
    assert load(folder, store, image_size=40)[0].shape == (5, 40, 40, 3)
    assert len(load(folder, store, max_images=3)[0]) == 3
    Image.fromarray(faces[9]).save(folder / "2.png")
    np.testing.assert_array_equal(load(folder, store)[0][2], faces[9])
    (folder / "0.png").unlink()
    assert len(load(folder, store)[0]) == 4


@pytest.mark.parametrize("file", ["pictures.raw", "index.json"])
@pytest.mark.parametrize(
    "content", [None, b"", b"{}", b'{"shape": [2]}', bytes(5 * 32 * 32 * 3 - 1)]
)
def test_a_damaged_store_is_made_anew(folder, store, faces, file, content):
    load(folder, store)
    (damaged,) = store.iterdir()
    (damaged / file).unlink()
    if content is not None:
        (damaged / file).write_bytes(content)
    found, skipped = load(folder, store)
    np.testing.assert_array_equal(found[:], faces[:5])
    assert len(skipped) == 1 and [path.name for path in store.iterdir()] == [damaged.name]


def test_without_a_place_to_write_pictures_are_held_in_memory(folder, store, faces):
    store.write_text("a file where the cache should be")
    np.testing.assert_array_equal(load(folder, store)[0], faces[:5])


@pytest.mark.crash
def test_an_interrupted_store_leaves_nothing(folder, store, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "read_picture", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load(folder, store)
    assert list(store.iterdir()) == []


def test_a_folder_without_pictures_leaves_nothing(tmp_path, store):
    with pytest.raises(InputError, match="none found"):
        load(tmp_path, store)
    assert not store.exists()
    (tmp_path / "bad.jpg").touch()
    with pytest.raises(InputError, match="none usable"):
        load(tmp_path, store)
    assert list(store.iterdir()) == []


def test_of_two_processes_the_faster_counts(store):
    def make(value):
        def write_them(write):
            if value == 1:  # the other one comes in between and is done first
                cache.stored_or_made(store, "key", (2, 2, 3), make(2))
            write(bytes([value]) * 12)
            return [], True

        return write_them

    found, _ = cache.stored_or_made(store, "key", (2, 2, 3), make(1))
    assert found[:].tolist() == [[[[2] * 3] * 2] * 2]
    assert [path.name for path in store.iterdir()] == ["key"]


def test_what_was_long_unused_is_removed(folder, store):
    load(folder, store)
    (used,) = store.iterdir()
    old, recent = 32 * "a", 32 * "b"
    ages = {old: 31, recent: 29, "unfinished-x": 2, "unfinished-y": 0, "of somebody else": 999}
    for name, days in ages.items():
        (store / name).mkdir()
        then = time.time() - 86400 * days
        os.utime(store / name, (then, then))
    os.utime(used, (0, 0))
    load(folder, store)  # which uses it
    load(folder, store, image_size=40)
    names = {path.name for path in store.iterdir()}
    assert {used.name, recent, "unfinished-y", "of somebody else"} < names and len(names) == 5


def test_a_cache_that_can_only_be_read_is_used(folder, store, faces, monkeypatch):
    def refuse(*args):
        raise OSError(30, "Read-only file system")

    load(folder, store)
    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(reading, "read_picture", lambda *args: 1 / 0)
    np.testing.assert_array_equal(load(folder, store)[0][:], faces[:5])


def test_a_cache_that_cannot_be_written_is_said(folder, store, faces, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "atomic_open", full)
    pictures, skipped = load(folder, store)
    np.testing.assert_array_equal(pictures, faces[:5])
    said = "cannot be used, so all pictures are held in memory: No space left on device"
    assert (str(store), said) in skipped


def test_another_process_may_remove_an_old_folder_first(folder, store, monkeypatch):
    gone = store / (32 * "a")
    monkeypatch.setattr(type(store), "iterdir", lambda path: iter([gone]))
    assert isinstance(load(folder, store)[0], cache.StoredPictures)


def test_stored_pictures_are_indexed_like_an_array(folder, store, faces):
    stored = load(folder, store)[0]
    assert len(stored) == 5 and stored.shape == (5, 32, 32, 3) and stored.ndim == 4
    for which in (3, slice(1, 4), np.array([4, 0, 4]), np.array([], int)):
        np.testing.assert_array_equal(stored[which], faces[:5][which])
    with pytest.raises(IndexError):
        stored[5]
    a, b = (np.stack(list(batches(some, 2, 0, True).take(6))) for some in (stored, faces[:5]))
    np.testing.assert_array_equal(a, b)


def test_a_file_that_shrinks_gives_no_pictures(folder, store):
    stored = load(folder, store)[0]
    os.truncate(next(store.glob("*/pictures.raw")), 4 * 32 * 32 * 3 + 1)
    assert stored[3].shape == (32, 32, 3)
    with pytest.raises(OSError, match="ended early"):
        stored[4]


def test_a_read_that_failed_is_tried_again(folder, store, faces, monkeypatch):
    def offline(path, *args, **kwargs):
        if path.name == "2.png":
            raise MemoryError
        return really(path, *args, **kwargs)

    really = reading.read_picture
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_picture", offline)
        pictures, skipped = load(folder, store)
    assert len(pictures) == 4 and ("2.png", "not enough memory") in skipped
    pictures, skipped = load(folder, store)
    np.testing.assert_array_equal(pictures, faces[:5])
    assert "2.png" not in dict(skipped)
