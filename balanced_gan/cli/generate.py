"""--TYPE generate: new pictures, or points."""

from pathlib import Path

import click

from balanced_gan.cli.options import best_option, cli_command, option, run_option, sampling_options
from balanced_gan.runs.registry import find_run
from balanced_gan.terminal import quiet_import


@cli_command("generate")
@run_option("Generate from a run")
@best_option
@option(
    "--img_num", type=click.IntRange(1, 1_000_000), default=20, help="How many pictures to make."
)
@option(
    "--top",
    type=click.IntRange(1, 1_000_000),
    help="Keep only this many pictures: those the discriminator finds most real.",
)
@sampling_options
@option(
    "--columns",
    type=click.IntRange(1, 400),
    help="Pictures in a row of the sheet. [default: about as many as rows]",
)
@option("--captions", is_flag=True, help="Print each picture's seed below it on the sheet.")
def command(run_name, best, img_num, top, seed, **results):
    """Make new pictures with a trained generator: PNG files, scores.csv and a sheet."""
    if top and top > img_num:
        raise click.UsageError(f"--top {top} cannot keep more than --img_num {img_num} makes.")
    run = find_run(run_name)
    with quiet_import():
        from balanced_gan.output import kinds, sampling
    kind = kinds.kind_of(run.settings())
    sampler = sampling.load_sampler(run, best, results["truncation"])
    seeds = range(seed, seed + img_num)
    kept = sampler.most_real(seeds, top) if top else seeds
    out = results["out"]
    folder = sampling.free_folder(Path(out or sampling.IMAGES / run.name), bool(out))
    sheet, lines = kind.write(sampler, folder, kept, results["columns"], results["captions"])
    chosen = f" (the most real of {img_num})" if top else ""
    word = f"{kind.word}:"
    click.echo(f"{word:9} {len(kept)} in {folder}{chosen}, from {run.name} with --seed {seed}")
    for line in lines:
        click.echo(line)
    click.echo(f"Look at:  {sheet}")
