"""--TYPE list: a table of all runs."""

from collections import deque
from contextlib import suppress

import click

from balanced_gan.cli.options import cli_command
from balanced_gan.errors import InputError
from balanced_gan.files import printable
from balanced_gan.runs.registry import all_runs, refuse_unsafe
from balanced_gan.terminal import program

_HEADER = ["run", "pictures seen", "minutes", "side", "mmd", "MB", "trained on"]


@cli_command("list")
def command():
    """List all runs, newest first."""
    rows = [_HEADER, *(_row(run) for run in all_runs())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER) - 1)]
    for row in rows:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        click.echo("  ".join([*cells, row[-1]]))
    if len(rows) == 1:
        click.echo(f"(none yet: {program()} --path FOLDER makes one)")


def _row(run):
    """The cells of one run."""
    try:
        return _cells(refuse_unsafe(run))
    except InputError:
        return [printable(run.name), *[""] * 5, "cannot be used; --run NAME says why"]
    except OSError as error:
        return [printable(run.name), *[""] * 5, f"cannot be read: {error.strerror or error}"]


def _cells(run):
    from balanced_gan.output.kinds import kind_of  # here: it takes a while to import

    kind = kind_of(run.settings())
    seen, minutes = "0", "0.0"
    for row in deque(run.history_rows(), 1):  # the newest, if any
        seen = f"{run.pictures_seen(int(row['step'])):,}"
        minutes = f"{float(row['seconds']) / 60:.1f}"
    evaluations = run.evaluations()
    mmd = f"{evaluations[-1]['mmd']:.3f}" if evaluations else ""
    size = 0
    for file in run.path.rglob("*"):
        with suppress(FileNotFoundError):  # a run that trains writes and renames
            size += file.stat().st_size if file.is_file() else 0
    return [printable(run.name), seen, minutes, kind.side, mmd, f"{size / 1e6:.0f}", kind.source]
