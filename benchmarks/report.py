"""Writes what a benchmark measured into benchmarks/README.md, with machine and date."""

import os
import re
import sys
from datetime import date
from pathlib import Path

import checkout  # noqa: F401

from balanced_gan.metadata import machine

PAGE = Path(__file__).with_name("README.md")


def machine_line():
    """The machine, versions and date in one line."""
    facts = machine()
    onednn = f"oneDNN {facts['onednn']}"
    held = os.environ.get("ONEDNN_MAX_CPU_ISA")
    if held:
        onednn += f", held to {held}"
    packages = ", ".join(f"{name} {facts[name]}" for name in ("tensorflow", "keras", "numpy"))
    return (
        f"{facts['processor']} ({facts['instructions']}; {onednn}), "
        f"{facts['cores']} cores, all used; "
        f"{facts['system']}, Python {facts['python']}, {packages}; {date.today()}"
    )


def table(header, rows):
    """A Markdown table from rows of values."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def publish(section, *paragraphs):
    """Prints paragraphs and puts them under a heading of the page, in place of the old ones.

    Args:
        section: text of the heading; also how the old text is found.
        *paragraphs: Markdown.
    """
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}"])
    held = os.environ.get("ONEDNN_MAX_CPU_ISA")
    section += f" (held to {held})" if held else ""
    body = "\n\n".join([f"`{command}` on {machine_line()}.", *paragraphs])
    print(body)
    page = PAGE.read_text(encoding="utf-8")
    text = f"## {section}\n\n{body}\n"
    old = re.compile(rf"^## {re.escape(section)}\n.*?(?=^## |\Z)", re.S | re.M)
    if old.search(page):
        page = old.sub(lambda _: text + "\n", page)
    else:
        page = page.rstrip("\n") + "\n\n" + text
    PAGE.write_text(page.rstrip("\n") + "\n", encoding="utf-8")
