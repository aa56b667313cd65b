"""The charts of a report: losses, gap, turns and quality, as pieces of HTML for Plotly."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from balanced_gan.output.plots import even_parts
from balanced_gan.runs.run import Run

_POINTS = 400  # per curve, each a mean; a screen cannot show more
_TURN_POINTS = 60  # a turn is all or nothing, so that means of a few batches show only noise
_COLOURS = ("#3b82c4", "#d1722b", "#2f9e5f", "#a855b5", "#c2403f", "#7a7a3a")
_LINES = "rgba(128,128,128,0.3)"  # visible on white and on black


class Chart(NamedTuple):
    """A chart of the page."""

    title: str
    meaning: str  # a sentence for below the title
    description: str  # what the curves do, in words, for people who do not see them
    html: str  # without Plotly itself


def draw_charts(runs: Sequence[Run], histories: Sequence[NDArray[np.float64]]) -> list[Chart]:
    """Draws the charts of one run, or of several in the same axes.

    Args:
        histories: of each run, from `numbers_of`.

    Returns:
        At most four charts, without those that would be empty.
    """
    several = len(runs) > 1
    curves: dict[str, list[Any]] = {"losses": [], "gap": [], "turns": [], "quality": []}
    for run, history, colour in zip(runs, histories, _COLOURS * len(runs), strict=False):
        prefix = f"{run.name}: " if several else ""
        if len(history) > 1:
            _add_history(curves, history, prefix, colour, several)
        # After a crash, the row of the best networks may be later than the next ones.
        evaluations = sorted(run.evaluations(), key=lambda row: row["minutes"])
        if evaluations:
            minutes = [row["minutes"] for row in evaluations]
            distance = [row["mmd"] for row in evaluations]
            curves["quality"].append(
                _line(minutes, distance, f"{prefix}distance", colour, mode="lines+markers")
            )
    margins = {run.settings().margin for run in runs}
    band = margins.pop() if len(margins) == 1 else None
    drawn = [
        _chart(
            "Losses (nats)",
            "Dotted: ln 2, where real and generated pictures cannot be told apart.",
            curves["losses"],
            level=float(np.log(2)),
        ),
        _chart(
            "Gap: loss of G minus loss of D (nats)",
            "Green: the margin, within which neither network overpowers the other.",
            curves["gap"],
            band=band,
        ),
        _chart(
            "The generator's share of the turns (%)",
            "At 50 % both networks train equally often.",
            curves["turns"],
            top=100,
        ),
        _chart(
            "Distance from the training pictures (mmd)",
            "Lower is better.",
            curves["quality"],
            x_title="minutes",
        ),
    ]
    return [chart for chart in drawn if chart]


def _add_history(
    curves: dict[str, list[Any]],
    history: NDArray[np.float64],
    prefix: str,
    colour: str,
    several: bool,
) -> None:
    """Adds one run's losses, gap and turns to the curves of each chart."""
    parts = even_parts(history, _POINTS)
    steps, _, loss_g, loss_d, gap, _ = np.array([part.mean(axis=0) for part in parts]).T
    second, dash = (colour, "dot") if several else (_COLOURS[1], "solid")
    curves["losses"] += [
        _line(steps, loss_g, f"{prefix}generator", colour),
        _line(steps, loss_d, f"{prefix}discriminator", second, dash),
    ]
    if not several:
        low, high = np.array([np.quantile(part[:, 4], (0.05, 0.95)) for part in parts]).T
        curves["gap"] += [
            _line(steps, low, "5 % lie below", "grey", "dot"),
            _line(steps, high, "5 % above", "grey", "dot"),
        ]
    curves["gap"].append(_line(steps, gap, f"{prefix}mean", colour))
    parts = even_parts(history, _TURN_POINTS)
    steps, *_, share = np.array([part.mean(axis=0) for part in parts]).T
    curves["turns"].append(_line(steps, 100 * share, f"{prefix}generator", colour))


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
    meaning: str,
    lines: list[Any],
    level: float | None = None,
    band: float | None = None,
    top: float | None = None,
    x_title: str = "steps",
) -> Chart | None:
    """A chart; None if there is nothing to draw.

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
    axis = {"gridcolor": _LINES, "zerolinecolor": _LINES, "linecolor": _LINES, "automargin": True}
    pointer = {"spikecolor": _LINES, "spikethickness": 1, "spikedash": "solid"}
    font = {"family": "system-ui, sans-serif", "size": 13}
    figure.update_layout(
        template="none",
        font=font,
        xaxis={
            **axis,
            **pointer,
            "title": {"text": x_title, "standoff": 8, "font": font},
            "hoverformat": ",.0f",
        },
        yaxis={**axis, "range": top and [0, top], "hoverformat": ".3g"},
        height=300,
        margin={"l": 40, "r": 8, "t": 8, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=len(lines) > 1,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="x unified",
    )
    # A drag enlarges and a double click goes back, so that nothing is lost without the tool bar.
    config = {"responsive": True, "displayModeBar": False}
    html = figure.to_html(full_html=False, include_plotlyjs=False, config=config)
    ends = [f"{line.name} from {line.y[0]:.3g} to {line.y[-1]:.3g}" for line in lines]
    return Chart(title, meaning, f"{title}: {', '.join(ends)}.", html)
