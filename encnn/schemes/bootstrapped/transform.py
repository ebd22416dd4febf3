"""Products of polynomials modulo X^N + 1: exact ones, and by the transforms in which rotation keys are kept (see `negacyclic`).

float64 rounds.  A product of digits below 2^b with fractions of the torus has an error of about 2^(b - 53) sqrt(N), which
`noise` counts as noise.
"""

import numpy as np

from encnn.arithmetic.negacyclic import all_roots, backward, forward, monomial_product, roots
from encnn.schemes.bootstrapped.frequencies import GROUP, frequency_order

__all__ = ["backward", "forward", "monomial_product", "monomial_values", "roots", "schoolbook", "stored", "unstored"]


def monomial_values(exponent: np.ndarray, N: int) -> np.ndarray:
    """Return the values of X^exponent, exponents of shape (...): complex of shape (..., N / 2), in natural order."""
    turns = np.asarray(exponent)[..., None] * (1 - 4 * np.arange(N // 2))
    return all_roots(2 * N)[turns % (2 * N)]


def stored(values: np.ndarray) -> np.ndarray:
    """Return complex values as keys hold them, float64 of shape (..., N), in the order of the engine.

    Groups of `GROUP` values follow one another: their real parts, then their imaginary parts.
    """
    M = values.shape[-1]
    groups = values[..., frequency_order(2 * M)].reshape(*values.shape[:-1], -1, min(GROUP, M))
    return np.stack([groups.real, groups.imag], axis=-2).reshape(*values.shape[:-1], 2 * M)


def unstored(key: np.ndarray) -> np.ndarray:
    """Return the complex values, frequencies in natural order, of what `stored` returned."""
    M = key.shape[-1] // 2
    groups = key.reshape(*key.shape[:-1], -1, 2, min(GROUP, M))
    values = np.empty((*key.shape[:-1], M), np.complex128)
    values[..., frequency_order(2 * M)] = (groups[..., 0, :] + 1j * groups[..., 1, :]).reshape(values.shape)
    return values


def schoolbook(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a b modulo X^N + 1 and 2^64, int64 of shape (..., N), coefficient by coefficient: the reference.

    >>> schoolbook(np.array([0, 0, 0, 1]), np.array([5, 7, 0, 0]))      # X^3 (5 + 7 X) = 5 X^3 - 7
    array([-7,  0,  0,  5])
    """
    N = a.shape[-1]
    product = np.zeros(np.broadcast_shapes(a.shape, b.shape), np.int64)
    for j in range(N):
        product += a[..., j : j + 1] * monomial_product(b, np.array(j))
    return product
