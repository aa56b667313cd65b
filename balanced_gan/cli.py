"""The command line: options -> Settings -> one function per --TYPE.

TensorFlow and OpenCV are imported inside the functions, or `--help` would take five
seconds.
"""

import dataclasses
import os
import secrets
import sys
from contextlib import contextmanager
from pathlib import Path

import click

from balanced_gan.errors import InputError
from balanced_gan.options import SETTINGS, GroupedCommand, option, settings_options
from balanced_gan.run import create_run, find_run, matching_run, write_whole
from balanced_gan.settings import Settings, preset_values, without_alternatives

_NAMED_SKIPS = 5  # bad files named on the terminal; skipped.txt has all


@click.command(
    cls=GroupedCommand,
    context_settings={"max_content_width": 100},
    epilog="Exit status: 0 done (or stopped by Ctrl-C and saved), 1 it could not be done, "
    "2 the options were wrong.",
)
@option(
    "--TYPE",
    "type_",
    group="What to do",
    type=click.Choice(["train", "generate", "evaluate"], case_sensitive=False),
    default="train",
    show_default=True,
    help="Train on a folder of pictures, make new pictures with what was trained, or measure how "
    "good they are.",
)
@option(
    "--run",
    "run_name",
    group="What to do",
    help="A run's name, number or folder: train it further, generate from it, evaluate it. "
    "[default: the newest that fits]",
)
@option(
    "--resume",
    is_flag=True,
    group="What to do",
    only=("train",),
    help="Go on with the newest run and its settings, whatever they are.",
)
@option(
    "--new",
    is_flag=True,
    group="What to do",
    only=("train",),
    help="Start a new run even where one could be continued.",
)
@option(
    "--dry_run",
    is_flag=True,
    group="What to do",
    only=("train",),
    help="Show settings, size and estimated time of the job; write nothing.",
)
@option(
    "--best",
    is_flag=True,
    group="What to do",
    only=("generate", "evaluate"),
    help="Use the networks of the best evaluation while training, not the newest.",
)
@settings_options
@option(
    "--img_num",
    group="Generating",
    only=("generate",),
    type=click.IntRange(1, 1_000_000),
    default=20,
    show_default=True,
    help="How many pictures to make.",
)
@option(
    "--top",
    group="Generating",
    only=("generate",),
    type=click.IntRange(1, 1_000_000),
    help="Of these keep only so many, those that the discriminator finds most real.",
)
@option(
    "--truncation",
    group="Generating",
    only=("generate",),
    type=click.FloatRange(0.0, 1.0, min_open=True),
    default=1.0,
    show_default=True,
    help="Below 1: more ordinary, more alike pictures.",
)
@option(
    "--out",
    group="Generating",
    only=("generate",),
    type=click.Path(file_okay=False),
    help="Folder for the pictures. [default: images/NAME OF THE RUN, or the next free one]",
)
@option(
    "--inception_weights",
    group="Evaluating",
    only=("evaluate",),
    type=click.Path(exists=True, dir_okay=False),
    help="InceptionV3 without its top, .h5, for FID and KID. [default: Keras's own, downloaded]",
)
@click.pass_context
def command(
    context,
    type_,
    run_name,
    resume,
    new,
    dry_run,
    best,
    img_num,
    top,
    truncation,
    out,
    inception_weights,
    **values,
):
    """Train a GAN on a folder of your own pictures, on a CPU, and make new pictures with it.

    \b
    python train.py                               train on drawn faces, to try it
    python train.py --preset sine                 learn a curve, in under a minute
    python train.py --path faces/ --epochs 50     train on your own pictures
    python train.py --TYPE generate --img_num 20  make pictures
    python train.py --TYPE evaluate --path new/   measure them against pictures not trained on

    Training continues by itself: after Ctrl-C or a crash, give the same command again.
    """
    given = {
        name
        for name in context.params
        if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    }
    for parameter in command.params:
        only = getattr(parameter, "only", None)
        if only and parameter.name in given and type_ not in only:
            raise click.UsageError(f"{parameter.opts[0]} has no effect with --TYPE {type_}.")
    if type_ == "generate":
        seed = values["seed"] if "seed" in given else secrets.randbelow(1_000_000)
        if top and top > img_num:
            raise click.UsageError(f"--top {top} cannot keep more than --img_num {img_num} makes.")
        _generate(find_run(run_name), best, range(seed, seed + img_num), top, truncation, out)
        return
    if type_ == "evaluate":
        _evaluate(find_run(run_name), best, values["path"], values["seed"], inception_weights)
        return
    if new and (resume or run_name):
        raise click.UsageError("--new starts a run; --resume and --run continue one.")
    if values["path"] is not None:
        values["path"] = str(Path(values["path"]).resolve())
    given_values = {name: values[name] for name in given & SETTINGS.keys()}
    try:
        settings = Settings(
            **{**preset_values(values["preset"]), **without_alternatives(given_values)}
        )
    except InputError as error:  # such as nan, which is in no range and out of none
        raise click.UsageError(f"--{error}") from None
    run = None
    if resume or run_name:
        run = find_run(run_name)
        settings = _continued(run, given_values)
    elif not new:
        run = matching_run(settings)
        if run:
            settings = dataclasses.replace(settings, precision=run.settings().precision)
    _train(settings, run, dry_run)


