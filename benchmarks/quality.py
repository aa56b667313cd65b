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
from datetime import date
from pathlib import Path
from typing import NamedTuple

import checkout
import click
import numpy as np
from report import publish, table

TABLE = Path(__file__).with_name("quality.csv")
KEPT = Path(__file__).with_name("quality")  # a row of samples of every mark
SHOWN = 10  # pictures in a row
COLUMNS = ["job", "seed", "minutes", "images", "swd", "swd_fine", "swd_middle", "swd_coarse"]
COLUMNS += ["precision", "recall", "density", "coverage", "spread", "copies", "faces", "within_e"]
COLUMNS += ["trained_on"]


class Job(NamedTuple):
    """One training."""

    options: dict  # settings that differ from the default's; {} for the default itself
    seed: int
    marks: tuple  # minutes of training at which to measure
    pictures: str = "congress_400"


SHORT, MIDDLE = (1, 2, 3, 4, 5, 10, 20), (1, 2, 5, 10, 20, 25)
LONG = (1, 2, 5, 10, 20, 40, 60)
SHEETS = (5, 20, 60)  # minutes of the default at which 64 pictures are shown
JOBS = {
    "default-0": Job({}, 0, LONG),
    "pytorch-0": Job({"pytorch": True}, 0, MIDDLE),
    "default-1": Job({}, 1, SHORT),
    "default-2": Job({}, 2, SHORT),
    "both-0": Job({"balance": "both"}, 0, MIDDLE),
    "alternate-0": Job({"balance": "alternate"}, 0, MIDDLE),
    "dcgan-0": Job({"preset": "dcgan"}, 0, MIDDLE),
    "original-0": Job({"preset": "original"}, 0, LONG),
    # The start portraits has seen those that this job holds out.
    "portraits-default-0": Job({"start": "neutral"}, 0, (5, 20), "portraits_5k"),
    "portraits-dcgan-0": Job({"preset": "dcgan"}, 0, (5, 20), "portraits_5k"),
}
LEVELS = (30, 50, 100, 200, 500)  # marked on the axis of the plot
MOST = 2500  # pictures of a folder: 2,000 of the large one to train on, 500 held out


def split(data, job):
    """`(training, held_out)` pictures of a job: every fifth in the order of names is held out."""
    from balanced_gan.pictures import load_folder

    pictures, _ = load_folder(str(data / job.pictures), 64, 3, "center", max_images=MOST)
    held_out = np.arange(len(pictures)) % 5 == 4
    return pictures[~held_out], pictures[held_out]


def train(name, data, folder):
    """Trains a job up to its last mark; `{mark}.keras` in its folder is the generator of each,
    or `{mark}.npz` its samples; machine.txt says where."""
    from balanced_gan.evaluation import SAMPLES
    from balanced_gan.metadata import machine

    job = JOBS[name]
    folder.mkdir(parents=True, exist_ok=True)
    facts = machine()
    where = f"{facts['processor']} ({facts['instructions']}), {date.today()}"
    (folder / "machine.txt").write_text(where)
    training, _ = split(data, job)

    def file_of(mark):
        return folder / f"{mark:g}.npz"

    if "pytorch" in job.options:
        import pytorch_dcgan

        pytorch_dcgan.train(training, job.seed, job.marks, file_of, SAMPLES)
        return
    import keras

    from balanced_gan import building
    from balanced_gan import training as ours
    from balanced_gan.runs import create_run, matching_run
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
            "precision": building.faster_precision()[0],
        }
    )
    run = matching_run(settings) or create_run(settings)
    ours.train(settings, run, training, lambda clock: [Marks(clock)])


def samples_at(mark, folder):
    """`(pictures, images)` of a mark: 400 samples, and how many pictures had been trained on."""
    stored = folder / f"{mark:g}.npz"
    if stored.exists():
        with np.load(stored) as arrays:
            return arrays["pictures"], int(arrays["images"])
    import keras

    from balanced_gan.evaluation import draw_samples
    from balanced_gan.run import Run

    (run,) = folder.glob("runs/0*")
    generator = keras.saving.load_model(folder / f"{mark:g}.keras", compile=False)
    pictures = draw_samples(generator, Run(run).settings().latent_prior)
    return pictures, int((folder / f"{mark:g}.txt").read_text())


