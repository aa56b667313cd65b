"""What each --TYPE does, and what it says about it on the terminal.

TensorFlow and OpenCV are imported inside the functions, or `--help` would take five
seconds.
"""

import dataclasses
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import click

from balanced_gan.errors import InputError
from balanced_gan.quiet import quiet_libraries
from balanced_gan.run import create_run, write_whole

_NAMED_SKIPS = 5  # bad files named on the terminal; skipped.txt has all


def program():
    """How the user calls us."""
    return "python train.py" if sys.argv[0].endswith("train.py") else "balanced-gan"


def train(settings, run, dry_run):
    """Trains.

    Args:
        settings: a `Settings`.
        run: the `Run` to go on with; None for a new one.
        dry_run: whether only to show the job; nothing is written then.
    """
    with _quiet_import():
        from balanced_gan import training
    if dry_run:
        settings = dataclasses.replace(settings, cache=False)  # which would be written
    samples, skipped = training.read_samples(settings)
    if settings.of_points:
        click.echo(f"Points:   {len(samples)} on the curve y = sin(x)")
    else:
        where = settings.path or "drawn faces, since no --path was given"
        click.echo(f"Pictures: {len(samples)} ({where})")
    batch_size = training.fitting_batch_size(settings, len(samples))
    if batch_size < settings.batch_size:
        click.echo(
            f"          fewer than --batch_size {settings.batch_size}, so each batch holds all "
            f"{batch_size} of them"
        )
    if skipped:
        named = [f"{repr(name)[1:-1]} ({reason})" for name, reason in skipped[:_NAMED_SKIPS]]
        more = f" and {len(skipped) - _NAMED_SKIPS} more" if len(skipped) > _NAMED_SKIPS else ""
        click.echo(f"Skipped:  {len(skipped)}: {', '.join(named)}{more}")
    if settings.precision == "auto":
        precision, ratio = training.faster_precision()
        settings = dataclasses.replace(settings, precision=precision)
        click.echo(
            f"Precision: {precision}; bfloat16 runs at {ratio:.1f} times float32's speed here"
        )
    if dry_run:
        _show_job(settings, samples, training)
        return
    new = run is None
    if new:
        run = create_run(settings)
    with run.alone():
        run.save_settings(settings)
        click.echo(f"Run:      {run.path}, {'new' if new else 'continued'}")
        if skipped:
            lines = "".join(f"{repr(name)[1:-1]}\t{reason}\n" for name, reason in skipped)
            write_whole(run.path / "skipped.txt", lines.encode())
        click.echo(f"Watch:    {run.path / 'grids'}; Ctrl-C saves and stops")
        outcome = training.train(settings, run, samples)
    for name in outcome.damaged:
        click.echo(f"Note:     checkpoint {name} was damaged; the one before it was used")
    again = f"{program()} --resume"
    done = f"{outcome.epochs} epoch{'' if outcome.epochs == 1 else 's'}"
    if settings.steps:
        done = f"{outcome.steps} batch{'' if outcome.steps == 1 else 'es'}"
    done = f"{done} in {outcome.minutes:.1f} minutes"
    if not outcome.finished:
        click.echo(f"Stopped:  {done}, everything is saved. To go on: {again}")
    else:
        if settings.minutes:
            more = f"--minutes {2 * settings.minutes:g}"
        elif settings.steps:
            more = f"--steps {2 * outcome.steps}"
        else:
            more = f"--epochs {2 * outcome.epochs}"
        click.echo(f"Trained:  {done}. To go on: {again} {more}")
    click.echo(f"Look at:  {run.final_sheet}, losses.png and animation.gif beside it")
    img_num = 1000 if settings.of_points else 20
    click.echo(f"Next:     {program()} --TYPE generate --img_num {img_num}")