def _continued(run, given):
    """The settings of a run, with what may change changed.

    Raises:
        InputError: if something was given that may not.
    """
    stored = run.settings()
    for name, value in given.items():
        if not SETTINGS[name].metadata["may_change"] and value != getattr(stored, name):
            raise InputError(
                f"Run {run.name} was trained with {name}={getattr(stored, name)!r}, "
                f"which cannot change on the way. Received: --{name} {value}. "
                "Leave it out, or start a new run with --new."
            )
    changes = without_alternatives(
        {name: value for name, value in given.items() if SETTINGS[name].metadata["may_change"]}
    )
    return dataclasses.replace(stored, **changes)


def _train(settings, run, dry_run):
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
    if run is None:
        run = create_run(settings)
        click.echo(f"Run:      {run.path}, new")
    else:
        run.save_settings(settings)
        click.echo(f"Run:      {run.path}, continued")
    if skipped:
        lines = "".join(f"{repr(name)[1:-1]}\t{reason}\n" for name, reason in skipped)
        write_whole(run.path / "skipped.txt", lines.encode())
    click.echo(f"Watch:    {run.path / 'grids'}; Ctrl-C saves and stops")
    outcome = training.train(settings, run, samples)
    for name in outcome.damaged:
        click.echo(f"Note:     checkpoint {name} was damaged; the one before it was used")
    again = f"{_program()} --resume"
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
    click.echo(f"Next:     {_program()} --TYPE generate --img_num {img_num}")


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


def _generate(run, best, seeds, top, truncation, out):
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


def _evaluate(run, best, path, seed, inception_weights):
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
    """Imports TensorFlow without its messages about processors and missing GPUs.

    They are written before its own log level counts, straight to file descriptor 2.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever ~/.keras/keras.json says
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow as tf

        tf.zeros(1)  # the first operation prints them once more
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _program():
    """How the user calls us."""
    return "python train.py" if sys.argv[0].endswith("train.py") else "balanced-gan"


def main():
    """Runs the command line; every expected error becomes one sentence."""
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show is no error
        stream.reconfigure(errors="backslashreplace")
    try:
        command.main(prog_name=_program(), standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except ModuleNotFoundError as missing:
        sys.exit(f"Error: {missing}. Install it: python -m pip install -r requirements.txt")
    except (InputError, OSError) as error:
        sys.exit(f"Error: {error}")
    except (KeyboardInterrupt, click.Abort):
        sys.exit("Stopped; nothing already made is lost.")
