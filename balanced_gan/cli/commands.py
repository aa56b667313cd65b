"""The command line: which command is meant, and how its errors are shown."""

import os
import sys
from itertools import pairwise

import click

from balanced_gan.cli import (
    evaluate,
    explore,
    export,
    generate,
    interpolate,
    list_runs,
    report,
    train,
)
from balanced_gan.cli.options import normalise
from balanced_gan.data.finding import MOST_MEGAPIXELS
from balanced_gan.errors import InputError, is_out_of_memory
from balanced_gan.terminal import Messages, program

_TYPE = normalise("--TYPE")
COMMANDS = {
    module.command.name: module.command
    for module in (train, generate, interpolate, explore, evaluate, report, export, list_runs)
}


def find_command(words):
    """The command that some words of the command line ask for.

    Args:
        words: what came after the program's name. `--TYPE X` may stand anywhere; the command's
            name may also be the first word.

    Returns:
        `(command, words)`: the click command, and the words for it. An unknown type gets "train",
        whose own --TYPE then names the choices.
    """
    words = list(words)
    if words and words[0].lower() in COMMANDS:
        return COMMANDS[words[0].lower()], words[1:]
    wanted = "train"
    for word, following in pairwise([*words, ""]):
        name, equals, value = word.partition("=")
        if normalise(name) == _TYPE:
            wanted = (value if equals else following).lower()
    return COMMANDS.get(wanted, COMMANDS["train"]), words


def run_command(words) -> None:
    """Runs the command that some words ask for.

    Raises:
        click.UsageError: if the words are wrong.
        InputError: if what they ask for cannot be done.
    """
    completing = os.environ.get("COMP_WORDS")  # set by a shell that completes the line
    command, words = find_command(completing.split()[1:] if completing else words)
    name = program() if command.name == "train" else f"{program()} --TYPE {command.name}"
    try:
        command.main(words, name, "_BALANCED_GAN_COMPLETE", standalone_mode=False)
    except click.NoSuchOption as error:
        known = {
            normalise(flag)
            for other in COMMANDS.values()
            for option in other.params
            for flag in (*option.opts, *option.secondary_opts)
        }
        if normalise(error.option_name) not in known:
            raise
        raise click.UsageError(
            f"{error.option_name} cannot be used with --TYPE {command.name}.", error.ctx
        ) from None


def main() -> None:
    """Runs the command line; every expected error becomes a short message."""
    _mend_streams()
    # OpenCV reads this when it is loaded: the second line of defence behind data/decode.py.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MOST_MEGAPIXELS * 10**6))
    try:
        run_command(sys.argv[1:])
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
        sys.exit("Stopped. Everything saved so far is intact.")
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        sys.exit(
            "Error: There was not enough memory. Close other programs, then run the same command "
            "again. Everything saved so far is intact."
        )


def _mend_streams() -> None:
    """Makes sure that nothing fails because of where its output goes."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # closed, as by `2>&-`, or a program without a window
            # The lowest free descriptor: where it was closed, the one that is missing.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w" and hasattr(stream, "reconfigure"):  # a notebook's has none
            # A name that the terminal cannot show is no error.
            stream.reconfigure(errors="backslashreplace")
    sys.stderr = Messages(sys.stderr)
