"""One training session, and what it prints on the terminal.

TensorFlow and OpenCV are imported inside the functions, or `--help` would take five seconds.
"""

import dataclasses
from collections import Counter
from contextlib import suppress

import click

from balanced_gan import processor
from balanced_gan.files import atomic_write, printable
from balanced_gan.model import workers
from balanced_gan.runs.registry import all_runs, create_run
from balanced_gan.terminal import program, quiet_import, require_package

_SHOWN_FACES = 400  # on the sheet of a dry run
_NAMED_SKIPS = 5  # bad files named, for one reason and in all; skipped.txt has all


def train(settings, run) -> None:
    """Trains a `Run`, or a new one if `run` is None."""
    job = _prepared(settings)
    from balanced_gan.output.kinds import kind_of
    from balanced_gan.training.train import train

    new = run is None
    if new:
        job = _started(job)
        run = create_run(job.settings, kind_of(job.settings).label)
    with run.lock() as locked:
        run.save_settings(job.settings)
        click.echo(f"Run:      {run.path}, {'new' if new else 'continued'}")
        if not locked:
            click.echo(
                "Note:     this file system has no locks; do not train this run from two processes "
                "at once."
            )
        lines = "".join(f"{printable(name)}\t{reason}\n" for name, reason in job.skipped)
        if lines:
            atomic_write(run.path / "skipped.txt", lines.encode())
        else:  # they were mended or removed
            with suppress(OSError):
                (run.path / "skipped.txt").unlink()
        click.echo(f"Watch:    {run.report_file}, after a minute; Ctrl-C saves and stops")
        outcome = train(job.settings, run, job.samples)
    _say_outcome(outcome, job.settings, run, kind_of(job.settings).img_num)


def assist(path) -> None:
    """Trains as a worker that is not the chief: with the chief's settings, without a run folder.

    Args:
        path: where the chief's pictures are on this machine, or None for the same path.
    """
    number, count = workers.cluster()
    click.echo(f"Worker:   {number + 1} of {count}; waiting for the others")
    with quiet_import():
        workers.strategy()  # before TensorFlow computes anything
        from balanced_gan.training.prepare import prepare
        from balanced_gan.training.train import train
    job = prepare(None, path)
    outcome = train(job.settings, None, job.samples)
    click.echo(f"Done:     {outcome.steps} steps; the chief saved the run")


def show(settings, run) -> None:
    """Shows the size of a job and how long it would take. With --crop face it writes a sheet, too.

    Args:
        run: the `Run` that it would go on with, or None.
    """
    for name, value in dataclasses.asdict(settings).items():
        click.echo(f"  {name} = {printable(str(value))}")
    if not settings.of_points:
        settings = dataclasses.replace(settings, cache=False)  # which would be written
    job = _prepared(settings)
    if run is None:
        job = _started(job)
    else:
        click.echo(f"Run:      {run.path}, would be continued")
    from balanced_gan.training.estimate import estimate

    size = estimate(job.settings, job.samples)
    click.echo(f"Machine:  {printable(processor.describe())}")
    click.echo(
        f"Networks: generator {size.generator_parameters:,}, discriminator "
        f"{size.discriminator_parameters:,} parameters"
    )
    click.echo(f"Memory:   about {size.mebibytes / 1024:.1f} GiB at most")
    click.echo(
        f"Epoch:    {size.steps_per_epoch} batches of {size.batch_size}, "
        f"{size.seconds_per_step * size.steps_per_epoch:.1f} s"
    )
    click.echo(
        f"Job:      about {size.steps:.0f} steps in {size.minutes:.1f} minutes"
        f"{', including those done' if run else ''}; nothing was written"
    )
    if job.settings.crop == "face":
        from balanced_gan.data.finding import FACES_FOUND
        from balanced_gan.output.kinds import Images
        from balanced_gan.output.sampling import IMAGES

        IMAGES.mkdir(exist_ok=True)
        file = IMAGES / FACES_FOUND
        faces = job.samples[:_SHOWN_FACES]
        atomic_write(file, Images(job.settings).grid_png(faces, round(_SHOWN_FACES**0.5)))
        click.echo(f"          except {file}: the first {_SHOWN_FACES} faces at most")


