"""What a reader checks before it uses a file: the schema of the header, and type, shape and range of each array.

A header is declared as a dataclass, and the type hints of its fields are the schema:

    @dataclass(frozen=True)
    class ScoresHeader:
        scheme: str
        key_id: Hex32
        shape: tuple[Count, ...]

`describe` makes the JSON object of such a dataclass and `parse` makes the dataclass again.  A header has every field and no
other.  Types are exact: neither a boolean nor 1.0 is a whole number, 1 is no floating-point number, and numbers are finite.
`Annotated` hints add ranges (`Within`), lengths (`Length`) and forms of texts (`Matches`).  A bare `dict` is an object that
another module parses, for example a scheme.

Hints may be bool, int, float, str, dict, dataclasses, Literal, `X | None`, tuple[X, ...], tuple[X, Y], list[X] and
dict[str, X].
"""

import math
import operator
import re
from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from encnn.errors import EncnnError, FileError, KeyMismatchError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

LARGEST = 1 << 1000
"""Whole numbers without a narrower range stay below this, so that they are never too large for a floating-point number."""


class Demand(Protocol):
    """A condition on a value besides its type; its text ends the sentence "expected ..."."""

    def __call__(self, value: Any, /) -> bool:
        """Return whether the value meets the condition."""


@dataclass(frozen=True)
class Within:
    """A number from `least` to `most`, both included."""

    least: float  # the least number
    most: float = math.inf  # the largest number

    def __call__(self, value: float) -> bool:
        """Return whether the number is in the range."""
        return self.least <= value <= self.most

    def __str__(self) -> str:
        """Name the range."""
        return f"at least {self.least}" if self.most == math.inf else f"from {self.least} to {self.most}"


@dataclass(frozen=True)
class Length:
    """A text or list of `least` to `most` items."""

    least: int  # the fewest items
    most: int  # the most items

    def __call__(self, value: Sized) -> bool:
        """Return whether the number of items is in the range."""
        return self.least <= len(value) <= self.most

    def __str__(self) -> str:
        """Name the range."""
        return f"{self.least} to {self.most} items"


@dataclass(frozen=True)
class Matches:
    """A text that matches a regular expression."""

    pattern: str  # the regular expression
    form: str  # what it means, in words

    def __call__(self, value: str) -> bool:
        """Return whether all of the text matches."""
        return re.fullmatch(self.pattern, value) is not None

    def __str__(self) -> str:
        """Name the form."""
        return self.form


Count = Annotated[int, Within(1, 1 << 40)]
"""A number of rows, columns or reviews: at least 1, and small enough to be multiplied by any size."""

Width = Annotated[int, Within(1, 1 << 16)]
"""Length of a vector."""

Hex32 = Annotated[str, Matches("[0-9a-f]{32}", "32 hexadecimal digits")]
"""Sixteen bytes: the name of a key, or the public seed of masks."""


# Headers


def describe(header: "DataclassInstance") -> dict[str, object]:
    """Return the JSON object of a dataclass, as `parse` reads it.  Numbers get the types of their hints."""
    return {name: _plain(hint, getattr(header, name)) for name, hint in _hints(type(header)).items()}


def parse(kind: type[T], value: object, what: str = "header") -> T:
    """Return the dataclass that `describe` described; for anything else raise a `FileError` that names the field.

    Fields are checked before the dataclass is made.  Errors of its own `__post_init__` become `FileError` too.
    """
    if not isinstance(value, dict):
        raise _unlike(what, value, f"an object with {', '.join(_hints(kind))}")
    check_names(what, value, _hints(kind))
    checked = {name: _checked(hint, value[name], f"{what}.{name}") for name, hint in _hints(kind).items()}
    try:
        return kind(**checked)
    except EncnnError as error:
        raise FileError(f"{what} cannot be used ({error}); get a new file from its sender") from error


def check_names(what: str, found: Mapping[str, object], wanted: Mapping[str, object] | set[str]) -> None:
    """Raise `FileError` unless an object has exactly these fields, or a file exactly these arrays."""
    missing, unknown = [n for n in wanted if n not in found], [n for n in found if n not in wanted]
    if missing:
        raise FileError(f"{what} lacks {', '.join(missing):.200}; get a new file from its sender")
    if unknown:
        raise FileError(
            f"{what} has {', '.join(map(repr, unknown)):.200}, which is unknown here; expected {', '.join(wanted):.200}"
        )


def _hints(kind: "type[DataclassInstance]") -> dict[str, object]:
    """Return the hints of the fields that make a dataclass."""
    return _hints_found(kind)


@cache  # workers read headers for every mini-batch, and looking the hints up takes longer than the checks
def _hints_found(kind: "type[DataclassInstance]") -> dict[str, object]:
    hints = get_type_hints(kind, include_extras=True)
    return {f.name: hints[f.name] for f in fields(kind) if f.init}


