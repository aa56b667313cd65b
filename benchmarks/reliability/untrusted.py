"""What a run folder from somebody else can do to whoever uses it.

    python -m benchmarks.reliability.untrusted                  both parts, about 15 minutes
    python -m benchmarks.reliability.untrusted --part planted   attacks, each with every --TYPE
    python -m benchmarks.reliability.untrusted --part damaged   damage at random in any file

Needs Linux or macOS, for pipes and the peak of memory.
"""

import contextlib
import io
import json
import os
import random
import shutil
import struct
import sys
import tempfile
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import numpy as np

from balanced_gan.cli.commands import main as train_py
from balanced_gan.runs.run import Run
from benchmarks.reliability.torture import NAME, mutations, train_tiny
from benchmarks.shared import part_option, publish, run_train_py, table, watch

LONGEST = 60  # seconds of an action, each of which takes four to ten on a good run
ACTIONS = {
    "list": [],
    "report": [],
    "generate": ["--img_num", "4"],
    "interpolate": ["--latents", "2", "--frames_between", "2"],
    "evaluate": [],
    "export": [],
    "train": ["--resume", "--steps", "80"],
}
UNREAD = ("checkpoints", "losses.png", "animation.gif", "animation.mp4", "report.html", "lock")


def good_run(folder):
    """Trains a tiny run below a folder, with all that a run can have."""
    options = ["--grid_every_steps", "10", "--evaluate_every_minutes", "0.01"]
    _, output = train_tiny(folder, *options, "--steps", "40")
    assert Run(folder / NAME).best.generator_file.exists(), output
    assert run_train_py(folder, "--TYPE", "evaluate").returncode == 0


def link(name):
    """Plants a link to the precious file, or to its folder in place of a folder."""

    def plant(run, precious):
        place = run / name
        if place.is_dir():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        place.symlink_to(precious if place.suffix or name == "lock" else precious.parent)

    return plant


def pipe(name):
    """Plants a pipe into which nobody writes."""

    def plant(run, precious):
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)

    return plant


def text(name, content):
    """Plants a text file."""
    return lambda run, precious: (run / name).write_text(content)


def setting(name, value):
    """Plants a value into settings.json."""

    def plant(run, precious):
        file = run / "settings.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))

    return plant


