"""Run folder -> report.html: one page with everything to look at, that opens anywhere.

Pictures, charts and the program of the charts (Plotly's) are all inside the file, so that it can
be moved, sent and opened without a network.
"""

import base64
import dataclasses
import io
import json
from importlib.resources import files

import numpy as np

from balanced_gan.animation import evenly
from balanced_gan.files import write_whole
from balanced_gan.plots import numbers_of
from balanced_gan.settings import Settings
from balanced_gan.sheets import read_sheet

_POINTS = 400  # of a curve, each a mean; more cannot be told apart on a screen
_FRAMES = 40  # grids behind the time slider, spread evenly over the run
_FRAME_SIDE = 640  # pixels at most, so that a page of 40 stays below 10 MB
_COLOURS = ("#3b82c4", "#d1722b", "#2f9e5f", "#a855b5", "#c2403f", "#7a7a3a")


def write_report(run):
    """Writes report.html into a run's folder.

    Args:
        run: a `Run`.

    Returns:
        The file, a `pathlib.Path`.
    """
    write_whole(run.report_file, _page([run], f"Run {run.name}").encode())
    return run.report_file


def write_comparison(runs, file):
    """Writes a page on which several runs stand side by side.

    Args:
        runs: `Run`s.
        file: where to, a `pathlib.Path`.
    """
    write_whole(file, _page(runs, "Comparison of runs").encode())


def _page(runs, title):
    from jinja2 import Environment
    from plotly.offline import get_plotlyjs

    template = files("balanced_gan").joinpath("report.html.jinja").read_text(encoding="utf-8")
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


def _facts(run, history):
    """What the page says about one run, as a dict; `history` is from `numbers_of`."""
    settings = run.settings()
    sessions = [s for s in run.metadata()["sessions"] if isinstance(s, dict)]
    speeds = [s.get("images_per_second") for s in sessions]
    speeds = [speed for speed in speeds if isinstance(speed, (int, float))]
    steps, seconds = history[-1, :2] if len(history) else (0, 0.0)
    steps = int(steps)
    files_of_grids = run.grid_files()
    frames = [files_of_grids[i] for i in evenly(len(files_of_grids), _FRAMES)]
    if run.final_sheet.exists():
        frames.append(run.final_sheet)
    shown = [{"label": _label(file), "picture": _inline(file)} for file in frames]
    return {
        "name": run.name,
        # "auto" in the settings of a version that knew no starts
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


def _label(file):
    """How far the run was when a grid was drawn, in words."""
    if file.stem == "final":
        return "newest"
    batches = int(file.stem[5:])
    return f"after {batches:,} batches" if batches else "before training"


def _inline(file):
    """A sheet as a data URI, shrunk and compressed; None if there is none to be read."""
    try:
        picture = read_sheet(file)
    except OSError:
        return None
    picture.thumbnail((_FRAME_SIDE, _FRAME_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=82)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _settings(settings):
    """Rows of `(name, value, meaning, whether it is not the default)`."""
    return [
        (
            field.name,
            getattr(settings, field.name),
            field.metadata["meaning"],
            getattr(settings, field.name) != field.default,
        )
        for field in dataclasses.fields(Settings)
    ]


def _differences(runs):
    """`(name, values)` of the settings that are not the same in all runs."""
    every = [run.settings() for run in runs]
    rows = [
        (field.name, [getattr(settings, field.name) for settings in every])
        for field in dataclasses.fields(Settings)
    ]
    return [(name, values) for name, values in rows if len(set(map(repr, values))) > 1]


def _quality(run):
    """Rows of `(figure, samples, real, better, meaning)` from metrics.json; none if unreadable."""
    from balanced_gan.evaluation import FIGURES

    try:
        report = json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))
        ours, perfect = report["generated"], report["real"]
        return [
            (name, f"{float(ours[name]):.3g}", f"{float(perfect[name]):.3g}", *reversed(figure))
            for name, figure in FIGURES.items()
            if name in ours and name in perfect
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def _parts(values):
    """An array of rows in at most 400 parts of equal length."""
    length = -(-len(values) // _POINTS)
    return [values[at : at + length] for at in range(0, len(values), length)]


def _charts(runs, histories):
    """Plotly figures as pieces of HTML: losses, gap, turns, quality."""
    several = len(runs) > 1
    charts = {"losses": [], "gap": [], "turns": [], "quality": []}
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
        _chart("Gap: loss of G less loss of D (nats)", "batches", charts["gap"], band=band),
        _chart("The generator's share of the turns (%)", "batches", charts["turns"], top=100),
        _chart("Distance from the training pictures (mmd)", "minutes", charts["quality"]),
    ]
    return [chart for chart in made if chart]


def _line(x, y, name, colour, dash="solid", mode="lines"):
    from plotly.graph_objects import Scatter

    return Scatter(x=list(x), y=list(y), name=name, mode=mode, line={"color": colour, "dash": dash})


def _chart(title, x_title, lines, level=None, band=None, top=None):
    """A chart as HTML without Plotly itself, or None if there is nothing to draw.

    `level` is a dotted line, `band` a green area around 0, `top` the end of an axis from 0.
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
