"""--TYPE train, and what it says about it on the terminal.

TensorFlow and OpenCV are imported inside the functions, or `--help` would take five seconds.
"""

import dataclasses

import click
import numpy as np

from balanced_gan import distribute, processor
from balanced_gan.errors import InputError
from balanced_gan.files import printable, write_whole
from balanced_gan.runs import all_runs, create_run
from balanced_gan.settings import Settings
from balanced_gan.terminal import need, program, quiet_import

_SHOWN_FACES = 400  # on the sheet of a dry run
_FEW = 50  # pictures
_LOOKED_AT = 5000  # pictures, among which equal ones are looked for
_MANY_EQUAL = 0.1  # share of the pictures
_NAMED_SKIPS = 5  # bad files named on the terminal; skipped.txt has all


def train(settings, run, dry_run):
    """Trains.

    Args:
        settings: a `Settings`.
        run: the `Run` to go on with; None for a new one.
        dry_run: whether only to show the job; nothing is written then.
    """
    if dry_run:  # before TensorFlow, which takes seconds to import
        for name, value in dataclasses.asdict(settings).items():
            click.echo(f"  {name} = {printable(str(value))}")
    if settings.tensorboard:
        need("--tensorboard", "tensorboard")
    if settings.preview:
        need("--preview", "rich_pixels", "rich-pixels")
    workers = distribute.cluster().count
    if workers > 1:
        click.echo(f"Workers:  {workers}; waiting until all are there")
    with quiet_import(distribute.strategy):
        from balanced_gan import building, start, training
    if settings.balance == "repeat" and distribute.strategy().num_replicas_in_sync > 1:
        raise InputError("--balance repeat trains on one CPU or GPU only. Received: --workers")
    distribute.text_from_chief(settings.to_json())
    if dry_run and not settings.of_points:
        settings = dataclasses.replace(settings, cache=False)  # which would be written
    samples, skipped = training.read_samples(settings)
    distribute.from_chief([np.int64(len(samples))])
    if settings.of_points:
        click.echo(f"Points:   {len(samples)} on the curve y = sin(x)")
    else:
        where = printable(settings.path or "drawn faces, since no --path was given")
        click.echo(f"Pictures: {len(samples)} ({where})")
    batch_size = training.fitting_batch_size(settings, len(samples))
    if batch_size < settings.batch_size:
        click.echo(
            f"          fewer than --batch_size {settings.batch_size}, so each batch holds all "
            f"{batch_size} of them"
        )
    if skipped:
        named = [f"{printable(name)} ({reason})" for name, reason in skipped[:_NAMED_SKIPS]]
        more = f" and {len(skipped) - _NAMED_SKIPS} more" if len(skipped) > _NAMED_SKIPS else ""
        click.echo(f"Skipped:  {len(skipped)}: {', '.join(named)}{more}")
    if not settings.of_points:
        for sentence in doubts(samples):
            click.echo(f"Note:     {sentence}")
    if settings.precision == "auto":
        precision, ratio = building.faster_precision()
        settings = dataclasses.replace(settings, precision=precision)
        speed = f"runs at {ratio:.1f} times float32's speed" if ratio else "is not supported"
        click.echo(f"Precision: {precision}; bfloat16 {speed} here")
    distribute.text_from_chief(settings.precision)
    if run is None:
        begins = start.find_start(settings, samples)
        settings = dataclasses.replace(settings, start=begins.name if begins else "scratch")
        click.echo(f"Start:    {settings.start}{'' if begins else ', with random weights'}")
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
            lines = "".join(f"{printable(name)}\t{reason}\n" for name, reason in skipped)
            write_whole(run.path / "skipped.txt", lines.encode())
        click.echo(f"Watch:    {run.report_file}, after a minute; Ctrl-C saves and stops")
        outcome = training.train(settings, run, samples)
    for name in outcome.damaged:
        click.echo(f"Note:     checkpoint {name} was damaged; the one before it was used")
    which = "" if all_runs()[:1] == [run] else f' --run "{run.path}"'
    again = f"{program()}{which or ' --resume'}"
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
    click.echo(f"Look at:  {run.report_file}, with everything; {run.final_sheet} alone")
    img_num = 1000 if settings.of_points else 20
    click.echo(f"Next:     {program()} --TYPE generate{which} --img_num {img_num}")


def assist(path):
    """Trains as a worker that is not the chief: with the chief's settings, without a run folder.

    Args:
        path: where the chief's pictures are on this machine, or None for the same path.
    """
    number, count = distribute.cluster()
    click.echo(f"Worker:   {number} of 0 to {count - 1}; waiting until all are there")
    with quiet_import(distribute.strategy):
        from balanced_gan import training
    settings = Settings.from_json(distribute.text_from_chief(""))
    if path is not None:
        settings = dataclasses.replace(settings, path=path)
    samples, _ = training.read_samples(settings)
    (chiefs,) = distribute.from_chief([np.int64(0)])
    if chiefs != len(samples):
        raise InputError(
            f"This worker found {len(samples)} pictures and the chief {chiefs}: all need the same "
            f"ones. Received: path={settings.path!r}"
        )
    settings = dataclasses.replace(settings, precision=distribute.text_from_chief(""))
    outcome = training.train(settings, None, samples)
    click.echo(f"Done:     {outcome.steps} batches; the chief has the run")


def doubts(samples):
    """What a user should know about pictures before training on them.

    Args:
        samples: uint8 (N, S, S, C).

    Returns:
        A list of sentences.
    """
    found = []
    if len(samples) < _FEW:
        found.append(
            f"{len(samples)} pictures are few: expect near copies of them. More pictures help "
            "most, even if they are only similar."
        )
    some = samples[:_LOOKED_AT]
    equal = len(some) - len({bytes(picture.data) for picture in map(np.ascontiguousarray, some)})
    if equal and equal == len(some) - 1:
        found.append("all pictures are the same, so there is nothing to learn but this one.")
    elif equal > _MANY_EQUAL * len(some):
        found.append(f"{equal} of {len(some)} pictures are equal to another one.")
    return found


def _show_job(settings, samples, training):
    """Prints the size of the job and how long it takes; of faces that were cut out, a sheet too."""
    seconds, generator_size, discriminator_size = training.seconds_per_batch(settings, samples)
    batch_size = training.fitting_batch_size(settings, len(samples))
    per_epoch = len(samples) // batch_size
    click.echo(f"Machine:  {printable(processor.describe())}")
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
    if settings.crop == "face":
        from balanced_gan.sampling import IMAGES, sheet_png

        IMAGES.mkdir(exist_ok=True)
        file = IMAGES / "faces_found.png"
        write_whole(file, sheet_png(samples[:_SHOWN_FACES], round(_SHOWN_FACES**0.5)))
        click.echo(f"          but for {file}: the first {_SHOWN_FACES} faces at most")
