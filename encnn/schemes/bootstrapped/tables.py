"""Look-up tables: a bootstrap evaluates a function by reading one.

A table has N entries, for the positions 0 to N - 1 of the 2 N on the torus.  Because X^N = -1, the other positions read the
same entries with the opposite sign.  In units of z, positions are steps of 2^z_bits / (2 N), so

    entry m = f(z),  z = m step            and therefore        at z - 2^(z_bits - 1):  -f(z).

So the function can be *any* function on half of the torus, [-z_half, z_half).  Outside, the table reads -f(z -+ 2 z_half).  For
an odd function this is f mirrored at z_half.  Beyond z_half, sigmoid(z) - 1/2 falls as slowly as it rose.  It keeps the right
sign up to 2 z_half and has the wrong sign only from there on.  A polynomial in place of the sigmoid that is not odd about 1/2
(`ancestor_misplaced`) is also read as it is on half of the torus; outside, the sign of its even part is turned as well.
"""

from collections.abc import Callable, Sequence

import numpy as np

from encnn.errors import ParameterError
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, BootstrappedParameters

Function = Callable[[np.ndarray], np.ndarray]


def make_table(p: BootstrappedParameters, f: Function) -> np.ndarray:
    """Return the table of f on [-z_half, z_half), int32 of shape (N,): phases f(z) * scale.

    If the values of f have the shape (B, N), the result holds the tables of B functions, in the same shape.

    Raises `ParameterError` if a value is outside what the torus holds, [-2 z_half, 2 z_half).
    """
    z = np.arange(p.N) * p.step
    upper = z >= p.z_half
    values = np.asarray(f(np.where(upper, z - 2 * p.z_half, z)), dtype=np.float64)
    phases = np.rint(np.where(upper, -values, values) * p.scale)
    if not np.abs(phases).max() < 1 << (TORUS_BITS - 1):
        raise ParameterError(
            f"a table of {p.name!r} holds numbers below {2 * p.z_half:g} in size, but this one has {np.abs(values).max():.3g}; "
            "scale the function down"
        )
    return phases.astype(np.int32)


def read_table(table: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return what a bootstrap with this table would give without noise, at positions modulo 2 N, in the table's type.

    >>> read_table(np.array([1, 2, 3, 4], np.int32), np.array([1, 5]))
    array([ 2, -2], dtype=int32)
    """
    N = len(table)
    positions = np.asarray(positions) % (2 * N)
    return np.where(positions < N, table[positions % N], -table[positions % N])


def read_function(p: BootstrappedParameters, f: Function, positions: np.ndarray) -> np.ndarray:
    """Return what the table of f would give at positions modulo 2 N if its entries were not rounded; shape of the positions."""
    above = (np.asarray(positions) + p.N // 2) % (2 * p.N)
    z = (above % p.N - p.N // 2) * p.step
    return np.where(above < p.N, 1.0, -1.0) * f(z)


# -- tables by phase, in fractions of the torus, whatever the scale of numbers


def phases(entries: int) -> np.ndarray:
    """Return the phases of the entries of a table on half of the torus around 0, shape (entries,): in [-1/4, 1/4)."""
    x = np.arange(entries) / (2 * entries)
    return np.where(x >= 0.25, x - 0.5, x)


def around_zero(entries: int, f: Function) -> np.ndarray:
    """Return the table of any f from phases in [-1/4, 1/4) to phases, int32 of shape (entries,).  Beyond, it reads -f."""
    x = phases(entries)
    values = np.asarray(f(x), dtype=np.float64)
    return to_torus(np.where(np.arange(entries) * 2 >= entries, -values, values))


def from_zero(entries: int, f: Function) -> np.ndarray:
    """Return the table of any f from phases in [0, 1/2) to phases, int32 of shape (entries,).  Half a turn on, it reads -f."""
    return to_torus(f(np.arange(entries) / (2 * entries)))


def interleaved(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Return the table of several outputs, int32 of shape (..., N), from their tables of N / outputs entries each.

    >>> interleaved([np.array([1, 2], np.int32), np.array([5, 6], np.int32)])
    array([1, 5, 2, 6], dtype=int32)
    """
    together = np.stack(np.broadcast_arrays(*tables), axis=-1)
    return together.reshape(*together.shape[:-2], -1)


def to_torus(x: np.ndarray | float) -> np.ndarray:
    """Return real numbers modulo 1 as int32 fractions of 2^32."""
    x = np.asarray(x, dtype=np.float64)
    return np.rint((x - np.rint(x)) * 2.0**TORUS_BITS).astype(np.int64).astype(np.int32)
