"""Checks of single values that users pass: types and ranges.  All messages have the same form.

A message says what was wrong, what was expected and what to do.  Python accepts `True` as 1, and numpy accepts 4.0 as a size.
Here neither is a whole number, because both are usually mistakes.
"""

import math
import numbers
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import ArrayLike

from encnn.errors import EncnnError, ParameterError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
Converter = Callable[[str, object], object]
"""A function of (name, value) that returns the value in a type, or raises `ParameterError`."""

SHOWN = 80
"""The most characters of a value that a message shows."""


def shown(value: object) -> str:
    """Return a value as messages show it, cut short.  This never raises an error.

    >>> shown("a" * 200)[-10:]
    'aaaaaa ...'
    """
    try:
        text = repr(value)
    except Exception:
        text = f"an object of type {type(value).__name__}"
    return text if len(text) <= SHOWN else text[: SHOWN - 4] + " ..."


def whole(
    name: str, value: object, least: int | None = None, most: int | None = None, error: type[EncnnError] = ParameterError
) -> int:
    """Return a whole number as an `int`; raise `error` for anything else, and for a number out of range.

    >>> whole("batch_size", np.int64(4), least=1)
    4
    """
    number = int(value) if not isinstance(value, bool | np.bool_) and isinstance(value, numbers.Integral) else None
    if number is not None and (least is None or number >= least) and (most is None or number <= most):
        return number
    raise error(f"{name}={shown(value)}: expected a whole number{_range(least, most)}, such as {name}={least or 1}")


def real(
    name: str,
    value: object,
    least: float = -math.inf,
    most: float = math.inf,
    above: float | None = None,
    error: type[EncnnError] = ParameterError,
) -> float:
    """Return a finite real number from `least` to `most`, and larger than `above`; raise `error` for anything else.

    >>> real("learning_rate", 1, above=0)
    1.0
    """
    number = _finite(value) if not isinstance(value, bool | np.bool_) and isinstance(value, numbers.Real) else None
    if number is not None and least <= number <= most and (above is None or number > above):
        return number
    lower = f" above {above:g}" if above is not None else ""
    raise error(f"{name}={shown(value)}: expected a finite number{lower}{_range(least, most)}")


def rates(name: str, value: ArrayLike, count: int) -> np.ndarray:
    """Return one positive number, or `count` of them, as an array of shape (1, 1) or (count, 1)."""
    if np.ndim(value) == 0:
        return np.array([[real(name, value, above=0)]])
    found = np.asarray(value)
    if found.shape != (count,) or found.dtype.kind not in "iuf" or not (np.isfinite(found) & (found > 0)).all():
        raise ParameterError(f"{name}={shown(value)}: expected a finite number above 0, or {count} of them")
    return found.astype(np.float64)[:, None]


def flag(name: str, value: object, error: type[EncnnError] = ParameterError) -> bool:
    """Return a truth value; raise `error` for anything else."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise error(f"{name}={shown(value)}: expected True or False")


def choice(name: str, value: T, choices: Iterable[object], error: type[EncnnError] = ParameterError) -> T:
    """Return a value that is one of `choices`; raise `error` for anything else."""
    *others, last = choices
    if any(type(value) is type(c) and value == c for c in (*others, last)):
        return value
    raise error(f"{name} is {shown(value)}; it must be {', '.join(map(repr, others))} or {last!r}")


def instance(name: str, value: T, kind: Any, error: type[EncnnError] = ParameterError) -> T:
    """Return a value of this class (or one of these); raise `error` for anything else.

    >>> instance("rng", np.random.default_rng(0), np.random.Generator) is not None
    True
    """
    if isinstance(value, kind):
        return value
    names = " or ".join(k.__name__ for k in (get_args(kind) or (kind,)))
    raise error(f"{name}={shown(value)} is of type {type(value).__name__}; expected {names}")


def check_types(dataclass_: "DataclassInstance") -> None:
    """Convert every field of a dataclass to its declared type, or raise `ParameterError`.  `__post_init__` calls this.

    The types are int, float, bool, str, None, `Literal`, tuples and unions of these, and classes.  A number of numpy becomes a
    number of Python, so that files can hold it.
    """
    for f in fields(dataclass_):
        if f.init:
            value = getattr(dataclass_, f.name)
            converted = _converters(dataclass_.__class__)[f.name](f.name, value)
            if converted is not value:
                object.__setattr__(dataclass_, f.name, converted)


@cache
def _converters(of: "type[DataclassInstance]") -> dict[str, Converter]:
    hints = get_type_hints(of)
    return {f.name: _converter(hints[f.name]) for f in fields(of)}


def _converter(hint: object) -> Converter:
    """Return a function of (name, value) that returns a value of the type, or raises `ParameterError`."""
    plain: dict[object, Converter] = {int: whole, float: real, bool: flag}
    if hint in plain:
        return plain[hint]
    if get_origin(hint) is Literal:
        return lambda name, value: choice(name, value, get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        return lambda name, value: _one_of(get_args(hint), name, value)
    if get_origin(hint) is tuple:
        return lambda name, value: _tuple(get_args(hint), name, value)
    return lambda name, value: instance(name, value, hint)


def _tuple(hints: tuple[object, ...], name: str, value: Any) -> tuple[object, ...]:
    values = instance(name, value, tuple | list)
    if hints[-1] is not Ellipsis and len(values) != len(hints):
        raise ParameterError(f"{name}={shown(value)} has {len(values)} entries; expected {len(hints)}")
    each = _converter(hints[0])  # no tuple field mixes types
    return tuple(each(f"an entry of {name}", v) for v in values)


def _one_of(hints: tuple[object, ...], name: str, value: object) -> object:
    rest = tuple(hint for hint in hints if hint is not NoneType)
    if value is None and NoneType in hints:
        return None
    return _converter(rest[0])(name, value) if len(rest) == 1 else instance(name, value, Union[rest])  # noqa: UP007


def _finite(value: numbers.Real) -> float | None:
    """Return a finite number as a `float`, and None for any other."""
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number that is too large for a float
        return None


def _range(least: float | None, most: float | None) -> str:
    lower = f" of at least {least}" if least not in (None, -math.inf) else ""
    return lower + (f", at most {most:g}" if most not in (None, math.inf) else "")
