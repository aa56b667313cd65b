"""What all benchmarks share: train.py as a process, rounds in turn, tables, the page of results."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from balanced_gan.runs.machine import machine
from balanced_gan.runs.run import Run

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "benchmarks" / "README.md"
RESULTS = PROJECT / "benchmarks" / "results"
MIB = 2**20 if sys.platform == "darwin" else 1024  # units of ru_maxrss in one

data_option = click.option("--data", default="../shared/data", show_default=True, type=Path)


def part_option(*parts: str):
    """The option --part, which may be given several times."""
    some = {"multiple": True, "type": click.Choice(parts), "default": parts}
    return click.option("--part", "parts", help="[default: all]", **some)


def machine_line() -> str:
    """The machine, versions and date in one line."""
    facts = machine()
    onednn = f"oneDNN {facts['onednn']}"
    held = os.environ.get("ONEDNN_MAX_CPU_ISA")
    if held:
        onednn += f", held to {held}"
    packages = ", ".join(f"{name} {facts[name]}" for name in ("tensorflow", "keras", "numpy"))
    return (
        f"{facts['processor']} ({facts['instructions']}; {onednn}), "
        f"{facts['cores']} cores, all used; "
        f"{facts['system']}, Python {facts['python']}, {packages}; {date.today()}"
    )


def table(header: str, rows: Iterable[Iterable]) -> str:
    """A Markdown table.

    Args:
        header: names of the columns, with " | " between them.
        rows: of values.
    """
    names = header.split(" | ")
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def table_of(rows: list[dict]) -> str:
    """A Markdown table of dicts with the same keys."""
    return table(" | ".join(rows[0]), [row.values() for row in rows])


def publish(section: str, *paragraphs: str) -> None:
    """Prints paragraphs and puts them under a heading of the page, in place of the old ones.

    Args:
        section: text of the heading; also how the old text is found.
        *paragraphs: Markdown.
    """
    given = pairwise([*sys.argv[1:], ""])
    # Without the options that name a place on this machine.
    words = [word for word, value in given if "/" not in (word[:1], value[:1]) and "=/" not in word]
    command = shlex.join(["python", "-m", sys.modules["__main__"].__spec__.name, *words])
    held = os.environ.get("ONEDNN_MAX_CPU_ISA")
    section += f" (held to {held})" if held else ""
    body = "\n\n".join([f"`{command}` on {machine_line()}.", *paragraphs])
    print(body)
    page = PAGE.read_text(encoding="utf-8")
    text = f"## {section}\n\n{body}\n"
    old = re.compile(rf"^## {re.escape(section)}\n.*?(?=^## |\Z)", re.S | re.M)
    if old.search(page):
        page = old.sub(lambda _: text + "\n", page)
    else:
        page = page.rstrip("\n") + "\n\n" + text
    PAGE.write_text(page.rstrip("\n") + "\n", encoding="utf-8")


def seconds_of(work: Callable) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median(values) -> float:
    """The median as a float."""
    return float(np.median(values))


def in_turn(work: Mapping[str, Any], rounds: int, measure: Callable = seconds_of) -> dict:
    """Measures several things round by round, so that a slow moment of the machine hits all.

    Args:
        work: name -> function, or what `measure` takes.
        rounds: how often each is measured.
        measure: function from one of them to a number, or to a tuple of numbers.

    Returns:
        Name -> array, (rounds,) or (rounds, numbers).
    """
    found = {name: [] for name in work}
    for _ in range(rounds):
        for name, function in work.items():
            found[name].append(measure(function))
    return {name: np.array(values) for name, values in found.items()}


def start(folder: Path, *options, project: Path = PROJECT, **kwargs) -> subprocess.Popen:
    """Starts train.py.

    Args:
        folder: where to.
        *options: of train.py.
        project: the checkout whose train.py is meant.
        **kwargs: of `subprocess.Popen`; by default its output is lost.
    """
    command = [sys.executable, project / "train.py", *options]
    kwargs = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT} | kwargs
    kwargs["env"] = kwargs.get("env", os.environ) | {"PYTHONPATH": str(project)}
    return subprocess.Popen([*map(str, command)], cwd=folder, **kwargs)


def run_train_py(folder: Path, *options) -> subprocess.CompletedProcess:
    """Runs train.py and keeps what it says, as `stdout` and `stderr`."""
    command = [sys.executable, PROJECT / "train.py", *options]
    return subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True)


def pytorch_environment() -> dict:
    """What a process needs so that PyTorch's own operations are held to AVX2 too, where oneDNN
    is."""
    held = os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX2"
    return {"ATEN_CPU_CAPABILITY": "avx2"} if held else {}


class Watched(NamedTuple):
    """A process that has ended."""

    status: int  # its exit status; negative if it was killed
    seconds: float
    peak: float  # MiB, the largest resident size


def watch(
    folder: Path,
    *options,
    look: Callable[[float], bool | None] = lambda seconds: True,
    longest: float = 1e9,
    **kwargs,
) -> Watched:
    """Runs train.py and looks at what it does.

    Args:
        folder: where to.
        *options: of train.py.
        look: called every 10 ms with the seconds since the start, until it returns True.
        longest: seconds after which the process is killed. Without it, a process that fails
            ends the benchmark.
        **kwargs: as in `start`.
    """
    began, pid, seen, peak = time.monotonic(), 0, False, 0.0
    process = start(folder, *options, **kwargs)
    while not pid:
        seconds = time.monotonic() - began
        seen = seen or look(seconds)
        if seconds > longest:
            process.kill()
        peak = _peak_on_linux(process.pid) or peak
        time.sleep(0.01)
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status and longest == 1e9:
        sys.exit(f"train.py {' '.join(map(str, options))} failed")
    return Watched(process.returncode, time.monotonic() - began, peak or usage.ru_maxrss / MIB)


def _peak_on_linux(pid):
    """MiB; 0 where it is not known. There `ru_maxrss` begins with the peak of the parent."""
    with suppress(OSError):
        peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return int(peak[1]) / 1024 if peak else 0.0
    return 0.0


def run_below(folder: Path) -> Run:
    """The only run below a folder."""
    return Run(next(folder.glob("runs/0*")))


def history(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """`(gaps, turns)` of a run's batches, (N,) and (N, 2): of the generator, the discriminator."""
    rows = list(run.history_rows())
    turns = [(int(row["turn_G"]), int(row["turn_D"])) for row in rows]
    return np.array([float(row["gap"]) for row in rows]), np.array(turns)
