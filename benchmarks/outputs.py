"""What is made of a trained run: how exact exports are, how fast the explorer answers, how many
faces `--crop face` finds; and whether all of it can be made of every preset's run.

    python benchmarks/outputs.py --run RUN_FOLDER     of a run of the default on portraits
    python benchmarks/outputs.py                      only the presets, about ten minutes
"""

import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import checkout  # noqa: F401
import click
import cv2
import numpy as np
from report import publish, table

from balanced_gan import InputError, explore, export, sampling, training
from balanced_gan.face_crop import find_faces
from balanced_gan.presets import PRESETS
from balanced_gan.run import Run
from balanced_gan.settings import Settings

TRAIN_PY = [sys.executable, Path(__file__).parents[1] / "train.py"]
SNAPSHOTS = 200
HEIGHT, WIDTH = 900, 1200
CALLS = 200


def exports(run):
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for kind in export.FORMATS:
            try:
                path, difference = export.export(run, False, kind, Path(place))
            except InputError as error:
                rows.append([kind, "", f"not made: {error}"])
                continue
            files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
            size = sum(file.stat().st_size for file in files)
            rows.append([kind, f"{size / 1e6:.1f}", f"{difference:.3f}"])
    return rows


def explorer_times(run):
    """Milliseconds of each answer to a moved slider."""
    settings = run.settings()
    pictures, _ = training.read_samples(settings)
    sampler = sampling.load_sampler(run, False, 1.0)
    explorer = explore.Explorer(
        sampler.generator, sampler.discriminator, pictures, settings.latent_prior
    )
    random = np.random.default_rng(0)
    times = []
    for call in range(CALLS + 5):
        began = time.perf_counter()
        amounts = random.uniform(-3, 3, explore.DIRECTIONS)
        sight = explorer.see(explorer.latent(call, call + 1, random.random(), 0.8, amounts))
        explore.enlarged(sight.picture), explore.enlarged(sight.nearest)
        times.append(1000 * (time.perf_counter() - began))
    return times[5:]


def snapshots(folder):
    """Portraits turned by up to 20 degrees, of different sizes, anywhere on smooth backgrounds.

    Yields:
        `(picture, mask)`: uint8, the mask 255 where the portrait is.
    """
    random = np.random.default_rng(0)
    files = sorted(folder.glob("*.jpg"))
    for file in (files * (SNAPSHOTS // len(files) + 1))[:SNAPSHOTS]:
        portrait = cv2.imread(str(file))
        height, width = portrait.shape[:2]
        scale = np.exp(random.uniform(np.log(0.5), np.log(2.5)))
        x, y = (
            random.uniform(*sorted((scale * side / 2, whole - scale * side / 2)))
            for side, whole in ((width, WIDTH), (height, HEIGHT))
        )
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-20, 20), scale)
        turn[:, 2] += (x - width / 2, y - height / 2)
        coarse = random.integers(0, 255, (9, 12, 3), np.uint8)
        canvas = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        mask = cv2.warpAffine(np.full((height, width), 255, np.uint8), turn, (WIDTH, HEIGHT))
        turned = cv2.warpAffine(portrait, turn, (WIDTH, HEIGHT))
        yield np.where(mask[..., None] > 128, turned, canvas), mask


def face_recall(folder):
    """`(right, wrong)`: snapshots of which the largest face found is the portrait's, and those
    where it is something else."""
    right = wrong = 0
    for picture, mask in snapshots(folder):
        for (x, y), _, _ in find_faces(picture, Settings.face_smallest)[:1]:
            inside = mask[int(y), int(x)] > 0
            right, wrong = right + inside, wrong + (not inside)
    return right, wrong


