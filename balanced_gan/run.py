"""The run folder: everything that a run leaves on disk, and how it is found again.

runs/001-faces/
    settings.json       what was asked for
    metadata.json       when, how long, on what machine, with which versions and sizes
    skipped.txt         pictures that could not be used, and why
    history.csv         one row a batch
    events.csv          what was noticed on the way: warnings, steps back
    lock                held by the process that trains
    grids/              real pictures, and what the same latents give over time
    checkpoints/        everything needed to go on; the last few
    generator.keras     the EMA generator, as new as the newest checkpoint
    discriminator.keras its judge, of the same moment
    evaluations.csv     quality while training, one row an evaluation
    best/               both networks as they were at the best of these
    metrics.json        quality as `--TYPE evaluate` last found it; nearest.png: pairs
    final.png           the last grid
    losses.png          losses, gap and turns over the run
    animation.gif       the grids in the order of time; animation.mp4 likewise
    report.html         all of this to look at, refreshed while training
"""

import csv
import io
import json
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from balanced_gan.errors import InputError
from balanced_gan.files import whole_file, write_whole
from balanced_gan.settings import Settings

HISTORY_COLUMNS = ("step", "epoch", "seconds", "loss_G", "loss_D", "gap", "turn")
EVENT_COLUMNS = ("step", "seconds", "event", "text")
_NUMBER = r"(-?\d{1,12}(?:\.\d{1,6})?)"
_HISTORY_ROW = re.compile(
    rf"(\d{{1,12}}),(\d{{1,12}}),{','.join(4 * [_NUMBER])},(\d{{0,3}}[GD](?:\+\d{{0,3}}[GD])?)"
)


