"""What a run needs beside the training step, one small Keras callback per concern.

The clock, the end, the progress line, the history, checkpoints; for what one looks at see
`watching`. None of them changes what the networks learn. How far the run has come is always
read from the model's own counter, `gan.batches`, which goes on counting when a run is resumed.
"""

import sys
import time
from contextlib import suppress

import keras
import numpy as np
from tqdm import tqdm

from balanced_gan import distribute, memory, metadata
from balanced_gan.checkpoints import all_variables, save_checkpoint
from balanced_gan.errors import InputError

_TRIM_EVERY = 10  # seconds; each time costs 40 ms; once a minute, an hour crept up by 4 %
_ASLEEP = 600  # seconds between two looks at the clock, and not spent computing: it slept


class Clock:
    """Seconds spent training, over all sessions of a run.

    Not of the calendar, which may be set anew. What passes while the machine sleeps does not
    count: on some systems the clock goes on meanwhile, and a budget of minutes would be gone.

    Args:
        before: seconds spent in earlier sessions.
    """

    def __init__(self, before=0.0):
        self._seconds = before
        self._last, self._computed = time.monotonic(), time.process_time()

    def seconds(self):
        now, computed = time.monotonic(), time.process_time()
        passed = now - self._last
        # A batch of a large network on a slow machine may take longer, but computes meanwhile.
        if passed < _ASLEEP or computed - self._computed > passed / 2:
            self._seconds += passed
        self._last, self._computed = now, computed
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
            shares.append(self.model.steps_done / self.last_step)
        if self.minutes:
            shares.append(self.clock.seconds() / (60 * self.minutes))
        return min(1.0, max(shares))

    def on_train_batch_end(self, batch, logs=None):
        # All workers must stop on the same batch: the next one needs everybody.
        self.asked, done = distribute.anyone([self.asked, self.share_done() >= 1])
        if self.asked or done:
            self.model.stop_training = True


class Sanity(keras.callbacks.Callback):
    """Notices losses and weights that are no numbers.

    On all workers on the same batch, since the losses are everybody's and the weights the same.
    """

    def on_train_batch_end(self, batch, logs=None):
        """Raises:
        FloatingPointError: if a loss is no number.
        """
        if not np.isfinite([logs["loss_G"], logs["loss_D"]]).all():
            raise FloatingPointError(f"a loss was no number at batch {self.model.steps_done}")

    def on_train_end(self, logs=None):
        """Raises:
        FloatingPointError: if a weight is no number.
        """
        if not all(np.isfinite(variable.numpy()).all() for variable in all_variables(self.model)):
            raise FloatingPointError(f"a weight was no number at batch {self.model.steps_done}")


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
            self.began = time.perf_counter()  # Windows moves its other clock 60 times a second
        else:
            speed = batch * self.batch_size / (time.perf_counter() - self.began)
            turns = (
                int(self.model.generator_turns.numpy()),
                int(self.model.discriminator_turns.numpy()),
            )
            share = 100 * turns[0] / sum(turns)
            self.bar.set_postfix_str(
                f"{speed:.0f} images/s, G {logs['loss_G']:.2f} D {logs['loss_D']:.2f} "
                f"gap {logs['gap']:+.2f}, {turn_name(logs)} trains, G {share:.0f}%",
                refresh=False,
            )
        epoch = -(-self.model.steps_done // self.per_epoch)
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
        self.file, self.writer = self.run.open_history(self.model.steps_done)

    def on_train_batch_end(self, batch, logs=None):
        step = self.model.steps_done
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
            # `Sanity` meets a weight that is no number in the next loss, on all workers.
            with suppress(FloatingPointError):
                self.attempt(self._save)
            self.last = self.clock.seconds()

    def on_train_end(self, logs=None):
        self.attempt(self._save)
        if self.failing:
            raise InputError(
                f"The end of training could not be saved below {str(self.run.path)!r}; "
                "what was saved before is whole. Make room there and give the same command "
                "again."
            )

    def _save(self):
        save_checkpoint(self.run, self.model, self.clock.seconds())


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
        self.first, self.before = self.model.steps_done, self.clock.seconds()
        self.metadata = {
            "parameters": {
                "generator": self.model.generator.count_params(),
                "discriminator": self.model.discriminator.count_params(),
            },
            "batch_size": self.batch_size,
            # A session that was killed keeps its beginning, and no end.
            "sessions": self.run.metadata()["sessions"],
        }
        self.session = {"began": metadata.now(), "machine": metadata.machine()}
        self.session["workers"] = distribute.cluster().count
        self.metadata["sessions"].append(self.session)
        self.attempt(lambda: self.run.save_metadata(self.metadata))

    def on_train_end(self, logs=None):
        seconds = self.clock.seconds() - self.before
        batches = self.model.steps_done - self.first
        self.session |= {
            "ended": metadata.now(),
            "minutes": round(seconds / 60, 2),
            "batches": batches,
            "images_per_second": round(batches * self.batch_size / seconds, 1),
        }
        self.attempt(lambda: self.run.save_metadata(self.metadata))


class Memory(keras.callbacks.Callback):
    """Gives memory that was freed back to the system every ten seconds, see `memory`.

    Args:
        clock: a `Clock`.
    """

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def on_train_begin(self, logs=None):
        self.due = self.clock.seconds() + _TRIM_EVERY

    def on_train_batch_end(self, batch, logs=None):
        if self.clock.seconds() >= self.due:
            memory.give_back()
            self.due = self.clock.seconds() + _TRIM_EVERY


def turn_name(logs):
    """Who trained on a batch: "G", "D", "G+D" when both did, "3G+D" when G did three times."""
    turns = [(name, int(logs[f"turn_{name}"])) for name in ("G", "D")]
    return "+".join(f"{count if count > 1 else ''}{name}" for name, count in turns if count)
