"""--TYPE explore: a page with sliders to play with the generator."""

from pathlib import Path

import click

from balanced_gan.cli.options import best_option, cli_command, option, out_option, run_option
from balanced_gan.errors import InputError
from balanced_gan.runs.registry import find_run
from balanced_gan.terminal import quiet_import, require_package


@cli_command("explore")
@run_option("Explore a run")
@best_option
@option(
    "--browser/--no_browser", default=True, help="Open the page at once, or only print its address."
)
@out_option("images/NAME OF THE RUN-explored")
def command(run_name, best, browser, out):
    """Play with the generator on a page in your browser, until Ctrl-C."""
    run = find_run(run_name)
    with quiet_import():
        from balanced_gan.output import kinds, sampling
        from balanced_gan.views.explorer import Explorer
    kinds.require_images(run, "only pictures can be explored")
    require_package("--TYPE explore", "gradio", '"gradio>=6,<7"')
    from balanced_gan.views.explore_page import build_page, serve  # needs that package

    try:
        pictures, _ = kinds.Images(run.settings()).load()
    except InputError as error:
        click.echo(f"Note:     no nearest training picture: {error}")
        pictures = None
    sampler = sampling.load_sampler(run, best, 1.0)
    folder = Path(out or sampling.IMAGES / f"{run.name}-explored")
    page = build_page(Explorer(sampler, pictures), f"Run {run.name}", folder)
    serve(page, browser, lambda address: click.echo(f"Explore:  {address}; Ctrl-C stops it"))