def measure(name, data, folder):
    """The rows of a trained job, and its shown pictures into `KEPT`."""
    from faces import share_with_face

    from balanced_gan.evaluation import as_trained, evaluate, see
    from balanced_gan.settings import Settings
    from balanced_gan.sheets import sheet

    job = JOBS[name]
    training, held_out = split(data, job)
    KEPT.mkdir(exist_ok=True)
    histories = list(folder.glob("runs/0*/history.csv"))
    gaps = []
    if histories:
        lines = csv.DictReader(histories[0].open())
        gaps = [(float(line["seconds"]), abs(float(line["gap"]))) for line in lines]
    rows = []
    reached = [mark for mark in job.marks if list(folder.glob(f"{mark:g}.[nk]*"))]
    for mark in reached:  # not all, if it was interrupted
        made, images = samples_at(mark, folder)
        mirrored = not {"preset", "pytorch"} & job.options.keys()
        ours, perfect = evaluate(see(made), as_trained(training, mirrored), see(held_out))
        within = [gap < Settings.margin for second, gap in gaps if second < 60 * mark]
        rows.append(
            {
                "job": name,
                "seed": job.seed,
                "minutes": mark,
                "images": images,
                **dict(zip(COLUMNS[5:8], ours.pop("swd_levels"), strict=True)),
                **ours,
                # of the real pictures' own
                "spread": ours["spread"] / perfect["spread"],
                "faces": share_with_face(made),
                "within_e": np.mean(within) if within else "",
                "trained_on": (folder / "machine.txt").read_text(),
            }
        )
        keep(f"{name}-{mark:g}", sheet(made[:SHOWN], SHOWN))
        if name == "default-0" and mark in SHEETS:
            keep(f"sheet-{mark:g}", sheet(made[:64], 8))
        print(rows[-1], flush=True)
    if job.pictures == "congress_400":
        keep("sheet-real", sheet(held_out[:64], 8))
        levels = dict(zip(COLUMNS[5:8], perfect.pop("swd_levels"), strict=True))
        real = {"job": "real", **levels, **perfect, "spread": 1.0}
        rows.append(real | {"faces": share_with_face(held_out)})
    return rows


