"""What happens around training, one small Keras callback per concern.

Callbacks watch, draw and write; none of them changes what the networks learn. How far the
run has come is always read from the model's own counter, `gan.batches`, which goes on
counting when a run is resumed.
"""

import sys
import time
from collections import deque

import keras
import numpy as np
from tqdm import tqdm

from balanced_gan import animation, metadata, metrics
from balanced_gan.errors import InputError
from balanced_gan.evaluation import compare, draw_samples, see
from balanced_gan.plots import losses_png
from balanced_gan.run import write_whole
from balanced_gan.sampling import latents_of, sheet_png

_AT_ONCE = 64  # pictures of a grid in memory
_COMPARED = 1000  # training pictures at most that evaluations compare with
_MOST_TIME = 0.03  # share of the time that evaluations may take
GRID_SEED = 1_000_000  # the grid's latents: none that `--seed 0` and its neighbours make


_ASLEEP = 600  # seconds without a look at the clock that no batch takes: the machine slept
_RECENT = 300  # batches that warnings are about
_NEAR_ZERO = 0.1  # nats; healthy losses stay around 0.69
_HARDLY = 0.1  # share of the turns; the limit of turns in a row leaves 0.06 at least
_ALIKE = 0.3  # of the spread of real pictures


class Clock:
    """Seconds spent training, over all sessions of a run.

    Not of the calendar, which may be set anew. What passes while the machine sleeps does not
    count: on some systems the clock goes on meanwhile, and a budget of minutes would be gone.

    Args:
        before: seconds spent in earlier sessions.
    """

    def __init__(self, before=0.0):
        self._seconds = before
        self._last = time.monotonic()

    def seconds(self):
        now = time.monotonic()
        if now - self._last < _ASLEEP:
            self._seconds += now - self._last
        self._last = now
        return self._seconds


class Writer(keras.callbacks.Callback):
    """A callback whose files are not worth ending a night's training for.

    Args:
        run: the `Run`.
    """

    what = None  # that is written, in words

    def __init__(self, run):
        super().__init__()
        self.run = run
        self.failing = False

    def attempt(self, write):
        """Calls `write`; where the disk refuses, says so once and lets training go on.

        Raises:
            InputError: if the run's folder has gone.
        """
        try:
            write()
            self.failing = False
        except OSError as error:
            if not self.run.path.is_dir():
                raise InputError(
                    f"The run folder {str(self.run.path)!r} has gone, so training stopped."
                ) from None
            if not self.failing:
                say(f"{self.what} could not be written ({error.strerror}); training goes on")
            self.failing = True


def say(sentence):
    """Prints a note above the progress line."""
    tqdm.write(f"Note: {sentence}.", file=sys.stderr)


class Stop(keras.callbacks.Callback):
    """Ends training when a budget is spent or somebody asks for it.

    Args:
        clock: a `Clock`.
        last_step: total of batches after which to stop, or None.
        minutes: of training after which to stop, or None.
    """

    def __init__(self, clock, last_step, minutes):
        super().__init__()
        self.clock = clock
        self.last_step = last_step
        self.minutes = minutes
        self.asked = False  # set by the handler of Ctrl-C

    def share_done(self):
        """How much of the budget is spent, from 0 to 1."""
        shares = [0.0]
        if self.last_step:
            shares.append(int(self.model.batches) / self.last_step)
        if self.minutes:
            shares.append(self.clock.seconds() / (60 * self.minutes))
        return min(1.0, max(shares))

    def on_train_batch_end(self, batch, logs=None):
        if self.asked or self.share_done() >= 1:
            self.model.stop_training = True


