"""Trains a run from its newest checkpoint to the end of its budget."""

import re
import sys
from contextlib import closing
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from balanced_gan.data.batches import batches
from balanced_gan.errors import InputError, is_out_of_memory
from balanced_gan.evaluation.evaluate import FEWEST
from balanced_gan.files import atomic_write
from balanced_gan.model import workers
from balanced_gan.model.build import build_gan
from balanced_gan.model.start import apply_start
from balanced_gan.output.final_plots import write_final_plots
from balanced_gan.output.kinds import kind_of
from balanced_gan.runs import machine
from balanced_gan.runs.checkpoints import load_checkpoint, named_variables
from balanced_gan.runs.run import Run
from balanced_gan.settings import Settings
from balanced_gan.training import callbacks, monitors, progress
from balanced_gan.training.choose_start import find_start
from balanced_gan.training.clock import Budget, Clock
from balanced_gan.training.estimate import last_step_of
from balanced_gan.training.interrupt import finish_batch_on_interrupt
from balanced_gan.training.oversampling import sampling_weights
from balanced_gan.training.prepare import fitting_batch_size
from balanced_gan.views.report import write_report

_LEAST_FACTOR = 1 / 8  # of the learning rates, reached by going back three times


class Outcome(NamedTuple):
    """How a training session ended."""

    finished: bool  # whether the budget is spent; if not, training was interrupted
    epochs: int  # complete epochs, over all sessions of the run
    steps: int  # over all sessions
    new_steps: int  # of this session
    minutes: float  # minutes of training, over all sessions
    damaged: list[str]  # names of the checkpoints that could not be read


def train(settings: Settings, run: Run | None, samples: Any) -> Outcome:
    """Trains a run from its newest checkpoint until its budget is spent or Ctrl-C.

    If a loss or a weight becomes NaN or infinite, training goes back to the newest checkpoint and
    continues with half the learning rates, at most three times in a run.

    Args:
        settings: their `precision` must be "float32" or "bfloat16", not "auto".
        run: the run, or None on workers other than the chief.
        samples: the training samples, see `output.kinds`.

    Raises:
        InputError: if the run has checkpoints and none can be read, if its folder disappears,
            if training diverges a fourth time, or if another worker stops answering.
    """
    weights = sampling_weights(samples, settings.oversampling)  # before the clock runs
    gan, seconds, damaged = _newest(settings, run, samples)
    while True:
        try:
            return _train(gan, seconds, damaged, settings, run, samples, weights)
        except FloatingPointError as trouble:
            gan, seconds = _step_back(gan, trouble, settings, run, samples)
        except (MemoryError, tf.errors.OpError) as error:
            raise _explained(error) from None


def _explained(error: MemoryError | tf.errors.OpError) -> Exception:
    """The error as an InputError that says what to do; if that is unknown, the error itself."""
    if is_out_of_memory(error):
        return InputError(
            "Training ran out of memory; the newest checkpoint is intact. A new run with a "
            "smaller --batch_size, --width or --image_size may fit."
        )
    if workers.cluster().count > 1:
        return workers.lost_worker(error)
    failed_read = re.search(r"OSError: (.+)", str(error))  # in the pipeline of batches
    if failed_read:
        return InputError(
            f"A picture could not be read: {failed_read[1]}. Run the same command again."
        )
    return error


def _newest(settings, run, samples):
    """`(gan, seconds, damaged)` of the newest checkpoint, or of the start of a new run.

    Only the chief reads them; the other workers receive the variables from it.
    """
    gan = build_gan(settings)
    seconds, damaged = load_checkpoint(run, gan) if run else (0.0, [])
    if run and not gan.steps_done:
        start = find_start(settings, samples)
        if start:
            apply_start(gan, start, samples)
    if workers.cluster().count > 1:
        variables = list(named_variables(gan).values())
        arrays = [variable.numpy() for variable in variables]
        *arrays, seconds = workers.from_chief([*arrays, np.float64(seconds)])
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
    return gan, float(seconds), damaged


