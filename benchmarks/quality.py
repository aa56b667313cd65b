"""Quality against minutes of training: ours, other schedules, and what one would use instead.

Every job trains on the same 80 % of the pictures and is measured on the other 20 %, at marks
of training time. A job is a process of its own and goes on where it was interrupted; its
figures go into quality.csv when it is done, and the plot, the pictures and the page are drawn
anew from all that is there. Nothing else should run on the machine meanwhile.

    python benchmarks/quality.py --work DIR                all jobs that quality.csv lacks
    python benchmarks/quality.py --work DIR --job both-0   one job, again
"""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

PROJECT = Path(__file__).parents[1]
TABLE = Path(__file__).with_name("quality.csv")
KEPT = Path(__file__).with_name("quality")  # a row of samples of every mark, as PNG
SHOWN = 10  # pictures in a row
COLUMNS = ["job", "seed", "minutes", "images", "swd", "swd_fine", "swd_middle", "swd_coarse"]
COLUMNS += ["precision", "recall", "density", "coverage", "spread", "copies", "faces", "within_e"]


class Job(NamedTuple):
    """One training."""

    options: dict  # settings that differ from the default's; {} for the default itself
    seed: int
    marks: tuple  # minutes of training at which to measure
    pictures: str = "congress_400"


SHORT, MIDDLE = (1, 2, 5, 10, 20), (1, 2, 5, 10, 20, 25)
LONG = (1, 2, 5, 10, 20, 40, 60)
JOBS = {
    "default-0": Job({}, 0, LONG),
    "pytorch-0": Job({"pytorch": True}, 0, MIDDLE),
    "default-1": Job({}, 1, SHORT),
    "default-2": Job({}, 2, SHORT),
    "both-0": Job({"balance": "both"}, 0, MIDDLE),
    "alternate-0": Job({"balance": "alternate"}, 0, MIDDLE),
    "dcgan-0": Job({"preset": "dcgan"}, 0, MIDDLE),
    "original-0": Job({"preset": "original"}, 0, LONG),
    "portraits-default-0": Job({}, 0, (5, 20), "portraits_5k"),
    "portraits-dcgan-0": Job({"preset": "dcgan"}, 0, (5, 20), "portraits_5k"),
}
MOST = 2500  # pictures of a folder: 2,000 of the large one to train on, 500 held out


def split(data, job):
    """`(training, held_out)` pictures of a job: every fifth in the order of names is held out."""
    from balanced_gan.pictures import load_folder

    pictures, _ = load_folder(str(data / job.pictures), 64, 3, "center", max_images=MOST)
    held_out = np.arange(len(pictures)) % 5 == 4
    return pictures[~held_out], pictures[held_out]


def train(name, data, folder):
    """Trains a job up to its last mark; `{mark}.npz` in its folder holds 400 samples each."""
    from balanced_gan.evaluation import SAMPLES

    job = JOBS[name]
    folder.mkdir(parents=True, exist_ok=True)
    training, _ = split(data, job)

    def file_of(mark):
        return folder / f"{mark:g}.npz"

    if "pytorch" in job.options:
        import pytorch_dcgan

        pytorch_dcgan.train(training, job.seed, job.marks, file_of, SAMPLES)
        return
    import keras

    from balanced_gan import training as ours
    from balanced_gan.evaluation import draw_samples
    from balanced_gan.run import create_run, matching_run
    from balanced_gan.settings import Settings, preset_values

    class Marks(keras.callbacks.Callback):
        """Keeps the EMA generator as it is at each mark, which takes 0.3 s each."""

        def __init__(self, clock):
            super().__init__()
            self.clock = clock
            self.ahead = [mark for mark in job.marks if 60 * mark > clock.seconds()]

        def on_train_batch_end(self, batch, logs=None):
            if self.ahead and self.clock.seconds() >= 60 * self.ahead[0] - 0.5:
                self.model.settle()
                mark = self.ahead.pop(0)
                self.model.ema_generator.save(folder / f"{mark:g}.keras")
                images = int(self.model.batches) * settings.batch_size
                (folder / f"{mark:g}.txt").write_text(str(images))

    os.chdir(folder)
    values = preset_values(job.options.get("preset", "balanced")) | job.options
    settings = Settings(
        **values
        | {
            "path": str(data / job.pictures),
            "seed": job.seed,
            "epochs": None,
            "minutes": job.marks[-1],
            "evaluate_every_minutes": 0.0,
            "precision": ours.faster_precision()[0],
        }
    )
    run = matching_run(settings) or create_run(settings)
    ours.train(settings, run, training, lambda clock: [Marks(clock)])
    for mark in job.marks:
        generator = keras.saving.load_model(folder / f"{mark:g}.keras", compile=False)
        made = draw_samples(generator, settings.latent_prior)
        images = int((folder / f"{mark:g}.txt").read_text())
        np.savez_compressed(file_of(mark), pictures=made, images=images)