def huge_png(run, precious):
    """In place of two grids: 100 megapixels, and 10,000."""
    for name, side in (("step-00000000", 10_000), ("step-00000010", 100_000)):
        row = zlib.compress(bytes(side // 8 + 1) * 1000)
        chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", row)]
        parts = [
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in [*chunks, (b"IEND", b"")]
        ]
        (run / "grids" / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def with_entry(archive, entry, change, compression=zipfile.ZIP_STORED):
    """Rewrites a zip archive; `change` makes an iterable of bytes of one entry's content."""
    with zipfile.ZipFile(archive) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(archive, "w", compression) as file:
        for name, content in entries.items():
            with file.open(name, "w", force_zip64=True) as stream:
                stream.writelines(change(content) if name == entry else [content])


def bomb(pattern, entry):
    """Plants an archive of a few megabytes with an entry of three gigabytes."""

    def plant(run, precious):
        (file, *_) = sorted(run.glob(pattern), reverse=True)
        zeros = (bytes(2**20) for _ in range(3 * 1024))
        with_entry(file, entry, lambda content: zeros, zipfile.ZIP_DEFLATED)

    return plant


class Evil:
    """Unpickled, it writes into a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.write_text, (self.file, "written")


def pickled(run, precious):
    """In place of every checkpoint, arrays of objects."""
    for file in (run / "checkpoints").iterdir():
        with np.load(file) as stored:
            arrays = dict(stored)
        arrays["generator/000-kernel"] = np.array([Evil(precious)], dtype=object)
        np.savez(file, **arrays)


def absurd_shape(run, precious):
    """A checkpoint whose first array claims to have 10^12 numbers."""
    for file in (run / "checkpoints").iterdir():
        with np.load(file) as stored:
            arrays = dict(stored)
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                buffer = io.BytesIO()
                header = np.lib.format.header_data_from_array_1_0(array)
                if name == "generator/000-kernel":
                    header["shape"] = (10**12,)
                np.lib.format.write_array_header_1_0(buffer, header)
                archive.writestr(f"{name}.npy", buffer.getvalue() + array.tobytes())


def lambda_layer(run, precious):
    """A generator with a layer that holds code."""
    import keras

    code = f"lambda x: __import__('pathlib').Path({str(precious)!r}).write_text('written') and x"
    network = keras.Sequential([keras.Input((8,)), keras.layers.Lambda(lambda x: x)])
    network.layers[-1].function = eval(code)
    network.save(run / "generator.keras")


def changed_config(change):
    """Plants a generator whose config was changed; the archive stays as it is otherwise."""
    return lambda run, precious: with_entry(
        run / "generator.keras", "config.json", lambda content: [change(content.decode()).encode()]
    )


def huge_dense(config):
    """A first layer with 10^8 times as many outputs."""
    config = json.loads(config)
    dense = next(x for x in config["config"]["layers"] if x["class_name"] == "Dense")
    dense["config"]["units"] *= 10**8
    return json.dumps(config)


def renamed(run, precious):
    run.rename(run.with_name("009-\x1b]0;mine\x07"))


LINKS = "settings.json.tmp", "history.csv", "report.html.tmp", "generator.tmp.keras", "lock"
LINKS += "checkpoints/", "grids/", "best/"
PIPES = "settings.json", "metadata.json", "history.csv", "grids/step-00000000.png"
PLANTED = {
    "nothing": lambda run, precious: None,
    **{f"link {name}": link(name) for name in LINKS},
    **{f"pipe {name}": pipe(name) for name in PIPES},
    "a name with control characters": renamed,
    "settings.json: nested 10^5 deep": text("settings.json", 10**5 * "["),
    "settings.json: width 10^9": setting("width", 10**9),
    "settings.json: path /dev": setting("path", "/dev"),
    "settings.json: path with control characters": setting("path", "/x\x1b]0;mine\x07"),
    "metadata.json: nested": text("metadata.json", 10**5 * "["),
    "metrics.json: nested": text("metrics.json", 10**5 * "["),
    "evaluations.csv: a field of 200 kB": text(
        "evaluations.csv", f"step,minutes,swd\n1,2,{200_000 * '3'}\n"
    ),
    "events.csv: the same": text("events.csv", f"step,text\n1,{200_000 * '3'}\n"),
    "grids of 10^8 and 10^10 pixels": huge_png,
    "a grid in PostScript": text("grids/step-00000000.png", "%!PS-Adobe-3.0 EPSF-3.0\n"),
    "checkpoints with pickled objects": pickled,
    "checkpoint: 3 GiB in 3 MB": bomb("checkpoints/*.npz", "generator/000-kernel.npy"),
    "checkpoints: an array of 10^12": absurd_shape,
    "generator: 3 GiB in 3 MB": bomb("generator.keras", "model.weights.h5"),
    "generator with code": lambda_layer,
    "generator: 10^8 times too wide": changed_config(huge_dense),
    "generator: config nested": changed_config(lambda config: 10**5 * "["),
}


def act(folder, options):
    """Calls train.py -> `(exit status or "hang", output, peak MiB)`."""
    with tempfile.TemporaryFile("w+") as output:
        ended = watch(folder, *options, longest=LONGEST, stdout=output)
        output.seek(0)
        status = str(ended.status) if ended.seconds < LONGEST else "hang"
        return status, output.read(), ended.peak


def try_planted(name, good):
    """Every action on a copy of a good run with something planted in it -> a row of the table."""
    found = {"0": 0, "1": 0, "other": 0, "odd": 0, "peak": 0}
    elsewhere = "no"
    for action, options in ACTIONS.items():
        with tempfile.TemporaryDirectory() as place:
            folder, precious = Path(place, "work"), Path(place, "home", "precious.txt")
            shutil.copytree(good, folder)
            precious.parent.mkdir()
            precious.write_text("precious")
            PLANTED[name](folder / NAME, precious)
            status, output, peak = act(folder, ["--TYPE", action, *options])
            errors = [line for line in output.splitlines() if line.startswith("Error")]
            found[status if status in found else "other"] += 1
            odd = "Traceback" in output or "\x1b]" in output or "\x07" in output
            found["odd"] += odd or (status == "1" and len(errors) != 1)
            found["peak"] = max(found["peak"], peak)
            others = [file.name for file in precious.parent.iterdir()]
            if others != [precious.name] or precious.read_text() != "precious":
                elsewhere = "YES"
            print(name, action, status, *errors, flush=True)
    return [name, found["0"], found["1"], found["other"], found["odd"], elsewhere, found["peak"]]


def planted():
    """Publishes what each attack came to."""
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(2) as two:
        good_run(Path(place))
        rows = list(two.map(lambda name: try_planted(name, Path(place)), PLANTED))
    publish(
        "Untrusted run folders",
        f"Something planted in a tiny run, then each of {', '.join(ACTIONS)}. *Odd*: a traceback, "
        "control characters on the terminal, or not one sentence. *Elsewhere*: whether anything "
        "outside of the run's folder was written. Two at a time.",
        table(
            f"planted | done | refused | crashed or longer than {LONGEST} s | odd | elsewhere | "
            "peak MiB",
            [[*row[:-1], f"{row[-1]:.0f}"] for row in rows],
        ),
    )


def called(*args):
    """Calls the command line in this process -> `(exit status, exception or None)`."""
    before, sys.argv = sys.argv, ["train.py", *args]
    try:
        with (
            contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())),
            contextlib.redirect_stderr(io.TextIOWrapper(io.BytesIO())),
        ):
            train_py()
    except SystemExit as stop:
        return (1 if isinstance(stop.code, str) else stop.code), None
    except BaseException as error:
        return 1, error
    finally:
        sys.argv = before
    return 0, None


def pictures_of(folder):
    """What `--TYPE generate` wrote below a folder, as a dict from names to bytes."""
    return {file.name: file.read_bytes() for file in (folder / "images").rglob("*.*")}


def damaged(count):
    """Publishes what damage at random in any one file of a run comes to."""
    outcomes = {}
    with tempfile.TemporaryDirectory() as place:
        good, folder = Path(place, "good"), Path(place, "work")
        good.mkdir()
        good_run(good)
        kinds = {}  # as many damaged of each kind, however many files are of it
        for file in sorted((good / NAME).rglob("*")):
            name = file.relative_to(good / NAME)
            # Of checkpoints, see torture.py; of the others, nothing is read again.
            kind = name.parts[0] if name.parts[0] == "grids" else str(name)
            if file.is_file() and name.parts[0] not in UNREAD:
                kinds.setdefault(kind, []).append(name)
        making = {best: ["--img_num", "4", "--seed", "3", *best] for best in ((), ("--best",))}
        expected = {}
        for best, options in making.items():
            shutil.copytree(good, folder)
            os.chdir(folder)
            assert called("--TYPE", "generate", *options) == (0, None)
            expected[best] = pictures_of(folder)
            shutil.rmtree(folder)
        for seed in range(count):
            chance = random.Random(seed)
            kind = chance.choice(sorted(kinds))
            best = ("--best",) if kind.startswith("best") else ()
            shutil.copytree(good, folder)
            file = folder / NAME / chance.choice(kinds[kind])
            file.write_bytes(mutations(file.read_bytes(), chance))
            os.chdir(folder)
            outcome = outcomes.setdefault(kind, [0, 0, 0, 0, 0])
            for action, options in (("list", []), ("report", []), ("generate", making[best])):
                status, trouble = called("--TYPE", action, *options)
                outcome[0] += 1
                outcome[1 if status == 0 else 2] += 1
                if trouble is not None:
                    outcome[3] += 1
                    print(seed, kind, action, repr(trouble), flush=True)
                if (action, status) == ("generate", 0) and pictures_of(folder) != expected[best]:
                    outcome[4] += 1
                    print(seed, kind, "made other pictures", flush=True)
            os.chdir(place)
            shutil.rmtree(folder)
    publish(
        "Damage in any file of a run",
        f"{count} run folders of which one file is damaged, made as the damaged pictures, each "
        "used by `--TYPE list`, `report` and `generate` (of files in best/, with `--best`). "
        "*Wrong*: other pictures than from the whole run.",
        table(
            "file | uses | done | refused in a sentence | tracebacks | wrong",
            [[kind, *outcomes[kind]] for kind in sorted(outcomes)],
        ),
    )


@click.command()
@part_option("planted", "damaged")
@click.option("--count", default=600, show_default=True, help="Damaged run folders.")
def main(parts, count):
    for part in parts:
        planted() if part == "planted" else damaged(count)


if __name__ == "__main__":
    main()