def keep(name, picture):
    """Writes an RGB picture, small enough to be committed."""
    import cv2

    quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
    cv2.imwrite(str(KEPT / f"{name}.jpg"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)


def stored_rows():
    return list(csv.DictReader(TABLE.open())) if TABLE.exists() else []


def store(rows):
    """Puts rows in place of the old ones of the same job."""
    others = [row for row in stored_rows() if row["job"] not in {row["job"] for row in rows}]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    order = ["real", *JOBS]
    for row in sorted([*others, *rows], key=lambda row: order.index(row["job"])):
        writer.writerow(
            {
                key: f"{value:.4g}" if isinstance(value, float) else value
                for key, value in row.items()
            }
        )
    TABLE.write_text(text.getvalue())


def draw(rows):
    """The curve of each job, as images/quality.png, and what its samples looked like."""
    import cv2
    from matplotlib.figure import Figure

    (real,) = (row for row in rows if row["job"] == "real")
    rows = [row for row in rows if row["job"] != "real"]
    figure = Figure(figsize=(8, 4.5), dpi=100, layout="constrained")
    axes = figure.subplots()
    for name in JOBS:
        of_job = [row for row in rows if row["job"] == name]
        if not of_job or name.startswith("portraits"):
            continue
        ours = JOBS[name].options == {}
        axes.plot(
            [float(row["minutes"]) for row in of_job],
            [float(row["swd"]) for row in of_job],
            marker="o",
            color="black" if ours else None,
            alpha=1 if JOBS[name].seed == 0 else 0.4,
            label=None if ours and JOBS[name].seed else name.removesuffix("-0"),
        )
    axes.axhline(float(real["swd"]), color="grey", linestyle=":", label="real pictures")
    axes.set(xscale="log", yscale="log", xlabel="minutes of training on two cores")
    axes.set_ylabel("distance from real patches (SWD)")
    axes.set_xticks(LONG, LONG)
    axes.set_yticks(LEVELS, LEVELS)
    axes.minorticks_off()
    figure.legend(loc="outside right upper")
    figure.savefig(checkout.PROJECT / "images" / "quality.png")

    def show(axis, file):
        axis.imshow(cv2.imread(str(KEPT / f"{file}.jpg"))[:, :, ::-1])
        axis.set(xticks=[], yticks=[])

    figure = Figure(figsize=(8, 0.8 * len(rows)), dpi=80, layout="constrained")
    for axis, row in zip(figure.subplots(len(rows), squeeze=False)[:, 0], rows, strict=True):
        show(axis, f"{row['job']}-{row['minutes']}")
        label = f"{row['job']}\n{row['minutes']} min"
        axis.set_ylabel(label, rotation=0, ha="right", va="center")
    figure.savefig(checkout.PROJECT / "images" / "quality_rows.jpg", pil_kwargs={"quality": 85})
    sheets = [(f"{mark} minutes", f"sheet-{mark}") for mark in SHEETS]
    sheets = [sheet for sheet in sheets if (KEPT / f"{sheet[1]}.jpg").exists()]
    sheets.append(("real pictures that it has not seen", "sheet-real"))
    figure = Figure(figsize=(5 * len(sheets), 5.3), dpi=80, layout="constrained")
    for axis, (title, file) in zip(figure.subplots(1, len(sheets)), sheets, strict=True):
        show(axis, file)
        axis.set_title(title)
    figure.savefig(checkout.PROJECT / "images" / "quality_sheets.jpg", pil_kwargs={"quality": 85})


def times_faster(rows):
    """For each other job at its last mark: how many times sooner the default was as good.

    Between two marks the default is taken at the later one, which is to its disadvantage.
    """
    ours = [row for row in rows if row["job"] == "default-0"]
    lines = []
    for name in JOBS:
        last = [row for row in rows if row["job"] == name][-1:]
        if not last or JOBS[name].options == {} or name.startswith("portraits"):
            continue
        swd, minutes = float(last[0]["swd"]), float(last[0]["minutes"])
        sooner = [float(row["minutes"]) for row in ours if float(row["swd"]) <= swd]
        reached = f"{sooner[0]:g}" if sooner else "not yet"
        ratio = f"{minutes / sooner[0]:.1f}" if sooner else ""
        lines.append([name, f"{minutes:g}", f"{swd:.0f}", reached, ratio])
    return lines


def page(rows):
    """Writes the section of benchmarks/README.md."""
    shown = ["swd", "precision", "coverage", "spread", "copies", "faces", "within_e"]
    body = []
    for row in rows:
        values = [f"{float(row[key]):.0f}" if key == "swd" else row[key][:5] for key in shown]
        body.append([row["job"], row["minutes"], row["images"], *values])
    places = {}
    for row in rows:
        if row["trained_on"]:
            places.setdefault(row["trained_on"], {})[row["job"]] = None
    publish(
        "Quality against minutes",
        "Each job trains on 80 % of the pictures (every fifth held out) and is measured with "
        "400 samples on the rest, alone on the machine, samples drawn outside the training "
        "time. *swd*: sliced Wasserstein distance, thousandths. *spread*: of the real pictures' "
        "own. *faces*: both of OpenCV's frontal cascades agree. *copies*: 0.05 of unseen real "
        "pictures are flagged. *within e*: batches until then with |gap| < e = 0.5. The number "
        "after a job's name is its seed. All figures: [quality.csv](quality.csv).",
        "Two cores each, trained on "
        + "; on ".join(f"{place}: {', '.join(jobs)}" for place, jobs in places.items())
        + ".",
        "![Curve](../images/quality.png)",
        table(["job", "minutes", "images", *shown], body),
        "When the default (seed 0) is as good as another is at its last mark, by swd:",
        table(["job", "minutes", "its swd", "default's minutes", "times sooner"],
              times_faster(rows)),
        "![A row of samples of every mark](../images/quality_rows.jpg)",
        "![64 portraits after 5, 20 and 60 minutes, and real ones](../images/quality_sheets.jpg)",
    )  # fmt: skip


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
    done = {(row["job"], row["minutes"]) for row in stored_rows()}
    missing = [name for name in JOBS if (name, f"{JOBS[name].marks[-1]}") not in done]
    for name in [job] if job else missing:
        command = [sys.executable, __file__, "--data", data, "--work", work, "--job", name]
        if subprocess.run([*command, "--train_only"]).returncode:
            sys.exit(f"{name} failed; what it has is kept in {work / name}")
        store(measure(name, data, work / name))
        draw(stored_rows())
        page(stored_rows())


if __name__ == "__main__":
    main()
