"""The grids of a run as one moving picture: the same latents from untrained to the end."""

import io

import av
import numpy as np
from PIL import Image

_SECONDS = 8  # of the whole, within 2 to 24 frames a second
_GIF_FRAMES, _GIF_SIDE = 60, 512  # at most; a GIF hardly compresses
_MP4_FRAMES = 480  # at most


def gif(frames):
    """An endless GIF.

    Args:
        frames: PNG files in the order of time, at least one.

    Returns:
        Bytes of a GIF file.
    """
    chosen = [frames[i] for i in _evenly(len(frames), _GIF_FRAMES)]
    pictures = []
    for file in chosen:
        picture = Image.open(file).convert("RGB")
        picture.thumbnail((_GIF_SIDE, _GIF_SIDE))
        pictures.append(picture.quantize(256))
    milliseconds = [1000 // _frames_per_second(len(chosen))] * len(chosen)
    milliseconds[-1] += 2000  # to look at the end
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, "GIF", save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0
    )
    return buffer.getvalue()


def mp4(frames):
    """An H.264 video, which browsers and telephones play.

    Args:
        frames: PNG files in the order of time, at least one, all of one size.

    Returns:
        Bytes of an MP4 file.
    """
    frames = [frames[i] for i in _evenly(len(frames), _MP4_FRAMES)]
    buffer = io.BytesIO()
    rate = _frames_per_second(len(frames))
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "18"})
        stream.pix_fmt = "yuv420p"  # others do not play everywhere; it needs even sides
        stream.width, stream.height = (side // 2 * 2 for side in Image.open(frames[0]).size)
        for file in [*frames, *frames[-1:] * (2 * rate)]:
            picture = np.asarray(Image.open(file).convert("RGB"))
            picture = picture[: stream.height, : stream.width]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def _frames_per_second(count):
    return min(24, max(2, count // _SECONDS))


def _evenly(count, most):
    """Indices of at most so many out of `count`, first and last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
