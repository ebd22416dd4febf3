"""What is said about the package beside its code agrees: extras, versions, the targets of the Makefile."""

import re
import tomllib
from pathlib import Path

import encnn
from encnn.data.reviews.archive import ARCHIVE_URL

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def extras_in(text: str) -> set[str]:
    return set(text.split(","))


def test_a_conda_user_gets_what_make_installs() -> None:
    made = re.search(r"^EVERYTHING := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    conda = re.search(r"- -e \.\[(.*)\]", (ROOT / "environment.yml").read_text())
    assert made and conda and extras_in(made[1]) == extras_in(conda[1])
    assert extras_in(made[1]) <= set(EXTRAS)


def test_the_readme_names_every_extra() -> None:
    install = (ROOT / "README.md").read_text().split("## Install")[1].split("\n## ")[0]
    assert set(EXTRAS) - {"release"} <= set(re.findall(r"`(\w+)`", install))


def test_the_version_is_the_same_everywhere() -> None:
    assert f"version: {encnn.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## [{encnn.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_classifiers_name_the_versions_that_may_be_used() -> None:
    named = [int(minor) for minor in re.findall(r"Python :: 3\.(\d+)", "\n".join(PROJECT["classifiers"]))]
    assert PROJECT["requires-python"] == f">=3.{min(named)}"
    assert f"python>=3.{min(named)},<3.{max(named) + 1}" in (ROOT / "environment.yml").read_text()
    newest = re.search(r"^NEWEST \?= python3\.(\d+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert newest and int(newest[1]) == max(named)


def test_every_target_that_makes_no_file_is_phony_and_told() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony and targets == set(phony[1].split())
    assert targets == set(re.findall(r"^([a-z-]+):[^#\n]*## ", text, re.MULTILINE))


def test_the_links_are_those_of_the_citation_and_of_the_data() -> None:
    links = PROJECT["urls"]
    assert f'url: "{links["The paper"]}"' in (ROOT / "CITATION.cff").read_text()
    assert ARCHIVE_URL.startswith(links["The reviews"])
