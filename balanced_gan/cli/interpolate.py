"""--TYPE interpolate: a video from picture to picture."""

from pathlib import Path

import click

from balanced_gan.cli.options import best_option, cli_command, option, run_option, sampling_options
from balanced_gan.runs.registry import find_run
from balanced_gan.terminal import quiet_import


@cli_command("interpolate")
@run_option("Make a video with a run")
@best_option
@option(
    "--latents",
    type=click.IntRange(2, 1000),
    default=8,
    help="Number of pictures to pass through before returning to the first.",
)
@sampling_options
@option(
    "--frames_between",
    type=click.IntRange(1, 1000),
    default=40,
    help="Frames from each picture to the next.",
)
@option("--frames_per_second", type=click.IntRange(1, 120), default=25, help="Speed of the video.")
@option(
    "--video_side",
    type=click.IntRange(16, 2048),
    default=256,
    help="Width and height of the video in pixels.",
)
def command(run_name, best, latents, seed, truncation, out, **video):
    """Make a video that morphs from picture to picture: MP4, GIF and a strip."""
    run = find_run(run_name)
    with quiet_import():
        from balanced_gan.output import kinds, sampling
        from balanced_gan.output.video import interpolate_files
    kinds.require_images(run, "a video needs pictures")
    source = run.best if best else run
    generator = sampling.load_network(source, source.generator_file)
    prior = run.settings().latent_prior
    seeds = range(seed, seed + latents)
    points = sampling.latents_of(seeds, generator.input_shape[-1], truncation, prior)
    folder = sampling.free_folder(Path(out or sampling.IMAGES / run.name), bool(out))
    files = interpolate_files(generator, folder, points, prior, **video)
    click.echo(f"Video:    {latents} latents, from {run.name} with --seed {seed}")
    click.echo(f"Look at:  {', '.join(map(str, files))}")