def _step_back(gan, trouble, settings, run, samples):
    """`(gan, seconds)` of the newest checkpoint, with half the learning rates."""
    factor = float(gan.learning_rate_factor.numpy()) / 2
    if factor < _LEAST_FACTOR:
        raise InputError(
            f"Training diverged: {trouble}, although the learning rates were already reduced to "
            f"{2 * factor:g} times their settings. The last good checkpoint is kept. A new run "
            "with lower --generator_learning_rate and --discriminator_learning_rate may do "
            "better."
        ) from None
    gan, seconds, _ = _newest(settings, run, samples)
    gan.learning_rate_factor.assign(factor)
    sentence = (
        f"{trouble}; training went back to step {gan.steps_done} and continues with the "
        f"learning rates at {factor:g} times their settings"
    )
    if run:
        progress.say(sentence)
        run.add_event(gan.steps_done, seconds, "stepped back", sentence)
    return gan, seconds


def _train(gan, seconds, damaged, settings, run, samples, weights):
    """Trains to the end; raises FloatingPointError if a loss or a weight is not finite."""
    clock = Clock(seconds)
    batch_size = fitting_batch_size(settings, len(samples))
    per_epoch = len(samples) // batch_size
    step = gan.steps_done
    last_step = last_step_of(settings, per_epoch)
    budget = Budget(clock, last_step, settings.minutes)
    budget.set_model(gan)
    if budget.share_done() >= 1:
        if run:
            _write_missing_end(run)
        return Outcome(True, step // per_epoch, step, 0, seconds / 60, damaged)
    line = progress.Progress(budget, per_epoch, batch_size)
    of_run = []
    if run:
        of_run = [line, *_run_callbacks(settings, run, samples, batch_size, clock, budget)]
        if step == 0:
            order = np.random.default_rng(settings.seed).permutation(len(samples))
            shown = samples[order[: settings.grid_side**2]]
            grid = kind_of(settings).grid_png(shown, settings.grid_side)
            atomic_write(run.grid_file("real"), grid)
    with finish_batch_on_interrupt(budget.ask), closing(line):
        try:
            # All of our epochs are one Keras epoch, because a resumed run starts in the middle
            # of an epoch and a budget of minutes ends anywhere.
            gan.fit(
                gan.distribute_strategy.distribute_datasets_from_function(
                    lambda context: batches(
                        samples, batch_size, settings.seed, settings.mirror, step, context, weights
                    )
                ),
                steps_per_epoch=last_step - step if last_step else sys.maxsize,
                shuffle=False,  # `batches` shuffles
                verbose=0,
                callbacks=[budget, callbacks.StopOnNaN(), *of_run],
            )
        except FloatingPointError:
            if not budget.asked:  # otherwise the newest checkpoint is the end the user asked for
                raise
    epochs, finished = gan.steps_done // per_epoch, budget.share_done() >= 1
    steps = gan.steps_done
    return Outcome(finished, epochs, steps, steps - step, clock.seconds() / 60, damaged)


def _run_callbacks(settings, run, samples, batch_size, clock, budget):
    """The callbacks that write to the run folder."""
    per_epoch = len(samples) // batch_size
    every_epochs = settings.grid_every_epochs
    every_steps = every_epochs * per_epoch if every_epochs else settings.grid_every_steps or 0
    kind = kind_of(settings)
    show = monitors.preview if settings.preview else None
    health = monitors.Health(run, clock)
    on_request = []
    every_minutes = settings.evaluate_every_minutes
    if every_minutes and not settings.of_points:
        real = monitors.to_compare_with(samples)
        if len(real) >= FEWEST:
            on_request.append(monitors.Evaluations(run, budget, real, every_minutes, health))
    if settings.tensorboard:
        on_request.append(_TensorBoard(run.path / "tensorboard", update_freq=10))
    return [
        health,
        callbacks.History(run, clock, per_epoch),
        monitors.Grids(run, kind, settings.grid_side, every_steps, bool(every_epochs), show),
        callbacks.Checkpoints(run, clock, settings.checkpoint_every_minutes),
        *on_request,
        callbacks.Memory(clock),
        monitors.FinalPlots(run, budget),
        callbacks.MetadataLog(run, clock, batch_size, samples),  # says that all above is done
        monitors.Report(run, clock),
    ]


class _TensorBoard(keras.callbacks.TensorBoard):
    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._global_train_batch = self.model.steps_done  # Keras begins each session at 0


def _write_missing_end(run):
    """Writes what a session that was killed after its last checkpoint had yet to write."""
    metadata = run.metadata()
    if metadata["sessions"] and "ended" not in metadata["sessions"][-1]:
        write_final_plots(run)
        metadata["sessions"][-1]["ended"] = machine.now()
        run.save_metadata(metadata)
        write_report(run)
