"""Plots: losses over a run, and generated points against real ones."""

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from balanced_gan.data.sine_curve import COUNT, points_on_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DRAWN = ("step", "seconds", "loss_G", "loss_D", "gap")  # columns of history.csv
_LINE_POINTS = 100  # a line is drawn through this many means, however long the run


def losses_png(rows: Iterable[Mapping[str, str]], margin: float) -> bytes | None:
    """Plots the losses, the gap and the turns of a run.

    Args:
        rows: the rows of its history.csv, from `Run.history_rows`.
        margin: *e*, in nats: drawn as a band.

    Returns:
        The contents of a PNG file, or None if there are no rows.
    """
    values = numbers_of(rows)
    if not len(values):
        return None
    lines = np.array([part.mean(axis=0) for part in even_parts(values, _LINE_POINTS)])
    steps, _, loss_g, loss_d, gap, share = lines.T
    figure = _figure(8, 7)
    losses, gaps, shares = figure.subplots(3, sharex=True, height_ratios=[2, 2, 1])
    losses.plot(steps, loss_g, label="generator")
    losses.plot(steps, loss_d, label="discriminator")
    losses.axhline(np.log(2), color="grey", linestyle=":", label="ln 2: D only guesses")
    losses.set_ylabel("loss (nats)")
    losses.legend()
    gaps.plot(values[:, 0], values[:, 4], ".", markersize=1, color="silver", label="each step")
    gaps.plot(steps, gap, color="black", label="mean")
    gaps.axhspan(-margin, margin, color="tab:green", alpha=0.15, label=f"margin e = {margin:g}")
    gaps.set_ylabel("gap: G - D (nats)")
    gaps.legend()
    shares.plot(steps, 100 * share, color="tab:purple")
    shares.set(ylim=(0, 100), ylabel="G's turns (%)", xlabel="step")
    return _png(figure)


def points_png(points: NDArray[np.float32]) -> bytes:
    """Plots generated points (N, 2) over real ones, as a PNG file of 640x480 pixels.

    The axes are the same for any points.
    """
    figure = _figure(6.4, 4.8)
    axes = figure.subplots()
    axes.plot(*points_on_curve(COUNT).T, ".", color="silver", label="real")
    axes.plot(*np.asarray(points).T, ".", markersize=3, color="tab:blue", label="generated")
    axes.set(xlim=(-1, 7.3), ylim=(-2, 2), xlabel="x", ylabel="y")
    axes.legend(loc="upper right")
    return _png(figure)


def numbers_of(rows: Iterable[Mapping[str, str]]) -> NDArray[np.float64]:
    """Reads the numbers to plot from `Run.history_rows`, in 48 bytes a batch.

    Returns:
        (N, 6): step, seconds, the generator's and the discriminator's loss, gap, and the
        generator's share of the turns, from 0 to 1.
    """

    def numbers() -> Iterator[tuple[float, ...]]:
        for row in rows:
            turn_g, turn_d = int(row["turn_G"]), int(row["turn_D"])
            share = turn_g / max(turn_g + turn_d, 1)
            yield (*(float(row[name]) for name in _DRAWN), share)

    return np.fromiter(numbers(), np.dtype((float, len(_DRAWN) + 1)))


def _figure(width: float, height: float) -> "Figure":
    """An empty figure; sides in inches of 100 pixels."""
    from matplotlib.figure import Figure  # here, so that training does not wait for it

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    # The library's version is left out, so that the same plot is the same file.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def even_parts(values: NDArray[np.float64], most: int) -> list[NDArray[np.float64]]:
    """Splits rows, at least one, into parts of an even length, so that turns that alternate cancel
    out in each.

    The last part may be shorter, but it is even too: of an odd number of rows, the first is left
    out. A single row is a part by itself.
    """
    length = -(-len(values) // most)
    length += length % 2
    first = len(values) % 2 if len(values) > 1 else 0
    return [values[at : at + length] for at in range(first, len(values), length)]
