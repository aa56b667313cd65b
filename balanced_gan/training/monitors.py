"""The Keras callbacks that show how a run is doing: grids, warnings, evaluations, the report.

They watch, draw and write. None of them changes what the networks learn.
"""

import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image
from tqdm.auto import tqdm

from balanced_gan.data.cache import StoredPictures
from balanced_gan.data.doubts import different
from balanced_gan.evaluation import metrics
from balanced_gan.evaluation.evaluate import compare, draw_samples, see
from balanced_gan.files import atomic_write
from balanced_gan.output.final_plots import write_final_plots
from balanced_gan.output.images import in_batches
from balanced_gan.output.kinds import Images, Points
from balanced_gan.output.sampling import latents_of
from balanced_gan.runs.checkpoints import save_networks
from balanced_gan.runs.run import Run
from balanced_gan.training.callbacks import FileCallback
from balanced_gan.training.clock import Budget, Clock
from balanced_gan.training.progress import say
from balanced_gan.views.report import seconds_between_reports, write_report

_COMPARED = 1000  # training pictures, at most, that evaluations compare with
_MOST_TIME = 0.03  # largest share of the time for evaluations
_FIRST_GRID = 50  # steps
_GRID_SEED = 1_000_000  # seed of the first latent; far from `--seed 0` and its neighbours
_RECENT = 300  # steps that warnings are based on
_NEAR_ZERO = 0.1  # nats; healthy losses stay around 0.69
_HARDLY = 0.1  # share of the turns; `max_streak` guarantees at least 0.06
_ALIKE = 0.3  # share of the real pictures' diversity
_FIRST_REPORT = 60  # seconds


class Grids(FileCallback):
    """Draws the samples of fixed latents over time.

    There is a grid before training, after 50, 100, 150, 200, 300, 400, 600, ... steps until the
    first regular grid, then at regular intervals, and at the end.

    Args:
        side: samples in each row and each column.
        every_steps: the interval in steps; 0 for no grids between the first and the last.
        thinned: whether the interval doubles after 256 grids, and then after each 128 more. An
            epoch of twelve pictures is one step, and an hour would have thousands of grids.
        show: called with the path of each grid, or None.
    """

    what = "a grid"

    def __init__(
        self,
        run: Run,
        kind: Images | Points,
        side: int,
        every_steps: int,
        thinned: bool = False,
        show: Callable[[Path], None] | None = None,
    ) -> None:
        super().__init__(run)
        self.kind = kind
        self.side = side
        self.every_steps = every_steps
        self.thinned = thinned
        self.show = show

    def on_train_begin(self, logs: Any = None) -> None:
        seeds = range(_GRID_SEED, _GRID_SEED + self.side**2)
        self.latents = latents_of(seeds, self.model.latent_dim, prior=self.model.latent_prior)
        # Compiled, 64 pictures take 0.1 s on AVX2, and 0.3 s otherwise.
        self.make = tf.function(lambda latents: self.model.ema_generator(latents))
        if self.model.steps_done == 0:
            self._draw(self.run.grid_file(0))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = self.model.steps_done
        if not self.every_steps:
            return
        regular, rest = divmod(step, self.every_steps)
        doublings = max(0, regular.bit_length() - 8) if self.thinned else 0
        count = step // _FIRST_GRID
        # 1, 2, 3, 4, 6, 8, 12, ...: without its factors of two, 1 or 3
        early = step % _FIRST_GRID == 0 and count // (count & -count) in (1, 3)
        if (early and not regular) or (regular and not rest and regular % 2**doublings == 0):
            self._draw(self.run.grid_file(step))

    def on_train_end(self, logs: Any = None) -> None:
        self._draw(self.run.final_grid)

    def _draw(self, path: Path) -> None:
        # 32 batches would take three times as long.
        self.model.recalibrated_generator(batches=8)
        png = self.kind.grid_png(in_batches(self.make, self.latents), self.side)
        self.attempt(lambda: atomic_write(path, png))
        if self.show and not self.failing:
            self.show(path)


class Health(keras.callbacks.Callback):
    """Warns when training is going wrong."""

    def __init__(self, run: Run, clock: Clock) -> None:
        super().__init__()
        self.run = run
        self.clock = clock
        self.recent: deque[list[float]] = deque(maxlen=_RECENT)
        self.warned: set[str] = set()  # in this session; on a full disk events.csv does not know

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        row = [float(logs[key]) for key in ("loss_G", "loss_D", "turn_G", "turn_D")]
        self.recent.append(row)
        if len(self.recent) < _RECENT or batch % 50:
            return
        loss_g, loss_d, turns_g, turns_d = np.mean(self.recent, axis=0)
        if max(loss_g, loss_d) < _NEAR_ZERO:
            self.warn(
                "near zero",
                "both losses are near zero, so the networks no longer learn from each other; a "
                "new run with a higher --r1 or lower learning rates may help",
            )
        share = turns_g / (turns_g + turns_d)
        if share < _HARDLY:
            self.warn(
                "no turns",
                "the generator hardly gets a turn because the discriminator lags; a new run with a "
                "higher --discriminator_learning_rate or a larger --margin may help",
            )
        if share > 1 - _HARDLY:
            self.warn(
                "no turns",
                "the discriminator hardly gets a turn because the generator lags; a new run with a "
                "lower --discriminator_learning_rate, a higher --r1 or a larger --margin may help",
            )

    def warn(self, event: str, sentence: str) -> None:
        """Prints and records a warning, once in a run.

        Args:
            event: a word or two that identifies the warning in events.csv.
            sentence: the warning, without a full stop.
        """
        if event not in self.warned | {row["event"] for row in self.run.events()}:
            self.warned.add(event)
            say(sentence)
            self.run.add_event(self.model.steps_done, self.clock.seconds(), event, sentence)


