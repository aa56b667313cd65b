import io
import itertools

import av
import numpy as np
import pytest
from PIL import Image

from balanced_gan.animation import of_grids


@pytest.fixture
def frames(tmp_path):
    """Makes so many grey PNG files, each lighter than the one before."""

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
    levels, picture = gif_levels(of_grids(frames(count))[0])
    assert levels == sorted(levels) and len(levels) == count
    assert levels[0] == 0 and levels[-1] == 255 and picture.info["loop"] == 0
    video = mp4_levels(of_grids(frames(count))[1])
    assert all(later >= earlier - 2 for earlier, later in itertools.pairwise(video))
    assert video[0] < 10 and video[-1] > 245 and len(video) > count  # it rests on the last


def test_long_runs_are_thinned_evenly_from_first_to_last(frames):
    levels, _ = gif_levels(of_grids(frames(300))[0])
    assert len(levels) == 60 and levels[0] == 0 and levels[-1] == 255
    assert max(np.diff(levels)) <= 6


def test_one_frame_and_odd_and_large_sides(frames):
    levels, picture = gif_levels(of_grids(frames(1, side=1023))[0])
    assert len(levels) == 1 and picture.size == (512, 512)
    with av.open(io.BytesIO(of_grids(frames(1, side=63))[1])) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (62, 62)
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].pix_fmt == "yuv420p"
