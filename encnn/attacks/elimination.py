"""Gaussian elimination modulo q finds the message in deterministic ciphertexts: in one of them, or in a broadcast.

**Idea.**  In c = M (w x)*, equation (9), the matrix M is public, and the unknowns are the m l digits of w x.  One ciphertext
gives n = m + d linear equations (mod q) in these digits.  If n >= m l, with a few equations to spare, elimination finds the
digits.  A larger dimension d adds equations and no unknowns: *what should make the scheme stronger makes it weaker*.  If
n < m l, the same message under t keys gives t n equations in the same digits (**broadcast attack**), and t >= m l / n keys
suffice.

**Needs** public keys and ciphertexts.  **Works** on deterministic encryption under all parameters, and best under those of 128
bits.  **Fails** as soon as an encryption of zero is added, because P r + e' adds d + n new unknowns to every n equations.  The
attack notices this, since the spare equations then contradict the others.
"""

import math
from collections.abc import Sequence

import numpy as np

from encnn.arithmetic.modular import centred
from encnn.errors import ParameterError
from encnn.schemes.integer_vector import CiphertextArray, IntegerVectorParameters, PublicKey

SPARE_EQUATIONS = 24
"""How many more equations than unknowns are used.  A random matrix modulo 2^k then lacks full rank with probability 2^-24."""


def unknown_digits(parameters: IntegerVectorParameters, m: int) -> int:
    """Return m l, the number of unknown digits."""
    return m * parameters.n_digits


def keys_needed(parameters: IntegerVectorParameters, m: int) -> int:
    """Return the number of keys under which a broadcast shows its message, with the spare equations counted in."""
    return math.ceil((unknown_digits(parameters, m) + SPARE_EQUATIONS) / (m + parameters.d))


def message(public_keys: Sequence[PublicKey], ciphertexts: Sequence[CiphertextArray]) -> np.ndarray | None:
    """Return the plaintext integers x, shape (m,), of one message encrypted under each key, or None if none fits.

    ciphertexts: one vector each, of shape (m,), under keys of equal parameters.
    """
    if not ciphertexts or len(public_keys) != len(ciphertexts):
        raise ParameterError(
            f"there are {len(public_keys)} public keys and {len(ciphertexts)} ciphertexts; pass one of each, or more"
        )
    p, m = ciphertexts[0].parameters, ciphertexts[0].shape[-1]
    q_bits, unknowns = p.q_bits or 64, unknown_digits(p, m)
    M = np.concatenate([key.switch.M for key in public_keys])[: unknowns + SPARE_EQUATIONS]
    c = np.concatenate([each.data for each in ciphertexts])[: unknowns + SPARE_EQUATIONS]
    digits = solve_modulo(M, c, q_bits)
    if digits is None or np.abs(digits).max() > p.digit_bound:
        return None
    powers = np.int64(1) << p.base_bits * np.arange(p.n_digits - 1, -1, -1)
    return centred(digits.reshape(m, p.n_digits) @ powers, q_bits) >> np.int64(p.w_bits)


def solve_modulo(M: np.ndarray, c: np.ndarray, q_bits: int) -> np.ndarray | None:
    """Return the only x with M x = c modulo 2^q_bits, centred; None if no x, or more than one, fulfils the equations.

    M is int64 of shape (rows, unknowns), c of shape (rows,).  Only odd numbers have inverses modulo 2^k, so pivots are odd.

    >>> solve_modulo(np.array([[2, 1], [3, 5], [1, 1]]), np.array([4, 13, 3]), 8)
    array([1, 2])
    """
    work = np.concatenate([M, c[:, None]], axis=1).astype(np.int64)
    unknowns = M.shape[1]
    for k in range(unknowns):
        odd = np.flatnonzero(work[k:, k] & 1)
        if not len(odd):  # the matrix has no full rank modulo 2, so x is not unique
            return None
        pivot = k + odd[0]
        work[[k, pivot]] = work[[pivot, k]]
        work[k] *= _inverse(work[k, k])
        factors = work[:, k].copy()
        factors[k] = 0
        work -= factors[:, None] * work[k]
    if centred(work[unknowns:, -1], q_bits).any():  # a spare equation has become 0 = something else
        return None
    return centred(work[:unknowns, -1], q_bits)


def _inverse(odd: np.int64) -> np.int64:
    """Return 1 / odd modulo 2^64.  Each Newton step doubles the number of correct bits: 3, 6, 12, 24, 48, 96."""
    a = np.array([odd])  # numpy's arrays wrap around without a warning, its scalars warn
    x = a.copy()
    for _ in range(5):
        x *= 2 - a * x
    return x[0]
