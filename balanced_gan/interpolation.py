"""From picture to picture: a walk through latents as GIF, MP4 and a strip."""

import cv2
import numpy as np
from PIL import Image

from balanced_gan.animation import evenly, gif, mp4
from balanced_gan.files import write_whole
from balanced_gan.sheets import encode_png, sheet, to_uint8

_AT_ONCE = 64  # pictures in one forward pass
_STRIP = 12  # pictures on the strip
_GIF_FRAMES = 160  # at most: a GIF of 256x256 takes 40 KB for each


def walk(latents, frames_between, prior):
    """Latents on the way from one to the next, and from the last back to the first.

    Along great circles for normal latents, since a straight line leads through lengths that
    none of them has (White 2016, arXiv 1609.04468); straight within the cube of uniform ones.

    Args:
        latents: (N, L), two at least.
        frames_between: steps from each to the next.
        prior: "normal" or "uniform".

    Returns:
        float32 (N * frames_between, L); the last leads to the first again.
    """
    steps = np.arange(frames_between)[:, None] / frames_between
    parts = []
    for start, end in zip(latents, np.roll(latents, -1, axis=0), strict=True):
        before, after = 1 - steps, steps
        if prior == "normal":
            cosine = start @ end / (np.linalg.norm(start) * np.linalg.norm(end))
            angle = np.arccos(np.clip(cosine, -1, 1))
            if angle > 1e-3:
                before, after = np.sin(before * angle), np.sin(after * angle)
                before, after = before / np.sin(angle), after / np.sin(angle)
        parts.append(before * start + after * end)
    return np.float32(np.concatenate(parts))


def interpolate_files(generator, out, latents, prior, frames_between, fps, side):
    """Writes interpolation.mp4, interpolation.gif and strip.png.

    Args:
        generator: a `keras.Model`, latents -> pictures in [-1, 1].
        out: folder to write to, a `pathlib.Path`; made if missing.
        latents: (N, L) to pass through, two at least.
        prior: of the latents, see `walk`.
        frames_between: frames from each picture to the next.
        fps: frames a second.
        side: of the video, in pixels.

    Returns:
        The paths of the files.
    """
    out.mkdir(parents=True, exist_ok=True)
    latents = walk(latents, frames_between, prior)
    pictures = np.concatenate(
        [
            to_uint8(np.asarray(generator(latents[first : first + _AT_ONCE])))
            for first in range(0, len(latents), _AT_ONCE)
        ]
    )

    def frames(some):  # one by one: 40,000 enlarged ones would be 8 GB
        for picture in some:
            enlarged = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
            yield Image.fromarray(enlarged)

    some = pictures[evenly(len(pictures), _GIF_FRAMES)]
    strip = pictures[:: -(-len(pictures) // _STRIP)]
    files = {
        "interpolation.mp4": mp4(frames(pictures), fps),
        "interpolation.gif": gif(frames(some), fps * len(some) / len(pictures)),
        "strip.png": encode_png(sheet(strip, len(strip))),
    }
    for name, data in files.items():
        write_whole(out / name, data)
    return [out / name for name in files]
