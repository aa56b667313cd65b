"""--TYPE train: from options to settings and a run, to train it."""

import dataclasses
import sys
from pathlib import Path

import click

from balanced_gan.checks import without_alternatives
from balanced_gan.cli import session
from balanced_gan.cli.folder import folder_of
from balanced_gan.cli.options import SETTINGS, cli_command, settings_options, task_option
from balanced_gan.errors import InputError
from balanced_gan.model import workers
from balanced_gan.runs.registry import find_run, matching_run
from balanced_gan.settings import Settings, preset_values
from balanced_gan.terminal import Messages


@cli_command("train")
@task_option(
    "--run", "run_name", help="Continue this run with its settings: its name, number or folder."
)
@task_option(
    "--resume", is_flag=True, help="Continue the newest run with its settings, whatever they are."
)
@task_option("--new", is_flag=True, help="Start a new run even where one could be continued.")
@task_option(
    "--dry_run",
    is_flag=True,
    help="Show the settings, the size and the estimated time of the job; write nothing, except a "
    "sheet of the faces with --crop face.",
)
@task_option(
    "--workers",
    "worker_count",
    type=click.IntRange(1, 256),
    help="Train with several processes on this machine, each on its part of every batch; for "
    "several machines see docs/scaling.md. [default: 1, or as TF_CONFIG says]",
)
@settings_options
@click.pass_context
def command(context, run_name, resume, new, dry_run, worker_count, **values):
    """Train a GAN on a folder of your own pictures, on a CPU, and make new pictures with it.

    \b
    python train.py --TYPE train --path faces/    train on your own pictures
    python train.py --TYPE generate --img_num 20  make pictures

    \b
    python train.py                               train on drawn faces, to try it
    python train.py --preset sine                 learn a curve, in under a minute
    python train.py --TYPE interpolate            a video from picture to picture
    python train.py --TYPE explore                sliders in a browser
    python train.py --TYPE evaluate --path new/   compare with pictures it was not trained on
    python train.py --TYPE report                 the report page of a run
    python train.py --TYPE export                 the generator for other programs
    python train.py --TYPE list                   all runs

    After Ctrl-C or a crash, give the same command again to continue.
    """
    if values["path"] is not None:
        values["path"] = folder_of(values["path"])
    given = {name: value for name, value in values.items() if _was_given(context, name)}
    if new and (resume or run_name is not None):
        raise click.UsageError("--new starts a run; --resume and --run continue one.")
    # A full disk or a closed pipe must not end training.
    sys.stdout = Messages(sys.stdout)
    if not workers.cluster().is_chief:
        session.assist(given.get("path"))
        return
    run = None
    if resume or run_name is not None:
        run = find_run(run_name)
        settings = _continued(run, given)
    else:
        try:
            settings = Settings(**preset_values(values["preset"]) | without_alternatives(given))
        except InputError as error:  # such as nan, which is in no range and out of none
            raise click.UsageError(f"--{error}") from None
        if not new:
            run, settings, unusable = matching_run(settings)
            for sentence in unusable:
                click.echo(f"Note:     {sentence}")
    with workers.local_workers(None if dry_run else worker_count):
        if dry_run:
            session.show(settings, run)
        else:
            session.train(settings, run)


def _was_given(context, name):
    return context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE


def _continued(run, given):
    """The settings of a run, with what may change changed.

    Raises:
        InputError: if something was given that may not.
    """
    stored = run.settings()
    given = {name: value for name, value in given.items() if value != "auto"}  # it has chosen
    if stored.path and not Path(stored.path).exists():
        if "path" not in given:
            raise InputError(
                f"The pictures of run {run.name} are gone: {stored.path!r}. If the folder was "
                "moved, name it: --path NEW"
            )
        stored = dataclasses.replace(stored, path=given["path"])
    for name, value in given.items():
        if not SETTINGS[name].metadata["resumable"] and value != getattr(stored, name):
            raise InputError(
                f"Run {run.name} was trained with {name}={getattr(stored, name)!r}, "
                f"which cannot be changed now. Received: {name}={value!r}. "
                "Leave it out, or start a new run with --new."
            )
    return dataclasses.replace(stored, **without_alternatives(given))
