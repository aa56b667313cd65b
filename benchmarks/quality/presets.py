"""Every preset for the same minutes on the same pictures, as a user would type it.

`sine` has no pictures and its own budget: it is measured by its curve, on three seeds.
"""

import re
import sys
import tempfile
from pathlib import Path

import click
import cv2
import numpy as np

from balanced_gan import Settings
from balanced_gan.data.folder import load_folder
from balanced_gan.presets.table import PRESETS
from benchmarks.quality.faces import share_on_grid, share_with_face
from benchmarks.shared import (
    PROJECT,
    data_option,
    history,
    publish,
    run_below,
    run_train_py,
    table,
)

# Batches between two grids, so that each preset draws one every ten to thirty seconds; but a
# grid of celeba128 takes as long as a batch.
GRID_EVERY = {"balanced": 100, "dcgan": 10, "mugshots": 20, "original": 4, "celeba128": 5}
SINE_SEEDS = 3
SHOWN = 10  # pictures a row
RECOGNISED = 0.25  # share of a grid's pictures in which both cascades must find a face


def train_py(folder, *arguments):
    """Runs train.py in a folder -> what it printed."""
    done = run_train_py(folder, *arguments)
    if done.returncode:
        sys.exit(f"train.py {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def first_recognised(run):
    """Minutes of training until a grid shows faces, or None; before training they are a start's."""
    minutes = {int(row["step"]): float(row["seconds"]) / 60 for row in run.history_rows()}
    size = run.settings().image_size
    for grid in run.grid_files()[1:]:
        if share_on_grid(grid, size) >= RECOGNISED:
            return minutes[int(grid.stem.split("-")[1])]
    return None


def figures(run):
    """`(parameters, pictures/s, batches, turns, gap)` of a run, as text."""
    metadata = run.metadata()
    gaps, turns = history(run)
    return [
        " + ".join(f"{count / 1e6:.2f} M" for count in metadata["parameters"].values()),
        f"{metadata['sessions'][0]['images_per_second']:.1f}",
        len(gaps),
        " : ".join(map(str, turns.sum(0))),
        f"{gaps.mean():+.2f} ± {gaps.std():.2f}",
    ]


def keep(preset, *files):
    """Keeps picture files side by side, as the picture of a preset in docs/presets.md."""
    picture = np.hstack([cv2.imread(str(file)) for file in files])
    cv2.imwrite(str(PROJECT / "images" / f"preset_{preset}.png"), picture)


def run_pictures(folder, preset, path, minutes, seed):
    """Trains a preset of pictures, and keeps some that it made -> its row."""
    options = ["--preset", preset, "--path", path, "--seed", seed, "--pattern", "*"]
    options += ["--grid_every_steps", GRID_EVERY[preset], "--minutes", minutes]
    train_py(folder, *options)
    out = ["--img_num", SHOWN, "--seed", 0, "--out", folder / "sample"]
    train_py(folder, "--TYPE", "generate", *out)
    run = run_below(folder)
    recognised = first_recognised(run)
    when = f"{recognised:.1f}" if recognised else f"not in {minutes:g}"
    keep(preset, *sorted((folder / "sample").glob("seed-*.png")))
    return [preset, *figures(run), when]


def run_sine(work):
    """Trains `sine` on some seeds, and keeps the last plot of the first -> a row for each."""
    rows = []
    for seed in range(SINE_SEEDS):
        folder = work / f"sine-{seed}"
        folder.mkdir()
        train_py(folder, "--preset", "sine", "--seed", seed)
        made = train_py(folder, "--TYPE", "generate", "--img_num", 1000, "--seed", 0)
        run = run_below(folder)
        session = run.metadata()["sessions"][0]
        distance, bins = re.search(r"distance ([\d.]+); (\d+) of 10", made).groups()
        rows.append([seed, f"{60 * session['minutes']:.0f}", *figures(run)[1:], distance, bins])
    keep("sine", run_below(work / "sine-0").final_grid)
    return rows


@click.command()
@data_option
@click.option("--minutes", default=2.0, show_default=True, help="Of each preset.")
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--preset", "chosen", multiple=True, type=click.Choice(list(PRESETS)), default=PRESETS
)
def main(data, minutes, seed, chosen):
    path, rows = (data / "congress_400").resolve(), []
    with tempfile.TemporaryDirectory() as place:
        curve_rows = run_sine(Path(place)) if "sine" in chosen else []
        for preset in (name for name in chosen if name != "sine"):
            folder = Path(place, preset)
            folder.mkdir()
            rows.append(run_pictures(folder, preset, path, minutes, seed))
            print(rows[-1], flush=True)
    real, _ = load_folder(path, Settings(max_images=100))
    publish(
        "The presets",
        f"`python train.py --preset NAME --path {path.name}/ --minutes {minutes:g}`, seed {seed}, "
        "`mugshots` with `--pattern '*'`. *First face*: minutes of training until OpenCV's two "
        f"frontal cascades both find a face in {RECOGNISED:.0%} of a grid's pictures, enlarged "
        f"to 192x192 (in the real pictures: {share_with_face(real):.0%}).",
        table(
            "preset | parameters G + D | pictures/s | batches | turns G : D | gap | first face",
            rows,
        ),
        "`python train.py --preset sine`, then `--TYPE generate --img_num 1000`: mean distance "
        "of 1,000 generated points to the curve, and how many of ten equal parts of its x-range "
        "they reach.",
        table(
            "seed | s of training | points/s | batches | turns G : D | gap | distance | "
            "parts reached",
            curve_rows,
        ),
    )


if __name__ == "__main__":
    main()
