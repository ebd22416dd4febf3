"""The book: its contents name every page and notebook, its reference every module, and docstrings become reStructuredText."""

import pkgutil
import re
from pathlib import Path

import pytest

import encnn
from tools import book

ROOT = Path(__file__).parent.parent


def test_the_contents_name_every_page_and_notebook_once() -> None:
    pages = [*ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("notebooks/*.md"), *ROOT.glob("*.md")]
    expected = {page.relative_to(ROOT).with_suffix("").as_posix() for page in pages} - {"README"}
    listed = [page for chapter, found in book.contents().items() if chapter != "Reference" for page in found]
    assert sorted(listed) == sorted(expected)


def test_a_page_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/faq.md").write_text("# Questions")
    assert book.contents(tmp_path)["Start"] == ["docs/faq"]
    assert "/docs/faq\n" in book.table_of_contents(tmp_path)


def test_the_rooms_are_all_parts_of_the_package() -> None:
    assert sorted(book.ROOMS) == sorted({module.name for module in pkgutil.iter_modules(encnn.__path__)} - {"__main__"})


@pytest.mark.slow
def test_the_reference_describes_every_module(tmp_path: Path) -> None:
    book.write_reference(tmp_path)
    described = "".join(page.read_text() for page in tmp_path.glob("*.rst"))
    modules = [
        module.name for module in pkgutil.walk_packages(encnn.__path__, "encnn.") if not module.name.endswith("__main__")
    ]
    assert [name for name in modules if described.count(f".. automodule:: {name}\n") != 1] == []
    index = (tmp_path / "index.rst").read_text()
    assert index.index("encnn.errors") < index.index("encnn.schemes.ckks") < index.index("encnn.experiments")


@pytest.mark.parametrize(
    ("plain", "rest"),
    [
        (["Use `x`, *y* and z*_."], ["", r"Use \ ``x``\ , \ *y*\  and z\*\_."]),
        (["*the paper's own* sets"], ["", r"\ *the paper's own*\  sets"]),
        (["**Now** `a`^2 | b"], ["", r"\ **Now**\  \ ``a``\ ^2 \| b"]),
        (["So:", "", "    a  *b", "", "end"], ["", "So:", "", "", "::", "", "    a  *b", "", "", "end"]),
        (["===  ===", "a    `b`", "===  ==="], ["", "===  ===", "a    `b`", "===  ==="]),
        (["one", "- two", "  three", "- four"], ["", "one", "", "- two", "  three", "", "- four"]),
        ([">>> f(1)", "2"], ["", ".. code-block:: pycon", "", "   >>> f(1)", "   2"]),
    ],
)
def test_docstrings_become_rest(plain: list[str], rest: list[str]) -> None:
    assert book.as_rest(plain) == rest


def test_no_docstring_has_a_table_of_another_form() -> None:
    """Tables of bars would be shown as running text."""
    barred = re.compile(r"^ *\|.*\|$", re.MULTILINE)
    paths = [path for path in (ROOT / "encnn").rglob("*.py") if barred.search(path.read_text())]
    assert barred.search("| a | b |") and not paths
