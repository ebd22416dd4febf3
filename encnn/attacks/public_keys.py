"""The secret T from public key material, exactly, in well under a second.

A key-switch matrix of equation (8) is M = [R* + E - T A ; A], where R* holds every entry r of the source key R once for each
digit, multiplied by a power of the digit base, r B^k.

**From an evaluation key.**  Its source key is R = vec(S1^T H S2), which contains T1 and T2.  In the column of a high power
M / B^k = r + (E - T A) / B^k, so rounding gives r as soon as B^k > 2 |E - T A|.  Small A and T make that true for nearly all
powers.  Once one T is known, S' M = R* + E has no mask at all, and every key that leads to it opens (`source_key` with T).

**From the public encryption key.**  R = I is known, so each column gives B_j = T a_j - e_j with known B_j and a_j: ordinary
regression finds T, and rounding makes it exact.  Larger A help the regression.  If T has fractions and A is an integer
(as in one published notebook), integers vanish modulo 1: a column with a_j = 1 gives T mod 1 = B_j mod 1.

**Needs** what every trainer holds.  **Works** without a modulus.  **Fails** with one, as A is then uniform modulo q: E - T A is
larger than every power, and regression modulo q is the LWE problem (see `lattice` for small d).
"""

import numpy as np

from encnn.arithmetic.digits import expand_key
from encnn.arithmetic.modular import centred
from encnn.schemes.bilinear import BilinearMap
from encnn.schemes.integer_vector import IntegerVectorParameters, IntegerVectorSwitchKey, PublicKey


def source_key(key: IntegerVectorSwitchKey, T: np.ndarray | None = None) -> np.ndarray:
    """Return R, shape (m', N), of the source key of a switch; with `T`, of the key that it leads to, under any parameters.

    Entries are right if they are below q / B^k (2^63 / B^k) for the smallest power B^k that exceeds what hides them.
    """
    p, M = key.parameters, key.M
    m = len(M) - p.d
    mask = p.d * p.T_bound * (p.A_high if p.q is None else p.q)
    hidden = p.noise_bound + (mask if T is None else 0)
    top = M[:m] if T is None else M[:m] + T @ M[m:]
    power = min(p.n_digits - 1, (2 * hidden).bit_length() // p.base_bits + 1)
    column = centred(top, p.q_bits or 64)[:, p.n_digits - 1 - power :: p.n_digits]
    return np.rint(column / 2.0 ** (p.base_bits * power)).astype(np.int64)


def T_from_product(key: IntegerVectorSwitchKey, f: BilinearMap, T: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return (T1, T2) of the two factors of the bilinear map f, shapes (m1, d) and (m2, d), from its evaluation key.

    `T` of the result, where it is known already, opens the key under any parameters.

    S1^T H S2 = [H, H T2 ; T1^T H, T1^T H T2], so the blocks beside and below H are linear in T2 and T1.
    """
    H = f.matrices()
    d = key.parameters.d
    blocks = source_key(key, T).reshape(f.out, f.left + d, f.right + d)
    beside, below = blocks[:, : f.left, f.right :], blocks[:, f.left :, : f.right].transpose(0, 2, 1)
    T1 = _solve(H.transpose(0, 2, 1).reshape(-1, f.left), below.reshape(-1, d))
    return T1, _solve(H.reshape(-1, f.right), beside.reshape(-1, d))


def lwe_columns(parameters: IntegerVectorParameters, public: PublicKey) -> tuple[np.ndarray, np.ndarray]:
    """Return (A, B), shapes (d, N) and (m, N), with B = T A - E (mod q): all columns of a public key, I* taken away."""
    p = parameters
    m = len(public.zeros) - p.d
    known = expand_key(np.eye(m, dtype=np.int64), p.base_bits, p.n_digits)
    M = np.concatenate([public.zeros, public.switch.M], axis=1)
    B = np.concatenate([-public.zeros[:m], known - public.switch.M[:m]], axis=1)
    return M[m:], centred(B, p.q_bits or 64)


def T_from_regression(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return the integers T, shape (m, d), with the least squares |B - T A|^2; A is (d, N), B is (m, N)."""
    return _solve(A.T, B.T).T


def explains(parameters: IntegerVectorParameters, T: np.ndarray, A: np.ndarray, B: np.ndarray) -> bool:
    """Return whether T leaves no more than noise in the public samples, which tells the attacker that T is right."""
    return bool(np.abs(centred(T @ A - B, parameters.q_bits or 64)).max() <= parameters.noise_bound)


def _solve(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return the integers nearest to the least-squares solution of X T = Y."""
    return np.rint(np.linalg.lstsq(X.astype(np.float64), Y.astype(np.float64))[0]).astype(np.int64)
