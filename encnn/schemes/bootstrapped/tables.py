"""Look-up tables: a bootstrap evaluates a function by reading one entry of a table.

The torus has 2 N positions, and a table has N entries, for the positions 0 to N - 1.  Reading a position multiplies the table,
as a polynomial, by a power of X.  Because X^N = -1, the other N positions read the same entries with the opposite sign.  In
units of z, one position is a step of 2^z_bits / (2 N).  If entry m is f(z) for z = m step, then half a torus before, at
z - 2^(z_bits - 1), the same entry is read as -f(z).

A table can therefore hold *any* function on half of the torus, z in [-z_half, z_half).  Outside, it reads -f(z -+ 2 z_half).
For an odd function this is f mirrored at z_half.  So beyond z_half, sigmoid(z) - 1/2 falls as slowly as it rose.  It has the
right sign up to 2 z_half, and the wrong sign only from there on.  A polynomial in place of the sigmoid that is not odd about
1/2 (`ancestor_misplaced`) is read as it is on half of the torus; outside, the sign of its even part is turned as well.
"""

from collections.abc import Callable, Sequence

import numpy as np

from encnn.errors import ParameterError
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, BootstrappedParameters

Function = Callable[[np.ndarray], np.ndarray]


def make_table(p: BootstrappedParameters, f: Function) -> np.ndarray:
    """Return the table of f on [-z_half, z_half), int32 of shape (N,), whose entries are the phases f(z) * scale.

    If f returns values of shape (B, N), the result holds the tables of B functions, in the same shape.

    Raises `ParameterError` if a value is outside what the torus holds, [-2 z_half, 2 z_half).
    """
    z = np.arange(p.N) * p.step
    upper = z >= p.z_half  # these entries are read half a torus lower, for negative z, with the opposite sign
    values = np.asarray(f(np.where(upper, z - 2 * p.z_half, z)), dtype=np.float64)
    phases = np.rint(np.where(upper, -values, values) * p.scale)
    if not np.abs(phases).max() < 1 << (TORUS_BITS - 1):
        raise ParameterError(
            f"a table of {p.name!r} holds numbers below {2 * p.z_half:g} in size, but this function reaches "
            f"{np.abs(values).max():.3g}; scale the function down"
        )
    return phases.astype(np.int32)


def read_table(table: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return what a bootstrap with this table gives without noise, at positions modulo 2 N, in the table's type.

    >>> read_table(np.array([1, 2, 3, 4], np.int32), np.array([1, 5]))
    array([ 2, -2], dtype=int32)
    """
    N = len(table)
    positions = np.asarray(positions) % (2 * N)
    return np.where(positions < N, table[positions % N], -table[positions % N])


def read_function(p: BootstrappedParameters, f: Function, positions: np.ndarray) -> np.ndarray:
    """Return what the table of f gives at positions modulo 2 N if its entries are not rounded, in the positions' shape."""
    above = (np.asarray(positions) + p.N // 2) % (2 * p.N)
    z = (above % p.N - p.N // 2) * p.step
    return np.where(above < p.N, 1.0, -1.0) * f(z)


# -- tables by phase: arguments and values are fractions of the torus, so the scale of numbers does not matter


def phases(entries: int) -> np.ndarray:
    """Return the phases in [-1/4, 1/4) that the entries of a table around 0 stand for, shape (entries,)."""
    x = np.arange(entries) / (2 * entries)
    return np.where(x >= 0.25, x - 0.5, x)


def around_zero(entries: int, f: Function) -> np.ndarray:
    """Return the table of any f from phases in [-1/4, 1/4) to phases, int32 of shape (entries,).

    A phase outside is read as -f of the phase half a turn away.
    """
    x = phases(entries)
    values = np.asarray(f(x), dtype=np.float64)
    return to_torus(np.where(np.arange(entries) * 2 >= entries, -values, values))


def from_zero(entries: int, f: Function) -> np.ndarray:
    """Return the table of any f from phases in [0, 1/2) to phases, int32 of shape (entries,).

    A phase in [1/2, 1) is read as -f of the phase half a turn before.
    """
    return to_torus(f(np.arange(entries) / (2 * entries)))


def interleaved(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Return one table for several outputs, int32 of shape (..., N), from one table of N / outputs entries for each of them.

    A rotation brings the entry of the first output to the constant coefficient, and those of the others to the next ones.

    >>> interleaved([np.array([1, 2], np.int32), np.array([5, 6], np.int32)])
    array([1, 5, 2, 6], dtype=int32)
    """
    together = np.stack(np.broadcast_arrays(*tables), axis=-1)
    return together.reshape(*together.shape[:-2], -1)


def to_torus(x: np.ndarray | float) -> np.ndarray:
    """Return real numbers modulo 1 as int32 fractions of 2^32."""
    x = np.asarray(x, dtype=np.float64)
    return np.rint((x - np.rint(x)) * 2.0**TORUS_BITS).astype(np.int64).astype(np.int32)


def unit(N: int) -> float:
    """Return the unit of the refined torus: a trace multiplies what it keeps by N, so it first divides everything by N."""
    return 2.0**-TORUS_BITS / N
