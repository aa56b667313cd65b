"""Pictures one after the other as a moving one: GIF for anywhere, MP4 for quality."""

import io
from contextlib import suppress

import av
import numpy as np

from balanced_gan.sheets import read_sheet

_GIF_SIDE = 512  # at most; a GIF hardly compresses
_PROGRESS_SECONDS = 8  # of a whole run, within 2 to 24 frames a second
_PROGRESS_REST = 2.0  # seconds on the newest grid
_PROGRESS_FRAMES = {"gif": 60, "mp4": 480}  # at most


def gif(frames, frames_per_second, rest_seconds=0.0):
    """An endless GIF.

    Args:
        frames: iterable of Pillow pictures of one size, at least one.
        frames_per_second: how fast.
        rest_seconds: how much longer the last one stays.

    Returns:
        Bytes of a GIF file.
    """
    pictures = []
    for frame in frames:
        picture = frame.convert("RGB")
        picture.thumbnail((_GIF_SIDE, _GIF_SIDE))
        pictures.append(picture.quantize(256))
    milliseconds = [round(1000 / frames_per_second)] * len(pictures)
    milliseconds[-1] += round(1000 * rest_seconds)
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, "GIF", save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0
    )
    return buffer.getvalue()


def mp4(frames, frames_per_second, rest_seconds=0.0):
    """An H.264 video, which browsers and telephones play.

    Args and result as in `gif`; only one of the frames is held in memory at a time.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=frames_per_second, options={"crf": "18"})
        stream.pix_fmt = "yuv420p"  # others do not play everywhere; it needs even sides

        def add(frame):
            if not stream.codec_context.is_open:
                stream.width, stream.height = (side // 2 * 2 for side in frame.size)
            picture = np.asarray(frame.convert("RGB"))[: stream.height, : stream.width]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))

        for frame in frames:
            add(frame)
        for _ in range(round(rest_seconds * frames_per_second)):
            add(frame)
        container.mux(stream.encode())
    return buffer.getvalue()


def of_grids(files):
    """The grids of a run: the same latents from before training to the end.

    Args:
        files: PNG files in the order of time, the last the newest. Those that cannot be read, or
            are not of its size, are left out.

    Returns:
        `(gif, mp4)`, bytes of both; a long run's grids are thinned evenly.

    Raises:
        OSError: if the last one cannot be read.
    """
    size = read_sheet(files[-1]).size
    made = []
    for encode, most in zip((gif, mp4), _PROGRESS_FRAMES.values(), strict=True):
        shown = evenly(len(files), most)
        frames_per_second = min(24, max(2, len(shown) // _PROGRESS_SECONDS))
        frames = _readable((files[i] for i in shown), size)
        made.append(encode(frames, frames_per_second, _PROGRESS_REST))
    return tuple(made)


def _readable(files, size):
    for file in files:
        with suppress(OSError):
            sheet = read_sheet(file)
            if sheet.size == size:
                yield sheet


def evenly(count, most):
    """Indices of at most so many out of `count`, first and last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