def to_compare_with(samples: NDArray[np.uint8] | StoredPictures) -> NDArray[np.uint8]:
    """Picks training pictures at random, at most 1,000 and no two equal, uint8 (N, S, S, C)."""
    return different(samples[np.random.default_rng(0).permutation(len(samples))[:_COMPARED]])


class Evaluations(FileCallback):
    """Evaluates the pictures at regular intervals and keeps the best networks.

    The best networks have the smallest kernel distance ("mmd") to the training pictures. It rises
    when pictures fall apart, and also when they lose diversity.

    Args:
        real: pictures from `to_compare_with`.
        every_minutes: minutes between two evaluations. The interval grows if evaluations would
            take more than 3 % of the time.
    """

    what = "an evaluation"

    def __init__(
        self,
        run: Run,
        budget: Budget,
        real: NDArray[np.uint8],
        every_minutes: float,
        health: Health,
    ) -> None:
        super().__init__(run)
        self.budget = budget
        self.clock = budget.clock
        self.health = health
        self.real = see(real)
        self.real_diversity = metrics.diversity(self.real.features)
        self.every_seconds = 60 * every_minutes

    def on_train_begin(self, logs: Any = None) -> None:
        rows = self.run.evaluations()
        # After a crash there may be later rows. Only the best one stays: best/ has its networks.
        least = min((row["mmd"] for row in rows), default=np.inf)
        steps = self.model.steps_done
        self.rows = [row for row in rows if row["step"] <= steps or row["mmd"] == least]
        self.due = self.clock.seconds() + self.every_seconds

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.clock.seconds() >= self.due:
            began = self.clock.seconds()
            self._measure()
            took = self.clock.seconds() - began
            self.due = began + max(self.every_seconds, took / _MOST_TIME)

    def on_train_end(self, logs: Any = None) -> None:
        # A run that was too short for the first one needs none at its end, and after Ctrl-C nobody
        # wants to wait: of large networks it takes minutes.
        if self.rows and not self.budget.asked:
            self._measure()

    def _keep(self, row, generator):
        """The networks first: a row without them would be a best that does not exist. Then the row:
        if its file cannot be written now, worse networks must not replace these."""
        if row["mmd"] < min((earlier["mmd"] for earlier in self.rows), default=np.inf):
            self.run.best.path.mkdir(exist_ok=True)
            save_networks(self.run.best, generator, self.model.discriminator)
        self.rows.append(row)
        self.run.save_evaluations(self.rows)

    def _measure(self) -> None:
        minutes = self.clock.seconds() / 60
        generator = self.model.recalibrated_generator()
        samples = draw_samples(generator, self.model.latent_prior)
        measured = compare(see(samples), self.real)
        row = {"step": self.model.steps_done, "minutes": minutes, **measured}
        self.attempt(lambda: self._keep(row, generator))
        if measured["diversity"] < _ALIKE * self.real_diversity:
            self.health.warn(
                "alike",
                "the pictures have less than a third of the diversity of the real ones; --best "
                "uses the best networks so far, and a new run with lower learning rates, a higher "
                "--r1 or more pictures may do better",
            )


class FinalPlots(FileCallback):
    """Draws the plot of the losses and the animation at the end, when history and grids are
    complete. After Ctrl-C there is no animation, so that the user need not wait.
    """

    what = "the plot or the animation"

    def __init__(self, run: Run, budget: Budget) -> None:
        super().__init__(run)
        self.budget = budget

    def on_train_end(self, logs: Any = None) -> None:
        self.attempt(lambda: write_final_plots(self.run, animated=not self.budget.asked))


class Report(FileCallback):
    """Writes report.html a minute after the start, then at regular intervals and at the end."""

    what = "report.html"

    def __init__(self, run: Run, clock: Clock) -> None:
        super().__init__(run)
        self.clock = clock

    def on_train_begin(self, logs: Any = None) -> None:
        self.due = self.clock.seconds() + _FIRST_REPORT

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.clock.seconds() >= self.due:
            began = self.clock.seconds()
            self.attempt(lambda: write_report(self.run))
            self.due = began + seconds_between_reports(self.clock.seconds() - began)

    def on_train_end(self, logs: Any = None) -> None:
        self.attempt(lambda: write_report(self.run))


def preview(file: Path) -> None:
    """Draws a PNG file in the terminal, in half-blocks, above the progress line."""
    from rich.console import Console
    from rich_pixels import Pixels

    console = Console(stderr=True)
    with Image.open(file) as grid:
        side = max(2, min(console.width, 2 * (console.height - 4), grid.width))
        small = grid.convert("RGB").resize((side, side), Image.Resampling.BOX)
    with tqdm.external_write_mode(file=sys.stderr):
        console.print(Pixels.from_image(small))
