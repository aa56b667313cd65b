"""Writes report.html: one page with everything about a run, which opens anywhere.

Pictures, charts and Plotly's JavaScript are all in the file, so it can be moved, sent and opened
without a network.
"""

import base64
import dataclasses
import io
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balanced_gan.files import atomic_write
from balanced_gan.output.images import read_sheet
from balanced_gan.output.plots import numbers_of
from balanced_gan.output.video import evenly
from balanced_gan.runs.run import Run
from balanced_gan.settings import Settings

_POINTS = 400  # per curve, each a mean; a screen cannot show more
_FRAMES = 40  # grids behind the time slider, spread evenly over the run
_FRAME_SIDE = 640  # pixels at most, so that a page of 40 stays below 10 MB
_COLOURS = ("#3b82c4", "#d1722b", "#2f9e5f", "#a855b5", "#c2403f", "#7a7a3a")


def write_report(run: Run) -> Path:
    """Writes report.html into a run's folder, and returns its path."""
    atomic_write(run.report_file, _page([run], f"Run {run.name}").encode())
    return run.report_file


def write_comparison(runs: Sequence[Run], file: Path) -> None:
    """Writes a page that shows several runs side by side."""
    atomic_write(file, _page(runs, "Comparison of runs").encode())


def _page(runs: Sequence[Run], title: str) -> str:
    from jinja2 import Environment
    from plotly.offline import get_plotlyjs

    template = files("balanced_gan.views").joinpath("report.html.jinja").read_text(encoding="utf-8")
    histories = [numbers_of(run.history_rows()) for run in runs]
    shown = [_facts(*of_run) for of_run in zip(runs, histories, strict=True)]
    several = len(runs) > 1
    return (
        Environment(autoescape=True)
        .from_string(template)
        .render(
            title=title,
            runs=shown,
            differences=_differences(runs) if several else [],
            charts=_charts(runs, histories),
            plotly=get_plotlyjs(),
        )
    )


def _facts(run: Run, history: NDArray[np.float64]) -> dict[str, Any]:
    """What the page says about one run; `history` is from `numbers_of`."""
    settings = run.settings()
    sessions = [s for s in run.metadata()["sessions"] if isinstance(s, dict)]
    measured = (s.get("images_per_second") for s in sessions)
    speeds = [speed for speed in measured if isinstance(speed, (int, float))]
    steps, seconds = history[-1, :2] if len(history) else (0, 0.0)
    steps = int(steps)
    files_of_grids = run.grid_files()
    frames = [files_of_grids[i] for i in evenly(len(files_of_grids), _FRAMES)]
    if run.final_sheet.exists():
        frames.append(run.final_sheet)
    shown = [{"label": _label(file), "picture": _inline(file)} for file in frames]
    return {
        "name": run.name,
        # "auto": from a version that had no starts yet
        "start": None if settings.start in ("scratch", "auto") else settings.start,
        "batches": f"{steps:,}",
        "pictures_seen": f"{run.pictures_seen(steps):,}",
        "minutes": f"{seconds / 60:.1f}" if steps else "0",
        "speed": f"{np.median(speeds):.0f}" if speeds else None,
        "machine": sessions[-1].get("machine") if sessions else None,
        "real": _inline(run.grid_file("real")),
        "frames": [frame for frame in shown if frame["picture"]],
        "settings": _settings(settings),
        "quality": _quality(run),
        "nearest": _inline(run.path / "nearest.png"),
        "events": run.events(),
    }


def _label(file: Path) -> str:
    """When a grid was drawn, in words."""
    if file.stem == "final":
        return "newest"
    batches = int(file.stem[5:])
    return f"after {batches:,} batches" if batches else "before training"


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


def _settings(settings: Settings) -> list[tuple[str, Any, str, bool]]:
    """Rows of `(name, value, meaning, whether it differs from the default)`."""
    return [
        (
            field.name,
            getattr(settings, field.name),
            field.metadata["meaning"],
            getattr(settings, field.name) != field.default,
        )
        for field in dataclasses.fields(Settings)
    ]


def _differences(runs: Sequence[Run]) -> list[tuple[str, list[Any]]]:
    """`(name, values)` of the settings that differ between the runs."""
    every = [run.settings() for run in runs]
    rows = [
        (field.name, [getattr(settings, field.name) for settings in every])
        for field in dataclasses.fields(Settings)
    ]
    return [(name, values) for name, values in rows if len(set(map(repr, values))) > 1]


