"""Callbacks for whoever looks at a run: grids, health, quality, the report.

They watch, draw and write; none of them changes what the networks learn.
"""

import sys
from collections import deque

import keras
import numpy as np
from PIL import Image
from tqdm import tqdm

from balanced_gan import metrics
from balanced_gan.callbacks import Writer, say
from balanced_gan.checkpoints import save_networks
from balanced_gan.evaluation import compare, draw_samples, see
from balanced_gan.files import write_whole
from balanced_gan.keepsakes import write_keepsakes
from balanced_gan.report import write_report
from balanced_gan.sampling import latents_of, samples_of, sheet_png

_COMPARED = 1000  # training pictures at most that evaluations compare with
_MOST_TIME = 0.03  # share of the time that evaluations may take
_FIRST_GRID = 50  # batches; then twice as many each time, until the first of the regular ones
_GRID_SEED = 1_000_000  # the grid's latents: none that `--seed 0` and its neighbours make
_RECENT = 300  # batches that warnings are about
_NEAR_ZERO = 0.1  # nats; healthy losses stay around 0.69
_HARDLY = 0.1  # share of the turns; the limit of turns in a row leaves 0.06 at least
_ALIKE = 0.3  # of the spread of real pictures
_FIRST_REPORT, _REPORT_EVERY = 60, 300  # seconds; a page takes two or three
_REPORT_TIME = 0.01  # share of the time at most


