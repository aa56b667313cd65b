"""The default on other pictures than the portraits it was tuned on, without touching an option.

Flowers (colour), houses by day and night (colour), and letters (grey) are drawn here; the two
real sets come in other numbers and sizes. Each is trained for the same minutes on 80 % of its
pictures and measured on the rest, at a half and at the whole of the time: what gets better,
and nothing collapses, is what a user of such pictures may expect.
"""

import os
import tempfile
from pathlib import Path

import click
import cv2
import numpy as np

from balanced_gan.data.folder import load_folder
from balanced_gan.errors import InputError
from balanced_gan.evaluation.evaluate import as_trained, draw_samples, evaluate, see
from balanced_gan.model.build import faster_precision
from balanced_gan.output.sampling import load_network
from balanced_gan.runs.registry import create_run, find_run
from balanced_gan.settings import Settings
from balanced_gan.training.train import train
from benchmarks.shared import PROJECT, data_option, draw_rows, publish, table, work_option

CANVAS = 256  # drawn large and averaged down
SHOWN = 12


def flower(random):
    """A flower from above: 4 to 12 petals of one colour on a lawn."""
    lawn = np.array([random.integers(30, 90), random.integers(90, 160), random.integers(20, 80)])
    canvas = np.uint8(np.clip(lawn + random.normal(0, 14, (CANVAS, CANVAS, 1)), 0, 255))
    petals, length = int(random.integers(4, 13)), int(random.integers(60, 100))
    width = int(random.integers(14, 34))
    x, y = (int(v) for v in random.integers(108, 149, 2))
    hue = int(random.choice([0, 8, 25, 125, 150, 165])) + int(random.integers(0, 8))
    colour = cv2.cvtColor(np.uint8([[[hue, random.integers(120, 256), 240]]]), cv2.COLOR_HSV2RGB)
    colour = tuple(int(v) for v in colour[0, 0])
    first = random.uniform(0, 360)
    for petal in range(petals):
        angle = first + 360 * petal / petals
        middle = (
            int(x + length * 0.55 * np.cos(np.radians(angle))),
            int(y + length * 0.55 * np.sin(np.radians(angle))),
        )
        cv2.ellipse(canvas, middle, (length // 2, width), angle, 0, 360, colour, -1, cv2.LINE_AA)
        dark = tuple(int(0.8 * v) for v in colour)
        cv2.ellipse(canvas, middle, (length // 2, width), angle, 0, 360, dark, 2, cv2.LINE_AA)
    heart = (90, 60, 30) if random.random() < 0.5 else (240, 200, 60)
    cv2.circle(canvas, (x, y), int(random.integers(14, 28)), heart, -1, cv2.LINE_AA)
    return canvas


def house(random):
    """A house with a roof, windows and a door under a sky, by day or by night."""
    night = random.random() < 0.3
    sky = np.array([20, 25, 60]) if night else np.array([130, 180, 230])
    fade = np.linspace(0, 60, CANVAS)[:, None, None]
    canvas = np.uint8(np.clip(sky + fade + np.zeros((CANVAS, CANVAS, 1)), 0, 255))
    ground = int(random.integers(190, 220))
    canvas[ground:] = (30, 50, 30) if night else (90, 140, 70)
    left, right = int(random.integers(30, 70)), int(random.integers(186, 226))
    top = int(random.integers(100, 140))
    wall = np.array([(220, 210, 190), (180, 90, 70), (235, 235, 230), (150, 170, 190)])
    wall = wall[random.integers(4)] * (0.4 if night else 1.0)
    cv2.rectangle(canvas, (left, top), (right, ground), wall.tolist(), -1)
    peak = int(random.integers(30, 80))
    roof = np.array([[left - 14, top], [right + 14, top], [(left + right) // 2, peak]])
    tiles = np.array([(140, 50, 40), (70, 70, 80), (110, 80, 50)])[random.integers(3)]
    cv2.fillPoly(canvas, [roof], (tiles * (0.5 if night else 1.0)).tolist(), cv2.LINE_AA)
    glass = (250, 220, 120) if night else (90, 110, 130)
    columns = int(random.integers(2, 5))
    for column in range(columns):
        x = left + (right - left) * (2 * column + 1) // (2 * columns)
        cv2.rectangle(canvas, (x - 11, top + 16), (x + 11, top + 44), glass, -1)
    door = left + (right - left) * int(random.integers(1, 4)) // 4
    cv2.rectangle(canvas, (door - 12, ground - 44), (door + 12, ground), (80, 50, 30), -1)
    return canvas


def letter(random):
    """A grey capital on paper, in one of OpenCV's fonts, thin or thick, tilted."""
    paper, ink = int(random.integers(190, 250)), int(random.integers(10, 90))
    canvas = np.full((CANVAS, CANVAS), paper, np.uint8)
    font = int(random.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX,
                              cv2.FONT_HERSHEY_SCRIPT_COMPLEX]))  # fmt: skip
    text, thick = chr(65 + int(random.integers(26))), int(random.integers(6, 18))
    (width, height), _ = cv2.getTextSize(text, font, 6.5, thick)
    place = (CANVAS - width) // 2, (CANVAS + height) // 2
    cv2.putText(canvas, text, place, font, 6.5, ink, thick, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((CANVAS / 2, CANVAS / 2), random.uniform(-12, 12), 1.0)
    return cv2.warpAffine(canvas, turn, (CANVAS, CANVAS), borderValue=paper)


def drawn(draw, count, size):
    """`count` pictures, uint8 (count, size, size, C)."""
    drawings = (draw(np.random.default_rng((1, number))) for number in range(count))
    small = [cv2.resize(each, (size, size), interpolation=cv2.INTER_AREA) for each in drawings]
    return np.stack(small).reshape(count, size, size, -1)


def kinds(data):
    """Name -> pictures; every fifth is held out."""

    def real(name, size, channels, most):
        return load_folder(str(data / name), size, channels, "center", max_images=most)[0]

    return {
        "200 portraits": real("congress_400", 64, 3, 250),
        "320 portraits, grey": real("congress_400", 64, 1, 400),
        "320 portraits, 128x128": real("congress_400", 128, 3, 400),
        "4,000 paintings": real("portraits_5k", 64, 3, 5000),
        "400 flowers": drawn(flower, 500, 64),
        "400 houses": drawn(house, 500, 64),
        "400 letters, grey": drawn(letter, 500, 64),
    }


def find_or_create_run(settings, label):
    """The newest run in the current folder, or a new one."""
    try:
        return find_run()
    except InputError:
        return create_run(settings, label)


def train_on(pictures, minutes, seed, start):
    """Trains on an array -> the run, in the current folder."""
    settings = Settings(
        image_size=pictures.shape[1],
        channels=pictures.shape[3],
        seed=seed,
        start=start,
        epochs=None,
        minutes=minutes,
        evaluate_every_minutes=0.0,
        precision=faster_precision()[0],
    )
    run = find_or_create_run(settings, "pictures")
    train(settings, run, pictures)
    return run


@click.command()
@data_option
@click.option("--minutes", default=6.0, show_default=True, help="Of each kind.")
@click.option("--seed", default=0, show_default=True)
@work_option
def main(data, minutes, seed, work):
    data, work = data.resolve(), (work or Path(tempfile.mkdtemp())).resolve()
    rows, sheets = [], []
    for name, pictures in kinds(data).items():
        folder = work / name.replace(" ", "_")
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
        held_out = np.arange(len(pictures)) % 5 == 4
        trained, unseen = as_trained(pictures[~held_out], True), see(pictures[held_out])
        figures = []
        for until in (minutes / 2, minutes):
            # The start portraits has seen the paintings that are held out.
            start = "neutral" if "paintings" in name else "auto"
            run = train_on(pictures[~held_out], until, seed, start)
            made = draw_samples(load_network(run, run.generator_file))
            figures.append(evaluate(see(made), trained, unseen))
        (half, _), (whole, real) = figures
        swd = f"{half['swd']:.0f}, {whole['swd']:.0f} ({real['swd']:.0f})"
        coverage = f"{half['coverage']:.2f}, {whole['coverage']:.2f}"
        diversity = ", ".join(f"{x['diversity'] / real['diversity']:.2f}" for x in (half, whole))
        rows.append([name, swd, coverage, diversity, f"{whole['memorised']:.2f}"])
        strips = [np.hstack(some[:SHOWN]) for some in (pictures[held_out], made)]
        sheets.append((name.replace(", ", "\n"), np.vstack(strips).squeeze()))
        print(rows[-1], flush=True)
    os.chdir(PROJECT)
    draw_rows(sheets, PROJECT / "images" / "kinds.jpg")
    publish(
        "Other kinds of pictures",
        f"The default, seed {seed}, {minutes:g} minutes on 80 % of the pictures, measured on the "
        "rest after half and all of the time: *swd* with real pictures' own in brackets, "
        "*coverage*, *diversity* as a share of the real pictures', *copies* (0.05 for real ones).",
        table("pictures | swd | coverage | diversity | copies", rows),
        "![Real pictures above generated ones](../images/kinds.jpg)",
    )


if __name__ == "__main__":
    main()
