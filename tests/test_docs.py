"""README and docs are a contract: what they show is what the program does and what was measured."""

import re
import runpy
import shlex

import pytest
from conftest import PROJECT

from balanced_gan.cli.commands import find_command

README = PROJECT / "README.md"
ARCHITECTURE = PROJECT / "ARCHITECTURE.md"
MEASUREMENTS = PROJECT / "benchmarks" / "README.md"
GENERATED = PROJECT / "docs" / "options.md"
WRITTEN = [
    README,
    ARCHITECTURE,
    PROJECT / "CONTRIBUTING.md",
    *sorted(set((PROJECT / "docs").glob("*.md")) - {GENERATED}),
]
EVERY_PAGE = [*WRITTEN, MEASUREMENTS, PROJECT / "CHANGELOG.md"]
EVERY_PAGE += [PROJECT / "benchmarks" / "ablations.md"]
EVERY_PAGE += [PROJECT / "balanced_gan" / room / "README.md" for room in ("starts", "evaluation")]


def text_of(page):
    return page.read_text(encoding="utf-8")


def commands_of(page):
    """What follows `python train.py` in a page, but for --help, which ends the program."""
    found = re.findall(r"(?:^|`)(?:\S+/)?python train\.py( .*?)?(?:`|$)", text_of(page), re.M)
    return [words.strip(" \\") for words in found if "--help" not in words]


def prose_of(page):
    """Text blocks of a page: paragraphs and items, then cells of tables; no code, no addresses."""
    text = re.sub(r"^```.*?^```", "", text_of(page), flags=re.S | re.M)
    text = re.sub(r"!\[.*?\]\(.*?\)", "", text)
    text = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", text)
    text = re.sub(r"^#.*$|`[^`]*`|[*_]", "", text, flags=re.M)
    cells = re.findall(r"[^|\n]+(?=\|)", text)
    blocks = re.split(r"\n\s*\n|^[-\d]+\.? |^\|.*$", text, flags=re.M)
    return (
        [" ".join(block.split()) for block in some if block.strip()] for some in (blocks, cells)
    )


def slug(heading):
    """A heading's anchor on GitHub."""
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


def numbers(text, whole=False):
    """Numbers with a point, a comma or a percent sign, and on request whole ones; 90 % as 0.9."""
    text = re.sub(r"`[^`]*`|\]\(.*?\)|\d{4}-\d\d-\d\d", "", text)
    some = r"(\d+(?:,\d{3})+|\d+\.\d+" + (r"|\d+" if whole else r"|\d+(?= ?%)") + ")( ?%)?"
    found = re.findall(some, text)
    return {float(number.replace(",", "")) / (100 if sign else 1) for number, sign in found}


def cited():
    """Pairs of a paragraph, with the table above it, and the anchor that it cites as its source."""
    for page in WRITTEN:
        blocks = text_of(page).split("\n\n")
        for before, block in zip(["", *blocks], blocks, strict=False):
            anchors = re.findall(r"benchmarks/README\.md#([\w-]+)", block)
            if anchors:
                table = before if before.lstrip().startswith("|") else ""
                yield pytest.param(table + "\n" + block, anchors, id=f"{page.name}-{anchors[0]}")


def test_the_page_of_options_is_what_the_program_prints():
    made = runpy.run_path(str(PROJECT / "docs" / "make_options.py"))
    assert text_of(made["PAGE"]) == made["page"]()


@pytest.mark.parametrize(
    "arguments", sorted({words for page in WRITTEN for words in commands_of(page)})
)
def test_every_command_is_understood(arguments):
    command, words = find_command(shlex.split(arguments))
    command.make_context("train.py", words)


def test_the_users_two_commands_are_there_word_for_word():
    commands = commands_of(README)
    assert "--TYPE train --path faces/ --batch_size 32 --epochs 50" in commands
    assert "--TYPE generate --img_num 20" in commands


def test_the_readme_decides_in_one_screen_or_two():
    assert len(text_of(README).splitlines()) <= 150


def test_the_library_examples_run(capfd):
    names = {}
    examples = re.findall(r"```python\n(.*?)```", text_of(PROJECT / "docs" / "library.md"), re.S)
    for example in examples:
        exec(example, names)
    assert names["pictures"].shape == (20, 28, 28, 1)
    assert abs(names["pictures"]).max() <= 1
    assert names["generator_trains"] is True


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: page.name)
def test_links_and_pictures_exist(page):
    targets = re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", text_of(page))
    assert targets or page not in WRITTEN
    for target, anchor in targets:
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", text_of(file), re.M)
            assert anchor in map(slug, headings), f"{target}#{anchor}"


@pytest.mark.parametrize("text, anchors", list(cited()))
def test_figures_are_those_that_were_measured(text, anchors):
    sections = re.split(r"^## ", text_of(MEASUREMENTS), flags=re.M)[1:]
    measured = {slug(each.partition("\n")[0]): numbers(each, whole=True) for each in sections}
    known = set().union(*(measured[anchor] for anchor in anchors))
    assert numbers(text) <= known, numbers(text) - known


@pytest.mark.parametrize("page", [*WRITTEN, GENERATED], ids=lambda page: page.name)
def test_pages_are_easy_to_read(page):
    textstat = pytest.importorskip("textstat", reason="textstat is not installed")
    prose, cells = prose_of(page)
    ease = textstat.flesch_reading_ease("\n".join(block.rstrip(":") + "." for block in prose))
    sentences = re.split(r"(?<=[.!?]) |\n", "\n".join([*prose, *cells]))
    longest = max(sentences, key=lambda sentence: len(sentence.split()))
    assert ease >= 55 and len(longest.split()) <= 35, (round(ease), longest)


def test_the_map_names_every_room():
    rooms = {path.parent.name for path in (PROJECT / "balanced_gan").glob("*/__init__.py")}
    named = set(re.findall(r"^\| \[`(\w+)/`\]", text_of(ARCHITECTURE), re.M))
    assert named == rooms


def test_the_tests_that_prove_something_are_there():
    tests = "".join(map(text_of, (PROJECT / "tests").rglob("test_*.py")))
    named = re.findall(r"`(test_\w+?)(?:\.\.\.)?`", text_of(PROJECT / "docs" / "failures.md"))
    assert len(named) > 20
    for name in named:
        assert f"def {name}" in tests, name
