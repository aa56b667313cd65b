"""The README is a contract: what it shows is what the program does."""

import re
import runpy
import shlex

import pytest
from conftest import PROJECT

from balanced_gan.cli.commands import find_command

README = (PROJECT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = PROJECT / "ARCHITECTURE.md"
PAGES = [PROJECT / "README.md", ARCHITECTURE, PROJECT / "docs" / "scaling.md"]
COMMANDS = re.findall(r"(?:^|`)python train\.py( .*?)?(?:`|$)", README, re.M)
COMMANDS = [words for words in COMMANDS if "--help" not in words]


def test_the_page_of_options_is_what_the_program_prints():
    made = runpy.run_path(str(PROJECT / "docs" / "make_options.py"))
    assert made["PAGE"].read_text(encoding="utf-8") == made["page"]()


@pytest.mark.parametrize("arguments", COMMANDS)
def test_every_command_is_understood(arguments):
    command, words = find_command(shlex.split(arguments))
    command.make_context("train.py", words)


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page):
    targets = re.findall(r"\]\(([\w./-]+)[#)]", page.read_text(encoding="utf-8"))
    assert targets
    for target in targets:
        assert (page.parent / target).exists(), target


def test_the_map_names_every_room():
    rooms = {path.parent.name for path in (PROJECT / "balanced_gan").glob("*/__init__.py")}
    named = set(re.findall(r"^\| \[`(\w+)/`\]", ARCHITECTURE.read_text(encoding="utf-8"), re.M))
    assert named == rooms


def test_the_tests_that_prove_something_are_there():
    tests = "".join(path.read_text("utf-8") for path in (PROJECT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+?)(?:\.\.\.)?`", README)
    assert len(named) > 20
    for name in named:
        assert f"def {name}" in tests, name
