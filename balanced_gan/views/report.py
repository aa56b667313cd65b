"""Writes report.html: one page with everything about a run, which opens anywhere.

Pictures, charts and Plotly's JavaScript are all in the file, so it can be moved, sent and opened
without a network. While the run trains, the page reloads itself.
"""

import base64
import dataclasses
import io
import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balanced_gan.evaluation.metrics import METRICS
from balanced_gan.files import atomic_write
from balanced_gan.output.images import read_sheet
from balanced_gan.output.plots import numbers_of
from balanced_gan.output.video import evenly
from balanced_gan.runs.run import Run, count_from
from balanced_gan.settings import Settings
from balanced_gan.terminal import program
from balanced_gan.views.charts import draw_charts
from balanced_gan.views.verdict import Standing, state, verdict

_EVERY = 300  # seconds between two reports of a run in training; one takes two or three
_MOST_TIME = 0.01  # largest share of the time for reports
_STALLED = 3  # times that pause without a step: training was killed, or the machine is asleep
_PACE = 1000  # newest steps, which say how long the next ones will take
_FRAMES = 40  # grids behind the time slider, spread evenly over the run
_FRAME_SIDE = 640  # pixels at most, so that a page of 40 stays below 10 MB


def seconds_between_reports(took: float) -> float:
    """The seconds to the next report of a run in training, if the last one took `took` seconds."""
    return max(_EVERY, took / _MOST_TIME)


def write_report(run: Run) -> Path:
    """Writes report.html into a run's folder, and returns its path."""
    _write_page([run], f"Run {run.name}", run.report_file)
    return run.report_file


def write_comparison(runs: Sequence[Run], file: Path) -> None:
    """Writes a page that shows several runs side by side."""
    _write_page(runs, "Comparison of runs", file)


def _write_page(runs: Sequence[Run], title: str, file: Path) -> None:
    from jinja2 import Environment, PackageLoader
    from plotly.offline import get_plotlyjs

    began = time.monotonic()
    histories = [numbers_of(run.history_rows()) for run in runs]
    shown = [_facts(*of_run) for of_run in zip(runs, histories, strict=True)]
    several = len(runs) > 1
    charts = draw_charts(runs, histories)
    loader = PackageLoader("balanced_gan", "views")
    templates = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = templates.get_template("report.html.jinja").render(
        title=title,
        runs=shown,
        differences=_differences(runs) if several else [],
        charts=charts,
        plotly=get_plotlyjs(),
        written=datetime.now().astimezone(),
        # A comparison is never rewritten.
        refreshing=not several and shown[0]["state"] == "Training",
        stalled_seconds=round(_STALLED * seconds_between_reports(time.monotonic() - began)),
    )
    # The settings may name a folder in another encoding, which UTF-8 cannot express.
    atomic_write(file, page.encode(errors="backslashreplace"))


def _facts(run: Run, history: NDArray[np.float64]) -> dict[str, Any]:
    """What the page says about one run; `history` is from `numbers_of`."""
    settings = run.settings()
    metadata = run.metadata()
    sessions = metadata["sessions"]
    steps, seconds = history[-1, :2] if len(history) else (0, 0.0)
    steps = int(steps)
    pictures_seen = run.pictures_seen(steps)
    standing = _standing(run, settings, metadata, history)
    fields = [(field, getattr(settings, field.name)) for field in dataclasses.fields(Settings)]
    measured, quality = _quality(run)
    return {
        "name": run.name,
        "state": state(standing),
        "verdict": verdict(standing),
        "alive": _last_written(run),
        # "auto": from a version that had no starts yet
        "start": None if settings.start in ("scratch", "auto") else settings.start,
        "steps": f"{steps:,}",
        "pictures_seen": f"{pictures_seen:,}",
        "minutes": f"{seconds / 60:.1f}" if steps else "0",
        "program": program(),
        "more_minutes": round(seconds / 60) + 60,
        "speed": f"{pictures_seen / seconds:.0f}" if seconds else None,
        "machine": sessions[-1].get("machine") if sessions else None,
        "real": _inline(run.grid_file("real")),
        "frames": _frames(run, steps, ended=standing.ended),
        "changed": [(field, value) for field, value in fields if value != field.default],
        "unchanged": [(field, value) for field, value in fields if value == field.default],
        "measured": measured,
        "quality": quality,
        "nearest": _inline(run.path / "nearest.png"),
        "events": run.events(),
    }


