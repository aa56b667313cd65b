"""--TYPE export: the generator for other programs."""

from pathlib import Path

import click

from balanced_gan.cli.options import best_option, cli_command, option, out_option, run_option
from balanced_gan.errors import InputError
from balanced_gan.runs.registry import find_run
from balanced_gan.terminal import quiet_import


@cli_command("export")
@run_option("Export a run")
@best_option
@option(
    "--format",
    "kind",
    type=click.Choice(["keras", "saved_model", "tflite", "onnx"]),
    default="keras",
    help="What to write; the result is checked against the original.",
)
@out_option("export in the run's folder")
def command(run_name, best, kind, out):
    """Write the generator for use in other programs, with an example of how to use it."""
    run = find_run(run_name)
    with quiet_import():
        from balanced_gan.output import kinds
        from balanced_gan.views import export

        kinds.require_images(run, "only pictures are exported")
        folder = Path(out) if out else run.path / "export"
        file = export.exported(folder, kind)
        if out and file.exists():
            raise InputError(f"{str(file)!r} exists. Remove it, or name another folder: --out")
        path, difference = export.export(run, best, kind, folder)
    click.echo(f"Written:  {path}")
    click.echo(f"Checked:  16 latents, largest difference {difference:.2f} levels of 255")
    click.echo(f"To use:   {path.parent / f'use_{kind}.py'}")
