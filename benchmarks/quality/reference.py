"""The users' own command on 400 portraits, as a user would type it, and how good its pictures are.

    python -m benchmarks.quality.reference --seed 0 --seed 1 --seed 2
    python -m benchmarks.quality.reference --against OTHER_CHECKOUT
    python -m benchmarks.quality.reference -- --image_size 128 --minutes 10
    python -m benchmarks.quality.reference --kind flowers --against OTHER_CHECKOUT -- --steps 1600

A fifth of the pictures is held out, and the pictures made are compared with those. The process is
measured from outside: how long it takes, when its first recognisable grid is there, peak memory.
With `--against`, another version is measured in turn with this one. What comes after `--` goes to
train.py in place of 50 epochs of batches of 32.
"""

import json
import shutil
import tempfile
from pathlib import Path

import click
import numpy as np
from PIL import Image

from balanced_gan import Settings
from balanced_gan.data.folder import load_folder
from balanced_gan.evaluation import metrics
from balanced_gan.evaluation.evaluate import as_trained, draw_samples
from balanced_gan.evaluation.features import shape_and_colour
from balanced_gan.output.images import encode_png
from balanced_gan.output.sampling import load_network
from benchmarks.quality import perceptual
from benchmarks.quality.ablations import kinds
from benchmarks.quality.faces import share_on_grid, share_with_face
from benchmarks.shared import PROJECT, data_option, history, publish, run_below, table_of, watch

USERS = ["--batch_size", "32", "--epochs", "50"]


def train(project, arguments, folder):
    """Runs a version's train.py -> `(run, seconds, {grid's name: seconds}, peak MiB)`."""
    folder.mkdir(parents=True, exist_ok=True)  # there, a run in it is continued
    drawn = {}

    def look(seconds):
        for file in folder.glob("runs/0*/grids/step-*.png"):
            drawn.setdefault(file.name, seconds)

    ended = watch(folder, "--TYPE", "train", *arguments, project=project, look=look)
    return run_below(folder), ended.seconds, drawn, ended.peak


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


def first_with_faces(run, drawn, size):
    """Seconds until the first grid on which half of the pictures show a face, and its step. The
    grid before training is skipped: its faces are the start's."""
    for name, seconds in sorted(drawn.items())[1:]:
        if share_on_grid(run.path / "grids" / name, size) >= 0.5:
            return f"{seconds:.0f} ({name[5:-4].lstrip('0') or '0'})"
    return "none"


def settings_of(run):
    """Of any version, whose settings this one may not know."""
    return json.loads((run.path / "settings.json").read_text())


def measure_pictures(made, training, unseen, source, features):
    """Figures of generated pictures.

    Args:
        made: uint8 (N, S, S, 3).
        training: what was trained on.
        unseen: what was held out.
        source: what the start learned from; None if that was nothing like these.
        features: from `perceptual.load_features`.
    """
    perceived = perceptual.measure(features(made), features(unseen))
    points, of_unseen = shape_and_colour(made), shape_and_colour(unseen)

    def copies(some):
        seen = [seen.features for seen in as_trained(np.asarray(some), mirror=True)]
        return f"{metrics.memorised(points, seen, of_unseen):.2f}"

    return {
        "faces": f"{share_with_face(made):.2f}",
        "KID": f"{perceived['kid']:.3f}",
        "diversity": f"{perceived['diversity']:.2f}",
        "recall": f"{perceived['recall']:.2f}",
        "copies": copies(training),
        "of the source": "-" if source is None else copies(source),
    }


def measure(run, data, training, held_out, features):
    """Figures of a run's newest pictures."""
    settings = settings_of(run)
    folders = [training, held_out]
    folders += [data / "portraits_5k"] if settings.get("start") == "portraits" else []
    size = settings["image_size"]
    sets = [load_folder(folder, Settings(image_size=size))[0] for folder in folders]
    made = draw_samples(load_network(run, run.generator_file))
    gaps, turns = history(run)
    return {
        "pictures seen": f"{len(gaps) * settings['batch_size']:,}",
        **measure_pictures(made, *[*sets, None][:3], features),
        "within e": f"{np.mean(abs(gaps) < settings['margin']):.0%}",
        "turns of G": f"{np.mean(turns[:, 0]):.0%}",
    }


@click.command()
@click.argument("options", nargs=-1)
@data_option
@click.option("--seed", "seeds", multiple=True, type=int, default=[0], show_default=True)
@click.option("--kind", default="portraits", show_default=True, help="Of ablations.py.")
@click.option("--against", type=Path, help="Folder of another version of this program.")
@click.option("--image", type=Path, help="File for the first seed's last grid.")
def main(options, data, seeds, kind, against, image):
    data, work = data.resolve(), Path(tempfile.mkdtemp())
    parts = split(kind, data, work)
    options = list(options) or USERS
    features = perceptual.load_features()
    versions = {"this": PROJECT} | ({"other": against.resolve()} if against else {})
    rows = []
    for seed in seeds:
        for version, project in versions.items():
            arguments = ["--path", parts[0], "--seed", seed, *options]
            run, seconds, drawn, peak = train(project, arguments, work / f"{version}-{seed}")
            row = {
                "version": version,
                "seed": seed,
                "seconds": f"{seconds:.1f}",
                "first faces, s (batch)": first_with_faces(
                    run, drawn, settings_of(run)["image_size"]
                ),
                "peak MiB": f"{peak:.0f}",
            }
            rows.append(row | measure(run, data, *parts, features))
            print(rows[-1], run.path, flush=True)
            if image and version == "this" and seed == seeds[0]:
                Image.open(run.final_grid).convert("RGB").save(image, quality=85)
    title = "The users' own command" + (f": {' '.join(options)}" if options != USERS else "")
    publish(
        title if kind == "portraits" else f"{title}, {kind}",
        f"`python train.py --TYPE train --path {kind}/ {' '.join(options)}` on 80 % of the "
        "pictures, measured on the rest. *First faces*: when the first grid of 64 was "
        "there on which half of the pictures have a face, from the start of the command. "
        "*Copies*: share of 400 samples suspiciously near to a training picture, and to one of the "
        "start's source; 0.05 of real pictures are.",
        table_of(rows),
    )


if __name__ == "__main__":
    main()
