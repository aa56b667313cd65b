"""What is said in several files at once, and what the package and the site are made of."""

import json
import re
import runpy

import pytest
from conftest import PROJECT

import balanced_gan
from balanced_gan.runs.machine import machine


def read(name):
    return (PROJECT / name).read_text(encoding="utf-8")


PYPROJECT = read("pyproject.toml")


def test_the_version_is_the_same_everywhere(train_py):
    version = balanced_gan.__version__
    for words in (["--version"], ["--TYPE", "list", "--version"]):
        assert train_py(*words)[:2] == (0, f"balanced-gan, version {version}\n")
    assert machine()["balanced_gan"] == version
    assert re.search(r"^version: (.+)$", read("CITATION.cff"), re.M)[1] == version
    assert re.search(r"^## \[(\d.*?)\]", read("CHANGELOG.md"), re.M)[1] == version


def test_the_versions_of_python_are_the_same_everywhere():
    first, past = re.search(r'^requires-python = ">=3\.(\d+),<3\.(\d+)"$', PYPROJECT, re.M).groups()
    supported = [f"3.{minor}" for minor in range(int(first), int(past))]
    assert re.findall(r"Python :: (3\.\d+)", PYPROJECT) == supported
    workflow = re.search(r"^ +python: (\[.+?\])", read(".github/workflows/test.yml"), re.M)[1]
    assert json.loads(workflow) == [supported[0], supported[-1]]
    assert re.search(r"^FROM python:(3\.\d+)", read("Dockerfile"), re.M)[1] in supported


def test_every_file_of_the_package_is_in_the_wheel():
    package = PROJECT / "balanced_gan"
    patterns = re.search(r"^package-data = .*?(\[.+\])", PYPROJECT, re.M)[1]
    taken = {path for pattern in json.loads(patterns) for path in package.glob(pattern)}
    data = {
        path
        for path in package.rglob("*.*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and path.name[0] != "."
    }
    assert len(data) > 3
    assert data <= taken


def test_every_page_has_its_place_on_the_site():
    nav = re.search(r"^nav:\n(.+?)\n\n", read("mkdocs.yml"), re.M | re.S)[1]
    pages = {path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("docs/*.md")}
    pages |= {path.name for path in PROJECT.glob("*.md")}
    named = re.findall(r"[\w./-]+\.md\b", nav)
    assert pages <= set(named)
    assert len(named) == len(set(named))
    assert [name for name in named if not (PROJECT / name).is_file()] == []


def test_the_site_has_what_its_pages_link_to_and_nothing_else(tmp_path):
    pytest.importorskip("mkdocs", reason="mkdocs is not installed")
    site_files = runpy.run_path(str(PROJECT / "docs" / "make_site.py"))["site_files"]
    root = tmp_path / "project"
    files = {
        "README.md": '[a](docs/a.md#part) <img src="images/b.png"> [no](https://a.example/LICENSE)',
        "docs/a.md": "[rule](../rule.py) [out](../../outside.md) [no](nothing.md) [up](../docs)",
        "docs/alone.md": "[deep](../deep/README.md) [hidden](../.ci/run)",
        "deep/README.md": "[back](../README.md)",
        **dict.fromkeys(["images/b.png", "rule.py", ".ci/run"], ""),
        **dict.fromkeys(["../outside.md", "LICENSE", "docs/make.py", "deep/other.md"], ""),
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    wanted = ["README.md", "docs/a.md", "docs/alone.md", "deep/README.md"]
    assert site_files(root) == sorted([*wanted, "images/b.png", "rule.py", ".ci/run"])
