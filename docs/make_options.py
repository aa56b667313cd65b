"""Writes docs/options.md from the program: python docs/make_options.py"""

from pathlib import Path

import click

from balanced_gan.cli.commands import COMMANDS
from balanced_gan.cli.options import TYPES

PAGE = Path(__file__).with_name("options.md")


def page() -> str:
    """The text of the page: the `--help` of every command."""
    parts = ["# All options\n\nWritten by `docs/make_options.py`: the `--help` of each command.\n"]
    for name in TYPES:
        called = "python train.py" if name == "train" else f"python train.py --TYPE {name}"
        context = click.Context(COMMANDS[name], info_name=called, terminal_width=90)
        shown = COMMANDS[name].get_help(context).strip()
        parts.append(f"## {name}\n\n```text\n{shown}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
