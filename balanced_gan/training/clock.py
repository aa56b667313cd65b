"""The time that a run has spent training, and the budget that ends it."""

import time
from typing import Any

import keras

from balanced_gan.model import workers

_ASLEEP = 600  # seconds between two looks at the clock without computing: the machine slept


class Clock:
    """Seconds spent training, over all sessions of a run.

    It does not follow the calendar, which may be changed. Time during which the machine sleeps does
    not count: on some systems the clock runs on meanwhile, and a budget of minutes would be spent.

    Args:
        before: seconds spent in earlier sessions.
    """

    def __init__(self, before: float = 0.0) -> None:
        self._seconds = before
        self._last, self._computed = time.monotonic(), time.process_time()

    def seconds(self) -> float:
        """The seconds until now."""
        now, computed = time.monotonic(), time.process_time()
        passed = now - self._last
        # A step of a large network on a slow machine may take longer, but it keeps computing.
        if passed < _ASLEEP or computed - self._computed > passed / 2:
            self._seconds += passed
        self._last, self._computed = now, computed
        return self._seconds


class Budget(keras.callbacks.Callback):
    """Ends training when its budget is spent or the user asks for the end.

    Args:
        last_step: the step after which to stop, or None.
        minutes: minutes of training after which to stop, or None.
    """

    def __init__(self, clock: Clock, last_step: int | None, minutes: float | None) -> None:
        super().__init__()
        self.clock = clock
        self.last_step = last_step
        self.minutes = minutes
        self.asked = False

    def ask(self) -> None:
        """Asks for the end after this step, as Ctrl-C does."""
        self.asked = True

    def share_done(self) -> float:
        """The share of the budget that is spent, from 0 to 1."""
        shares = [0.0]
        if self.last_step:
            shares.append(self.model.steps_done / self.last_step)
        if self.minutes:
            shares.append(self.clock.seconds() / (60 * self.minutes))
        return min(1.0, max(shares))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # All workers must stop after the same step, because the next one needs all of them.
        self.asked, done = workers.any_worker([self.asked, self.share_done() >= 1])
        if self.asked or done:
            self.model.stop_training = True
