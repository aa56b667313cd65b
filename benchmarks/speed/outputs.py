"""What is made of a trained run: how exact exports are, how fast the explorer answers, how many
faces `--crop face` finds; and whether all of it can be made of every preset's run.

    python -m benchmarks.speed.outputs --run RUN_FOLDER     of a run of the default on portraits
    python -m benchmarks.speed.outputs                      only the presets, about ten minutes
"""

import itertools
import sys
import tempfile
from functools import partial
from pathlib import Path

import click
import cv2
import numpy as np

from balanced_gan import InputError
from balanced_gan.data.face_crop import find_faces
from balanced_gan.output import sampling
from balanced_gan.output.kinds import kind_of
from balanced_gan.presets.table import PRESETS
from balanced_gan.runs.run import Run
from balanced_gan.settings import Settings
from balanced_gan.views.explore_page import build_page, enlarged
from balanced_gan.views.explorer import DIRECTIONS, Explorer
from balanced_gan.views.export import FORMATS, export
from benchmarks.shared import data_option, publish, run_below, run_train_py, seconds_of, table

SNAPSHOTS = 200
HEIGHT, WIDTH = 900, 1200
CALLS = 200


def exports(run):
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for kind in FORMATS:
            try:
                path, difference = export(run, False, kind, Path(place))
            except InputError as error:
                rows.append([kind, "", f"not made: {error}"])
                continue
            files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
            size = sum(file.stat().st_size for file in files)
            rows.append([kind, f"{size / 1e6:.1f}", f"{difference:.3f}"])
    return rows


def explorer_of(run):
    """A run's explorer, with the pictures that it was trained on."""
    settings = run.settings()
    sampler = sampling.load_sampler(run, False, 1.0)
    pictures, _ = kind_of(settings).load()
    return Explorer(sampler.generator, sampler.discriminator, pictures, settings.latent_prior)


def explorer_times(explorer):
    """Milliseconds of each answer to a moved slider."""
    random = np.random.default_rng(0)

    def answer(call):
        amounts = random.uniform(-3, 3, DIRECTIONS)
        sight = explorer.see(explorer.latent(call, call + 1, random.random(), 0.8, amounts))
        enlarged(sight.picture), enlarged(sight.nearest)

    return [1000 * seconds_of(partial(answer, call)) for call in range(CALLS + 5)][5:]


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


def every_preset():
    """A row for each preset, size and number of channels: what could not be made of its run."""
    commands = {"generate": ["--columns", 4, "--captions"], "interpolate": ["--frames_between", 3]}
    commands |= {"evaluate": [], "report": []}
    rows = []
    images = itertools.product([name for name in PRESETS if name != "sine"], (64, 128), (3, 1))
    for preset, size, channels in images:
        failed, differences = [], []
        with tempfile.TemporaryDirectory() as place:
            options = ["--image_size", size, "--channels", channels, "--max_images", 100]
            options += ["--steps", 4, "--batch_size", 8, "--evaluate_every_minutes", 0]
            options += ["--width", 16]  # all kinds of layers, sooner
            done = run_train_py(place, "--preset", preset, *options)
            if done.returncode:
                sys.exit(f"{preset}, {size}, {channels}: {done.stderr}")
            for name, more in commands.items():
                done = run_train_py(place, "--TYPE", name, *more)
                if done.returncode:
                    failed.append(f"{name}: {done.stderr.strip()}")
            run = run_below(Path(place))
            for kind in FORMATS:
                try:
                    differences.append(export(run, False, kind, Path(place, "out"))[1])
                except InputError as error:
                    failed.append(f"{kind}: {error}")
            explorer = explorer_of(run)
            build_page(explorer, preset, Path(place, "explored"))
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
        run_train_py(place, "--preset", "sine", "--steps", 4)
        commands = "generate", "report", "evaluate", "interpolate", "explore", "export"
        answers = {name: run_train_py(place, "--TYPE", name) for name in commands}
    return [
        [name, done.stderr.strip().removeprefix("Error: ") if done.returncode else "works"]
        for name, done in answers.items()
    ]


@click.command()
@data_option
@click.option("--run", "folder", type=Path, help="Folder of a trained run.")
def main(data, folder):
    if folder is None:
        publish(
            "Every preset, seen and taken away",
            "Of a run of four batches of each preset at width 16 on drawn faces: `generate`, "
            "`interpolate`, `evaluate`, `report`, `explore` and `export` to all formats. "
            "*Difference*: the largest of all exports, in levels of 255.",
            table("preset | size | pictures | difference | not made", every_preset()),
            "Of points, the preset `sine`:",
            table("--TYPE | what it says", sine_sentences()),
        )
        return
    run = Run(folder.resolve())
    explorer = explorer_of(run)
    times = explorer_times(explorer)
    right, wrong = face_recall(data / "congress_400")
    publish(
        "Taking it away",
        "Exports of the default generator at 64x64: largest difference of a pixel from the "
        "original's over 16 latents, in levels of 255.",
        table("format | MB | difference", exports(run)),
        f"The explorer's answer to a moved slider (picture, confidence, nearest of "
        f"{len(explorer.training.pictures)} training pictures): median "
        f"{np.median(times):.0f} ms, 95 % within {np.quantile(times, 0.95):.0f} ms, of {CALLS}.",
        f"`--crop face` on {SNAPSHOTS} snapshots of {WIDTH}x{HEIGHT}, a portrait on each at a "
        "random place, turned by up to 20 degrees, its head a tenth to a half of the height: the "
        f"largest face found was the portrait's in {right / SNAPSHOTS:.1%} and something else in "
        f"{wrong / SNAPSHOTS:.1%}; in the others none was found.",
    )


if __name__ == "__main__":
    main()