def _prepared(settings):
    """The `Job`, after saying what is in it."""
    if settings.tensorboard:
        require_package("--tensorboard", "tensorboard")
    if settings.preview:
        require_package("--preview", "rich_pixels", "rich-pixels")
    count = workers.cluster().count
    if count > 1:
        click.echo(f"Workers:  {count}; waiting until all are there")
    with quiet_import():
        workers.strategy()  # before TensorFlow computes anything
        from balanced_gan.data.doubts import doubts
        from balanced_gan.output.kinds import kind_of
        from balanced_gan.training.prepare import fitting_batch_size, prepare
    job = prepare(settings)
    samples = job.samples
    click.echo(kind_of(settings).describe(samples))
    if fitting_batch_size(settings, len(samples)) < settings.batch_size:
        click.echo(
            f"          fewer than --batch_size {settings.batch_size}, so each batch holds all "
            f"{len(samples)} of them"
        )
    if job.skipped:
        click.echo(f"Skipped:  {len(job.skipped)}: {_in_words(job.skipped)}")
    for sentence in [] if settings.of_points else doubts(samples):
        click.echo(f"Note:     {sentence}")
    if job.bfloat16_ratio is not None:
        speed = "is not supported"
        if job.bfloat16_ratio:
            speed = f"runs at {job.bfloat16_ratio:.1f} times float32's speed"
        click.echo(f"Precision: {job.settings.precision}; bfloat16 {speed} here")
    return job


def _in_words(skipped):
    """Names and reasons of bad files; only the number where many have the same reason."""
    counts = Counter(reason for _, reason in skipped)
    many = {reason for reason, count in counts.items() if count > _NAMED_SKIPS}
    named = [f"{counts[reason]} times {reason}" for reason in counts if reason in many]
    few = [f"{printable(name)} ({reason})" for name, reason in skipped if reason not in many]
    more = len(few) - _NAMED_SKIPS
    return ", ".join([*named, *few[:_NAMED_SKIPS]]) + (f" and {more} more" if more > 0 else "")


def _started(job):
    """The job of a new run, with a start that is decided, after saying which."""
    from balanced_gan.training.choose_start import find_start

    start = find_start(job.settings, job.samples)
    name = start.name if start else "scratch"
    click.echo(f"Start:    {name}{'' if start else ', with random weights'}")
    return job._replace(settings=dataclasses.replace(job.settings, start=name))


def _say_outcome(outcome, settings, run, img_num):
    """What was done, and what to type next."""
    for name in outcome.damaged:
        click.echo(f"Note:     checkpoint {name} was damaged; an earlier one was used")
    which = "" if all_runs()[:1] == [run] else f' --run "{run.path}"'
    again = f"{program()}{which or ' --resume'}"
    count, unit = (outcome.steps, "step") if settings.steps else (outcome.epochs, "epoch")
    done = f"{count} {unit}{'' if count == 1 else 's'} in {outcome.minutes:.1f} minutes"
    if not outcome.finished:
        click.echo(f"Stopped:  {done}. Everything is saved. To continue: {again}")
    else:
        more = f"--{unit}s {2 * count}"
        if settings.minutes:
            more = f"--minutes {2 * max(settings.minutes, round(outcome.minutes)):g}"
        if outcome.new_steps:
            click.echo(f"Trained:  {done}. To continue: {again} {more}")
        else:
            click.echo(f"Finished: {done}; nothing is left to do. To train further: {again} {more}")
    click.echo(f"Look at:  {run.report_file}, or only the pictures: {run.final_grid}")
    click.echo(f"Next:     {program()} --TYPE generate{which} --img_num {img_num}")