@dataclass(frozen=True)
class Run:
    """One run folder.

    Args:
        path: the folder, a `pathlib.Path`.
    """

    path: Path

    @property
    def name(self):
        return self.path.name

    @property
    def generator_file(self):
        return self.path / "generator.keras"

    @property
    def discriminator_file(self):
        return self.path / "discriminator.keras"

    @property
    def best(self):
        """The networks of the best evaluation, as a `Run` of the same settings."""
        return Run(self.path / "best")

    def source(self, best):
        """The `Run` to take networks from: with `best`, those of its best evaluation."""
        return self.best if best else self

    @property
    def evaluations_file(self):
        return self.path / "evaluations.csv"

    @property
    def history_file(self):
        return self.path / "history.csv"

    @property
    def events_file(self):
        return self.path / "events.csv"

    @property
    def report_file(self):
        return self.path / "report.html"

    @property
    def final_sheet(self):
        return self.path / "final.png"

    def grid_file(self, label):
        """Where a grid goes.

        Args:
            label: "real" or the number of batches trained.
        """
        name = label if isinstance(label, str) else f"step-{label:08d}"
        return self.path / "grids" / f"{name}.png"

    def grid_files(self):
        """The grids of the fixed latents that exist, in the order of time."""
        steps = sorted((self.path / "grids").glob("step-*.png"))
        return [file for file in steps if file.stem[5:].isdecimal()]  # no "step-00000100 copy"

    def settings(self):
        """The run's `Settings`.

        Raises:
            InputError: if settings.json is missing or not as it must be.
        """
        file = self.path / "settings.json"
        try:
            return Settings.from_json(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{str(self.path)!r} is not a run: it has no settings.json.") from None
        except (InputError, OSError, UnicodeDecodeError) as error:
            raise InputError(f"{str(file)!r} cannot be used: {error}.") from None

    def save_settings(self, settings):
        """Writes settings.json."""
        write_whole(self.path / "settings.json", settings.to_json().encode())

    def metadata(self):
        """What `save_metadata` wrote, or no sessions if that cannot be read."""
        try:
            found = json.loads((self.path / "metadata.json").read_text(encoding="utf-8"))
            if isinstance(found["sessions"], list):
                return found
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass  # it informs people; nothing depends on it
        return {"sessions": []}

    def pictures_seen(self, steps):
        """How many pictures it was trained on in so many batches, repetitions counted."""
        size = self.metadata().get("batch_size")  # smaller than asked for if pictures were few
        return steps * (size if isinstance(size, int) else self.settings().batch_size)

    def save_metadata(self, metadata):
        """Writes metadata.json."""
        write_whole(self.path / "metadata.json", (json.dumps(metadata, indent=2) + "\n").encode())

    @contextmanager
    def alone(self):
        """Keeps other processes from training the run; the system lets go of the lock even
        when its owner is killed.

        Raises:
            InputError: if another process trains it.
        """
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"Run {self.name} is being trained by another process. Stop that one first, or "
                "start a run beside it with --new."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def events(self):
        """Rows of events.csv, a list of dicts; empty if there are none that can be read."""
        try:
            with self.events_file.open(encoding="utf-8", newline="") as file:
                return [row for row in csv.DictReader(file) if row.keys() == set(EVENT_COLUMNS)]
        except (OSError, ValueError, csv.Error):
            return []

    def add_event(self, step, seconds, event, text):
        """Adds a row to events.csv.

        Args:
            step: batches trained.
            seconds: spent training.
            event: what kind it is, a word or two.
            text: what was said to the user.
        """
        text_file = io.StringIO()
        writer = csv.DictWriter(text_file, EVENT_COLUMNS, lineterminator="\n")
        writer.writeheader()
        row = zip(EVENT_COLUMNS, (step, round(seconds, 2), event, text), strict=True)
        writer.writerows([*self.events(), dict(row)])
        with suppress(OSError):  # the user has been told
            write_whole(self.events_file, text_file.getvalue().encode())

    def evaluations(self, steps):
        """Rows of evaluations.csv.

        Args:
            steps: rows up to this step count; after a crash there may be later ones.

        Returns:
            A list of dicts from column to float; empty if there is no such file.
        """
        try:
            text = self.evaluations_file.read_text(encoding="utf-8")
            rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(text.split())]
            needed = {"step", "minutes", "mmd"}
            return [row for row in rows if row.keys() >= needed and row["step"] <= steps]
        except (OSError, ValueError, TypeError, KeyError, csv.Error):
            return []  # it informs people; without it, the best is looked for anew

    def save_evaluations(self, rows):
        """Writes evaluations.csv."""
        lines = [",".join(rows[0]), *(",".join(f"{x:.6g}" for x in r.values()) for r in rows)]
        write_whole(self.evaluations_file, ("\n".join(lines) + "\n").encode())

    def open_history(self, steps):
        """Opens history.csv for appending, without rows past a step.

        After a crash the file is ahead of the checkpoint that training goes on from, and
        its last line may be torn.

        Args:
            steps: rows up to this step stay.

        Returns:
            `(file, writer)`: the open file and a `csv.writer` on it.
        """
        with whole_file(self.history_file) as file:
            file.write(f"{','.join(HISTORY_COLUMNS)}\n".encode())
            for row in self.history_rows():
                if int(row["step"]) <= steps:
                    file.write(f"{','.join(row.values())}\n".encode())
        # Line by line, so that a killed process loses none of its rows.
        file = self.history_file.open("a", buffering=1, encoding="utf-8", newline="")
        return file, csv.writer(file, lineterminator="\n")

    def history_rows(self):
        """Rows of history.csv that are whole, as dicts of strings; after a crash or on a full
        disk, some may not be.

        One by one: a day's two million would take two gigabytes together.

        Raises:
            OSError: if the file is there and cannot be read, so that nobody takes it for shorter.
        """
        with (
            suppress(FileNotFoundError),
            self.history_file.open(encoding="utf-8", errors="replace") as file,
        ):
            next(file, None)  # the names of the columns
            for line in file:
                whole = _HISTORY_ROW.fullmatch(line.removesuffix("\n"))
                if whole and line.endswith("\n"):  # without it, the last one is torn
                    yield dict(zip(HISTORY_COLUMNS, whole.groups(), strict=True))

    def history(self):
        """All of `history_rows`, as a list."""
        return list(self.history_rows())
