"""The schema of headers: what `describe` writes `parse` reads, and nothing else."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn.errors import FileError, KeyMismatchError, ParameterError
from encnn.files.schema import Count, Hex32, Length, Within, check_array, check_names, describe, naming, parse, take


@dataclass(frozen=True)
class Inner:
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ParameterError("low is above high")


@dataclass(frozen=True)
class Outer:
    name: str
    rows: Count
    key_id: Hex32
    pooling: Literal["sum", "mean"]
    balanced: bool
    sigma: float | None
    inner: Inner
    maybe: Inner | None
    pair: tuple[float, float]
    sizes: Annotated[tuple[Annotated[int, Within(1, 9)], ...], Length(1, 3)]
    seeds: dict[str, Hex32]
    names: list[str]
    open: dict


INNER, SEEDS = Inner(0.0, 1.0), {"1": "f" * 32}
VALID = Outer("a", 3, "0" * 32, "sum", True, None, INNER, None, (1.0, -2.5), (1, 2), SEEDS, ["x"], {"y": []})


def changed(path: str, value: Any) -> dict:
    header = json.loads(json.dumps(describe(VALID)))
    *parents, last = path.split(".")
    place = header
    for name in parents:
        place = place[name]
    place[int(last) if isinstance(place, list) else last] = value
    return header


def test_what_is_described_is_parsed() -> None:
    assert parse(Outer, json.loads(json.dumps(describe(VALID)))) == VALID


def test_numbers_are_described_as_their_hints_say() -> None:
    described = describe(Inner(np.float32(0.0), 3))  # type: ignore[arg-type]
    assert (type(described["low"]), type(described["high"])) == (float, float)
    with pytest.raises(TypeError):
        describe(Outer(**{**vars(VALID), "rows": 2.5}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", 1),
        ("name", None),
        ("rows", True),
        ("rows", 3.0),
        ("rows", 0),
        ("rows", 1 << 41),
        ("rows", "3"),
        ("key_id", "0" * 31),
        ("key_id", "G" * 32),
        ("key_id", "0" * 32 + "\n"),
        ("pooling", "max"),
        ("pooling", ["sum"]),
        ("balanced", 1),
        ("balanced", None),
        ("sigma", 3),
        ("sigma", float("inf")),
        ("sigma", float("nan")),
        ("sigma", 10**400),
        ("inner", None),
        ("inner", []),
        ("inner.low", 2.0),
        ("inner.low", False),
        ("inner.new", 1.0),
        ("maybe", {}),
        ("pair", [1.0]),
        ("pair", [1.0, 2.0, 3.0]),
        ("pair.0", 1),
        ("sizes", []),
        ("sizes", [1, 1, 1, 1]),
        ("sizes", {"0": 1}),
        ("sizes.1", False),
        ("sizes.1", 10),
        ("sizes.1", 5e-324),
        ("seeds", []),
        ("seeds.1", "x"),
        ("names", "x"),
        ("names.0", 1),
        ("open", []),
        ("new", None),
    ],
)
def test_anything_else_is_refused_by_the_name_of_its_field(path: str, value: Any) -> None:
    with pytest.raises(FileError, match="header") as caught:
        parse(Outer, changed(path, value))
    assert path.split(".")[0] in str(caught.value)


@pytest.mark.parametrize("name", describe(VALID))
def test_missing_fields_are_refused_by_name(name: str) -> None:
    header = describe(VALID)
    del header[name]
    with pytest.raises(FileError, match=f"header lacks {name};"):
        parse(Outer, header)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_value_is_anything_but_parsed_or_refused(value: Any) -> None:
    for field in describe(VALID):
        header = changed(field, value)
        try:
            again = describe(parse(Outer, header))
        except FileError:
            continue
        assert json.dumps(again, sort_keys=True) == json.dumps(header, sort_keys=True)


def test_arrays_are_checked_in_type_shape_and_entries() -> None:
    a = np.arange(6).reshape(2, 3)
    assert check_array("a", a, (2, 3), np.int64, 0, 5) is a
    for shape, dtype, least, most in [((3, 2), np.int64, 0, 5), ((2, 3), np.int32, 0, 5), ((2, 3), np.int64, 1, 5)]:
        with pytest.raises(FileError, match="a: "):
            check_array("a", a, shape, dtype, least, most)
    with pytest.raises(FileError, match="entries from 0 to 5, expected at most 4"):
        check_array("a", a, (2, 3), most=4)
    edge = np.array([np.iinfo(np.int64).min])
    with pytest.raises(FileError):
        check_array("edge", edge, (1,), np.int64, -5, 5)


def test_arrays_are_taken_by_name() -> None:
    arrays = {"a": np.zeros(1)}
    take(arrays, "a")
    assert not arrays
    with pytest.raises(FileError, match="lacks the array 'a'"):
        take(arrays, "a")
    with pytest.raises(FileError, match="has 'b'"):
        check_names("the file", {"a": 0, "b": 0}, {"a"})


@pytest.mark.parametrize(
    ("error", "wanted"), [(FileError, FileError), (ParameterError, FileError), (KeyMismatchError, KeyMismatchError)]
)
def test_complaints_name_the_file(error: type[Exception], wanted: type[Exception]) -> None:
    with pytest.raises(wanted, match="model: why") as caught, naming("model"):
        raise error("why")
    assert type(caught.value) is wanted


def test_a_mistake_of_ours_is_not_the_fault_of_the_file() -> None:
    with pytest.raises(TypeError, match="ours"), naming("model"):
        raise TypeError("ours")
