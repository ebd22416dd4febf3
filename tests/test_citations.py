"""Keys of citations, as [ZW14], lead to the references of docs/related-work.md, and every work has one key."""

import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
KEY = r"[A-Z][A-Za-z]*\+?(?:\d{4}|\d\d)\b"
CODE = [path for folder in ("encnn", "benchmarks", "tools") for path in ROOT.glob(f"{folder}/**/*.py")]
TEXTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb"), *CODE])
REFERENCES = (ROOT / "docs/related-work.md").read_text(encoding="utf-8").partition("## References")[2]
TITLES = dict(re.findall(r"^- \[([^\]]+)\][^*]*\*([^*]+)\*", REFERENCES, re.MULTILINE))


def text_of(path: Path) -> str:
    """Return a source or page, or the text cells of a notebook."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")


def cited(text: str) -> set[str]:
    """Return the keys in brackets, alone as [ZW14], in a list as [ZW14, YLP15], or with a place as [ZW14, section 2]."""
    groups = re.findall(rf"\[({KEY}(?:,\s+[^\[\]]+)?)\]", text)
    return {key for group in groups for key in re.split(r",\s+", group) if re.fullmatch(f"{KEY}|HEl|TFHE-go", key)}


def plain(title: str) -> str:
    """Return a title without case, signs and line breaks."""
    return " ".join(re.findall(r"\w+", title.lower()))


def test_keys_are_found_alone_and_in_lists_and_with_places() -> None:
    assert cited("see [ZW14], [GDL+16,\nMay21] and x[A], [1], [HEl]") == {"ZW14", "GDL+16", "May21"}
    assert cited("[Old2011], [HES18, table 1], [FV12, TFHE-go]") == {"Old2011", "HES18", "FV12", "TFHE-go"}


@pytest.mark.parametrize("path", [path for path in TEXTS if cited(text_of(path))], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_key_is_on_the_related_work_page(path: Path) -> None:
    assert cited(text_of(path)) <= set(TITLES), f"add {cited(text_of(path)) - set(TITLES)} to docs/related-work.md"


def test_every_work_has_one_key() -> None:
    keys = Counter(re.findall(r"^- \[([^\]]+)\]", REFERENCES, re.MULTILINE))
    titles = Counter(map(plain, TITLES.values()))
    links = Counter(re.findall(r"<(http[^>]+)>", REFERENCES))
    assert len(keys) == len(TITLES)  # every reference has a title
    assert [name for found in (keys, titles, links) for name, times in found.items() if times > 1] == []


def test_a_docstring_that_gives_a_title_gives_that_of_the_page() -> None:
    given = [
        (path.name, key, title)
        for path in ROOT.glob("encnn/**/*.py")
        for key, title in re.findall(rf'\[({KEY})\][\w\s.,-]*"([^"]+ [^"]+)"', text_of(path))
    ]
    assert len(given) > 10
    assert [entry for entry in given if not plain(TITLES[entry[1]]).startswith(plain(entry[2]))] == []


def test_every_reference_is_cited() -> None:
    everything = "\n".join(text_of(path) for path in TEXTS).replace(REFERENCES, "")
    assert set(TITLES) - cited(everything) - set(re.findall(r"\[([^\]]+)\]", everything)) == set()
