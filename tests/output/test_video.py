import io
import itertools

import av
import numpy as np
import pytest
from conftest import TINY
from PIL import Image

from balanced_gan.output.sampling import latents_of
from balanced_gan.output.video import animate_grids, interpolate_files, walk


@pytest.fixture
def frames(tmp_path):
    """Makes `count` grey PNG files, each lighter than the one before."""

    def make(count, side=64):
        files = [tmp_path / f"{number:05d}.png" for number in range(count)]
        for number, file in enumerate(files):
            Image.new("L", (side, side), 255 * number // max(1, count - 1)).save(file)
        return files

    return make


def gif_levels(data):
    picture = Image.open(io.BytesIO(data))
    levels = []
    for number in range(picture.n_frames):
        picture.seek(number)
        levels.append(int(np.asarray(picture.convert("L"))[5, 5]))
    return levels, picture


def mp4_levels(data):
    with av.open(io.BytesIO(data)) as container:
        return [int(frame.to_ndarray(format="gray")[5, 5]) for frame in container.decode(video=0)]


@pytest.mark.parametrize("count", [2, 10, 60])
def test_frames_are_in_the_order_of_time(frames, count):
    levels, picture = gif_levels(animate_grids(frames(count))[0])
    assert levels == sorted(levels) and len(levels) == count
    assert levels[0] == 0 and levels[-1] == 255 and picture.info["loop"] == 0
    video = mp4_levels(animate_grids(frames(count))[1])
    assert all(later >= earlier - 2 for earlier, later in itertools.pairwise(video))
    assert video[0] < 10 and video[-1] > 245 and len(video) > count  # it rests on the last


def test_long_runs_are_thinned_evenly_from_first_to_last(frames):
    levels, _ = gif_levels(animate_grids(frames(300))[0])
    assert len(levels) == 60 and levels[0] == 0 and levels[-1] == 255
    assert max(np.diff(levels)) <= 6


def test_one_frame_and_odd_and_large_sides(frames):
    levels, picture = gif_levels(animate_grids(frames(1, side=1023))[0])
    assert len(levels) == 1 and picture.size == (512, 512)
    with av.open(io.BytesIO(animate_grids(frames(1, side=63))[1])) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (62, 62)
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].pix_fmt == "yuv420p"


def test_a_walk_passes_through_its_latents_and_comes_back():
    latents = latents_of(range(3), 50)
    path = walk(latents, 10, "normal")
    assert path.shape == (30, 50) and path.dtype == np.float32
    np.testing.assert_allclose(path[::10], latents, atol=1e-5)
    steps = np.linalg.norm(np.diff(np.concatenate([path, path[:1]]), axis=0), axis=1)
    assert steps.max() < 2 * steps.min()  # even, over the end too


def test_normal_latents_keep_their_length_and_uniform_ones_their_cube():
    normal = walk(latents_of(range(4), 100), 8, "normal")
    lengths = np.linalg.norm(normal, axis=1)
    assert lengths.min() > 0.85 * 10 and lengths.max() < 1.2 * 10  # sqrt(100); straight: 7
    uniform = walk(latents_of(range(4), 100, prior="uniform"), 8, "uniform")
    assert abs(uniform).max() <= 1


def test_opposite_latents_are_joined_by_a_straight_line():
    path = walk(np.float32([[0.9], [-1.1]]), 4, "normal")
    np.testing.assert_allclose(path[:5, 0], [0.9, 0.4, -0.1, -0.6, -1.1], atol=1e-6)


def test_the_same_latent_twice_stands_still():
    twice = np.repeat(latents_of([5], 20), 2, axis=0)
    np.testing.assert_allclose(walk(twice, 4, "normal"), np.repeat(twice, 4, axis=0), atol=1e-6)


@pytest.mark.parametrize("channels", [3, 1])
def test_interpolate_from_the_command_line(train_py, workplace, channels):
    assert train_py(*TINY, "--epochs", 1, "--channels", channels)[0] == 0
    command = ["--TYPE", "interpolate", "--seed", 3, "--latents", 3, "--frames_between", 5]
    code, out, err = train_py(*command, "--frames_per_second", 10, "--video_side", 48)
    assert code == 0, err
    assert "3 latents, from 001-drawn-faces with --seed 3" in out
    folder = workplace / "images" / "001-drawn-faces"
    with av.open(io.BytesIO((folder / "interpolation.mp4").read_bytes())) as video:
        stream = video.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (48, 48, 15)
        assert stream.average_rate == 10
    gif = Image.open(folder / "interpolation.gif")
    assert gif.size == (48, 48) and 10 <= gif.n_frames <= 15  # equal neighbours are merged
    assert Image.open(folder / "strip.png").size[1] == 32
    assert train_py(*command)[0] == 0 and (folder.parent / "001-drawn-faces-2").is_dir()


@pytest.mark.parametrize("speed", [30, 40, 120])
def test_a_gif_plays_at_its_speed_in_browsers(tmp_path, speed):
    def generator(latents):
        return np.tile(latents[:, :, None, None], (1, 8, 8, 3))

    latents = latents_of(range(2), 1, prior="uniform")
    options = {"frames_between": 60, "frames_per_second": speed, "video_side": 32}
    files = interpolate_files(generator, tmp_path, latents, "uniform", **options)
    gif = Image.open(files[1])
    milliseconds = []
    for number in range(gif.n_frames):
        gif.seek(number)
        milliseconds.append(gif.info["duration"])
    # 120 frames; browsers slow down those of a hundredth of a second.
    assert min(milliseconds) >= 20 and sum(milliseconds) == 120_000 / speed


def test_points_are_no_pictures(train_py, points_run):
    code, _, err = train_py("--TYPE", "interpolate")
    assert code == 1 and "a video needs pictures" in err