def _last_written(run: Run) -> datetime:
    """When training last wrote a batch; now if it never did."""
    try:
        seconds = run.history_file.stat().st_mtime
    except OSError:
        seconds = time.time()
    return datetime.fromtimestamp(seconds).astimezone()


def _standing(
    run: Run, settings: Settings, metadata: dict[str, Any], history: NDArray[np.float64]
) -> Standing:
    """What the verdict on a run depends on."""
    last = metadata["sessions"][-1] if metadata["sessions"] else {}
    evaluations = [(row["minutes"], row["mmd"]) for row in run.evaluations()]
    return Standing(
        name=run.name,
        ended="ended" in last,
        minutes=history[-1, 1] / 60 if len(history) else 0.0,
        left=_minutes_left(
            settings,
            count_from(last.get("samples")),
            count_from(metadata.get("batch_size")),
            history,
        ),
        every=0.0 if settings.of_points else settings.evaluate_every_minutes,
        measured=[row for row in evaluations if np.isfinite(row).all()],
        notes=len(run.events()),
    )


def _minutes_left(
    settings: Settings, samples: int, batch_size: int, history: NDArray[np.float64]
) -> float | None:
    """Minutes to the end of a run's budget; None if they cannot be known.

    Args:
        samples, batch_size: to train on, and in a batch; 0 if unknown.
        history: from `numbers_of`.
    """
    if len(history) < 2:
        return None
    step, seconds = history[-1, :2]
    recent = history[-_PACE:, :2]
    minutes_per_step = (seconds - recent[0, 1]) / (len(recent) - 1) / 60
    limits = [settings.minutes - seconds / 60] if settings.minutes else []
    if settings.steps:
        limits.append((settings.steps - step) * minutes_per_step)
    if settings.epochs and samples and batch_size:
        limits.append((settings.epochs * (samples // batch_size) - step) * minutes_per_step)
    return max(0.0, min(limits)) if limits else None


def _frames(run: Run, steps: int, ended: bool) -> list[dict[str, Any]]:
    """The grids behind the slider, oldest first: step, label and picture.

    Until training has ended, the last grid is from an earlier session, if there is one.
    """
    grids = run.grid_files()
    shown = [(int(grids[i].stem[5:]), grids[i]) for i in evenly(len(grids), _FRAMES)]
    frames = [
        {
            "step": step,
            "label": f"after {step:,} steps" if step else "before training",
            "picture": _inline(file),
        }
        for step, file in shown
    ]
    if ended and run.final_grid.exists():
        frames.append({"step": steps, "label": "newest", "picture": _inline(run.final_grid)})
    return [frame for frame in frames if frame["picture"]]


def _inline(file: Path) -> str | None:
    """A sheet as a data URI, shrunk and compressed; None if it cannot be read."""
    try:
        picture = read_sheet(file)
    except OSError:
        return None
    picture.thumbnail((_FRAME_SIDE, _FRAME_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=82)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _differences(runs: Sequence[Run]) -> list[tuple[str, list[Any]]]:
    """`(name, values)` of the settings that differ between the runs."""
    every = [dataclasses.asdict(run.settings()) for run in runs]
    rows = [(name, [settings[name] for settings in every]) for name in every[0]]
    return [(name, values) for name, values in rows if len(set(map(repr, values))) > 1]


def _quality(run: Run) -> tuple[str, list[tuple[str, ...]]]:
    """Which networks were measured, and rows of `(metric, samples, real, better, meaning)`,
    from metrics.json; no rows if unreadable."""
    try:
        report = json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))
        ours, perfect = report["generated"], report["real"]
        when = report["evaluated"][:16].replace("T", " ")
        return f"The {report['generator']} networks as of {when} UTC.", [
            (name, *(f"{float(values[name]):.3g}" for values in (ours, perfect)), *metric)
            for name, metric in METRICS.items()
            if name in ours and name in perfect
        ]
    except Exception:  # the file may hold anything
        return "", []