class Progress(keras.callbacks.Callback):
    """One line for the whole run: epoch, time left, speed, losses, gap, who trains, G's share.

    Args:
        stop: the `Stop` callback, which knows the budget.
        per_epoch: batches an epoch.
        batch_size: pictures a batch.
    """

    def __init__(self, stop, per_epoch, batch_size):
        super().__init__()
        self.stop = stop
        self.per_epoch = per_epoch
        self.batch_size = batch_size

    def on_train_begin(self, logs=None):
        # A log file gets a line every half minute, a terminal five a second.
        interval = 0.2 if sys.stderr.isatty() else 30
        self.bar = tqdm(
            desc="compiling",
            total=1.0,
            initial=self.stop.share_done(),
            mininterval=interval,
            bar_format="{desc} {percentage:3.0f}%|{bar:10}| {elapsed}<{remaining}{postfix}",
            dynamic_ncols=True,
        )

    def on_train_batch_end(self, batch, logs=None):
        if batch == 0:  # it compiled the step; speed counts from here
            self.began = time.monotonic()
        else:
            speed = batch * self.batch_size / (time.monotonic() - self.began)
            turns = int(self.model.generator_turns), int(self.model.discriminator_turns)
            share = 100 * turns[0] / sum(turns)
            self.bar.set_postfix_str(
                f"{speed:.0f} images/s, G {logs['loss_G']:.2f} D {logs['loss_D']:.2f} "
                f"gap {logs['gap']:+.2f}, {turn_name(logs)} trains, G {share:.0f}%",
                refresh=False,
            )
        epoch = -(-int(self.model.batches) // self.per_epoch)
        epochs = f"/{-(-self.stop.last_step // self.per_epoch)}" if self.stop.last_step else ""
        self.bar.set_description_str(f"epoch {epoch}{epochs}", refresh=False)
        self.bar.update(self.stop.share_done() - self.bar.n)

    def on_train_end(self, logs=None):
        self.bar.refresh()
        self.bar.close()


class History(Writer):
    """Appends a row to history.csv for each batch.

    Args:
        run: the `Run`.
        clock: a `Clock`.
        per_epoch: batches an epoch.
    """

    what = "history.csv"

    def __init__(self, run, clock, per_epoch):
        super().__init__(run)
        self.clock = clock
        self.per_epoch = per_epoch

    def on_train_begin(self, logs=None):
        self.file, self.writer = self.run.open_history(int(self.model.batches))

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.batches)
        row = [
            step,
            -(-step // self.per_epoch),
            f"{self.clock.seconds():.2f}",
            *(f"{float(logs[key]):.5f}" for key in ("loss_G", "loss_D", "gap")),
            turn_name(logs),
        ]
        self.attempt(lambda: self.writer.writerow(row))

    def on_train_end(self, logs=None):
        self.attempt(self.file.close)


class Grids(Writer):
    """Draws what the same latents give, at the start, every so often and at the end.

    Args:
        run: the `Run`.
        side: pictures in a row and in a column.
        every_steps: batches between two grids, or several such numbers.
    """

    what = "a grid"

    def __init__(self, run, side, every_steps):
        super().__init__(run)
        self.side = side
        self.every_steps = every_steps

    def on_train_begin(self, logs=None):
        seeds = range(GRID_SEED, GRID_SEED + self.side**2)
        self.latents = latents_of(seeds, self.model.latent_dim, prior=self.model.latent_prior)
        if int(self.model.batches) == 0:
            self._draw(self.run.grid_file("untrained"))

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.batches)
        if any(step % every == 0 for every in self.every_steps):
            self._draw(self.run.grid_file(step))

    def on_train_end(self, logs=None):
        self._draw(self.run.final_sheet)

    def _draw(self, path):
        self.model.settle(batches=1)  # four would take as long as three grids
        # Not `predict`, which would have to compile before the first batch.
        parts = [
            self.model(self.latents[first : first + _AT_ONCE])
            for first in range(0, len(self.latents), _AT_ONCE)
        ]
        png = sheet_png(np.concatenate(parts), self.side)
        self.attempt(lambda: write_whole(path, png))


