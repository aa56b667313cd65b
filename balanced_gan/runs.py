"""All runs: where they are, how a new one is made, how one is found again."""

import dataclasses
import os
import re
import stat
from pathlib import Path

from balanced_gan.errors import InputError
from balanced_gan.files import printable
from balanced_gan.run import Run

RUNS = Path("runs")  # below the folder the program is started in


def create_run(settings):
    """Makes the next numbered run folder, with settings.json in it.

    Args:
        settings: a `Settings`.

    Returns:
        The new `Run`.

    Raises:
        InputError: if `runs` is a link to a folder that is not there.
        OSError: if no folder can be made.
    """
    source = "sine" if settings.of_points else "drawn-faces"
    if settings.path:
        source = Path(settings.path).resolve().name
    label = re.sub(r"[^\w.-]+", "-", source)[:60].strip("-.") or "pictures"
    number = max((_number(run.name) for run in all_runs()), default=0) + 1
    while True:
        path = RUNS / f"{number:03d}-{label}"
        try:
            path.mkdir(parents=True)
            break
        except FileExistsError:
            if not path.exists():
                raise InputError(
                    f"{str(RUNS)!r} is a link to a folder that is not there; is a disk missing?"
                ) from None
            number += 1  # another process was faster
    run = Run(path)
    (path / "grids").mkdir()
    (path / "checkpoints").mkdir()
    run.save_settings(settings)
    return run


def all_runs():
    """Every run folder, newest first."""
    folders = [path for path in RUNS.glob("*") if path.is_dir() and _number(path.name)]
    return [Run(path) for path in sorted(folders, key=lambda p: _number(p.name), reverse=True)]


def find_run(name=None):
    """The run of a name, number or path; the newest if None.

    Raises:
        InputError: if there is none, or it is not fit to be opened, see `checked`.
    """
    if name is None:
        runs = all_runs()
        if not runs:
            raise InputError(
                f"There is no run in {str(RUNS.resolve())!r} yet; make one with: "
                "python train.py --TYPE train --path FOLDER"
            )
        return checked(runs[0])
    for path in (Path(name), RUNS / name):
        if (path / "settings.json").is_file():
            return checked(Run(path))
    numbered = [run for run in all_runs() if name.isdigit() and _number(run.name) == int(name)]
    if numbered:
        return checked(numbered[0])
    known = ", ".join(printable(run.name) for run in all_runs()[:10]) or "none"
    raise InputError(f"There is no such run: run={name!r}. Known, newest first: {known}.")


def checked(run):
    """The run itself, if its folder has nothing but files and folders in it.

    It may come from a stranger: through a link, training would write elsewhere; who reads a pipe
    waits for ever; and its name is shown on the terminal.

    Raises:
        InputError: that names what is odd.
    """
    shown = printable(run.name)
    if shown != run.name:
        raise InputError(f"The run '{shown}' has odd characters in its name; rename it first.")
    for parent, folders, files in os.walk(run.path):
        for path in (Path(parent, name) for name in (*folders, *files)):
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:  # of a training that goes on meanwhile
                continue
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                what = "a link" if stat.S_ISLNK(mode) else "neither file nor folder"
                raise InputError(
                    f"The run '{shown}' is not safe to use: '{printable(str(path))}' is {what}; "
                    "remove that first."
                )
    return run


def matching_run(settings):
    """The newest run that a training command of these settings would continue, or None.

    A precision or a start of "auto" fits whatever it was once decided to be.
    """
    for run in all_runs():
        try:
            stored = checked(run).settings()
        except InputError:  # a damaged folder matches nothing
            continue
        decided = {
            name: getattr(stored, name)
            for name in ("precision", "start")
            if getattr(settings, name) == "auto"
        }
        asked = dataclasses.replace(settings, **decided)
        if stored.identity() == asked.identity():
            return run
    return None


def _number(name):
    match = re.match(r"(\d+)-", name)
    return int(match[1]) if match else 0
