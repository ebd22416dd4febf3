"""The parts of the book: the table of contents, the pages of the reference, and docstrings as reStructuredText.

`make book` calls Sphinx, whose settings (docs/conf.py) call this module.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = "docs/reference"

ROOMS = (
    "errors progress arithmetic files security data schemes network parties scaling attacks costs classifier"
    " report experiments command"
).split()
"""The parts of the package in the order of imports: each part may use those before it."""

CHAPTERS = {
    "Start": ["docs/faq", "docs/schemes", "docs/commands", "docs/how-it-flows", "docs/glossary"],
    "Notebooks": ["notebooks/README", "notebooks/[0-9][0-9]_*"],
    "Security": ["SECURITY", "docs/threat-model", "docs/attacks"],
    "Background": ["docs/deviations", "docs/results", "docs/performance", "docs/scale", "docs/related-work"],
    "Reference": [f"{REFERENCE}/index"],
    "Project": ["CONTRIBUTING", "CHANGELOG"],
}
"""Chapters of the book: names or patterns of pages, without their endings, from the root of the repository."""


def pages(pattern: str, root: Path = ROOT) -> list[str]:
    """Return the pages that fit a pattern, in order and without their endings; missing pages are left out."""
    found = {path.with_suffix("") for path in root.glob(f"{pattern}.*") if path.suffix in (".md", ".ipynb", ".rst")}
    return [page.relative_to(root).as_posix() for page in sorted(found)]


def contents(root: Path = ROOT) -> dict[str, list[str]]:
    """Return the pages of every chapter."""
    return {chapter: [page for pattern in patterns for page in pages(pattern, root)] for chapter, patterns in CHAPTERS.items()}


def table_of_contents(root: Path = ROOT) -> str:
    """Return the end of the front page: one hidden toctree per chapter, in MyST Markdown."""
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {chapter}\n\n" + "\n".join(f"/{page}" for page in found) + "\n```\n"
        for chapter, found in contents(root).items()
    )


def write_reference(folder: Path) -> None:
    """Write the pages of the reference: an index, and one page for each part of the package and each package inside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in folder.glob("*.rst"):
        page.unlink()
    names = [name for room in ROOMS for name in packages(f"encnn.{room}")]
    for name in names:
        (folder / f"{name}.rst").write_text(reference_page(name), encoding="utf-8")
    index = heading("Reference", "=") + description("encnn") + "\n.. toctree::\n\n"
    (folder / "index.rst").write_text(index + "".join(f"   {name}\n" for name in names), encoding="utf-8")


def packages(name: str) -> list[str]:
    """Return a module or package and all packages inside it."""
    inner = pkgutil.walk_packages(getattr(importlib.import_module(name), "__path__", []), f"{name}.")
    return [name, *sorted(module.name for module in inner if module.ispkg)]


def reference_page(name: str) -> str:
    """Return the page of a package and of the modules that lie directly in it."""
    inner = pkgutil.iter_modules(getattr(importlib.import_module(name), "__path__", []), f"{name}.")
    modules = sorted(module.name for module in inner if not module.ispkg and not module.name.endswith("__main__"))
    sections = [heading(module.rpartition(".")[2], "-") + description(module) for module in modules]
    return heading(name, "=") + description(name) + "".join(sections)


def heading(title: str, line: str) -> str:
    """Return a title in reStructuredText."""
    return f"\n{title}\n{line * len(title)}\n\n"


def description(name: str) -> str:
    """Return the directive that describes a module, and links to the names that it exports from other modules."""
    module = importlib.import_module(name)
    public = ((key, getattr(module, key)) for key in getattr(module, "__all__", ()))
    elsewhere = [
        f":py:obj:`{key} <{value.__module__}.{key}>`"
        for key, value in public
        if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ != name
    ]
    names = f"\nImported from here: {', '.join(elsewhere)}.\n" if elsewhere else ""
    return f".. automodule:: {name}\n   :members:\n   :ignore-module-all:\n{names}\n"


def as_rest(lines: list[str]) -> list[str]:
    """Return the lines of a docstring as reStructuredText.

    Our docstrings are plain text: paragraphs, lists, `code`, **bold**, *italics*, blocks indented by four, tables, and
    sessions of Python.  Paragraphs and lists keep their form, and blocks and tables are shown as they stand.
    """
    rest: list[str] = []
    kind = ""
    for line in lines:
        before, kind = kind, _kind(line, kind)
        if kind in _OPENING and kind != before:
            rest += _OPENING[kind]
        elif kind and (kind != before or _ITEM.match(line)):
            rest.append("")
        rest.append(_SHOWN[kind](line))
    return rest


def _kind(line: str, before: str) -> str:
    """Return the kind of a line: text, item, block, table or session.  An empty line is of the kind before it, or of none."""
    if not line.strip():
        return before if before in ("item", "block") else ""
    if line.startswith(">>>") or before == "session":
        return "session"
    if line.startswith("===") or before == "table":
        return "table"
    if _ITEM.match(line) or (before == "item" and line.startswith("  ")):
        return "item"
    return "block" if line.startswith("    ") else "text"


def _escaped(line: str) -> str:
    """Return a line of a paragraph in reStructuredText, in which only `code`, **bold** and *italics* have a meaning."""
    parts = _MARKED.split(line)
    parts[1::2] = [f"\\ ``{part.strip('`')}``\\ " if part.startswith("`") else f"\\ {part}\\ " for part in parts[1::2]]
    parts[0::2] = [re.sub(r"([\\*_|`<>])", r"\\\1", part) for part in parts[0::2]]
    return "".join(parts)


_ITEM = re.compile(r"(-|\d+\.) ")
_MARKED = re.compile(r"(``[^`]+``|`[^`]+`|\*\*[^*\s](?:[^*]*[^*\s])?\*\*|(?<![\w)*])\*[A-Za-z](?:[\w' -]*\w)?\*(?![\w*]))")
_OPENING = {"table": [""], "block": ["", "::", ""], "session": ["", ".. code-block:: pycon", ""]}
_SHOWN: dict[str, Callable[[str], str]] = {
    "": str,
    "text": _escaped,
    "item": _escaped,
    "block": str,
    "table": lambda line: line.replace("|", "\N{DIVIDES}"),  # bars would name a substitution
    "session": "   {}".format,
}
