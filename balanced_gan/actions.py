"""What each --TYPE does, and what it says about it on the terminal.

TensorFlow and OpenCV are imported inside the functions, or `--help` would take five
seconds.
"""

import dataclasses
import os
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np

from balanced_gan import distribute
from balanced_gan.errors import InputError
from balanced_gan.files import printable, write_whole
from balanced_gan.quiet import quiet_libraries
from balanced_gan.runs import RUNS, all_runs, create_run
from balanced_gan.settings import Settings

_SHOWN_FACES = 400  # on the sheet of a dry run
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
    if dry_run:  # before TensorFlow, which takes seconds to import
        for name, value in dataclasses.asdict(settings).items():
            click.echo(f"  {name} = {value}")
    if settings.tensorboard:
        _need("--tensorboard", "tensorboard")
    if settings.preview:
        _need("--preview", "rich_pixels", "rich-pixels")
    workers = distribute.cluster().count
    if workers > 1:
        click.echo(f"Workers:  {workers}; waiting until all are there")
    with _quiet_import(distribute.strategy):
        from balanced_gan import building, training
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
        where = settings.path or "drawn faces, since no --path was given"
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
    if settings.precision == "auto":
        precision, ratio = building.faster_precision()
        settings = dataclasses.replace(settings, precision=precision)
        speed = f"runs at {ratio:.1f} times float32's speed" if ratio else "does not run"
        click.echo(f"Precision: {precision}; bfloat16 {speed} here")
    distribute.text_from_chief(settings.precision)
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


def _need(option, package, to_install=None):
    """Raises an `InputError` that says what to install, unless an option's package is there."""
    if find_spec(package) is None:
        raise InputError(
            f"{option} needs a package that is not installed: "
            f"python -m pip install {to_install or package}"
        )


def assist(path):
    """Trains as a worker that is not the chief: with the chief's settings, without a run folder.

    Args:
        path: where the chief's pictures are on this machine, or None for the same path.
    """
    number, count = distribute.cluster()
    click.echo(f"Worker:   {number} of 0 to {count - 1}; waiting until all are there")
    with _quiet_import(distribute.strategy):
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


def _show_job(settings, samples, training):
    """Prints the size of the job and how long it takes; of faces that were cut out, a sheet too."""
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
    if settings.crop == "face":
        from balanced_gan.sampling import IMAGES, sheet_png

        IMAGES.mkdir(exist_ok=True)
        file = IMAGES / "faces_found.png"
        write_whole(file, sheet_png(samples[:_SHOWN_FACES], round(_SHOWN_FACES**0.5)))
        click.echo(f"          but for {file}: the first {_SHOWN_FACES} faces at most")


def generate(run, best, seeds, top, truncation, out, columns, captions):
    """Makes pictures, or points.

    Args:
        run: a `Run`.
        best: whether to use the networks of its best evaluation.
        seeds: of the pictures, a range.
        top: how many of them to keep, or None for all.
        truncation: see `sampling.latents_of`.
        out: folder for the files, or None for one named after the run.
        columns, captions: of the sheet, see `sampling.generate_files`.
    """
    with _quiet_import():
        from balanced_gan import curve, sampling
    settings = run.settings()
    sampler = sampling.load_sampler(run, best, truncation)
    kept = sampler.most_real(seeds, top) if top else seeds
    folder = sampling.free_folder(Path(out) if out else sampling.IMAGES / run.name)
    sheet, shown = sampling.generate_files(sampler, folder, kept, columns, captions)
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


def interpolate(run, best, seeds, truncation, out, frames_between, fps, side):
    """Makes a video from picture to picture.

    Args:
        run: a `Run`.
        best: whether to use the generator of its best evaluation.
        seeds: of the pictures to pass through, a range.
        truncation: see `sampling.latents_of`.
        out: folder for the files, or None for one named after the run.
        frames_between, fps, side: see `interpolation.interpolate_files`.
    """
    settings = run.settings()
    if settings.of_points:
        raise InputError(f"Run {run.name} makes points, and a video is made of pictures.")
    with _quiet_import():
        from balanced_gan import interpolation, sampling
    source = run.source(best)
    generator = sampling.load_network(source, source.generator_file)
    folder = sampling.free_folder(Path(out) if out else sampling.IMAGES / run.name)
    prior = settings.latent_prior
    latents = sampling.latents_of(seeds, generator.input_shape[-1], truncation, prior)
    video = frames_between, fps, side
    files = interpolation.interpolate_files(generator, folder, latents, prior, *video)
    click.echo(f"Video:    {len(seeds)} latents, from {run.name} with --seed {seeds[0]}")
    click.echo(f"Look at:  {', '.join(map(str, files))}")