def _checked(hint: object, value: object, where: str) -> object:
    """Return the value in the type of its hint; raise `FileError` unless it has that type and meets all conditions."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        checked = _checked(args[0], value, where)
        demands: tuple[Demand, ...] = args[1:]
        for demand in demands:
            if not demand(checked):
                raise _unlike(where, value, str(demand))
        return checked
    if origin in (Union, UnionType):
        (inner,) = (arg for arg in args if arg is not NoneType)
        return None if value is None else _checked(inner, value, where)
    if origin is Literal:
        if not any(type(value) is type(arg) and value == arg for arg in args):
            raise _unlike(where, value, f"one of {', '.join(map(repr, args))}")
        return value
    if origin in (tuple, list):
        return origin(_items(origin, args, value, where))
    if isinstance(hint, type) and is_dataclass(hint):
        return parse(hint, value, where)
    if type(value) is not (origin or hint) or not _is_sound(value):
        raise _unlike(where, value, f"{_NAMES[origin or hint]}")
    if not args or not isinstance(value, dict):
        return value
    return {name: _checked(args[1], inner, f"{where}.{name}") for name, inner in value.items()}


def _items(origin: type, args: tuple[object, ...], value: object, where: str) -> Iterator[object]:
    """Yield the checked items of a list; a tuple of fixed length has one hint per item."""
    if type(value) is not list:
        raise _unlike(where, value, "a list")
    hints = [args[0]] * len(value) if origin is list or args[-1] is Ellipsis else list(args)
    if len(hints) != len(value):
        raise _unlike(where, value, f"a list of {len(hints)}")
    for i, (hint, item) in enumerate(zip(hints, value, strict=True)):
        yield _checked(hint, item, f"{where}[{i}]")


def _is_sound(value: object) -> bool:
    """Return whether a number is finite and fits a floating-point number; True for anything else."""
    return abs(value) < LARGEST if type(value) is int else math.isfinite(value) if type(value) is float else True


def _plain(hint: object, value: Any) -> object:
    """Return a value in the form that JSON holds."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _plain(args[0], value)
    if value is None or origin is Literal:
        return value
    if origin in (Union, UnionType):
        return _plain(next(arg for arg in args if arg is not NoneType), value)
    if origin in (tuple, list):
        hints = [args[0]] * len(value) if origin is list or args[-1] is Ellipsis else args
        return [_plain(*pair) for pair in zip(hints, value, strict=True)]
    if is_dataclass(hint):
        return describe(value)
    if origin is dict:
        return {name: _plain(args[1], inner) for name, inner in value.items()}
    if hint is float:
        return float(value)
    return operator.index(value) if hint is int else value


_NAMES: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite floating-point number",
    str: "a text",
    dict: "an object",
}


def _unlike(where: str, value: object, wanted: str) -> FileError:
    return FileError(f"{where} is {value!r:.80}, expected {wanted}; get a new file from its sender")


# Arrays


def check_array(
    name: str,
    array: np.ndarray,
    shape: tuple[int, ...],
    dtype: np.dtype | type = np.int64,
    least: int | None = None,
    most: int | None = None,
) -> np.ndarray:
    """Return `array`; raise `FileError` unless it has this type and this shape, and entries from `least` to `most`."""
    if array.dtype != dtype or array.shape != shape:
        wanted = f"expected {np.dtype(dtype)} of shape {shape}"
        raise FileError(f"{name}: found {array.dtype} of shape {array.shape}, {wanted}; get a new file from its sender")
    if array.size and (least is not None or most is not None):
        low, high = int(array.min()), int(array.max())
        if (least is not None and low < least) or (most is not None and high > most):
            allowed = [f"{word} {limit}" for word, limit in (("at least", least), ("at most", most)) if limit is not None]
            raise FileError(f"{name}: entries from {low} to {high}, expected {' and '.join(allowed)}; get a new file")
    return array


def take(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Remove and return an array, so that unused ones remain; raise `FileError` if it is missing."""
    if name not in arrays:
        raise FileError(f"the file lacks the array {name!r} that its header announces; get a new file from its sender")
    return arrays.pop(name)


# Files


@contextmanager
def naming(path: object) -> Iterator[None]:
    """Add the name of the file to every error about its contents.

    If a constructor of this package refuses the contents, the file is at fault, so the error becomes a `FileError`.  Other
    exceptions are mistakes of this package and pass unchanged.
    """
    try:
        yield
    except KeyMismatchError as error:
        raise KeyMismatchError(f"{path}: {error}") from error
    except EncnnError as error:
        raise FileError(f"{path}: {error}") from error