def _show_job(settings, samples, training):
    """Prints the settings and the size of the job."""
    for name, value in dataclasses.asdict(settings).items():
        click.echo(f"  {name} = {value}")
    seconds, generator_size, discriminator_size = training.seconds_per_batch(settings, samples)
    batch_size = training.fitting_batch_size(settings, len(samples))
    per_epoch = len(samples) // batch_size
    click.echo(
        f"Networks: generator {generator_size:,}, discriminator {discriminator_size:,} parameters"
    )
    click.echo(f"Epoch:    {per_epoch} batches of {batch_size}, {seconds * per_epoch:.1f} s")
    last_step = training.last_step_of(settings, per_epoch)
    limits = [(last_step * seconds / 60, last_step)] if last_step else []
    if settings.minutes:
        limits.append((settings.minutes, settings.minutes * 60 / seconds))
    minutes, steps = min(limits)
    click.echo(f"Job:      about {steps:.0f} batches in {minutes:.1f} minutes; nothing was written")


def generate(run, best, seeds, top, truncation, out):
    """Makes pictures, or points.

    Args:
        run: a `Run`.
        best: whether to use the networks of its best evaluation.
        seeds: of the pictures, a range.
        top: how many of them to keep, or None for all.
        truncation: see `sampling.latents_of`.
        out: folder for the files, or None for one named after the run.
    """
    with _quiet_import():
        from balanced_gan import curve, sampling
    settings = run.settings()
    sampler = sampling.load_sampler(run, best, truncation)
    kept = sampler.most_real(seeds, top) if top else seeds
    folder = sampling.free_folder(Path(out) if out else sampling.IMAGES / run.name)
    sheet, shown = sampling.generate_files(sampler, folder, kept)
    chosen = f" (the most real of {len(seeds)})" if top else ""
    origin = f"in {folder}{chosen}, from {run.name} with --seed {seeds[0]}"
    if settings.of_points:
        distance, bins = curve.distance_and_coverage(shown)
        click.echo(f"Points:   {len(kept)} {origin}")
        click.echo(
            f"Curve:    mean distance {distance:.3f}; {bins} of 10 parts of its range reached"
        )
    else:
        click.echo(f"Pictures: {len(kept)} {origin}")
        if len(kept) > len(shown):
            click.echo(f"          the sheet shows the first {len(shown)}")
    click.echo(f"Look at:  {sheet}")


def evaluate(run, best, path, seed, inception_weights):
    """Measures a run's pictures.

    Args:
        run: a `Run`.
        best: whether to use the generator of its best evaluation.
        path: folder of pictures that it was not trained on, or None.
        seed: of the samples.
        inception_weights: see `features.inception`.
    """
    with _quiet_import():
        from balanced_gan import evaluation, training
    settings = run.settings()
    if settings.of_points:
        raise InputError(
            f"Run {run.name} makes points, not pictures; --TYPE generate measures those."
        )
    trained, _ = training.read_samples(settings)
    held_out = None
    if path is not None:
        others = dataclasses.replace(settings, path=path, max_images=None)
        held_out, skipped = training.read_samples(others)
        for name, reason in skipped:
            click.echo(f"Skipped:  {repr(name)[1:-1]} ({reason})")
    against = f"{len(trained)} training pictures, which flatters: --path PICTURES NOT TRAINED ON"
    if path is not None:
        against = f"{len(held_out)} held-out pictures"
    click.echo(f"Run:      {run.path}{', at its best' if best else ''}")
    click.echo(f"Compared: {evaluation.SAMPLES} samples with {against}")
    features = evaluation.inception_or_none(inception_weights, click.echo)
    report = evaluation.evaluate_run(run, best, trained, held_out, features, seed)
    click.echo()
    click.echo(report)
    click.echo()
    click.echo(f"Look at:  {run.path / 'nearest.png'}: samples, and the training picture nearest")
    click.echo(f"Numbers:  {run.path / 'metrics.json'}")


@contextmanager
def _quiet_import():
    """Imports TensorFlow without its messages, which come before its own log level counts."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever ~/.keras/keras.json says
    with quiet_libraries():
        import tensorflow as tf

        tf.zeros(1)  # the first operation prints them once more
        yield
