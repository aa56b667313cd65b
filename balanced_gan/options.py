"""How `Settings` become options of the command line."""

import dataclasses

import click

from balanced_gan.checks import kind
from balanced_gan.settings import Settings

SETTINGS = {setting.name: setting for setting in dataclasses.fields(Settings)}
_USED_BY = {  # all others: by training alone
    "seed": ("train", "generate", "interpolate", "evaluate"),
    "path": ("train", "evaluate"),
}


class GroupedOption(click.Option):
    """An option that knows under which heading of `--help` it stands.

    Args:
        group: the heading.
        only: the values of --TYPE that the option belongs to, or None for all.
    """

    def __init__(self, *args, group, only=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.group = group
        self.only = only


class GroupedCommand(click.Command):
    """A command whose `--help` lists the options under headings."""

    def format_options(self, ctx, formatter):
        groups = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record:
                groups.setdefault(getattr(parameter, "group", "Other"), []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records, col_max=28)


def option(*names, group, **kwargs):
    """`click.option` for a `GroupedOption`."""
    return click.option(*names, cls=GroupedOption, group=group, **kwargs)


def settings_options(function):
    """Adds an option for every field of `Settings`, with its help, default and range."""
    for setting in reversed(SETTINGS.values()):
        low, high, choices = (setting.metadata[key] for key in ("low", "high", "choices"))
        flags = f"--{setting.name}"
        if kind(setting) is bool:
            flags, kind_of_value = f"{flags}/--no_{setting.name}", bool
        elif choices:
            kind_of_value = click.Choice(choices)
        elif low is not None:
            numbers = click.IntRange if kind(setting) is int else click.FloatRange
            kind_of_value = numbers(low, high)
        else:
            kind_of_value = str
        function = option(
            flags,
            setting.name,
            group=setting.metadata["group"],
            only=_USED_BY.get(setting.name, ("train",)),
            type=kind_of_value,
            default=setting.default,
            show_default=True,
            help=setting.metadata["meaning"],
        )(function)
    return function
