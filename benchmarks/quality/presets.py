"""Every preset for the same minutes on the same pictures, as a user would type it.

`sine` has no pictures and its own budget: it is measured by its curve, on three seeds.
A preset whose grids show no face by then trains on, up to `--longest` minutes. Training goes
on in the folder `--work`, so an interrupted benchmark continues when given it again.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import click
import numpy as np

from balanced_gan.data.folder import load_folder
from balanced_gan.output.images import encode_png
from balanced_gan.presets.table import PRESETS
from benchmarks.quality.faces import share_on_grid, share_with_face
from benchmarks.shared import (
    PROJECT,
    draw_rows,
    history,
    publish,
    read_rgb,
    run_below,
    run_train_py,
    table,
    work_option,
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
    """`(parameters, images/s, batches, turns, gap)` of a run, as text."""
    metadata = run.metadata()
    gaps, turns = history(run)
    return [
        " + ".join(f"{count / 1e6:.2f} M" for count in metadata["parameters"].values()),
        f"{metadata['sessions'][0]['images_per_second']:.1f}",
        len(gaps),
        " : ".join(map(str, turns.sum(0))),
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
        (folder / "figures.json").write_text(json.dumps(figures(run_below(folder))))
        out = ["--img_num", SHOWN, "--seed", 0, "--out", folder / "sample"]
        train_py(folder, "--TYPE", "generate", *out)
    run = run_below(folder)
    recognised = first_recognised(run)
    trained = minutes
    if recognised is None and longest > minutes:
        train_py(folder, *options, "--minutes", longest)
        recognised, trained = first_recognised(run), longest
    when = f"{recognised:.1f}" if recognised else f"not in {trained:g}"
    files = sorted((folder / "sample").glob("seed-*.png"))
    row = [preset, *json.loads((folder / "figures.json").read_text()), when]
    return row, np.hstack([read_rgb(file) for file in files])


def run_sine(work):
    """Trains `sine` on some seeds -> a row for each, and the last plot of the first."""
    rows = []
    for seed in range(SINE_SEEDS):
        folder = work / f"sine-{seed}"
        folder.mkdir(exist_ok=True)
        train_py(folder, "--preset", "sine", "--seed", seed)
        made = train_py(folder, "--TYPE", "generate", "--img_num", 1000, "--seed", 0)
        run = run_below(folder)
        session = run.metadata()["sessions"][0]
        distance, bins = re.search(r"distance ([\d.]+); (\d+) of 10", made).groups()
        rows.append([seed, f"{60 * session['minutes']:.0f}", *figures(run)[1:], distance, bins])
    return rows, read_rgb(run_below(work / "sine-0").final_sheet)


@click.command()
@click.option("--path", default="../shared/data/congress_400", show_default=True, type=Path)
@click.option("--minutes", default=5.0, show_default=True, help="Of each preset.")
@click.option("--longest", default=10.0, show_default=True, help="Of those without a face yet.")
@click.option("--seed", default=0, show_default=True)
@work_option
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
    samples.append(("sine", plot))
    for name, pictures in samples:
        (PROJECT / f"images/preset_{name}.png").write_bytes(encode_png(pictures))
    draw_rows(samples, PROJECT / "images/presets.png", 100, 8.0, 0.95)
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
            "preset | parameters G + D | images/s | batches | turns G : D | gap | first face", rows
        ),
        "![A row of each preset](../images/presets.png)",
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
