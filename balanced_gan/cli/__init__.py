"""The command line: one file for each --TYPE."""

from balanced_gan.cli.commands import main

__all__ = ["main"]
