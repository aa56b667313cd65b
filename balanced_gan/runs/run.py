"""The run folder: everything that a run leaves on disk, and how to read it.

runs/001-faces/
    settings.json       the settings of the run
    metadata.json       when, how long, on which machine, with which versions and sizes
    skipped.txt         pictures that could not be used, and why
    history.csv         one row per step
    events.csv          warnings and restarts from a checkpoint
    lock                held by the process that trains
    grids/              real pictures, and pictures of the same latents over time
    checkpoints/        the newest states, for resuming
    generator.keras     the averaged generator, at the newest checkpoint
    discriminator.keras the discriminator, at the same step
    evaluations.csv     quality during training, one row per evaluation
    best/               both networks at the best evaluation
    metrics.json        the last results of `--TYPE evaluate`; nearest.png shows pairs
    final.png           the last grid
    losses.png          losses, gap and turns over the run
    animation.gif       the grids as an animation; also animation.mp4
    report.html         all of this on one page, updated during training
    export/             what `--TYPE export` writes
    tensorboard/        what `--tensorboard` writes
"""

import codecs
import csv
import errno
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from balanced_gan.errors import InputError
from balanced_gan.files import atomic_open, atomic_write
from balanced_gan.settings import Settings

HISTORY_COLUMNS = ("step", "epoch", "seconds", "loss_G", "loss_D", "gap", "turn_G", "turn_D")
EVENT_COLUMNS = ("step", "seconds", "event", "text")
# filelock 4 falls back to a soft lock, which would outlive a killed owner; filelock 3, the last for
# Python 3.10, raises NotImplementedError.
_NO_SOFT_LOCK: dict[str, Any] = (
    {"fallback_to_soft": False} if "fallback_to_soft" in signature(FileLock).parameters else {}
)
# Of some network file systems. On macOS the last two differ.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
_NUMBER = r"(-?\d{1,12}(?:\.\d{1,6})?)"
_HISTORY_ROW = re.compile(
    rf"(\d{{1,12}}),(\d{{1,12}}),{','.join(4 * [_NUMBER])},"
    # Versions before 2026-11-25 wrote "G" or "3G+D" in place of the last two columns.
    r"(?:(\d{1,7}),(\d{1,7})|(?=.)(?:(\d{0,3})G)?\+?(?:(\d{0,3})D)?)"
)
# The same versions called a metric by another name.
_FORMER_METRICS = {"spread": "diversity"}


