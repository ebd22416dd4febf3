"""The message from deterministic ciphertexts, by Gaussian elimination modulo q: one ciphertext, or a broadcast.

**Idea.**  In c = M (w x)* (9) the matrix M is public and the unknowns are the m l digits of w x.  One ciphertext is n = m + d
linear equations (mod q) in them, so with n >= m l, and a few equations to spare, elimination finds the digits.  Raising the
dimension d adds equations and no unknowns: *what should strengthen the scheme makes it weaker*.  Where n < m l, the same
message under t keys is t n equations in the same digits (**broadcast attack**), and t >= m l / n keys suffice.

**Needs** public keys and ciphertexts.  **Works** on deterministic encryption under all parameters, those of 128 bits first of
all.  **Fails** as soon as an encryption of zero is added: P r + e' brings d + n new unknowns with every n equations, and the
attack sees it, as left-over equations contradict each other.
"""

import math
from collections.abc import Sequence

import numpy as np

from encnn.arithmetic.modular import centred
from encnn.errors import ParameterError
from encnn.schemes.integer_vector import CiphertextArray, IntegerVectorParameters, PublicKey

SPARE_EQUATIONS = 24
"""Equations used beyond the unknowns: a matrix modulo 2^k fails to have full rank with a chance of about 2^-24."""


def unknown_digits(parameters: IntegerVectorParameters, m: int) -> int:
    """Return m l, the number of unknowns."""
    return m * parameters.n_digits


def keys_needed(parameters: IntegerVectorParameters, m: int) -> int:
    """Return how many keys a broadcast must use for the message to be found, spare equations included."""
    return math.ceil((unknown_digits(parameters, m) + SPARE_EQUATIONS) / (m + parameters.d))


def message(public_keys: Sequence[PublicKey], ciphertexts: Sequence[CiphertextArray]) -> np.ndarray | None:
    """Return the plaintext integers x, shape (m,), of one message encrypted under each key, or None if none fits.

    ciphertexts: one vector each, of shape (m,), under keys of equal parameters.
    """
    if not ciphertexts or len(public_keys) != len(ciphertexts):
        raise ParameterError(f"{len(public_keys)} public keys and {len(ciphertexts)} ciphertexts; pass one of each, or more")
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
    """Return the only x with M x = c modulo 2^q_bits, centred; None if there is none, or more than one.

    M is int64 of shape (rows, unknowns), c of shape (rows,).  In Z / 2^k one may divide by odd numbers only, so pivots are odd.

    >>> solve_modulo(np.array([[2, 1], [3, 5], [1, 1]]), np.array([4, 13, 3]), 8)
    array([1, 2])
    """
    work = np.concatenate([M, c[:, None]], axis=1).astype(np.int64)
    unknowns = M.shape[1]
    for k in range(unknowns):
        odd = np.flatnonzero(work[k:, k] & 1)
        if not len(odd):
            return None
        pivot = k + odd[0]
        work[[k, pivot]] = work[[pivot, k]]
        work[k] *= _inverse(work[k, k])
        factors = work[:, k].copy()
        factors[k] = 0
        work -= factors[:, None] * work[k]
    if centred(work[unknowns:, -1], q_bits).any():
        return None
    return centred(work[:unknowns, -1], q_bits)


def _inverse(odd: np.int64) -> np.int64:
    """Return 1 / odd modulo 2^64, by Newton steps that double the right bits: 3, 6, 12, 24, 48, 96."""
    a = np.array([odd])  # arrays wrap around silently, numpy's scalars do not
    x = a.copy()
    for _ in range(5):
        x *= 2 - a * x
    return x[0]
