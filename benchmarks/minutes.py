"""The default on 400 portraits: how good the pictures are after so many minutes of training.

    python benchmarks/minutes.py
    python benchmarks/minutes.py --kind emoji --minute 1 --minute 5

A fifth of the pictures is held out, and what is made is compared with those. The minutes are
those of training alone, as `--minutes` counts them. Nothing else should run meanwhile.
"""

import tempfile
from pathlib import Path

import checkout
import click
import numpy as np
import perceptual
from matplotlib.figure import Figure
from reference import measure, split, train
from report import publish, table

from balanced_gan.evaluation import draw_samples
from balanced_gan.pictures import load_folder
from balanced_gan.run import Run
from balanced_gan.sampling import load_network

SHOWN = (2, 12)  # rows and columns of pictures for each mark


def draw(rows, file):
    """A picture of blocks of pictures, each named."""
    figure = Figure(figsize=(9, 1.6 * len(rows)), dpi=90, layout="constrained")
    for axis, (name, pictures) in zip(figure.subplots(len(rows)), rows, strict=True):
        across = SHOWN[1]
        lines = [np.hstack(pictures[i * across : (i + 1) * across]) for i in range(SHOWN[0])]
        axis.imshow(np.vstack(lines))
        axis.set(xticks=[], yticks=[])
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(file, pil_kwargs={"quality": 88})


@click.command()
@click.option("--data", default="../shared/data", show_default=True, type=Path)
@click.option("--kind", default="portraits", show_default=True, help="Of ablations.py.")
@click.option("--minute", "marks", multiple=True, type=float, default=[1, 5, 20], show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(data, kind, marks, seed):
    data, work = data.resolve(), Path(tempfile.mkdtemp())
    parts = split(kind, data, work)
    features = perceptual.load_features()
    found, blocks = [], []
    for mark in marks:
        arguments = ["--path", parts[0], "--seed", seed, "--minutes", f"{mark:g}"]
        run, *_ = train(checkout.PROJECT, arguments, work / "run")
        found.append({"minutes": f"{mark:g}"} | measure(run, data, *parts, features))
        made = draw_samples(load_network(Run(run), run / "generator.keras"))
        blocks.append((f"{mark:g} minute{'s' if mark > 1 else ''}", made))
        print(found[-1], run, flush=True)
    real, _ = load_folder(str(parts[1]), 64, 3, "center")
    draw([*blocks, ("real, unseen", np.asarray(real))], checkout.PROJECT / f"images/{kind}.jpg")
    publish(
        f"Minutes: {kind}",
        f"The default, seed {seed}, on 80 % of the pictures, measured on the rest; by minutes of "
        "training, without the program's start and end. *Copies* as in the users' own command.",
        table(list(found[0]), [list(row.values()) for row in found]),
    )


if __name__ == "__main__":
    main()