class Grids(Writer):
    """Draws what the same latents give: before training, soon after and ever more seldom, then
    every so often, and at the end.

    Args:
        run: the `Run`.
        side: pictures in a row and in a column.
        every_steps: batches between two grids, or several such numbers.
        show: called with the path of each.
    """

    what = "a grid"

    def __init__(self, run, side, every_steps, show=lambda path: None):
        super().__init__(run)
        self.side = side
        self.every_steps = every_steps
        self.show = show

    def on_train_begin(self, logs=None):
        seeds = range(_GRID_SEED, _GRID_SEED + self.side**2)
        self.latents = latents_of(seeds, self.model.latent_dim, prior=self.model.latent_prior)
        if self.model.steps_done == 0:
            self._draw(self.run.grid_file(0))

    def on_train_batch_end(self, batch, logs=None):
        step = self.model.steps_done
        due = self.every_steps
        early = step % _FIRST_GRID == 0 and (step // _FIRST_GRID).bit_count() == 1
        if any(step % every == 0 for every in due) or (early and step < min(due, default=0)):
            self._draw(self.run.grid_file(step))

    def on_train_end(self, logs=None):
        self._draw(self.run.final_sheet)

    def _draw(self, path):
        self.model.settle(batches=8)  # 32 would take as long as three grids
        png = sheet_png(samples_of(self.model, self.latents), self.side)
        self.attempt(lambda: write_whole(path, png))
        if not self.failing:
            self.show(path)


class Health(keras.callbacks.Callback):
    """Notices training that goes wrong.

    Args:
        run: the `Run`, whose events.csv has what was said.
        clock: a `Clock`.
    """

    def __init__(self, run, clock):
        super().__init__()
        self.run = run
        self.clock = clock
        self.recent = deque(maxlen=_RECENT)

    def on_train_batch_end(self, batch, logs=None):
        row = [float(logs[key]) for key in ("loss_G", "loss_D", "turn_G", "turn_D")]
        self.recent.append(row)
        if len(self.recent) < _RECENT or batch % 50:
            return
        loss_g, loss_d, turns_g, turns_d = np.mean(self.recent, axis=0)
        if max(loss_g, loss_d) < _NEAR_ZERO:
            self.warn(
                "near zero",
                "both losses are near zero, so that neither network learns from the other any "
                "more; a new run with a higher --r1 or lower learning rates may help",
            )
        share = turns_g / (turns_g + turns_d)
        if share < _HARDLY:
            self.warn(
                "no turns",
                "the generator hardly gets a turn, since the discriminator lags; a higher "
                "--discriminator_learning_rate or a larger --margin may help",
            )
        if share > 1 - _HARDLY:
            self.warn(
                "no turns",
                "the discriminator hardly gets a turn, since the generator lags; a lower "
                "--discriminator_learning_rate, a higher --r1 or a larger --margin may help",
            )

    def warn(self, event, sentence):
        """Says and records something, unless the run's events have it."""
        if event not in [row["event"] for row in self.run.events()]:
            say(sentence)
            self.run.add_event(self.model.steps_done, self.clock.seconds(), event, sentence)


class Evaluations(Writer):
    """Measures the pictures every so many minutes, and keeps the networks of the best time.

    The best is where the kernel distance ("mmd") to the training pictures is smallest: it rises
    when pictures break as well as when they grow alike.

    Args:
        run: the `Run`.
        clock: a `Clock`.
        real: uint8 (N, S, S, C), the training pictures.
        every_minutes: minutes between two evaluations; longer where one takes more than 3 %
            of them.
        health: the `Health` that warns.
    """

    what = "an evaluation"

    def __init__(self, run, clock, real, every_minutes, health):
        super().__init__(run)
        self.clock = clock
        self.health = health
        some = np.random.default_rng(0).permutation(len(real))[:_COMPARED]
        self.real = see(real[some])
        self.real_spread = metrics.spread(self.real.features)
        self.every_seconds = 60 * every_minutes

    def on_train_begin(self, logs=None):
        self.rows = self.run.evaluations(self.model.steps_done)
        self.due = self.clock.seconds() + self.every_seconds

    def on_train_batch_end(self, batch, logs=None):
        if self.clock.seconds() >= self.due:
            began = self.clock.seconds()
            self._measure()
            took = self.clock.seconds() - began
            self.due = began + max(self.every_seconds, took / _MOST_TIME)

    def on_train_end(self, logs=None):
        if self.rows:  # a run too short for one needs none at its end
            self._measure()

    def _measure(self):
        minutes = self.clock.seconds() / 60
        self.model.settle()
        samples = draw_samples(self.model.ema_generator, self.model.latent_prior)
        figures = compare(see(samples), self.real)
        del figures["swd_levels"]
        best = min((row["mmd"] for row in self.rows), default=np.inf)
        self.rows.append({"step": self.model.steps_done, "minutes": minutes, **figures})
        self.attempt(lambda: self.run.save_evaluations(self.rows))
        if figures["mmd"] < best:
            self.attempt(lambda: save_networks(self.run.best, self.model))
        if figures["spread"] < _ALIKE * self.real_spread:
            self.health.warn(
                "alike",
                "the pictures have grown alike, with less than a third of the real ones' "
                "variety; --best goes back to the best moment, and a new run with lower learning "
                "rates, a higher --r1 or more pictures may fare better",
            )


class Keepsakes(Writer):
    """Draws the plot of losses and the animation when training is done.

    Args:
        run: the `Run`, whose history and grids are complete then.
        stop: the `Stop` callback: who asked for the end does not wait for the animation.
    """

    what = "the plot or the animation"

    def __init__(self, run, stop):
        super().__init__(run)
        self.stop = stop

    def on_train_end(self, logs=None):
        self.attempt(lambda: write_keepsakes(self.run, animated=not self.stop.asked))


class Report(Writer):
    """Writes report.html a minute after the start, every so often, and at the end.

    Args:
        run: the `Run`.
        clock: a `Clock`.
    """

    what = "report.html"

    def __init__(self, run, clock):
        super().__init__(run)
        self.clock = clock

    def on_train_begin(self, logs=None):
        self.due = self.clock.seconds() + _FIRST_REPORT

    def on_train_batch_end(self, batch, logs=None):
        if self.clock.seconds() >= self.due:
            began = self.clock.seconds()
            self.attempt(lambda: write_report(self.run))
            took = self.clock.seconds() - began
            self.due = began + max(_REPORT_EVERY, took / _REPORT_TIME)

    def on_train_end(self, logs=None):
        self.attempt(lambda: write_report(self.run))


def preview(file):
    """Draws a picture in the terminal, in half-blocks, above the progress line.

    Args:
        file: path of a PNG.
    """
    from rich.console import Console
    from rich_pixels import Pixels

    console = Console(stderr=True)
    with Image.open(file) as grid:
        side = max(2, min(console.width, 2 * (console.height - 4), grid.width))
        small = grid.convert("RGB").resize((side, side), Image.Resampling.BOX)
    with tqdm.external_write_mode(file=sys.stderr):
        console.print(Pixels.from_image(small))
