"""Can pictures, videos, figures, pages and exports be made of every preset's run?

    python -m benchmarks.reliability.outputs

It takes about a quarter of an hour, and needs `".[explore,onnx]"`.
"""

import itertools
import sys
import tempfile
from pathlib import Path

from balanced_gan import InputError
from balanced_gan.output import sampling
from balanced_gan.output.kinds import kind_of
from balanced_gan.presets.table import PRESETS
from balanced_gan.views.explore_page import build_page
from balanced_gan.views.explorer import Explorer
from balanced_gan.views.export import FORMATS, export
from benchmarks.shared import publish, run_below, run_train_py, table


def explorer_of(run):
    """A run's explorer, with the pictures that it was trained on."""
    pictures, _ = kind_of(run.settings()).load()
    return Explorer(sampling.load_sampler(run, False, 1.0), pictures)


def every_preset():
    """A row for each preset, size and number of channels: what could not be made of its run."""
    commands = {"generate": ["--columns", 4, "--captions"], "interpolate": ["--frames_between", 3]}
    commands |= {"evaluate": [], "report": []}
    rows = []
    images = itertools.product([name for name in PRESETS if name != "sine"], (64, 128), (3, 1))
    for preset, size, channels in images:
        failed, differences = [], []
        with tempfile.TemporaryDirectory() as place:
            options = ["--image_size", size, "--channels", channels, "--max_images", 100]
            options += ["--steps", 4, "--batch_size", 8, "--evaluate_every_minutes", 0]
            options += ["--width", 16]  # all kinds of layers, sooner
            done = run_train_py(place, "--preset", preset, *options)
            if done.returncode:
                sys.exit(f"{preset}, {size}, {channels}: {done.stderr}")
            for name, more in commands.items():
                done = run_train_py(place, "--TYPE", name, *more)
                if done.returncode:
                    failed.append(f"{name}: {done.stderr.strip()}")
            run = run_below(Path(place))
            for kind in FORMATS:
                try:
                    differences.append(export(run, False, kind, Path(place, "out"))[1])
                except InputError as error:
                    failed.append(f"{kind}: {error}")
            explorer = explorer_of(run)
            build_page(explorer, preset, Path(place, "explored"))
            if explorer.see(explorer.latent(0, 1, 0.5)).picture.shape[:2] != (size, size):
                failed.append("explore: a picture of another size")
        colour = "colour" if channels == 3 else "grey"
        largest = f"{max(differences):.3f}"
        rows.append([preset, size, colour, largest, "; ".join(failed) or "nothing"])
        print(rows[-1], flush=True)
    return rows


def sine_sentences():
    """What each command says of a run of points."""
    with tempfile.TemporaryDirectory() as place:
        run_train_py(place, "--preset", "sine", "--steps", 4)
        commands = "generate", "report", "evaluate", "interpolate", "explore", "export"
        answers = {name: run_train_py(place, "--TYPE", name) for name in commands}
    return [
        [name, done.stderr.strip().removeprefix("Error: ") if done.returncode else "works"]
        for name, done in answers.items()
    ]


def main():
    publish(
        "Every preset, seen and taken away",
        "Of a run of four batches of each preset at width 16 on drawn faces: `generate`, "
        "`interpolate`, `evaluate`, `report`, `explore` and `export` to all formats. "
        "*Difference*: the largest of all exports, in levels of 255.",
        table("preset | size | pictures | difference | not made", every_preset()),
        "Of points, the preset `sine`:",
        table("--TYPE | what it says", sine_sentences()),
    )


if __name__ == "__main__":
    main()
