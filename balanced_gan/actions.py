"""What every other --TYPE does with a trained run, and what it says about it on the terminal.

TensorFlow and OpenCV are imported inside the functions, or `--help` would take five seconds.
"""

import dataclasses
from collections import deque
from pathlib import Path

import click

from balanced_gan.errors import InputError
from balanced_gan.files import printable
from balanced_gan.runs import RUNS, all_runs, checked
from balanced_gan.terminal import need, program, quiet_import


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
    with quiet_import():
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
    with quiet_import():
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
    with quiet_import():
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
    need("--TYPE explore", "gradio", '"gradio>=6,<7"')
    with quiet_import():
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
        try:
            write_keepsakes(runs[0])
        except OSError as error:
            click.echo(f"Note:     no new plot or animation: {error.strerror or error}")
        click.echo(f"Look at:  {write_report(runs[0])}")
        return
    file = RUNS / "comparison.html"
    RUNS.mkdir(exist_ok=True)
    write_comparison(runs, file)
    click.echo(f"Compared: {', '.join(run.name for run in runs)}")
    click.echo(f"Look at:  {file}")


def list_runs():
    """Prints a table of all runs."""
    header = ["run", "pictures seen", "minutes", "side", "mmd", "MB", "trained on"]
    rows = [header]
    for run in all_runs():
        try:
            settings = checked(run).settings()
        except InputError:
            rows.append([printable(run.name), *[""] * 5, "cannot be used; --run NAME says why"])
            continue
        last = deque(run.history_rows(), 1)  # the last one, or none
        evaluations = run.evaluations(float("inf"))[-1:]
        size = sum(file.stat().st_size for file in run.path.rglob("*") if file.is_file())
        rows.append(
            [
                printable(run.name),
                *(f"{run.pictures_seen(int(row['step'])):,}" for row in last),
                *(f"{float(row['seconds']) / 60:.1f}" for row in last),
                *([] if last else ["0", "0.0"]),
                "" if settings.of_points else str(settings.image_size),
                *(f"{row['mmd']:.3f}" for row in evaluations),
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
    with quiet_import():
        from balanced_gan import evaluation, training
        from balanced_gan.features import inception
    settings = run.settings()
    if settings.of_points:
        raise InputError(
            f"Run {run.name} makes points, not pictures; --TYPE generate measures those."
        )
    try:
        trained, _ = training.read_samples(settings)
    except InputError as error:
        if path is None:
            raise
        trained = None
        click.echo(f"Note:     copies cannot be looked for. {error}")
    held_out = None
    if path is not None:
        others = dataclasses.replace(settings, path=path, max_images=None)
        held_out, skipped = training.read_samples(others)
        for name, reason in skipped:
            click.echo(f"Skipped:  {printable(name)} ({reason})")
    if path is None:
        against = f"{len(trained)} training pictures, which flatters: --path UNSEEN PICTURES"
    else:
        against = f"{len(held_out)} held-out pictures"
    click.echo(f"Run:      {run.path}{', at its best' if best else ''}")
    click.echo(f"Compared: {evaluation.SAMPLES} samples with {against}")
    features = inception(inception_weights) if inception_weights else None
    if features is None:
        click.echo("Note:     no FID and KID; --inception_weights download fetches what they need")
    report = evaluation.evaluate_run(run, best, trained, held_out, features, seed)
    click.echo()
    click.echo(report)
    click.echo()
    if trained is not None:
        nearest = run.path / "nearest.png"
        click.echo(f"Look at:  {nearest}: samples, and the training picture nearest")
    click.echo(f"Numbers:  {run.path / 'metrics.json'}")
