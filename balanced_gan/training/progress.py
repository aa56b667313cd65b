"""What a terminal or a notebook shows while a run trains: the progress line, and notes above it."""

import sys
import time
from typing import Any

import keras
from tqdm.auto import tqdm

from balanced_gan.training.clock import Budget


def say(sentence: str) -> None:
    """Prints a note above the progress line."""
    tqdm.write(f"Note: {sentence}.", file=sys.stderr)


class Progress(keras.callbacks.Callback):
    """The progress line: epoch, time left, speed, losses, gap, who trains, G's share of turns."""

    def __init__(self, budget: Budget, steps_per_epoch: int, batch_size: int) -> None:
        super().__init__()
        self.budget = budget
        self.steps_per_epoch = steps_per_epoch
        self.batch_size = batch_size
        self.bar: Any = None

    def close(self) -> None:
        """Ends the line; Keras calls no `on_train_end` after an exception."""
        if self.bar is not None:
            self.bar.refresh()
            self.bar.close()

    def on_train_begin(self, logs: Any = None) -> None:
        # A terminal is updated five times a second, a log file every half minute.
        interval = 0.2 if sys.stderr.isatty() else 30
        bar = "{bar}" if "ipykernel" in sys.modules else "{bar:10}"  # a notebook draws its own
        self.bar = tqdm(
            desc="compiling",
            total=1.0,
            initial=self.budget.share_done(),
            mininterval=interval,
            bar_format=f"{{desc}} {{percentage:3.0f}}%|{bar}| {{elapsed}}<{{remaining}}{{postfix}}",
            dynamic_ncols=True,
        )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 0:  # the first step includes compiling, so speed counts from here
            self.began = time.perf_counter()  # Windows updates its other clock 60 times a second
        else:
            speed = batch * self.batch_size / (time.perf_counter() - self.began)
            turns = self.model.generator_turns.numpy(), self.model.discriminator_turns.numpy()
            trains = "+".join(name for name in ("G", "D") if logs[f"turn_{name}"])
            self.bar.set_postfix_str(
                f"{speed:.0f} pictures/s, G {logs['loss_G']:.2f} D {logs['loss_D']:.2f} "
                f"gap {logs['gap']:+.2f}, {trains} trains, G {turns[0] / sum(turns):.0%}",
                refresh=False,
            )
        epoch = -(-self.model.steps_done // self.steps_per_epoch)
        last = self.budget.last_step
        epochs = f"/{-(-last // self.steps_per_epoch)}" if last else ""
        self.bar.set_description_str(f"epoch {epoch}{epochs}", refresh=False)
        self.bar.update(self.budget.share_done() - self.bar.n)
