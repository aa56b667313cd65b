"""The README is a contract: what it shows is what the program does."""

import re
import shlex

import click
import pytest
from conftest import PROJECT

from balanced_gan.cli import command

README = (PROJECT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"(?:^|`)python train\.py( .*?)?(?:`|$)", README, re.M)


def test_help_is_what_the_program_prints():
    context = click.Context(command, info_name="python train.py", terminal_width=90)
    shown = re.search(r"## All options\n\n```text\n(.*?)\n```", README, re.S)[1]
    assert shown == command.get_help(context).strip()


@pytest.mark.parametrize("arguments", COMMANDS)
def test_every_command_is_understood(arguments):
    command.make_context("train.py", shlex.split(arguments))


def test_the_users_two_commands_are_there_word_for_word():
    assert " --TYPE train --path faces/ --batch_size 32 --epochs 50" in COMMANDS
    assert " --TYPE generate --img_num 20" in COMMANDS


def test_the_library_example_runs(capfd):
    example = re.search(r"```python\n(.*?)```", README, re.S)[1]
    names = {}
    exec(example, names)
    assert names["pictures"].shape == (20, 28, 28, 1)
    assert abs(names["pictures"]).max() <= 1
    assert len([line for line in example.splitlines() if line and line[0] != "#"]) <= 15


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([\w./]+)\)", README):
        assert (PROJECT / target).exists(), target
