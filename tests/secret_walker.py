"""Finds what can be reached from an object or a file, and whether a secret matrix T stands in it.

An object leads to its attributes, slots, items, closures, defaults, weak references and array bases; modules, classes and
the globals of functions belong to the program and are not followed.
"""

import gc
import types
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from encnn import files

PROGRAM = types.ModuleType | type | types.CodeType | types.FrameType
WORTH_FINDING_BITS = 24.0
"""T with less information (a single digit, say) stands in any array by chance."""


def reachable(*roots: object) -> list[object]:
    """Return every object that the roots lead to, and the roots."""
    seen: dict[int, object] = {}
    waiting = list(roots)
    while waiting:
        found = waiting.pop()
        if id(found) not in seen and not isinstance(found, PROGRAM):
            seen[id(found)] = found
            waiting.extend(neighbours(found))
    return list(seen.values())


def neighbours(found: object) -> list[Any]:
    """Return what one object leads to in one step."""
    if isinstance(found, types.FunctionType):
        return [found.__closure__, found.__defaults__, found.__kwdefaults__, found.__dict__]
    if isinstance(found, np.ndarray):
        return [found.base, *(found.ravel().tolist() if found.dtype == object else [])]
    if isinstance(found, memoryview):
        return [found.obj]
    if isinstance(found, weakref.ref):
        return [found()]
    return gc.get_referents(found)


def numbers_in(found: object) -> np.ndarray | None:
    """Return the numbers an object holds as an array: of arrays, of bytes read as int64, of lists of whole numbers."""
    if isinstance(found, np.ndarray) and found.dtype.kind in "iuf":
        return found
    if isinstance(found, bytes | bytearray) and len(found) >= 8:
        return np.frombuffer(bytes(found[: len(found) // 8 * 8]), dtype="<i8")
    if isinstance(found, list | tuple) and found and all(type(k) is int and abs(k) < 1 << 63 for k in found):
        return np.array(found, dtype=np.int64)
    return None


def arrays_from(*roots: object) -> list[np.ndarray]:
    """Return all arrays of numbers that the roots lead to."""
    return [a for a in map(numbers_in, reachable(*roots)) if a is not None and a.size]


def arrays_in_file(path: Path) -> list[np.ndarray]:
    """Return all arrays of numbers in a file, those in its header too."""
    contents = files.inspect(path)
    return arrays_from(files.read(path, contents.kind))


def shows(arrays: list[np.ndarray], T: np.ndarray) -> bool:
    """Tell whether T, a row or a column of it stands in one of the arrays: as it is or as leading digits."""
    tables = [table for a in arrays for table in tables_of(a)]
    return any(holds_run(table, part, shift) for table in tables for part in parts_of(T) for shift in range(63))


def parts_of(T: np.ndarray) -> list[np.ndarray]:
    """Return the rows and columns of T that are long enough to be found, or else all of T in one run."""
    bits = np.log2(np.ptp(T) + 1)
    parts = [part for part in (*T, *T.T) if len(part) * bits >= WORTH_FINDING_BITS]
    if not parts and T.size * bits < WORTH_FINDING_BITS:
        raise ValueError("this T has too few digits to be found, or to be missed")
    return parts or [T.ravel(), T.T.ravel()]


def tables_of(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the array as a table of int64, and its transpose."""
    if a.dtype.kind == "f":
        a = np.rint(np.where(np.abs(a) < 2.0**62, a, 0))
    table = a.astype(np.int64).reshape(-1, a.shape[-1] if a.ndim else 1)
    return table, table.T


def holds_run(table: np.ndarray, run: np.ndarray, shift: int) -> bool:
    """Tell whether the run stands, in this order, in a row of the table divided by 2^shift and rounded."""
    starts = table.shape[1] - len(run) + 1
    if starts < 1:
        return False
    rows, columns = np.nonzero(leading_digits(table[:, :starts], shift) == run[0])
    for k in range(1, len(run)):
        if not len(rows):
            return False
        agree = leading_digits(table[rows, columns + k], shift) == run[k]
        rows, columns = rows[agree], columns[agree]
    return len(rows) > 0


def leading_digits(a: np.ndarray, shift: int) -> np.ndarray:
    """Return round(a / 2^shift)."""
    return a if shift == 0 else (a >> shift) + (a >> (shift - 1) & 1)
