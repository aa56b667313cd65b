"""The default on 400 portraits: how good the pictures are after so many minutes of training.

    python -m benchmarks.quality.minutes
    python -m benchmarks.quality.minutes --kind emoji --minute 1 --minute 5
    python -m benchmarks.quality.minutes --against_pytorch    the DCGAN of PyTorch's tutorial too

A fifth of the pictures is held out, and what is made is compared with those. The minutes are
those of training alone, as `--minutes` counts them. Nothing else should run meanwhile.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import numpy as np

from balanced_gan.data.folder import load_folder
from balanced_gan.evaluation.evaluate import draw_samples
from balanced_gan.model.build import faster_precision
from balanced_gan.output.sampling import load_network
from benchmarks.quality import perceptual
from benchmarks.quality.reference import measure, measure_pictures, split, train
from benchmarks.shared import (
    PROJECT,
    data_option,
    draw_rows,
    publish,
    pytorch_environment,
    table_of,
)

SHOWN = (2, 12)  # rows and columns of pictures for each mark


def block(pictures):
    """Some pictures in rows."""
    rows, columns = SHOWN
    return np.vstack([np.hstack(pictures[i * columns :][:columns]) for i in range(rows)])


def train_pytorch(pictures, marks, seed, work):
    """Trains the tutorial's DCGAN, in a process without TensorFlow -> `{mark: (samples, seen)}`."""
    command = [sys.executable, "-m", "benchmarks.quality.pytorch_dcgan", pictures, *marks]
    command += ["--seed", seed, "--out", work, *["--bfloat16"] * (faster_precision()[1] > 0)]
    environment = os.environ | pytorch_environment()
    subprocess.run([*map(str, command)], cwd=PROJECT, env=environment, check=True)
    stored = {mark: np.load(work / f"{mark:g}.npz") for mark in marks}
    return {mark: (each["samples"], int(each["seen"])) for mark, each in stored.items()}


@click.command()
@data_option
@click.option("--kind", default="portraits", show_default=True, help="Of ablations.py.")
@click.option("--minute", "marks", multiple=True, type=float, default=[1, 5, 20], show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--against_pytorch", is_flag=True, help="Train PyTorch's DCGAN for as long, too.")
def main(data, kind, marks, seed, against_pytorch):
    data, work = data.resolve(), Path(tempfile.mkdtemp())
    parts = split(kind, data, work)
    sets = [np.asarray(load_folder(str(part), 64, 3, "center")[0]) for part in parts]
    features = perceptual.load_features()
    found, blocks, ratios = [], [], []
    for mark in marks:
        arguments = ["--path", parts[0], "--seed", seed, "--minutes", f"{mark:g}"]
        run, *_ = train(PROJECT, arguments, work / "run")
        found.append({"minutes": f"{mark:g}"} | measure(run, data, *parts, features))
        made = draw_samples(load_network(run, run.generator_file))
        blocks.append((f"{mark:g} minute{'s' if mark > 1 else ''}", block(made)))
        print(found[-1], run.path, flush=True)
    name = f"Minutes: {kind}"
    if against_pytorch:
        name += ", and PyTorch's tutorial"
        ours = [{"program": "this"} | row for row in found]
        found = []
        results = train_pytorch(parts[0], marks, seed, work)
        for row, (mark, (made, seen)) in zip(ours, results.items(), strict=True):
            theirs = {"pictures seen": f"{seen:,}"}
            theirs |= measure_pictures(made, *sets, None, features)
            nothing = dict.fromkeys(row, "-")
            found += [row, nothing | {"program": "PyTorch", "minutes": f"{mark:g}"} | theirs]
            ratio = float(theirs["KID"]) / max(float(row["KID"]), 0.001)
            ratios.append(f"{ratio:.1f} after {mark:g}")
    else:
        draw_rows([*blocks, ("real, unseen", block(sets[1]))], PROJECT / f"images/{kind}.jpg", 90)
    publish(
        name,
        f"The default, seed {seed}, on 80 % of the pictures, measured on the rest; by minutes of "
        "training, without the program's start and end. *Copies* as in the users' own command.",
        table_of(found),
        *[f"KID of PyTorch's as a multiple of ours, by minutes: {', '.join(ratios)}."]
        * bool(ratios),
    )


if __name__ == "__main__":
    main()
