"""Options of the command line: those that several commands share, and those of `Settings`."""

import dataclasses
import os
import secrets
from functools import partial

import click

from balanced_gan import __version__
from balanced_gan.checks import kind, renamed
from balanced_gan.settings import Settings

SETTINGS = {setting.name: setting for setting in dataclasses.fields(Settings)}
TYPES = ("train", "generate", "interpolate", "explore", "evaluate", "report", "export", "list")


class GroupedOption(click.Option):
    """An option that knows under which heading of `--help` it stands."""

    def __init__(self, *args, group="Options", show_default=True, **kwargs):
        super().__init__(*args, show_default=show_default, **kwargs)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose `--help` lists the options under headings, and that takes no arguments."""

    def invoke(self, ctx):
        if ctx.args:
            more = f" and {len(ctx.args) - 1:,} more" if len(ctx.args) > 1 else ""
            raise click.UsageError(
                f"Unexpected: {ctx.args[0]!r}{more}. Put names with spaces in quotation marks, and "
                "give a folder, not *.jpg."
            )
        return super().invoke(ctx)

    def format_options(self, ctx, formatter):
        groups = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record:
                groups.setdefault(getattr(parameter, "group", "Options"), []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records, col_max=28)


class SettingChoice(click.Choice):
    """The choices of a setting; a former name of one is understood too."""

    def __init__(self, name, choices):
        super().__init__(choices)
        self.setting = name

    def convert(self, value, param, ctx):
        return super().convert(renamed(self.setting, value), param, ctx)


option = partial(click.option, cls=GroupedOption)
task_option = partial(option, group="What to do")


def normalise(name: str) -> str:
    """The one spelling of an option's name: `--batch-size` is `--batch_size`, `--type` `--TYPE`."""
    return name.replace("-", "_").lower()


def cli_command(type_: str):
    """Makes a function the command of a `--TYPE`, one of `TYPES`."""
    type_option = task_option(
        "--TYPE",
        type=click.Choice(TYPES, case_sensitive=False),
        default=type_,
        show_default=type_ == "train",
        expose_value=False,
        help="Which command. Each has its own --help: --TYPE generate --help.",
    )
    settings = {
        "max_content_width": 100,
        "token_normalize_func": normalise,
        # Refused by `GroupedCommand`, with a sentence about quotation marks.
        "allow_extra_args": True,
    }
    make = click.command(
        type_,
        cls=GroupedCommand,
        context_settings=settings,
        epilog="Exit status: 0 on success, or after Ctrl-C once training is saved; 1 on failure; "
        "2 on wrong options.",
    )
    version_option = click.version_option(__version__, prog_name="balanced-gan")
    return lambda function: make(type_option(version_option(function)))


def run_option(purpose: str):
    """--run, for commands that work on an existing run; `purpose` begins its help text."""
    return task_option(
        "--run", "run_name", help=f"{purpose}: its name, number or folder. [default: the newest]"
    )


best_option = task_option(
    "--best",
    is_flag=True,
    help="Use the networks of the best evaluation during training, not the newest.",
)


def out_option(default: str):
    """--out, for commands that write files; `default` says in words where they go without it."""
    return option(
        "--out",
        type=click.Path(file_okay=False),
        callback=_expanded,
        help=f"Folder for the files. [default: {default}]",
    )


def _expanded(context, parameter, folder):
    """The folder with the home folder in place of `~`; None if it was not given."""
    if folder == "":
        raise click.UsageError("--out is empty, as when a shell variable is not set.")
    return folder and os.path.expanduser(folder)


def sampling_options(function):
    """Adds --seed, --truncation and --out, for commands that make new pictures."""
    function = out_option("images/NAME OF THE RUN, or the next free one")(function)
    function = option(
        "--truncation",
        type=click.FloatRange(0.0, 2.0, min_open=True),
        default=1.0,
        help="Below 1, pictures are more ordinary and more alike. Above 1, they are more varied, "
        "and more of them are broken.",
    )(function)
    return option(
        "--seed",
        type=click.IntRange(0, 2**31 - 1),
        default=lambda: secrets.randbelow(1_000_000),
        show_default="random",
        help="Seed of the first picture; the same seed makes the same pictures again.",
    )(function)


def settings_options(function):
    """Adds an option for every field of `Settings`, with its help, default and range."""
    for setting in reversed(SETTINGS.values()):
        low, high, choices = (setting.metadata[key] for key in ("low", "high", "choices"))
        flags = f"--{setting.name}"
        if kind(setting) is bool:
            flags, kind_of_value = f"{flags}/--no_{setting.name}", bool
        elif choices:
            kind_of_value = SettingChoice(setting.name, choices)
        elif low is not None:
            numbers = click.IntRange if kind(setting) is int else click.FloatRange
            kind_of_value = numbers(low, high)
        else:
            kind_of_value = str
        function = option(
            flags,
            setting.name,
            group=setting.metadata["group"],
            type=kind_of_value,
            default=setting.default,
            help=setting.metadata["meaning"],
        )(function)
    return function
