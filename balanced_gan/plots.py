"""Figures: losses over a run, and generated points against real ones."""

import io

import numpy as np

from balanced_gan.curve import COUNT, points_on_curve

_LINE_POINTS = 100  # means that a line is drawn through, however long the run


def losses_png(rows, margin):
    """Losses, gap and turns of a run.

    Args:
        rows: of its history.csv, from `Run.history`.
        margin: *e*, in nats: drawn as a band.

    Returns:
        Bytes of a PNG file, or None if there is no row to draw.
    """
    if not rows:
        return None
    turns = np.array([turns_of(row["turn"]) for row in rows])
    numbers = [[float(row[key]) for key in ("step", "loss_G", "loss_D", "gap")] for row in rows]
    values = np.column_stack([numbers, turns[:, 0] / turns.sum(axis=1)])
    lines = np.array(
        [part.mean(axis=0) for part in np.array_split(values, _LINE_POINTS) if len(part)]
    )
    steps, loss_g, loss_d, gap, share = lines.T
    figure = _figure(8, 7)
    losses, gaps, shares = figure.subplots(3, sharex=True, height_ratios=[2, 2, 1])
    losses.plot(steps, loss_g, label="generator")
    losses.plot(steps, loss_d, label="discriminator")
    losses.axhline(np.log(2), color="grey", linestyle=":", label="ln 2: nobody can tell")
    losses.set_ylabel("loss (nats)")
    losses.legend()
    gaps.plot(values[:, 0], values[:, 3], ".", markersize=1, color="silver", label="each batch")
    gaps.plot(steps, gap, color="black", label="mean")
    gaps.axhspan(-margin, margin, color="tab:green", alpha=0.15, label=f"margin e = {margin:g}")
    gaps.set_ylabel("gap: G - D (nats)")
    gaps.legend()
    shares.plot(steps, 100 * share, color="tab:purple")
    shares.set_ylim(0, 100)
    shares.set_ylabel("G's turns (%)")
    shares.set_xlabel("batch")
    return _png(figure)


def points_png(points):
    """Generated points over real ones.

    Args:
        points: (N, 2).

    Returns:
        Bytes of a PNG file of 640x480 pixels, with the same axes for any points.
    """
    figure = _figure(6.4, 4.8)
    axes = figure.subplots()
    axes.plot(*points_on_curve(COUNT).T, ".", color="silver", label="real")
    axes.plot(*np.asarray(points).T, ".", markersize=3, color="tab:blue", label="generated")
    axes.set(xlim=(-1, 7.3), ylim=(-2, 2), xlabel="x", ylabel="y")
    axes.legend(loc="upper right")
    return _png(figure)


def turns_of(turn):
    """How often each network trained on a batch, from its name in history.csv.

    Args:
        turn: such as "G", "D", "G+D" or "3G+D".

    Returns:
        `(generator, discriminator)`, two whole numbers.
    """
    counts = {"G": 0, "D": 0}
    for part in turn.split("+"):
        counts[part[-1]] = int(part[:-1] or 1)
    return counts["G"], counts["D"]


def _figure(width, height):
    """An empty figure; sides in inches of 100 pixels."""
    from matplotlib.figure import Figure  # here, so that training does not wait for it

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def _png(figure):
    buffer = io.BytesIO()
    # Without the library's version in it, the same picture is the same file.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
