"""All runs: making a new one and finding existing ones."""

import dataclasses
import os
import re
import stat
from pathlib import Path

from balanced_gan.errors import InputError
from balanced_gan.files import printable
from balanced_gan.runs.run import Run
from balanced_gan.settings import STARTS, Settings
from balanced_gan.terminal import program

RUNS = Path("runs")  # in the folder in which the program is started


def create_run(settings: Settings, label: str) -> Run:
    """Creates the next numbered run folder, with settings.json in it.

    Args:
        label: what the run is trained on, for its name.

    Raises:
        InputError: if `runs` is a link to a folder that does not exist.
        OSError: if the folder cannot be created.
    """
    label = re.sub(r"[^\w.-]+", "-", label)[:60].strip("-.") or "pictures"
    number = max((_number(path.name) for path in _numbered_folders()), default=0) + 1
    while True:
        path = RUNS / f"{number:03d}-{label}"
        try:
            path.mkdir(parents=True)
            break
        except FileExistsError:
            if not path.exists():
                raise InputError(
                    f"{str(RUNS)!r} is a link to a folder that does not exist; is a disk missing?"
                ) from None
            number += 1  # another process was faster
    run = Run(path)
    (path / "grids").mkdir()
    (path / "checkpoints").mkdir()
    run.save_settings(settings)
    return run


def all_runs() -> list[Run]:
    """Every run, newest first. A copy, whose name is longer, comes after its original."""

    def place(path: Path) -> tuple[int, int, str]:
        return -_number(path.name), len(path.name), path.name

    folders = sorted(_numbered_folders(), key=place)
    return [Run(path) for path in folders if _has_settings(path)]


def find_run(name: str | None = None) -> Run:
    """Finds a run by its name, number or path; the newest if None.

    Raises:
        InputError: if there is none, or it is unsafe, see `refuse_unsafe`.
    """
    if name is None:
        runs = all_runs()
        if not runs:
            raise InputError(
                f"There is no run in {str(RUNS.resolve())!r} yet; create one with: "
                f"{program()} --TYPE train --path FOLDER"
            )
        return refuse_unsafe(runs[0])
    for path in (Path(name), RUNS / name):
        if (path / "settings.json").is_file():
            return refuse_unsafe(Run(path))
    runs = all_runs()
    numbered = [run for run in runs if name.isdecimal() and _number(run.name) == int(name)]
    if numbered:
        return refuse_unsafe(numbered[0])
    known = ", ".join(printable(run.name) for run in runs[:10]) or "none"
    raise InputError(f"There is no such run: run={name!r}. Known, newest first: {known}.")


def refuse_unsafe(run: Run) -> Run:
    """Returns the run itself if its folder contains only files and folders.

    An untrusted run could have a link, through which training would write elsewhere, a pipe,
    which blocks when it is read, or a name that controls the terminal.

    Raises:
        InputError: that names what is unsafe.
    """
    shown = printable(run.name)
    if shown != run.name:
        raise InputError(
            f"The run '{shown}' has unprintable characters in its name; rename it first."
        )
    for parent, folders, files in os.walk(run.path):
        for path in (Path(parent, name) for name in (*folders, *files)):
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:  # deleted by a run in training
                continue
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                what = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise InputError(
                    f"The run '{shown}' is not safe to use: '{printable(str(path))}' is {what}; "
                    "remove it first."
                )
    return run


def matching_run(settings: Settings) -> tuple[Run | None, Settings, list[str]]:
    """Finds the newest run that training with these settings would continue.

    A precision or start of "auto" matches the one that the run chose.

    Returns:
        `(run, settings, unusable)`: the run, or None; the settings, with what the run chose; and
        for each newer run that cannot be used, a sentence that says why.
    """
    unusable = []
    for run in all_runs():
        try:
            stored = refuse_unsafe(run).settings()
        except InputError as error:
            unusable.append(f"Run {printable(run.name)} was not considered. {error}")
            continue
        asked = settings
        if asked.precision == "auto":
            asked = dataclasses.replace(asked, precision=stored.precision)
        # For other networks than "light", "auto" is "scratch".
        if asked.start == "auto" and (stored.start in STARTS or stored.networks != "light"):
            asked = dataclasses.replace(asked, start=stored.start)
        if stored.identity() == asked.identity():
            return run, asked, unusable
    return None, settings, unusable


def _has_settings(path: Path) -> bool:
    try:
        return (path / "settings.json").exists()
    except PermissionError:  # before Python 3.14; whoever reads the settings says so
        return True


def _numbered_folders() -> list[Path]:
    return [path for path in RUNS.glob("*") if path.is_dir() and _number(path.name)]


def _number(name: str) -> int:
    match = re.match(r"(\d+)-", name)
    return int(match[1]) if match else 0