def train_py(folder, *arguments):
    command = [*map(str, TRAIN_PY), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stderr


def every_preset():
    """A row for each preset, size and number of channels: what could not be made of its run."""
    commands = {
        "generate": ["--columns", 4, "--captions"],
        "interpolate": ["--frames_between", 3],
        "evaluate": [],
        "report": [],
    }
    rows = []
    images = itertools.product([name for name in PRESETS if name != "sine"], (64, 128), (3, 1))
    for preset, size, channels in images:
        failed, differences = [], []
        with tempfile.TemporaryDirectory() as place:
            options = ["--image_size", size, "--channels", channels, "--max_images", 100]
            options += ["--steps", 4, "--batch_size", 8, "--evaluate_every_minutes", 0]
            options += ["--width", 16]  # all kinds of layers, sooner
            code, said = train_py(place, "--preset", preset, *options)
            if code:
                sys.exit(f"{preset}, {size}, {channels}: {said}")
            for name, more in commands.items():
                code, said = train_py(place, "--TYPE", name, *more)
                if code:
                    failed.append(f"{name}: {said.strip()}")
            run = Run(next(Path(place, "runs").iterdir()))
            for kind in export.FORMATS:
                try:
                    differences.append(export.export(run, False, kind, Path(place, "out"))[1])
                except InputError as error:
                    failed.append(f"{kind}: {error}")
            sampler = sampling.load_sampler(run, False, 1.0)
            pictures, _ = training.read_samples(run.settings())
            explorer = explore.Explorer(
                sampler.generator, sampler.discriminator, pictures, run.settings().latent_prior
            )
            explore.build_page(explorer, preset, Path(place, "explored"))
            if explorer.see(explorer.latent(0, 1, 0.5)).picture.shape[:2] != (size, size):
                failed.append("explore: a picture of another size")
        colour = "colour" if channels == 3 else "grey"
        largest = f"{max(differences):.3f}"
        rows.append([preset, size, colour, largest, "; ".join(failed) or "nothing"])
        print(rows[-1], flush=True)
    return rows


def sine_sentences():
    """What each command says of a run of points."""
    with tempfile.TemporaryDirectory() as place:
        train_py(place, "--preset", "sine", "--steps", 4)
        kinds = {
            "generate": [],
            "report": [],
            "evaluate": [],
            "interpolate": [],
            "explore": [],
            "export": ["--format", "keras"],
        }
        answers = {name: train_py(place, "--TYPE", name, *more) for name, more in kinds.items()}
    return [
        [name, "works" if code == 0 else said.strip().removeprefix("Error: ")]
        for name, (code, said) in answers.items()
    ]


@click.command()
@click.option("--data", default="../shared/data", show_default=True, type=Path)
@click.option("--run", "folder", type=Path, help="Folder of a trained run.")
def main(data, folder):
    if folder is None:
        publish(
            "Every preset, seen and taken away",
            "Of a run of four batches of each preset at width 16 on drawn faces: `generate`, "
            "`interpolate`, `evaluate`, `report`, `explore` and `export` to all formats. "
            "*Difference*: the largest of all exports, in levels of 255.",
            table(["preset", "size", "pictures", "difference", "not made"], every_preset()),
            "Of points, the preset `sine`:",
            table(["--TYPE", "what it says"], sine_sentences()),
        )
        return
    run = Run(folder.resolve())
    times = explorer_times(run)
    right, wrong = face_recall(data / "congress_400")
    publish(
        "Taking it away",
        "Exports of the default generator at 64x64: largest difference of a pixel from the "
        "original's over 16 latents, in levels of 255.",
        table(["format", "MB", "difference"], exports(run)),
        f"The explorer's answer to a moved slider (picture, confidence, nearest of "
        f"{len(training.read_samples(run.settings())[0])} training pictures): median "
        f"{np.median(times):.0f} ms, 95 % within {np.quantile(times, 0.95):.0f} ms, of {CALLS}.",
        f"`--crop face` on {SNAPSHOTS} snapshots of {WIDTH}x{HEIGHT}, a portrait on each at a "
        "random place, turned by up to 20 degrees, its head a tenth to a half of the height: the "
        f"largest face found was the portrait's in {right / SNAPSHOTS:.1%} and something else in "
        f"{wrong / SNAPSHOTS:.1%}; in the others none was found.",
    )


if __name__ == "__main__":
    main()
