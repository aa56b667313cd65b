import io

import av
import numpy as np
import pytest
from conftest import TINY
from PIL import Image

from balanced_gan.interpolation import walk
from balanced_gan.sampling import latents_of


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


def test_points_are_no_pictures(train_py, points_run):
    code, _, err = train_py("--TYPE", "interpolate")
    assert code == 1 and "a video is made of pictures" in err
