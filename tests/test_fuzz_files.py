"""A little of `fuzz_files` in every run of the tests, more among the slow ones, and what it must be able to find."""

import random
from pathlib import Path

import pytest
from fuzz_files import Case, Tally, Zoo, differences, fuzz, judge, mutant

from encnn import files
from encnn.errors import FileError
from encnn.parties.model import MODEL


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("zoo"), small=True)


def test_changed_files_are_refused_or_say_what_was_written(small: Zoo) -> None:
    tally = fuzz(small, 500, seed=7, measure_every=50)
    assert not tally.faults
    assert {outcome for _, outcome in tally.outcomes} == {"accepted", "refused", "unchanged"}


@pytest.mark.slow
def test_many_changed_files_of_every_scheme(tmp_path: Path) -> None:
    pytest.importorskip("tenseal")
    assert not fuzz(Zoo(tmp_path), 5000, seed=8).faults


def test_valid_files_are_accepted(small: Zoo) -> None:
    for name, case in small.cases.items():
        data = (small.folder / name).read_bytes()
        assert judge(case, data, data, small.folder / "mutant", Tally(), False) == "unchanged"


FIELDS = {"scheme", "keys", "sigmoid", "architecture", "features", "W1", "W2"}


@pytest.mark.parametrize(
    ("lax", "found"), [("a bare error", "KeyError"), ("an unknown field", "was accepted"), ("another network", "was accepted")]
)
def test_a_lax_reader_is_found(small: Zoo, lax: str, found: str) -> None:
    """The fuzzer finds what it is for: readers that crash, that ignore fields, or that take another meaning."""

    def load(path: Path) -> object:
        try:
            return small.cases["paper model"].load(path)
        except FileError:
            header, _ = files.read(path, MODEL)
            if lax == "a bare error":
                return header["nowhere"]
            if (header.keys() > FIELDS) != (lax == "an unknown field"):
                raise
            return header

    zoo = Zoo.__new__(Zoo)
    zoo.folder, zoo.cases = small.folder, {"paper model": Case(MODEL, load)}
    assert any(found in fault for fault in fuzz(zoo, 150, seed=1, measure_every=1000).faults)


def test_changes_are_changes() -> None:
    data = files.to_bytes("k", {"a": 1, "b": [1.0, {"c": "x"}]}, {})
    assert len({mutant(data, "k", random.Random(seed))[1] for seed in range(50)}) > 30
    assert sorted(differences({"a": 1, "b": [1]}, {"a": 1.0, "b": [2], "c": 0})) == [".a", ".b[0]", ".c"]