@dataclass(frozen=True)
class Run:
    """One run folder."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def generator_file(self) -> Path:
        return self.path / "generator.keras"

    @property
    def discriminator_file(self) -> Path:
        return self.path / "discriminator.keras"

    @property
    def evaluations_file(self) -> Path:
        return self.path / "evaluations.csv"

    @property
    def history_file(self) -> Path:
        return self.path / "history.csv"

    @property
    def events_file(self) -> Path:
        return self.path / "events.csv"

    @property
    def report_file(self) -> Path:
        return self.path / "report.html"

    @property
    def final_grid(self) -> Path:
        return self.path / "final.png"

    @property
    def best(self) -> "Run":
        """The networks of the best evaluation, as a `Run`."""
        return Run(self.path / "best")

    def grid_file(self, label: str | int) -> Path:
        """The file of a grid: of "real" pictures, or after a number of steps."""
        name = label if isinstance(label, str) else f"step-{label:08d}"
        return self.path / "grids" / f"{name}.png"

    def grid_files(self) -> list[Path]:
        """The existing grids of the fixed latents, oldest first."""
        steps = sorted((self.path / "grids").glob("step-*.png"))
        return [file for file in steps if file.stem[5:].isdecimal()]  # no "step-00000100 copy"

    def settings(self) -> Settings:
        """Reads settings.json.

        Raises:
            InputError: if it is missing or invalid.
        """
        file = self.path / "settings.json"
        try:
            return Settings.from_json(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{str(self.path)!r} is not a run: it has no settings.json.") from None
        except (InputError, OSError, UnicodeDecodeError) as error:
            raise InputError(f"{str(file)!r} cannot be used: {error}.") from None

    def save_settings(self, settings: Settings) -> None:
        """Writes settings.json."""
        atomic_write(self.path / "settings.json", settings.to_json().encode())

    def metadata(self) -> dict[str, Any]:
        """Reads metadata.json; without sessions if that fails, since nothing depends on it."""
        try:
            found: dict[str, Any] = json.loads(
                (self.path / "metadata.json").read_text(encoding="utf-8")
            )
            found["sessions"] = [each for each in found["sessions"] if isinstance(each, dict)]
            return found
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {"sessions": []}

    def pictures_seen(self, steps: int) -> int:
        """The number of pictures trained on in this many steps, counting repetitions."""
        # Below the setting if there were few pictures.
        size = count_from(self.metadata().get("batch_size"))
        return steps * (size or self.settings().batch_size)

    def save_metadata(self, metadata: dict[str, Any]) -> None:
        """Writes metadata.json."""
        atomic_write(self.path / "metadata.json", (json.dumps(metadata, indent=2) + "\n").encode())

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """Prevents other processes from training the run. The system releases the lock even if
        its owner is killed.

        Yields:
            Whether it is locked; False on a file system that has no locks.

        Raises:
            InputError: if another process is training it.
        """
        lock = FileLock(self.path / "lock", **_NO_SOFT_LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"Run {self.name} is being trained by another process. Stop that one first, or "
                "start a new run with --new."
            ) from None
        except (NotImplementedError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
                raise
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def events(self) -> list[dict[str, str]]:
        """Rows of events.csv; none if it is missing or damaged."""
        return [row for row in _read_table(self.events_file) if row.keys() == set(EVENT_COLUMNS)]

    def add_event(self, step: int, seconds: float, event: str, text: str) -> None:
        """Adds a row to events.csv.

        Args:
            seconds: training time so far.
            event: its kind, in a word or two.
            text: the sentence that the user was shown.
        """
        rows = [list(row.values()) for row in self.events()]
        with suppress(OSError):  # the user has already been told
            write_table(
                self.events_file, EVENT_COLUMNS, [*rows, (step, round(seconds, 2), event, text)]
            )

    def evaluations(self) -> list[dict[str, float]]:
        """Rows of evaluations.csv; none if it is missing or damaged. Training then looks for a
        new best."""
        try:
            rows = [
                # An empty cell: another version of the program did not measure this.
                {_FORMER_METRICS.get(name, name): float(cell) for name, cell in row.items() if cell}
                for row in _read_table(self.evaluations_file)
            ]
        except (ValueError, TypeError):
            return []
        needed = {"step", "minutes", "mmd"}
        return [row for row in rows if row.keys() >= needed]

    def save_evaluations(self, rows: list[dict[str, float]]) -> None:
        """Writes evaluations.csv; at least one row."""
        columns = rows[0]  # of the version that began the run
        digits = {name: ".0f" if name == "step" else ".6g" for name in columns}
        cells = (
            [format(row[name], digits[name]) if name in row else "" for name in columns]
            for row in rows
        )
        write_table(self.evaluations_file, columns, cells)

    def open_history(self, steps: int) -> tuple[TextIO, Any]:
        """Opens history.csv for appending, without the rows after a step.

        After a crash the file is ahead of the checkpoint from which training resumes, and
        its last line may be incomplete.

        Args:
            steps: rows up to this step are kept.

        Returns:
            `(file, writer)`: the open file, and a `csv.writer` for it.
        """
        kept = (row.values() for row in self.history_rows() if int(row["step"]) <= steps)
        write_table(self.history_file, HISTORY_COLUMNS, kept)
        # Line-buffered, so that a killed process loses no rows.
        file = self.history_file.open("a", buffering=1, encoding="utf-8", newline="")
        return file, csv.writer(file, lineterminator="\n")

    def history_rows(self) -> Iterator[dict[str, str]]:
        """Yields the complete rows of history.csv; after a crash or on a full disk, some may be
        incomplete.

        One at a time: the two million rows of a day would take two gigabytes together.

        Raises:
            OSError: if the file exists and cannot be read. It must not look shorter than it is.
        """
        with (
            suppress(FileNotFoundError),
            self.history_file.open(encoding="utf-8", errors="replace") as file,
        ):
            next(file, None)  # the header
            for line in file:
                whole = _HISTORY_ROW.fullmatch(line.removesuffix("\n"))
                if not whole or not line.endswith("\n"):  # the last line may be incomplete
                    continue
                *values, turn_g, turn_d, former_g, former_d = whole.groups()
                if turn_g is None:  # "G" is one turn
                    former = (former_g, former_d)
                    turn_g, turn_d = ("0" if turn is None else turn or "1" for turn in former)
                yield dict(zip(HISTORY_COLUMNS, [*values, turn_g, turn_d], strict=True))


def count_from(value: object) -> int:
    """A number of pictures from metadata.json, which may hold anything; 0 if it is none."""
    return value if isinstance(value, int) and 0 < value < 10**9 else 0


def _read_table(file: Path) -> list[dict[str, str]]:
    """Rows of a CSV file; none if it is missing or damaged."""
    try:
        with file.open(encoding="utf-8", newline="") as text:
            return list(csv.DictReader(text))
    except (OSError, ValueError, csv.Error):
        return []


def write_table(file: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Writes a CSV file atomically, row by row, so that it may be larger than memory."""
    with atomic_open(file) as raw:
        writer = csv.writer(codecs.getwriter("utf-8")(raw), lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
