"""The reference run: the first command of the README on 400 portraits, as a user would type it.

Trains in a temporary folder, copies the last grid to images/, and measures the process
from outside: time to the first batch, peak memory, and the share of balanced batches.
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
from report import publish, table


def train(arguments):
    """Runs train.py -> its figures and the path of its last grid, in a folder that stays."""
    folder = Path(tempfile.mkdtemp())
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, checkout.PROJECT / "train.py", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    first_batch = None
    while first_batch is None:
        files = list(folder.glob("runs/0*/history.csv"))
        if process.poll() is not None:
            sys.exit("train.py failed")
        if files and len(files[0].read_text().splitlines()) > 1:
            first_batch = time.monotonic() - began
        time.sleep(0.02)
    _, status, usage = os.wait4(process.pid, 0)
    total = time.monotonic() - began
    if status:
        sys.exit("train.py failed")
    run = next(folder.glob("runs/0*"))
    settings = json.loads((run / "settings.json").read_text())
    rows = list(csv.DictReader((run / "history.csv").open()))
    late = [row for row in rows if int(row["epoch"]) > 2]
    gaps = np.array([float(row["gap"]) for row in late])
    seconds = float(rows[-1]["seconds"])
    generator = np.mean([row["turn"] == "G" for row in rows])
    return run / "final.png", [
        f"{total / 60:.1f}",
        f"{len(rows)} ({int(rows[-1]['epoch'])})",
        f"{len(rows) * settings['batch_size'] / seconds:.0f}",
        f"{generator:.0%} : {1 - generator:.0%}",
        f"{np.mean(abs(gaps) < settings['margin']):.1%}",
        f"{first_batch:.1f}",
        f"{usage.ru_maxrss / 1024:.0f}",
    ]


@click.command()
@click.option("--path", default="../shared/data/congress_400", show_default=True, type=Path)
@click.option("--seed", default=0, show_default=True)
def main(path, seed):
    options = ["--batch_size", "32", "--epochs", "50"]
    arguments = ["--TYPE", "train", "--path", path.resolve(), "--seed", seed, *options]
    sheet, figures = train([str(argument) for argument in arguments])
    shutil.copy(sheet, checkout.PROJECT / "images" / "congress_50_epochs.png")
    publish(
        "The reference run",
        f"`python train.py --TYPE train --path {path.name}/ {' '.join(options)}`, seed {seed}. "
        "*Within e*: batches after the first two epochs with |gap| < e. Peak memory is the "
        "process's largest resident size.",
        table(
            [
                "minutes, start to end",
                "batches (epochs)",
                "images/s",
                "turns G : D",
                "within e",
                "s to first batch",
                "peak MiB",
            ],
            [figures],
        ),
    )


if __name__ == "__main__":
    main()
