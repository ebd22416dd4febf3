"""Look-up tables: what a bootstrap evaluates.

A table has N entries, for the positions 0 to N - 1 of 2 N on the torus; X^N = -1 fixes the other half, which reads the same
entries with the sign turned.  In z, positions are steps of 2^z_bits / (2 N), so

    entry m = f(z),  z = m step            and therefore        at z - 2^(z_bits - 1):  -f(z).

Hence a function on half the torus, [-z_half, z_half), may be *any*; outside, the table reads -f(z -+ 2 z_half).  For an odd
function that is f mirrored at z_half: sigmoid(z) - 1/2 comes back down beyond z_half as slowly as it went up, has the right
sign until 2 z_half, and is exactly wrong only from there.
"""

from collections.abc import Callable

import numpy as np

from encnn.errors import ParameterError
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, BootstrappedParameters

Function = Callable[[np.ndarray], np.ndarray]


def make_table(p: BootstrappedParameters, f: Function) -> np.ndarray:
    """Return the table of f on [-z_half, z_half), int32 of shape (N,): phases f(z) * scale.

    Of an f whose values have the shape (B, N) these are the tables of B functions, in the same shape.

    Raises `ParameterError` where f leaves what the torus holds, [-2 z_half, 2 z_half).
    """
    z = np.arange(p.N) * p.step
    upper = z >= p.z_half
    values = np.asarray(f(np.where(upper, z - 2 * p.z_half, z)), dtype=np.float64)
    phases = np.rint(np.where(upper, -values, values) * p.scale)
    if not np.abs(phases).max() < 1 << (TORUS_BITS - 1):
        raise ParameterError(
            f"a table of {p.name!r} holds numbers below {2 * p.z_half:g} in size, this one has {np.abs(values).max():.3g}; "
            "scale the function down"
        )
    return phases.astype(np.int32)


def read_table(table: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return what a bootstrap with this table would give at positions modulo 2 N without noise, in the type of the table.

    >>> read_table(np.array([1, 2, 3, 4], np.int32), np.array([1, 5]))
    array([ 2, -2], dtype=int32)
    """
    N = len(table)
    positions = np.asarray(positions) % (2 * N)
    return np.where(positions < N, table[positions % N], -table[positions % N])


def read_function(p: BootstrappedParameters, f: Function, positions: np.ndarray) -> np.ndarray:
    """Return what the table of f would give at positions modulo 2 N, but for its rounding: f itself, shape of the positions."""
    above = (np.asarray(positions) + p.N // 2) % (2 * p.N)
    z = (above % p.N - p.N // 2) * p.step
    return np.where(above < p.N, 1.0, -1.0) * f(z)
