"""The users' own command on 400 portraits, as a user would type it, and how good its pictures are.

    python benchmarks/reference.py --seed 0 --seed 1 --seed 2
    python benchmarks/reference.py --against OTHER_CHECKOUT
    python benchmarks/reference.py -- --image_size 128 --minutes 10
    python benchmarks/reference.py --kind flowers --against OTHER_CHECKOUT \\
        --other_options "--steps 1600" -- --steps 1600

A fifth of the pictures is held out, and the pictures made are compared with those. The process is
measured from outside: how long it takes, when its first recognisable grid is there, peak memory.
With `--against`, another version is measured in turn with this one, and ratios are printed. What
comes after `--` goes to train.py in place of 50 epochs of batches of 32.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import checkout
import click
import numpy as np
import perceptual
from ablations import kinds
from faces import share_with_face
from report import publish, table

from balanced_gan import metrics
from balanced_gan.evaluation import as_trained, draw_samples
from balanced_gan.features import shape_and_colour
from balanced_gan.pictures import load_folder
from balanced_gan.run import Run
from balanced_gan.sampling import load_network
from balanced_gan.sheets import encode_png, read_sheet

USERS = ["--batch_size", "32", "--epochs", "50"]


def train(project, arguments, folder):
    """Runs a version's train.py -> `(run, seconds, {grid's name: seconds}, peak MiB)`."""
    folder.mkdir(parents=True, exist_ok=True)  # there, a run in it is continued
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, project / "train.py", "--TYPE", "train", *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(project)},
    )
    drawn = {}
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        for file in folder.glob("runs/0*/grids/step-*.png"):
            drawn.setdefault(file.name, time.monotonic() - began)
        if pid:
            break
        time.sleep(0.02)
    seconds = time.monotonic() - began
    if status:
        sys.exit("train.py failed")
    return next(folder.glob("runs/0*")), seconds, drawn, usage.ru_maxrss / 1024


def split(kind, data, folder):
    """Two folders of pictures of a kind: what to train on, and every fifth, to measure with."""
    parts = [folder / kind, folder / "held_out"]
    for part in parts:
        part.mkdir(parents=True)
    if kind == "portraits":  # as files, which are larger than 64x64
        for number, file in enumerate(sorted((data / "congress_400").glob("*.jpg"))):
            shutil.copy(file, parts[number % 5 == 4])
    else:
        for number, picture in enumerate(kinds(data)[kind]()):
            (parts[number % 5 == 4] / f"{number:04}.png").write_bytes(encode_png(picture))
    return parts


def tiles(file, size):
    """The pictures of a grid, uint8 (N, size, size, 3)."""
    sheet = np.asarray(read_sheet(file).convert("RGB"))
    rows, columns = sheet.shape[0] // size, sheet.shape[1] // size
    split = sheet.reshape(rows, size, columns, size, 3).swapaxes(1, 2)
    return split.reshape(-1, size, size, 3)


def first_with_faces(run, drawn, size):
    """When the first grid was there on which half of the pictures have a face, in seconds; that of
    before training does not count, whose faces are the start's."""
    for name, seconds in sorted(drawn.items())[1:]:
        if share_with_face(tiles(run / "grids" / name, size)) >= 0.5:
            return f"{seconds:.0f} ({name[5:-4].lstrip('0') or '0'})"
    return "none"


def measure(run, data, training, held_out, features):
    """Figures of a run's newest pictures."""
    settings = json.loads((run / "settings.json").read_text())
    size = settings["image_size"]
    sets = [training, held_out]
    if settings.get("start") == "portraits":
        sets.append(data / "portraits_5k")
    pictures, unseen, *source = (load_folder(str(path), size, 3, "center")[0] for path in sets)
    made = draw_samples(load_network(Run(run), run / "generator.keras"))
    perceived = perceptual.measure(features(made), features(unseen))
    points, of_unseen = shape_and_colour(made), shape_and_colour(unseen)

    def copies(some):
        seen = [seen.features for seen in as_trained(np.asarray(some), mirror=True)]
        return metrics.copies(points, seen, of_unseen)

    rows = list(csv.DictReader((run / "history.csv").open()))
    gaps = np.array([float(row["gap"]) for row in rows])
    return {
        "pictures seen": f"{len(rows) * settings['batch_size']:,}",
        "faces": f"{share_with_face(made):.2f}",
        "KID": f"{perceived['kid']:.3f}",
        "diversity": f"{perceived['diversity']:.2f}",
        "recall": f"{perceived['recall']:.2f}",
        "copies": f"{copies(pictures):.2f}",
        "of the source": f"{copies(source[0]):.2f}" if source else "-",
        "within e": f"{np.mean(abs(gaps) < settings['margin']):.0%}",
        "turns of G": f"{np.mean([row['turn'] == 'G' for row in rows]):.0%}",
    }


@click.command()
@click.argument("options", nargs=-1)
@click.option("--data", default="../shared/data", show_default=True, type=Path)
@click.option("--seed", "seeds", multiple=True, type=int, default=[0], show_default=True)
@click.option("--kind", default="portraits", show_default=True, help="Of ablations.py.")
@click.option("--against", type=Path, help="Folder of another version of this program.")
@click.option("--other_options", default="", help="Of train.py of that version, if others.")
@click.option("--image", is_flag=True, help="Keep the first seed's last grid in images/.")
def main(options, data, seeds, kind, against, other_options, image):
    data, work = data.resolve(), Path(tempfile.mkdtemp())
    parts = split(kind, data, work)
    options = list(options) or USERS
    options_of = {"this": options, "other": other_options.split() or options}
    features = perceptual.load_features()
    versions = {"this": checkout.PROJECT} | ({"other": against.resolve()} if against else {})
    rows, spent = [], {}
    for seed in seeds:
        for version, project in versions.items():
            arguments = ["--path", parts[0], "--seed", seed, *options_of[version]]
            run, seconds, drawn, peak = train(project, arguments, work / f"{version}-{seed}")
            figures = measure(run, data, *parts, features)
            size = json.loads((run / "settings.json").read_text())["image_size"]
            found = {
                "version": version,
                "seed": seed,
                "seconds": f"{seconds:.1f}",
                "first faces, s (batch)": first_with_faces(run, drawn, size),
                "peak MiB": f"{peak:.0f}",
            } | figures
            spent.setdefault(version, []).append(seconds)
            rows.append(found)
            print(found, f"{run}", flush=True)
            if image and version == "this" and seed == seeds[0]:
                shutil.copy(run / "final.png", checkout.PROJECT / "images/congress_50_epochs.png")
    ratio = []
    if against:
        ours, theirs = (np.median(spent[version]) for version in ("this", "other"))
        ratio = [f"This version takes {ours / theirs:.2f} of the other's time (medians)."]
    title = "The users' own command" + (f": {' '.join(options)}" if options != USERS else "")
    publish(
        title if kind == "portraits" else f"{title}, {kind}",
        f"`python train.py --TYPE train --path {kind}/ {' '.join(options)}` on 80 % of the "
        "pictures, measured on the rest. *First faces*: when the first grid of 64 was "
        "there on which half of the pictures have a face, from the start of the command. "
        "*Copies*: share of 400 samples suspiciously near to a training picture, and to one of the "
        "start's source; 0.05 of real pictures are.",
        table(list(rows[0]), [list(row.values()) for row in rows]),
        *ratio,
    )


if __name__ == "__main__":
    main()
