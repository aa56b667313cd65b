"""The Keras callbacks that every run needs: one small class for each task.

They write the history and checkpoints, and stop training that has diverged. The progress line is in
`progress`, and the callbacks that watch a run are in `monitors`. None of them changes what the
networks learn. All read the current step from the model's own counter, which keeps counting when a
run is resumed.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import keras
import numpy as np

from balanced_gan import memory
from balanced_gan.errors import InputError
from balanced_gan.model import workers
from balanced_gan.runs import machine
from balanced_gan.runs.checkpoints import named_variables, save_checkpoint
from balanced_gan.runs.run import Run
from balanced_gan.training.changes import fingerprint, what_changed
from balanced_gan.training.clock import Clock
from balanced_gan.training.progress import say

_TRIM_EVERY = 10  # seconds; each time costs 40 ms; once a minute, memory grew by 4 % in an hour


class FileCallback(keras.callbacks.Callback):
    """A callback that writes files and lets training continue if the disk refuses."""

    what = "a file"  # names the file in messages

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.failing = ""  # the reason for which the last attempt failed

    def attempt(self, write: Callable[[], object]) -> None:
        """Calls `write`. If a file cannot be written or read, says so once and lets training go on.

        Raises:
            InputError: if the run folder no longer exists.
        """
        try:
            write()
            self.failing = ""
        except (OSError, InputError) as error:
            if not self.run.path.is_dir():
                raise InputError(
                    f"The run folder {str(self.run.path)!r} no longer exists, so training stopped."
                ) from None
            reason = str(getattr(error, "strerror", None) or error) or type(error).__name__
            if not self.failing:
                say(f"{self.what} could not be written ({reason}); training continues")
            self.failing = reason


class StopOnNaN(keras.callbacks.Callback):
    """Raises FloatingPointError if a loss is NaN or infinite after a step, or a weight at the end.

    All workers stop after the same step, because they share the losses and weights.
    """

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if not np.isfinite([logs["loss_G"], logs["loss_D"]]).all():
            raise FloatingPointError(f"a loss was not finite at step {self.model.steps_done}")

    def on_train_end(self, logs: Any = None) -> None:
        variables = named_variables(self.model).values()
        if not all(np.isfinite(variable.numpy()).all() for variable in variables):
            raise FloatingPointError(f"a weight was not finite at step {self.model.steps_done}")


class History(FileCallback):
    """Appends a row to history.csv after each step."""

    what = "history.csv"

    def __init__(self, run: Run, clock: Clock, steps_per_epoch: int) -> None:
        super().__init__(run)
        self.clock = clock
        self.steps_per_epoch = steps_per_epoch

    def on_train_begin(self, logs: Any = None) -> None:
        self.file, self.writer = self.run.open_history(self.model.steps_done)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = self.model.steps_done
        row = [
            step,
            -(-step // self.steps_per_epoch),
            f"{self.clock.seconds():.2f}",
            *(f"{float(logs[key]):.5f}" for key in ("loss_G", "loss_D", "gap")),
            int(logs["turn_G"]),
            int(logs["turn_D"]),
        ]
        self.attempt(lambda: self.writer.writerow(row))

    def on_train_end(self, logs: Any = None) -> None:
        self.attempt(self.file.close)


class Checkpoints(FileCallback):
    """Saves a checkpoint at regular intervals and at the end."""

    what = "a checkpoint"

    def __init__(self, run: Run, clock: Clock, every_minutes: float) -> None:
        super().__init__(run)
        self.clock = clock
        self.every_seconds = 60 * every_minutes

    def on_train_begin(self, logs: Any = None) -> None:
        self.last = self.clock.seconds()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.clock.seconds() - self.last >= self.every_seconds:
            # `StopOnNaN` notices such a weight in the next loss, on all workers.
            with suppress(FloatingPointError):
                self.attempt(self._save)
            self.last = self.clock.seconds()

    def on_train_end(self, logs: Any = None) -> None:
        self.attempt(self._save)
        if self.failing:
            raise InputError(
                f"The last checkpoint could not be saved in {str(self.run.path)!r} "
                f"({self.failing}). Earlier checkpoints, if any, are intact. Once there is space "
                "and permission to write, run the same command again."
            )

    def _save(self):
        save_checkpoint(self.run, self.model, self.clock.seconds())


class MetadataLog(FileCallback):
    """Writes metadata.json when training starts and when it ends.

    Reports and records it if the samples (see `output.kinds`) are not those of the last session.
    """

    what = "metadata.json"

    def __init__(self, run: Run, clock: Clock, batch_size: int, samples: Any) -> None:
        super().__init__(run)
        self.clock = clock
        self.batch_size = batch_size
        self.samples = samples

    def on_train_begin(self, logs: Any = None) -> None:
        self.first, self.before = self.model.steps_done, self.clock.seconds()
        self.newest = self.before
        self.metadata: dict[str, Any] = {
            "parameters": {
                "generator": self.model.generator.count_params(),
                "discriminator": self.model.discriminator.count_params(),
            },
            "batch_size": self.batch_size,
            # A session that was killed has a beginning but no end.
            "sessions": self.run.metadata()["sessions"],
        }
        self.session: dict[str, Any] = {
            "began": machine.now(),
            "machine": machine.machine(),
            "workers": workers.cluster().count,
            **fingerprint(self.samples),
        }
        earlier = self.metadata["sessions"]
        change = what_changed(earlier[-1], self.session) if earlier else None
        if change:
            say(change)
            self.run.add_event(self.model.steps_done, self.before, "pictures changed", change)
        self.metadata["sessions"].append(self.session)
        self.attempt(lambda: self.run.save_metadata(self.metadata))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.newest = self.clock.seconds()

    def on_train_end(self, logs: Any = None) -> None:
        seconds = self.newest - self.before  # without the last evaluation and the plots
        batches = self.model.steps_done - self.first
        self.session |= {
            "ended": machine.now(),
            "minutes": round(seconds / 60, 2),
            "batches": batches,
            "images_per_second": round(batches * self.batch_size / max(seconds, 0.01), 1),
        }
        self.attempt(lambda: self.run.save_metadata(self.metadata))


class Memory(keras.callbacks.Callback):
    """Returns freed memory to the system every ten seconds; see `memory.give_back`."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def on_train_begin(self, logs: Any = None) -> None:
        self.due = self.clock.seconds() + _TRIM_EVERY

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.clock.seconds() >= self.due:
            memory.give_back()
            self.due = self.clock.seconds() + _TRIM_EVERY
