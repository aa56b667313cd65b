"""Every preset for the same minutes on the same pictures, as a user would type it.

`sine` has no pictures and its own budget: it is measured by its curve, on three seeds.
A preset whose grids show no face by then trains on, up to `--longest` minutes. Training goes
on in the folder `--work`, so an interrupted benchmark continues when given it again.
"""

import csv
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import checkout
import click
import cv2
import numpy as np
from faces import share_with_face
from matplotlib.figure import Figure
from report import publish, table

from balanced_gan.pictures import load_folder
from balanced_gan.plots import turns_of
from balanced_gan.presets import PRESETS
from balanced_gan.settings import preset_values
from balanced_gan.sheets import encode_png

# Batches between two grids, so that each preset draws one every ten to thirty seconds; but a
# grid of celeba128 takes as long as a batch.
GRID_EVERY = {"balanced": 100, "dcgan": 10, "mugshots": 20, "original": 4, "celeba128": 5}
SINE_SEEDS = 3
SHOWN = 10  # pictures a row
RECOGNISED = 0.25  # share of a grid's pictures in which both cascades must find a face


def train_py(folder, *arguments):
    """Runs train.py in a folder -> what it printed."""
    command = [sys.executable, checkout.PROJECT / "train.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
    return done.stdout


def faces_in(sheet, side):
    """Share of a sheet's pictures with a face."""
    picture = cv2.cvtColor(cv2.imread(str(sheet)), cv2.COLOR_BGR2RGB)
    size = picture.shape[0] // side
    cells = [
        picture[y : y + size, x : x + size]
        for y in range(0, size * side, size)
        for x in range(0, size * side, size)
    ]
    return share_with_face(cells)


def first_recognised(run, side):
    """Minutes of training until a grid shows faces, or None."""
    rows = csv.DictReader((run / "history.csv").open())
    minutes = {int(row["step"]): float(row["seconds"]) / 60 for row in rows}
    for grid in sorted((run / "grids").glob("step-*.png")):
        if faces_in(grid, side) >= RECOGNISED:
            return minutes[int(grid.stem.split("-")[1])]
    return None


def figures(run):
    """`(parameters, images/s, batches, turns, gap)` of a run, as text."""
    metadata = json.loads((run / "metadata.json").read_text())
    rows = list(csv.DictReader((run / "history.csv").open()))
    turns = np.sum([turns_of(row["turn"]) for row in rows], axis=0)
    gaps = np.array([float(row["gap"]) for row in rows])
    return [
        " + ".join(f"{count / 1e6:.2f} M" for count in metadata["parameters"].values()),
        f"{metadata['sessions'][0]['images_per_second']:.1f}",
        len(rows),
        f"{turns[0]} : {turns[1]}",
        f"{gaps.mean():+.2f} ± {gaps.std():.2f}",
    ]


def run_pictures(work, preset, path, minutes, longest, seed):
    """Trains a preset of pictures -> its row, and its sampled pictures side by side."""
    folder = work / preset
    folder.mkdir(exist_ok=True)
    options = ["--preset", preset, "--path", path, "--seed", seed, "--pattern", "*"]
    options += ["--grid_every_steps", GRID_EVERY[preset]]
    if not (folder / "sample").exists():
        train_py(folder, *options, "--minutes", minutes)
        (folder / "sample").mkdir()
        run = next(folder.glob("runs/0*"))
        (folder / "figures.json").write_text(json.dumps(figures(run)))
        out = ["--img_num", SHOWN, "--seed", 0, "--out", folder / "sample"]
        train_py(folder, "--TYPE", "generate", *out)
    run = next(folder.glob("runs/0*"))
    side = preset_values(preset)["grid_side"]
    recognised = first_recognised(run, side)
    trained = minutes
    if recognised is None and longest > minutes:
        train_py(folder, *options, "--minutes", longest)
        recognised, trained = first_recognised(run, side), longest
    when = f"{recognised:.1f}" if recognised else f"not in {trained:g}"
    files = sorted((folder / "sample").glob("seed-*.png"))
    pictures = [cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in files]
    return [preset, *json.loads((folder / "figures.json").read_text()), when], np.hstack(pictures)


def run_sine(work):
    """Trains `sine` on some seeds -> a row for each, and the last plot of the first."""
    rows = []
    for seed in range(SINE_SEEDS):
        folder = work / f"sine-{seed}"
        folder.mkdir(exist_ok=True)
        train_py(folder, "--preset", "sine", "--seed", seed)
        made = train_py(folder, "--TYPE", "generate", "--img_num", 1000, "--seed", 0)
        run = next(folder.glob("runs/0*"))
        session = json.loads((run / "metadata.json").read_text())["sessions"][0]
        distance, bins = re.search(r"distance ([\d.]+); (\d+) of 10", made).groups()
        rows.append([seed, f"{60 * session['minutes']:.0f}", *figures(run)[1:], distance, bins])
    plot = cv2.imread(str(next((work / "sine-0").glob("runs/0*")) / "final.png"))
    return rows, cv2.cvtColor(plot, cv2.COLOR_BGR2RGB)


def draw(rows, plot, folder):
    """A picture of each preset's samples, and one of them all with the curve below."""
    for name, pictures in [*rows, ("sine", plot)]:
        (folder / f"preset_{name}.png").write_bytes(encode_png(pictures))
    heights = [1.0] * len(rows) + [4.0]
    figure = Figure(figsize=(8, 0.95 * sum(heights)), dpi=100, layout="constrained")
    axes = figure.subplots(len(heights), height_ratios=heights)
    for axis, (name, pictures) in zip(axes, [*rows, ("sine", plot)], strict=True):
        axis.imshow(pictures)
        axis.set(xticks=[], yticks=[])
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(folder / "presets.png")


@click.command()
@click.option("--path", default="../shared/data/congress_400", show_default=True, type=Path)
@click.option("--minutes", default=5.0, show_default=True, help="Of each preset.")
@click.option("--longest", default=10.0, show_default=True, help="Of those without a face yet.")
@click.option("--seed", default=0, show_default=True)
@click.option("--work", type=Path, help="Folder for the runs. [default: a temporary one]")
def main(path, minutes, longest, seed, work):
    work = work or Path(tempfile.mkdtemp())
    work.mkdir(exist_ok=True)
    curve_rows, plot = run_sine(work)
    rows, samples = [], []
    for preset in (name for name in PRESETS if name != "sine"):
        row, pictures = run_pictures(work, preset, path.resolve(), minutes, longest, seed)
        rows.append(row)
        samples.append((preset, pictures))
        print(row, flush=True)
    draw(samples, plot, checkout.PROJECT / "images")
    real, _ = load_folder(path, 64, 3, "center", max_images=100)
    share = share_with_face(real)
    publish(
        "The presets",
        f"`python train.py --preset NAME --path {path.name}/ --minutes {minutes:g}`, seed {seed}, "
        "`mugshots` with `--pattern '*'`. *First face*: minutes of training until OpenCV's two "
        f"frontal cascades both find a face in {RECOGNISED:.0%} of a grid's pictures, enlarged "
        f"to 192x192 (in the real pictures: {share:.0%}); a preset without one by then trained "
        f"on to {longest:g} minutes, its other figures being those of the first {minutes:g}.",
        table(
            ["preset", "parameters G + D", "images/s", "batches", "turns G : D", "gap",
             "first face"],
            rows,
        ),
        "![A row of each preset](../images/presets.png)",
        "`python train.py --preset sine`, then `--TYPE generate --img_num 1000`: mean distance "
        "of 1,000 generated points to the curve, and how many of ten equal parts of its x-range "
        "they reach.",
        table(
            ["seed", "s of training", "points/s", "batches", "turns G : D", "gap", "distance",
             "parts reached"],
            curve_rows,
        ),
    )  # fmt: skip


if __name__ == "__main__":
    main()
