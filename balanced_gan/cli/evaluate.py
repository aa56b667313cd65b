"""--TYPE evaluate: how good a run's pictures are."""

import dataclasses

import click

from balanced_gan.cli.folder import folder_of
from balanced_gan.cli.options import best_option, cli_command, option, run_option
from balanced_gan.errors import InputError
from balanced_gan.files import printable
from balanced_gan.runs.registry import find_run
from balanced_gan.terminal import quiet_import


@cli_command("evaluate")
@run_option("Evaluate a run")
@best_option
@option("--path", help="Folder of pictures that the run was not trained on.")
@option("--pattern", help="As in training, for --path. [default: the run's]")
@option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, help="Seed of the first of 400 samples."
)
@option(
    "--inception_weights",
    metavar="FILE|download",
    help="InceptionV3 without its top, a .h5 file, for FID and KID; or `download`, to fetch "
    "Keras's own once, 88 MB. [default: neither FID nor KID]",
)
def command(run_name, best, path, pattern, seed, inception_weights):
    """Measure how good and how varied a run's pictures are, and whether any are copies."""
    run = find_run(run_name)
    held_out_path = None if path is None else folder_of(path)
    with quiet_import():
        from balanced_gan.evaluation import evaluate, features
        from balanced_gan.output import kinds
    kinds.require_images(run, "--TYPE generate measures those")
    settings = run.settings()
    try:
        trained, _ = kinds.Images(settings).load()
    except InputError as error:
        if path is None:
            raise
        trained = None
        click.echo(f"Note:     cannot check for copies. {error}")
    held_out = None
    if path is None:
        against = f"{_some_of(trained)} training pictures, which flatters it; try --path UNSEEN"
    else:
        others = dataclasses.replace(
            settings, path=held_out_path, pattern=pattern or settings.pattern, max_images=None
        )
        held_out, skipped = kinds.Images(others).load()
        for name, reason in skipped:
            click.echo(f"Skipped:  {printable(name)} ({reason})")
        against = f"{_some_of(held_out)} held-out pictures"
        if trained is not None:
            against += f"; copies are looked for among {_some_of(trained)} training pictures"
    click.echo(f"Run:      {run.path}{', at its best' if best else ''}")
    click.echo(f"Compared: {evaluate.SAMPLES} samples with {against}")
    inception = features.inception(inception_weights) if inception_weights else None
    if inception is None:
        click.echo("Note:     no FID or KID; --inception_weights download fetches what they need")
    report = evaluate.evaluate_run(run, best, trained, held_out, inception, seed)
    click.echo(f"\n{report}\n")
    if trained is not None:
        nearest = run.path / "nearest.png"
        click.echo(f"Look at:  {nearest}: samples, each above the training picture nearest to it")
    click.echo(f"Numbers:  {run.path / 'metrics.json'}")


def _some_of(pictures):
    """How many of them are used."""
    from balanced_gan.evaluation.evaluate import MOST

    count = len(pictures)
    return f"{MOST:,} of {count:,}" if count > MOST else f"{count:,}"
