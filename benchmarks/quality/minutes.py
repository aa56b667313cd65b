"""The default on three kinds of pictures: how good what it makes is after so many minutes.

    python -m benchmarks.quality.minutes
    python -m benchmarks.quality.minutes --kind portraits --minute 1 --minute 60
    python -m benchmarks.quality.minutes --kind portraits --minute 1 --against_pytorch
    python -m benchmarks.quality.minutes --seen 1000 --seen 11000

A fifth of the pictures is held out, and what is made is compared with those. The minutes are
those of training alone, as `--minutes` counts them, and nothing else should run meanwhile. `--seen`
counts pictures instead. With `--against_pytorch` the DCGAN of PyTorch's tutorial trains for the
same minutes, too.
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
from balanced_gan.settings import Settings
from benchmarks.quality import perceptual
from benchmarks.quality.reference import measure, measure_pictures, split, train
from benchmarks.shared import PROJECT, data_option, publish, pytorch_environment, table_of

KINDS = ("portraits", "emoji", "flowers")
SHOWN = (3, 3)  # rows and columns of pictures for each kind and moment


def block(pictures):
    """The first pictures in rows, between white lines."""
    rows, columns = SHOWN
    tiles = np.pad(
        pictures[: rows * columns], ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=255
    )
    return np.vstack([np.hstack(tiles[i * columns :][:columns]) for i in range(rows)])


def name_of(minutes, seen):
    """A moment in words, of which one is None."""
    return f"{seen:,} pictures" if seen else f"{minutes:g} minute{'s' * (minutes > 1)}"


def draw_moments(blocks, file):
    """Writes a picture with a row for each kind and a column for each moment.

    Args:
        blocks: kind -> {moment: uint8 (H, W, 3)}, the same moments for all.
        file: where to.
    """
    from matplotlib.figure import Figure

    moments = list(next(iter(blocks.values())))
    size = 1.25 * len(moments), 1.25 * len(blocks) + 0.25
    figure = Figure(figsize=size, dpi=160, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)
    axes = figure.subplots(len(blocks), len(moments), squeeze=False)
    for row, (kind, pictures) in zip(axes, blocks.items(), strict=True):
        row[0].set_ylabel(kind, fontsize=8)
        for axis, moment in zip(row, moments, strict=True):
            axis.imshow(pictures[moment])
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
    for axis, moment in zip(axes[0], moments, strict=True):
        axis.set_title(moment, fontsize=8)
    figure.savefig(file, pil_kwargs={"quality": 85})


def train_pytorch(pictures, marks, seed, work):
    """Trains the tutorial's DCGAN, in a process without TensorFlow -> `{mark: (samples, seen)}`."""
    command = [sys.executable, "-m", "benchmarks.quality.pytorch_dcgan", pictures, *marks]
    command += ["--seed", seed, "--out", work, *["--bfloat16"] * (faster_precision()[1] > 0)]
    environment = os.environ | pytorch_environment()
    subprocess.run([*map(str, command)], cwd=PROJECT, env=environment, check=True)
    stored = {mark: np.load(work / f"{mark:g}.npz") for mark in marks}
    return {mark: (each["samples"], int(each["seen"])) for mark, each in stored.items()}


def train_and_measure(kind, data, work, moments, seed, features):
    """Trains on a kind up to each moment, which is a pair: minutes, and pictures seen; one is None.

    Returns:
        `(rows of figures, {moment: samples}, (training, held out))`.
    """
    parts = split(kind, data, work / kind)
    rows, pictures = [], {}
    for minutes, seen in moments:
        budget = ["--steps", seen // Settings.batch_size] if seen else ["--minutes", minutes]
        arguments = ["--path", parts[0], "--seed", seed, *budget]
        run, *_ = train(PROJECT, arguments, work / kind / "run")
        figures = measure(run, data, *parts, features)
        if kind != "portraits":
            figures["faces"] = "-"
        name = name_of(minutes, seen)
        *_, last = run.history_rows()
        spent = {"minutes": f"{float(last['seconds']) / 60:.1f}"} if seen else {}
        rows.append({"pictures": kind, "after": name} | spent | figures)
        pictures[name] = draw_samples(load_network(run, run.generator_file))
        print(rows[-1], run.path, flush=True)
    return rows, pictures, parts


@click.command()
@data_option
@click.option("--kind", "kinds", multiple=True, default=KINDS, show_default=True)
@click.option("--minute", "marks", multiple=True, type=float, default=[1, 5, 20], show_default=True)
@click.option("--seen", multiple=True, type=int, help="Pictures seen, instead of minutes.")
@click.option("--seed", default=0, show_default=True)
@click.option("--against_pytorch", is_flag=True, help="Train PyTorch's DCGAN for as long, too.")
@click.option("--image", is_flag=True, help="Keep the pictures as images/minutes.jpg.")
def main(data, kinds, marks, seen, seed, against_pytorch, image):
    if seen and against_pytorch:
        raise click.UsageError("--against_pytorch compares after --minute, not after --seen.")
    data, work = data.resolve(), Path(tempfile.mkdtemp())
    features = perceptual.load_features()
    moments = [(None, each) for each in seen] or [(mark, None) for mark in marks]
    found, blocks, ratios = [], {}, []
    for kind in kinds:
        rows, pictures, parts = train_and_measure(kind, data, work, moments, seed, features)
        sets = [np.asarray(load_folder(part, Settings())[0]) for part in parts]
        blocks[kind] = {name: block(some) for name, some in pictures.items()}
        blocks[kind]["real, unseen"] = block(sets[1])
        found += rows
        if against_pytorch:
            results = train_pytorch(parts[0], marks, seed, work)
            for row, (made, count) in zip(rows, results.values(), strict=True):
                theirs = measure_pictures(made, *sets, None, features)
                ratio = float(theirs["KID"]) / max(float(row["KID"]), 0.001)
                ratios.append(f"{ratio:.1f} after {row['after']}")
                theirs |= {"pictures": f"{kind}, PyTorch", "pictures seen": f"{count:,}"}
                found.append(dict.fromkeys(row, "-") | {"after": row["after"]} | theirs)
    if image:
        draw_moments(blocks, PROJECT / "images" / "minutes.jpg")
    publish(
        ("Pictures seen: " if seen else "Minutes: ")
        + ", ".join(kinds)
        + (", and PyTorch's tutorial" if against_pytorch else ""),
        f"The default, seed {seed}, on 80 % of the pictures, measured on the rest. "
        + "Minutes are those of training, without the program's start and end. " * (not seen)
        + "*Copies* as in the users' own command.",
        table_of(found),
        *[f"KID of PyTorch's as a multiple of ours: {', '.join(ratios)}."] * bool(ratios),
    )


if __name__ == "__main__":
    main()
