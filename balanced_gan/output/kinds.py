"""The two kinds of samples that a GAN is trained on: pictures, and points of a curve.

`Images` and `Points` have the same methods: each loads its samples, draws a grid of them, writes
results and describes itself.
"""

from collections.abc import Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balanced_gan.data import drawn_faces, sine_curve
from balanced_gan.data.cache import StoredPictures
from balanced_gan.data.finding import Skipped
from balanced_gan.data.folder import load_folder
from balanced_gan.errors import InputError
from balanced_gan.files import atomic_write, printable
from balanced_gan.output.images import captioned, encode_png, sheet, to_uint8
from balanced_gan.output.plots import points_png
from balanced_gan.output.sampling import Sampler
from balanced_gan.runs.registry import RUNS
from balanced_gan.runs.run import Run, write_table
from balanced_gan.settings import Settings

_SHEET_LIMIT = 400  # pictures on the sheet: 20 x 20 still fits a screen


class Images:
    """Square pictures: uint8 (N, S, S, C) to train on, float32 in [-1, 1] as generated."""

    word = "Pictures"
    img_num = 20  # how many to suggest once training has finished

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def label(self) -> str:
        """Part of a new run's name."""
        path = self.settings.path
        return Path(path).resolve().name if path else "drawn-faces"

    @property
    def source(self) -> str:
        """Where the samples come from, for the list of runs."""
        return printable(self.settings.path or "drawn faces")

    @property
    def side(self) -> str:
        """Side of a picture in pixels, for the list of runs."""
        return str(self.settings.image_size)

    def load(self) -> tuple[NDArray[np.uint8] | StoredPictures, Skipped]:
        """Reads the pictures, or draws faces if no folder is given.

        Returns:
            `(samples, skipped)`: the pictures, and what could not be used.

        Raises:
            InputError: if there is no such folder, or no usable picture in it.
        """
        settings = self.settings
        if settings.path is None:
            count = settings.max_images or drawn_faces.COUNT
            return drawn_faces.draw_faces(settings.image_size, settings.channels, count), []
        cache = RUNS / "cache" if settings.cache else None
        return load_folder(settings.path, settings, cache)

    def describe(self, samples: Sized) -> str:
        """One line about the samples to train on."""
        where = self.settings.path or "drawn faces, since no --path was given"
        return f"Pictures: {len(samples)} ({printable(where)})"

    def grid_png(self, samples: NDArray[Any], columns: int) -> bytes:
        """Draws samples, (N, S, S, C) in [-1, 1] or uint8, as a PNG file."""
        return encode_png(sheet(to_uint8(samples), columns))

    def write(
        self,
        sampler: Sampler,
        out: Path,
        seeds: Sequence[int],
        columns: int | None = None,
        captions: bool = False,
    ) -> tuple[Path, list[str]]:
        """Writes each picture as a PNG file, the discriminator's confidences as scores.csv, and
        a sheet.

        A seed always gives the same picture, whichever other seeds are asked for.

        Args:
            out: the folder; created if missing.
            seeds: whole numbers from 0.
            columns: pictures per row of the sheet; None for about as many as rows.
            captions: whether to print each picture's seed below it on the sheet.

        Returns:
            The path of the sheet, and lines about it for the user.
        """
        out.mkdir(parents=True, exist_ok=True)
        shown: list[NDArray[np.uint8]] = []
        rows = []
        with ThreadPoolExecutor() as pool:
            for some, samples, confidences in sampler.batches(seeds):
                names = [f"seed-{seed:06d}.png" for seed in some]
                made = to_uint8(samples)
                pngs = map(encode_png, made)
                list(pool.map(lambda name, png: atomic_write(out / name, png), names, pngs))
                values = zip(names, some, confidences, strict=True)
                rows += [(name, seed, f"{confidence:.5g}") for name, seed, confidence in values]
                shown.extend(made[: _SHEET_LIMIT - len(shown)])
        write_table(out / "scores.csv", ("file", "seed", "confidence"), rows)
        pictures = np.stack(shown)
        columns = columns or round(len(pictures) ** 0.5 + 0.49)
        if captions:
            pictures = captioned(pictures, [str(seed) for seed in seeds[: len(pictures)]])
        atomic_write(out / "sheet.png", self.grid_png(pictures, columns))
        fewer = len(shown) < len(seeds)
        lines = [f"          the sheet shows the first {len(shown)}"] if fewer else []
        return out / "sheet.png", lines


class Points:
    """Points of a sine curve, float32 (N, 2): a GAN that can be judged exactly.

    The attributes and methods are those of `Images`.
    """

    word = "Points"
    img_num = 1000
    label = "sine"
    source = "a sine curve"
    side = ""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def load(self) -> tuple[NDArray[np.float32], Skipped]:
        return sine_curve.points_on_curve(self.settings.max_images or sine_curve.COUNT), []

    def describe(self, samples: Sized) -> str:
        return f"Points:   {len(samples)} on the curve y = sin(x)"

    def grid_png(self, samples: NDArray[np.float32], columns: int) -> bytes:
        """Draws all points in one plot; `columns` is ignored."""
        return points_png(samples)

    def write(
        self,
        sampler: Sampler,
        out: Path,
        seeds: Sequence[int],
        columns: int | None = None,
        captions: bool = False,
    ) -> tuple[Path, list[str]]:
        """Writes points.csv with the discriminator's confidence in each point, and a plot."""
        out.mkdir(parents=True, exist_ok=True)
        made: list[NDArray[np.float32]] = []
        rows: list[tuple[object, ...]] = []
        for some, samples, confidences in sampler.batches(seeds):
            values = zip(some, *samples.T, confidences, strict=True)
            rows += [(seed, *(f"{value:.5g}" for value in row)) for seed, *row in values]
            made.extend(samples)
        write_table(out / "points.csv", ("seed", "x", "y", "confidence"), rows)
        points = np.stack(made)
        atomic_write(out / "sheet.png", points_png(points))
        distance, bins = sine_curve.distance_and_coverage(points)
        line = f"Curve:    mean distance {distance:.3f}; {bins} of 10 parts of its range reached"
        return out / "sheet.png", [line]


def kind_of(settings: Settings) -> Images | Points:
    """The kind of samples that a run of these settings is trained on."""
    return Points(settings) if settings.of_points else Images(settings)


def require_images(run: Run, purpose: str) -> None:
    """Refuses a run that makes points.

    Args:
        purpose: what the command does with pictures; follows a semicolon in the message.

    Raises:
        InputError: if the run makes points.
    """
    if run.settings().of_points:
        raise InputError(f"Run {run.name} makes points; {purpose}.")
