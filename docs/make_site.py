"""Gives the site the tree of the repository, so that every relative link works in both.

A hook of MkDocs, named in mkdocs.yml. MkDocs takes pages from one folder only, docs/, and makes
that folder the root of the site. Here the site begins at README.md instead and has what is linked
from there, at the same paths: other pages, pictures, and files of source code as they are.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

# A relative target in Markdown or HTML; of an address, `https` is left, which is no file.
_TARGET = re.compile(r'(?:\]\(|(?:src|href)=")([\w./-]+)')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replaces the files of docs/ by those that belong on the site.

    Args:
        files: those that MkDocs found in docs/ and in the theme; changed in place.
        config: the settings in mkdocs.yml.

    Returns:
        `files`.
    """
    root = Path(config.config_file_path).parent
    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)
    for name in site_files(root):
        path = str(root / name)
        # INCLUDED, or MkDocs leaves out what begins with a dot.
        included = InclusionLevel.INCLUDED
        files.append(File.generated(config, name, abs_src_path=path, inclusion=included))
    return files


def site_files(root: Path) -> list[str]:
    """Finds the files of the site: pages in the root and in docs/, and all that they link to.

    Args:
        root: the folder of the repository.

    Returns:
        Their paths below `root`, with forward slashes, sorted. A link to nothing, to a folder or
        out of the repository adds none; MkDocs warns of it.
    """
    root = root.resolve()
    found: set[Path] = set()
    waiting = [*root.glob("*.md"), *root.glob("docs/*.md")]
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file() or not path.is_relative_to(root):
            continue
        found.add(path)
        if path.suffix == ".md":
            targets = _TARGET.findall(path.read_text(encoding="utf-8"))
            waiting += [(path.parent / target).resolve() for target in targets]
    return sorted(path.relative_to(root).as_posix() for path in found)
