"""Writes what a benchmark measured into benchmarks/README.md, with machine and date."""

import os
import platform
import re
import sys
from datetime import date
from pathlib import Path

PAGE = Path(__file__).with_name("README.md")


def machine():
    """Processor, cores and versions, in one line without names of hosts or people."""
    from importlib.metadata import version

    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        text = cpuinfo.read_text()
        processor = re.search(r"model name\s*: (.*)", text)[1]
        known = [f for f in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if f" {f}" in text]
        processor += f" ({known[0]})" if known else ""
    packages = ", ".join(f"{p} {version(p)}" for p in ("tensorflow", "keras", "numpy"))
    return (
        f"{processor}, {os.cpu_count()} cores, all used; {platform.system()}, "
        f"Python {platform.python_version()}, {packages}; {date.today()}"
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
    body = "\n\n".join([f"`{command}` on {machine()}.", *paragraphs])
    print(body)
    page = PAGE.read_text(encoding="utf-8")
    text = f"## {section}\n\n{body}\n"
    old = re.compile(rf"^## {re.escape(section)}\n.*?(?=^## |\Z)", re.S | re.M)
    if old.search(page):
        page = old.sub(lambda _: text + "\n", page)
    else:
        page = page.rstrip("\n") + "\n\n" + text
    PAGE.write_text(page.rstrip("\n") + "\n", encoding="utf-8")