def export(run, best, kind, out):
    """Writes the generator for other programs.

    Args:
        run: a `Run`.
        best: whether to use the generator of its best evaluation.
        kind: see `export.export`.
        out: folder for it, or None for `export` in the run's.
    """
    if run.settings().of_points:
        raise InputError(f"Run {run.name} makes points; only pictures are exported.")
    with _quiet_import():
        from balanced_gan import export

        path, difference = export.export(run, best, kind, Path(out or run.path / "export"))
    click.echo(f"Written:  {path}")
    click.echo(f"Checked:  16 latents, largest difference {difference:.2f} levels of 255")
    click.echo(f"To use:   {path.parent / f'use_{kind}.py'}")


def explore(run, best, out, open_browser):
    """Opens a page to play with the generator, until Ctrl-C.

    Args:
        run: a `Run`.
        best: whether to use the networks of its best evaluation.
        out: folder for what is saved there, or None for one named after the run.
        open_browser: whether to open it at once.
    """
    settings = run.settings()
    if settings.of_points:
        raise InputError(f"Run {run.name} makes points; there are only pictures to explore.")
    _need("--TYPE explore", "gradio", '"gradio>=6,<7"')
    with _quiet_import():
        from balanced_gan import explore, sampling, training
    try:
        pictures, _ = training.read_samples(settings)
    except InputError as error:
        click.echo(f"Note:     no nearest training picture: {error}")
        pictures = None
    sampler = sampling.load_sampler(run, best, 1.0)
    explorer = explore.Explorer(
        sampler.generator, sampler.discriminator, pictures, settings.latent_prior
    )
    folder = Path(out) if out else sampling.IMAGES / f"{run.name}-explored"
    page = explore.build_page(explorer, f"Run {run.name}", folder)
    explore.serve(
        page, open_browser, lambda address: click.echo(f"Explore:  {address}; Ctrl-C ends")
    )


def report(runs):
    """Writes a run's page, plot and animation anew, or a page that compares several.

    Args:
        runs: a list of `Run`s.
    """
    from balanced_gan.keepsakes import write_keepsakes
    from balanced_gan.report import write_comparison, write_report

    if len(runs) == 1:
        write_keepsakes(runs[0])
        click.echo(f"Look at:  {write_report(runs[0])}")
        return
    file = RUNS / "comparison.html"
    RUNS.mkdir(exist_ok=True)
    write_comparison(runs, file)
    click.echo(f"Compared: {', '.join(run.name for run in runs)}")
    click.echo(f"Look at:  {file}")


def list_runs():
    """Prints a table of all runs."""
    header = ["run", "pictures seen", "minutes", "side", "swd", "MB", "trained on"]
    rows = [header]
    for run in all_runs():
        try:
            settings = run.settings()
        except InputError:
            rows.append([printable(run.name), *[""] * 5, "settings.json cannot be read"])
            continue
        last = run.history()[-1:]
        evaluations = run.evaluations(float("inf"))[-1:]
        size = sum(file.stat().st_size for file in run.path.rglob("*") if file.is_file())
        rows.append(
            [
                printable(run.name),
                *(f"{run.pictures_seen(int(row['step'])):,}" for row in last),
                *(f"{float(row['seconds']) / 60:.1f}" for row in last),
                *([] if last else ["0", "0.0"]),
                "" if settings.of_points else str(settings.image_size),
                *(f"{row['swd']:.0f}" for row in evaluations),
                *([] if evaluations else [""]),
                f"{size / 1e6:.0f}",
                "a sine curve" if settings.of_points else printable(settings.path or "drawn faces"),
            ]
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(header) - 1)]
    for row in rows:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        click.echo("  ".join([*cells, row[-1]]))
    if len(rows) == 1:
        click.echo(f"(none yet: {program()} --path FOLDER makes one)")


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
            click.echo(f"Skipped:  {printable(name)} ({reason})")
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
def _quiet_import(prepare=lambda: None):
    """Imports TensorFlow without its messages, which come before its own log level counts.

    `prepare` is called before TensorFlow computes anything.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever ~/.keras/keras.json says
    with quiet_libraries():
        import tensorflow as tf

        prepare()
        tf.zeros(1)  # the first operation prints them once more
        yield