def _quality(run: Run) -> list[tuple[str, ...]]:
    """Rows of `(metric, samples, real, better, meaning)` from metrics.json; none if unreadable."""
    from balanced_gan.evaluation.metrics import METRICS

    try:
        report = json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))
        ours, perfect = report["generated"], report["real"]
        return [
            (
                name,
                f"{float(ours[name]):.3g}",
                f"{float(perfect[name]):.3g}",
                metric.better,
                metric.meaning,
            )
            for name, metric in METRICS.items()
            if name in ours and name in perfect
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def _parts(values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Splits rows into at most 400 parts of equal length."""
    length = -(-len(values) // _POINTS)
    return [values[at : at + length] for at in range(0, len(values), length)]


def _charts(runs: Sequence[Run], histories: Sequence[NDArray[np.float64]]) -> list[str]:
    """Charts of losses, gap, turns and quality as pieces of HTML."""
    several = len(runs) > 1
    charts: dict[str, list[Any]] = {"losses": [], "gap": [], "turns": [], "quality": []}
    for run, history, colour in zip(runs, histories, _COLOURS * len(runs), strict=False):
        prefix = f"{run.name}: " if several else ""
        if len(history):
            parts = _parts(history)
            means = np.array([part.mean(axis=0) for part in parts])
            steps, _, loss_g, loss_d, gap, share = means.T
            first = colour if several else _COLOURS[0]
            second = colour if several else _COLOURS[1]
            dash = "dot" if several else "solid"
            charts["losses"] += [
                _line(steps, loss_g, f"{prefix}generator", first),
                _line(steps, loss_d, f"{prefix}discriminator", second, dash),
            ]
            if not several:
                low, high = np.array([np.quantile(part[:, 4], (0.05, 0.95)) for part in parts]).T
                charts["gap"] += [
                    _line(steps, low, "5 % of batches are below", "grey", "dot"),
                    _line(steps, high, "5 % are above", "grey", "dot"),
                ]
            charts["gap"].append(_line(steps, gap, f"{prefix}gap, mean", colour))
            charts["turns"].append(_line(steps, 100 * share, f"{prefix}generator's turns", colour))
        evaluations = run.evaluations(np.inf)
        if evaluations:
            minutes = [row["minutes"] for row in evaluations]
            distance = [row["mmd"] for row in evaluations]
            charts["quality"].append(
                _line(minutes, distance, f"{prefix}mmd", colour, mode="lines+markers")
            )
    margins = {run.settings().margin for run in runs}
    band = margins.pop() if len(margins) == 1 else None
    made = [
        _chart("Losses (nats)", "batches", charts["losses"], level=float(np.log(2))),
        _chart("Gap: loss of G minus loss of D (nats)", "batches", charts["gap"], band=band),
        _chart("The generator's share of the turns (%)", "batches", charts["turns"], top=100),
        _chart("Distance from the training pictures (mmd)", "minutes", charts["quality"]),
    ]
    return [chart for chart in made if chart]


def _line(
    x: Sequence[float] | NDArray[np.float64],
    y: Sequence[float] | NDArray[np.float64],
    name: str,
    colour: str,
    dash: str = "solid",
    mode: str = "lines",
) -> Any:
    from plotly.graph_objects import Scatter

    return Scatter(x=list(x), y=list(y), name=name, mode=mode, line={"color": colour, "dash": dash})


def _chart(
    title: str,
    x_title: str,
    lines: list[Any],
    level: float | None = None,
    band: float | None = None,
    top: float | None = None,
) -> str | None:
    """A chart as HTML, without Plotly itself; None if there is nothing to draw.

    `level` is a dotted line, `band` a green area around 0, `top` the end of an axis that starts
    at 0.
    """
    from plotly.graph_objects import Figure

    if not lines:
        return None
    figure = Figure(lines)
    if level:  # ln 2: nobody can tell real from generated
        figure.add_hline(level, line={"dash": "dot", "color": "grey"})
    if band:
        figure.add_hrect(-band, band, fillcolor="#2f9e5f", opacity=0.15, line_width=0)
    figure.update_layout(
        title=title,
        xaxis_title=x_title,
        yaxis_range=top and [0, top],
        height=320,
        margin={"l": 50, "r": 10, "t": 45, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(128,128,128,0.08)",
        legend={"orientation": "h", "y": -0.25},
        hovermode="x unified",
    )
    config = {"responsive": True, "displaylogo": False}
    return figure.to_html(full_html=False, include_plotlyjs=False, config=config)