def measure(name, data, folder):
    """The rows of a trained job, and its shown pictures into `KEPT`."""
    import cv2
    from faces import share_with_face

    from balanced_gan.evaluation import evaluate
    from balanced_gan.pictures import encode_png, sheet
    from balanced_gan.settings import Settings

    job = JOBS[name]
    training, held_out = split(data, job)
    KEPT.mkdir(exist_ok=True)
    real = KEPT / f"real-{job.pictures}.png"
    real.write_bytes(encode_png(sheet(held_out[:64], 8)))
    histories = list(folder.glob("runs/*/history.csv"))
    gaps = []
    if histories:
        lines = csv.DictReader(histories[0].open())
        gaps = [(float(line["seconds"]), abs(float(line["gap"]))) for line in lines]
    rows = []
    for mark in job.marks:
        stored = np.load(folder / f"{mark:g}.npz")
        made = stored["pictures"]
        mirrored = not {"preset", "pytorch"} & job.options.keys()
        ours, perfect = evaluate(made, training, held_out, mirrored)
        within = [gap < Settings.margin for second, gap in gaps if second < 60 * mark]
        rows.append(
            {
                "job": name,
                "seed": job.seed,
                "minutes": mark,
                "images": int(stored["images"]),
                **dict(zip(COLUMNS[5:8], ours.pop("swd_levels"), strict=True)),
                **ours,
                # of the real pictures' own
                "spread": ours["spread"] / perfect["spread"],
                "faces": share_with_face(made),
                "within_e": np.mean(within) if within else "",
            }
        )
        whole = name == "default-0" and mark in (5, 20, 60)
        (KEPT / f"{name}-{mark:g}.png").write_bytes(
            encode_png(sheet(made[: 64 if whole else SHOWN], 8 if whole else SHOWN))
        )
        print(rows[-1], flush=True)
    cv2.setNumThreads(0)
    return rows


def stored_rows():
    return list(csv.DictReader(TABLE.open())) if TABLE.exists() else []


def store(rows, name):
    """Puts a job's rows in place of its old ones."""
    others = [row for row in stored_rows() if row["job"] != name]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    order = list(JOBS)
    for row in sorted([*others, *rows], key=lambda row: order.index(row["job"])):
        writer.writerow(
            {key: f"{row[key]:.4g}" if isinstance(row[key], float) else row[key] for key in COLUMNS}
        )
    TABLE.write_text(text.getvalue())


@click.command()
@click.option("--data", default="../shared/data", show_default=True, type=Path)
@click.option("--work", required=True, type=Path, help="Folder for the runs.")
@click.option("--job", type=click.Choice(list(JOBS)), help="Only this one, again if need be.")
@click.option("--train_only", is_flag=True, hidden=True)
def main(data, work, job, train_only):
    data, work = data.resolve(), work.resolve()
    if train_only:
        train(job, data, work / job)
        return
    done = {row["job"] for row in stored_rows()}
    for name in [job] if job else [name for name in JOBS if name not in done]:
        command = [sys.executable, __file__, "--data", data, "--work", work, "--job", name]
        if subprocess.run([*command, "--train_only"]).returncode:
            sys.exit(f"{name} failed; what it has is kept in {work / name}")
        store(measure(name, data, work / name), name)


if __name__ == "__main__":
    main()
