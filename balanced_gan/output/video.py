"""Videos of a run's grids and of walks between latents: GIF plays anywhere, MP4 looks better."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from balanced_gan.files import atomic_write
from balanced_gan.output.images import encode_png, in_batches, read_sheet, sheet, to_uint8

_GIF_SIDE = 512  # pixels at most; a GIF hardly compresses

# A run's grids
_GIF_GRIDS, _MP4_GRIDS = 60, 480  # at most
_GRIDS_SECONDS = 8  # for a whole run, within 2 to 24 frames a second
_GRIDS_REST = 2.0  # seconds on the newest grid

# A walk between latents
_STRIP = 12  # pictures on the strip
_GIF_FRAMES = 160  # at most: each frame of a 256x256 GIF takes 40 KB


def encode_gif(
    frames: Iterable[Image.Image], frames_per_second: float, rest_seconds: float = 0.0
) -> bytes:
    """Encodes frames as a GIF that loops forever.

    Args:
        frames: at least one, all of the same size.
        rest_seconds: how much longer the last frame stays.
    """
    pictures = []
    for frame in frames:
        picture = frame.convert("RGB")
        picture.thumbnail((_GIF_SIDE, _GIF_SIDE))
        pictures.append(picture.quantize(256))
    # Whole hundredths of a second, which is all that GIF has; their sum is right at any speed.
    ends = np.round(np.arange(len(pictures) + 1) * 100 / frames_per_second)
    milliseconds = (np.diff(ends) * 10).astype(int).tolist()
    milliseconds[-1] += round(1000 * rest_seconds)
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, "GIF", save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0
    )
    return buffer.getvalue()


def encode_mp4(
    frames: Iterable[Image.Image], frames_per_second: int, rest_seconds: float = 0.0
) -> bytes:
    """Encodes frames as an H.264 video, which browsers and phones play.

    The arguments are those of `encode_gif`. Only one frame is held in memory at a time.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=frames_per_second, options={"crf": "18"})
        stream.pix_fmt = "yuv420p"  # other formats do not play everywhere; it needs even sides

        def add(frame: Image.Image) -> None:
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


def animate_grids(files: Sequence[Path]) -> tuple[bytes, bytes]:
    """Animates the grids of a run: the same latents from before training to the end.

    The grids of a long run are thinned evenly.

    Args:
        files: PNG files in the order of time, the newest last. Files that cannot be read, or
            differ from the last one in size, are left out.

    Returns:
        `(gif, mp4)`, the contents of both files.

    Raises:
        OSError: if the last file cannot be read.
    """
    size = read_sheet(files[-1]).size

    def encoded(encode: Callable[[Iterable[Image.Image], int, float], bytes], most: int) -> bytes:
        shown = evenly(len(files), most)
        frames_per_second = min(24, max(2, len(shown) // _GRIDS_SECONDS))
        frames = _readable((files[i] for i in shown), size)
        return encode(frames, frames_per_second, _GRIDS_REST)

    return encoded(encode_gif, _GIF_GRIDS), encoded(encode_mp4, _MP4_GRIDS)


def _readable(files: Iterable[Path], size: tuple[int, int]) -> Iterator[Image.Image]:
    for file in files:
        with suppress(OSError):
            sheet = read_sheet(file)
            if sheet.size == size:
                yield sheet


def evenly(count: int, most: int) -> NDArray[np.int_]:
    """Picks at most `most` of `count` items: evenly spaced indices, first and last included."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def walk(latents: NDArray[np.float32], frames_between: int, prior: str) -> NDArray[np.float32]:
    """Steps from each latent to the next, and from the last back to the first.

    Normal latents are joined along great circles: the points of a straight line would be shorter
    than any latent the generator was trained on (White 2016, arXiv 1609.04468). Uniform latents
    are joined by straight lines, which stay in their cube.

    Args:
        latents: (N, L), at least two.
        frames_between: steps from each latent to the next.
        prior: "normal" or "uniform".

    Returns:
        (N * frames_between, L); the step after the last would be the first again.
    """
    steps = np.arange(frames_between)[:, None] / frames_between
    parts = []
    for start, end in zip(latents, np.roll(latents, -1, axis=0), strict=True):
        before, after = 1 - steps, steps
        if prior == "normal":
            cosine = start @ end / (np.linalg.norm(start) * np.linalg.norm(end))
            angle = np.arccos(np.clip(cosine, -1, 1))
            if 1e-3 < angle < np.pi - 1e-3:  # opposite ones have no great circle of their own
                before, after = np.sin(before * angle), np.sin(after * angle)
                before, after = before / np.sin(angle), after / np.sin(angle)
        parts.append(before * start + after * end)
    return np.concatenate(parts).astype(np.float32)


def interpolate_files(
    generator: Callable[[NDArray[np.float32]], Any],
    out: Path,
    latents: NDArray[np.float32],
    prior: str,
    *,
    frames_between: int,
    frames_per_second: int,
    video_side: int,
) -> list[Path]:
    """Writes interpolation.mp4, interpolation.gif and strip.png.

    Args:
        generator: latents -> pictures in [-1, 1].
        out: the folder to write to; created if missing.
        latents: (N, L) to pass through, at least two.
        prior: of the latents, see `walk`.
        frames_between: frames from each picture to the next.
        video_side: width and height of the video in pixels.

    Returns:
        The paths of the files.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = walk(latents, frames_between, prior)
    pictures = in_batches(lambda some: to_uint8(np.asarray(generator(some))), path)
    # A GIF counts time in hundredths of a second, and browsers slow down frames of one hundredth.
    most = max(1, min(_GIF_FRAMES, 50 * len(pictures) // frames_per_second))
    some = pictures[evenly(len(pictures), most)]
    strip = pictures[:: -(-len(pictures) // _STRIP)]
    gif_speed = frames_per_second * len(some) / len(pictures)
    files = {
        "interpolation.mp4": encode_mp4(_enlarged(pictures, video_side), frames_per_second),
        "interpolation.gif": encode_gif(_enlarged(some, video_side), gif_speed),
        "strip.png": encode_png(sheet(strip, len(strip))),
    }
    for name, data in files.items():
        atomic_write(out / name, data)
    return [out / name for name in files]


def _enlarged(pictures: NDArray[np.uint8], side: int) -> Iterator[Image.Image]:
    """One by one: 40,000 enlarged pictures together would take 8 GB."""
    for picture in pictures:
        enlarged = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
        yield Image.fromarray(enlarged)