class Checkpoints(Writer):
    """Saves the state every so many minutes, and at the end.

    Args:
        run: the `Run`.
        clock: a `Clock`.
        every_minutes: minutes between two checkpoints.
    """

    what = "a checkpoint"

    def __init__(self, run, clock, every_minutes):
        super().__init__(run)
        self.clock = clock
        self.every_seconds = 60 * every_minutes

    def on_train_begin(self, logs=None):
        self.last = self.clock.seconds()

    def on_train_batch_end(self, batch, logs=None):
        if self.clock.seconds() - self.last >= self.every_seconds:
            self.attempt(self._save)
            self.last = self.clock.seconds()

    def on_train_end(self, logs=None):
        self.attempt(self._save)
        if self.failing:
            raise InputError(
                f"The end of training could not be saved below {str(self.run.path)!r}; "
                "the checkpoint before it is whole. Make room there and give the same command "
                "again."
            )

    def _save(self):
        self.run.save_checkpoint(self.model, self.clock.seconds())


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
        """Raises:
        FloatingPointError: if a loss is no number.
        """
        row = [float(logs[key]) for key in ("loss_G", "loss_D", "turn_G", "turn_D")]
        if not np.isfinite(row).all():
            raise FloatingPointError(f"a loss was no number at batch {int(self.model.batches)}")
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
            self.run.add_event(int(self.model.batches), self.clock.seconds(), event, sentence)


class Evaluations(Writer):
    """Measures the pictures every so many minutes, and keeps the networks of the best time.

    The best is where the sliced Wasserstein distance to the training pictures is smallest: it
    needs no features, and rises when pictures break as well as when they grow alike.

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
        self.rows = self.run.evaluations(int(self.model.batches))
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
        best = min((row["swd"] for row in self.rows), default=np.inf)
        self.rows.append({"step": int(self.model.batches), "minutes": minutes, **figures})
        self.attempt(lambda: self.run.save_evaluations(self.rows))
        if figures["swd"] < best:
            self.attempt(lambda: self.run.best.save_networks(self.model))
        if figures["spread"] < _ALIKE * self.real_spread:
            self.health.warn(
                "alike",
                "the pictures have grown alike, with less than a third of the real ones' "
                "variety; --best goes back to the best moment, and a new run with lower learning "
                "rates, a higher --r1 or more pictures may fare better",
            )


class Record(Writer):
    """Writes metadata.json when training starts and when it ends.

    Args:
        run: the `Run`.
        clock: a `Clock`.
        batch_size: samples a batch.
    """

    what = "metadata.json"

    def __init__(self, run, clock, batch_size):
        super().__init__(run)
        self.clock = clock
        self.batch_size = batch_size

    def on_train_begin(self, logs=None):
        self.first, self.before = int(self.model.batches), self.clock.seconds()
        self.metadata = {
            "parameters": {
                "generator": self.model.generator.count_params(),
                "discriminator": self.model.discriminator.count_params(),
            },
            # A session that was killed keeps its beginning, and no end.
            "sessions": self.run.metadata()["sessions"],
        }
        self.session = {"began": metadata.now(), "machine": metadata.machine()}
        self.metadata["sessions"].append(self.session)
        self.attempt(lambda: self.run.save_metadata(self.metadata))

    def on_train_end(self, logs=None):
        seconds = self.clock.seconds() - self.before
        batches = int(self.model.batches) - self.first
        self.session |= {
            "ended": metadata.now(),
            "minutes": round(seconds / 60, 2),
            "batches": batches,
            "images_per_second": round(batches * self.batch_size / seconds, 1),
        }
        self.attempt(lambda: self.run.save_metadata(self.metadata))


class Keepsakes(Writer):
    """Draws what one looks at after training: the plot of losses, the animation of grids.

    Args:
        run: the `Run`, whose history and grids are complete when training ends.
        margin: *e*, in nats.
    """

    what = "the plot or the animation"

    def __init__(self, run, margin):
        super().__init__(run)
        self.margin = margin

    def on_train_end(self, logs=None):
        self.attempt(self._draw)

    def _draw(self):
        plot = losses_png(self.run.history(), self.margin)
        if plot:
            write_whole(self.run.path / "losses.png", plot)
        frames = [*self.run.grid_files(), self.run.final_sheet]
        write_whole(self.run.path / "animation.gif", animation.gif(frames))
        write_whole(self.run.path / "animation.mp4", animation.mp4(frames))


def turn_name(logs):
    """Who trained on a batch: "G", "D", "G+D" when both did, "3G+D" when G did three times."""
    turns = [(name, int(logs[f"turn_{name}"])) for name in ("G", "D")]
    return "+".join(f"{count if count > 1 else ''}{name}" for name, count in turns if count)
