"""What happens around training, one small Keras callback per concern.

Callbacks watch, draw and write; none of them changes what the networks learn. How far the
run has come is always read from the model's own counter, `gan.batches`, which goes on
counting when a run is resumed.
"""

import sys
import time

import keras
import numpy as np
from tqdm import tqdm

from balanced_gan import animation, metadata
from balanced_gan.evaluation import compare, draw_samples, see
from balanced_gan.plots import losses_png
from balanced_gan.run import write_whole
from balanced_gan.sampling import latents_of, sheet_png

_AT_ONCE = 64  # pictures of a grid in memory
_COMPARED = 1000  # training pictures at most that evaluations compare with
_MOST_TIME = 0.03  # share of the time that evaluations may take
GRID_SEED = 1_000_000  # the grid's latents: none that `--seed 0` and its neighbours make


class Clock:
    """Seconds spent training, over all sessions of a run.

    Args:
        before: seconds spent in earlier sessions.
    """

    def __init__(self, before=0.0):
        self._start = time.monotonic() - before

    def seconds(self):
        return time.monotonic() - self._start


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


class History(keras.callbacks.Callback):
    """Appends a row to history.csv for each batch.

    Args:
        run: the `Run`.
        clock: a `Clock`.
        per_epoch: batches an epoch.
    """

    def __init__(self, run, clock, per_epoch):
        super().__init__()
        self.run = run
        self.clock = clock
        self.per_epoch = per_epoch

    def on_train_begin(self, logs=None):
        self.file, self.writer = self.run.open_history(int(self.model.batches))

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.batches)
        self.writer.writerow(
            [
                step,
                -(-step // self.per_epoch),
                f"{self.clock.seconds():.2f}",
                *(f"{float(logs[key]):.5f}" for key in ("loss_G", "loss_D", "gap")),
                turn_name(logs),
            ]
        )

    def on_train_end(self, logs=None):
        self.file.close()


class Grids(keras.callbacks.Callback):
    """Draws what the same latents give, at the start, every so often and at the end.

    Args:
        run: the `Run`.
        side: pictures in a row and in a column.
        every_steps: batches between two grids, or several such numbers.
    """

    def __init__(self, run, side, every_steps):
        super().__init__()
        self.run = run
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
        write_whole(path, sheet_png(np.concatenate(parts), self.side))


class Checkpoints(keras.callbacks.Callback):
    """Saves the state every so many minutes, and at the end.

    Args:
        run: the `Run`.
        clock: a `Clock`.
        every_minutes: minutes between two checkpoints.
    """

    def __init__(self, run, clock, every_minutes):
        super().__init__()
        self.run = run
        self.clock = clock
        self.every_seconds = 60 * every_minutes

    def on_train_begin(self, logs=None):
        self.last = self.clock.seconds()

    def on_train_batch_end(self, batch, logs=None):
        if self.clock.seconds() - self.last >= self.every_seconds:
            self._save()

    def on_train_end(self, logs=None):
        self._save()

    def _save(self):
        self.run.save_checkpoint(self.model, self.clock.seconds())
        self.last = self.clock.seconds()


class Evaluations(keras.callbacks.Callback):
    """Measures the pictures every so many minutes, and keeps the networks of the best time.

    The best is where the sliced Wasserstein distance to the training pictures is smallest: it
    needs no features, and rises when pictures break as well as when they grow alike.

    Args:
        run: the `Run`.
        clock: a `Clock`.
        real: uint8 (N, S, S, C), the training pictures.
        every_minutes: minutes between two evaluations; longer where one takes more than 3 %
            of them.
    """

    def __init__(self, run, clock, real, every_minutes):
        super().__init__()
        self.run = run
        self.clock = clock
        some = np.random.default_rng(0).permutation(len(real))[:_COMPARED]
        self.real = see(real[some])
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
        self.run.save_evaluations(self.rows)
        if figures["swd"] < best:
            self.run.best.save_networks(self.model)


class Record(keras.callbacks.Callback):
    """Writes metadata.json when training starts and when it ends.

    Args:
        run: the `Run`.
        clock: a `Clock`.
        batch_size: samples a batch.
    """

    def __init__(self, run, clock, batch_size):
        super().__init__()
        self.run = run
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
        self.run.save_metadata(self.metadata)

    def on_train_end(self, logs=None):
        seconds = self.clock.seconds() - self.before
        batches = int(self.model.batches) - self.first
        self.session |= {
            "ended": metadata.now(),
            "minutes": round(seconds / 60, 2),
            "batches": batches,
            "images_per_second": round(batches * self.batch_size / seconds, 1),
        }
        self.run.save_metadata(self.metadata)


class Keepsakes(keras.callbacks.Callback):
    """Draws what one looks at after training: the plot of losses, the animation of grids.

    Args:
        run: the `Run`, whose history and grids are complete when training ends.
        margin: *e*, in nats.
    """

    def __init__(self, run, margin):
        super().__init__()
        self.run = run
        self.margin = margin

    def on_train_end(self, logs=None):
        plot = losses_png(self.run.history_file, self.margin)
        if plot:
            write_whole(self.run.path / "losses.png", plot)
        frames = [*self.run.grid_files(), self.run.final_sheet]
        write_whole(self.run.path / "animation.gif", animation.gif(frames))
        write_whole(self.run.path / "animation.mp4", animation.mp4(frames))


def turn_name(logs):
    """Who trained on a batch: "G", "D", "G+D" when both did, "3G+D" when G did three times."""
    turns = [(name, int(logs[f"turn_{name}"])) for name in ("G", "D")]
    return "+".join(f"{count if count > 1 else ''}{name}" for name, count in turns if count)
