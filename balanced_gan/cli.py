"""The command line: options -> Settings -> `train_action`, or one of `actions`."""

import dataclasses
import secrets
import sys
from pathlib import Path

import click

from balanced_gan import actions, distribute, terminal, train_action
from balanced_gan.errors import InputError
from balanced_gan.options import SETTINGS, GroupedCommand, option, settings_options
from balanced_gan.paths import folder_of
from balanced_gan.runs import find_run, matching_run
from balanced_gan.settings import Settings, preset_values, without_alternatives


@click.command(
    cls=GroupedCommand,
    context_settings={
        "max_content_width": 100,
        # --batch-size is --batch_size, --type is --TYPE.
        "token_normalize_func": lambda name: name.replace("-", "_").lower(),
        "allow_extra_args": True,
    },
    epilog="Exit status: 0 done (or stopped by Ctrl-C and saved), 1 it could not be done, "
    "2 the options were wrong.",
)
@option(
    "--TYPE",
    "type_",
    group="What to do",
    type=click.Choice(
        ["train", "generate", "interpolate", "explore", "evaluate", "report", "export", "list"],
        case_sensitive=False,
    ),
    default="train",
    show_default=True,
    help="Train on a folder of pictures; make new pictures with what was trained; walk from one "
    "to the next; play with them in a browser; measure how good they are; show a run as a page; "
    "write the generator for other programs; list all runs.",
)
@option(
    "--run",
    "run_name",
    group="What to do",
    only=("train", "generate", "interpolate", "explore", "evaluate", "report", "export"),
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
    help="Show settings, size and estimated time of the job; write nothing, but for a sheet of the "
    "faces with --crop face.",
)
@option(
    "--best",
    is_flag=True,
    group="What to do",
    only=("generate", "interpolate", "explore", "evaluate", "export"),
    help="Use the networks of the best evaluation while training, not the newest.",
)
@option(
    "--workers",
    group="What to do",
    only=("train",),
    type=click.IntRange(1, 256),
    help="Train with so many processes on this machine, each on its part of every batch; for "
    "several machines see docs/scaling.md. [default: 1, or as TF_CONFIG says]",
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
    only=("generate", "interpolate"),
    type=click.FloatRange(0.0, 1.0, min_open=True),
    default=1.0,
    show_default=True,
    help="Below 1: more ordinary, more alike pictures.",
)
@option(
    "--out",
    group="Generating",
    only=("generate", "interpolate", "explore", "export"),
    type=click.Path(file_okay=False),
    help="Folder for the files. [default: images/NAME OF THE RUN, or the next free one; exporting: "
    "export in the run folder]",
)
@option(
    "--columns",
    group="Generating",
    only=("generate",),
    type=click.IntRange(1, 400),
    help="Pictures in a row of the sheet. [default: about as many as rows]",
)
@option(
    "--captions",
    is_flag=True,
    group="Generating",
    only=("generate",),
    help="Print each picture's seed below it on the sheet.",
)
@option(
    "--latents",
    group="Interpolating",
    only=("interpolate",),
    type=click.IntRange(2, 1000),
    default=8,
    show_default=True,
    help="Pictures to pass through, and back to the first.",
)
@option(
    "--frames_between",
    group="Interpolating",
    only=("interpolate",),
    type=click.IntRange(1, 1000),
    default=40,
    show_default=True,
    help="Frames from each to the next.",
)
@option(
    "--frames_per_second",
    group="Interpolating",
    only=("interpolate",),
    type=click.IntRange(1, 120),
    default=25,
    show_default=True,
    help="Speed of the video.",
)
@option(
    "--video_side",
    group="Interpolating",
    only=("interpolate",),
    type=click.IntRange(16, 2048),
    default=256,
    show_default=True,
    help="Its side in pixels.",
)
@option(
    "--browser/--no_browser",
    group="Exploring",
    only=("explore",),
    default=True,
    show_default=True,
    help="Open the page at once, or only say its address.",
)
@option(
    "--format",
    "kind",
    group="Exporting",
    only=("export",),
    type=click.Choice(["keras", "saved_model", "tflite", "onnx"]),
    default="keras",
    show_default=True,
    help="What to write; each is checked against the original.",
)
@option(
    "--compare",
    group="Reporting",
    only=("report",),
    multiple=True,
    help="Another run to show beside it; may be given several times.",
)
@option(
    "--inception_weights",
    group="Evaluating",
    only=("evaluate",),
    metavar="FILE|download",
    help="InceptionV3 without its top, a .h5 file, for FID and KID; or `download`, to fetch "
    "Keras's own once, 88 MB. [default: neither FID nor KID]",
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
    workers,
    img_num,
    top,
    truncation,
    out,
    columns,
    captions,
    latents,
    frames_between,
    frames_per_second,
    video_side,
    browser,
    kind,
    compare,
    inception_weights,
    **values,
):
    """Train a GAN on a folder of your own pictures, on a CPU, and make new pictures with it.

    \b
    python train.py                               train on drawn faces, to try it
    python train.py --preset sine                 learn a curve, in under a minute
    python train.py --path faces/ --epochs 50     train on your own pictures
    python train.py --TYPE generate --img_num 20  make pictures
    python train.py --TYPE interpolate            a video from picture to picture
    python train.py --TYPE explore                sliders in a browser
    python train.py --TYPE evaluate --path new/   measure them against pictures not trained on
    python train.py --TYPE report                 a run as a page to look at

    Training continues by itself: after Ctrl-C or a crash, give the same command again.
    """
    if context.args:
        raise click.UsageError(
            f"{len(context.args):,} words are left over, such as {context.args[0]!r}. Put a name "
            "with spaces in quotation marks; of a folder the name is enough, without *.jpg."
        )
    if values["path"] is not None:
        values["path"] = folder_of(values["path"])
    given = {
        name
        for name in context.params
        if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    }
    for parameter in command.params:
        only = getattr(parameter, "only", None)
        if only and parameter.name in given and type_ not in only:
            raise click.UsageError(f"{parameter.opts[0]} has no effect with --TYPE {type_}.")
    if type_ == "list":
        actions.list_runs()
        return
    if type_ == "report":
        actions.report([find_run(name) for name in (run_name, *compare)])
        return
    if type_ == "explore":
        actions.explore(find_run(run_name), best, out, browser)
        return
    if type_ == "export":
        actions.export(find_run(run_name), best, kind, out)
        return
    if top and top > img_num:
        raise click.UsageError(f"--top {top} cannot keep more than --img_num {img_num} makes.")
    if type_ in ("generate", "interpolate"):
        run = find_run(run_name)
        seed = values["seed"] if "seed" in given else secrets.randbelow(1_000_000)
        if type_ == "interpolate":
            seeds = range(seed, seed + latents)
            video = frames_between, frames_per_second, video_side
            actions.interpolate(run, best, seeds, truncation, out, *video)
            return
        seeds = range(seed, seed + img_num)
        actions.generate(run, best, seeds, top, truncation, out, columns, captions)
        return
    if type_ == "evaluate":
        actions.evaluate(
            find_run(run_name), best, values["path"], values["seed"], inception_weights
        )
        return
    if new and (resume or run_name):
        raise click.UsageError("--new starts a run; --resume and --run continue one.")
    given_values = {name: values[name] for name in given & SETTINGS.keys()}
    try:
        settings = Settings(
            **{**preset_values(values["preset"]), **without_alternatives(given_values)}
        )
    except InputError as error:  # such as nan, which is in no range and out of none
        raise click.UsageError(f"--{error}") from None
    if not distribute.cluster().is_chief:
        train_action.assist(given_values.get("path"))
        return
    run = None
    if resume or run_name:
        run = find_run(run_name)
        settings = _continued(run, given_values)
    elif not new:
        run = matching_run(settings)
        if run:
            stored = run.settings()
            decided = {"precision": stored.precision, "start": stored.start}
            settings = dataclasses.replace(settings, **decided)
    with distribute.local_workers(None if dry_run else workers):
        train_action.train(settings, run, dry_run)


def _continued(run, given):
    """The settings of a run, with what may change changed.

    Raises:
        InputError: if something was given that may not.
    """
    stored = run.settings()
    if stored.path and not Path(stored.path).exists():
        if "path" not in given:
            raise InputError(
                f"The pictures of run {run.name} are gone: {stored.path!r}. If the folder was "
                "moved, name it: --path NEW"
            )
        stored = dataclasses.replace(stored, path=given["path"])
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


def main():
    """Runs the command line; every expected error becomes one sentence."""
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show is no error
        stream.reconfigure(errors="backslashreplace")
    try:
        command.main(
            prog_name=terminal.program(),
            standalone_mode=False,
            windows_expand_args=False,  # --pattern "*F.png" is for us
        )
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except ModuleNotFoundError as missing:
        sys.exit(f"Error: {missing}. Install it: python -m pip install -r requirements.txt")
    except InputError as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        file = f"{error.filename!r}: " if error.filename else ""
        sys.exit(f"Error: {file}{error.strerror or error}.")
    except (KeyboardInterrupt, click.Abort):
        sys.exit("Stopped; nothing already made is lost.")
