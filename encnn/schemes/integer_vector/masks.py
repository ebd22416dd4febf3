"""Elementwise and outer products as the paper builds them: masks and many weighted inner products.

The paper builds every product from the weighted inner product x^T H y.  With the mask H = e_i e_j^T it is the scalar x_i y_j.
A linear map G = e_k puts that scalar at position k of a vector of zeros.  The sum of the placed scalars is

    x * y   = sum_k  e_k (x^T e_k e_k^T y)            m masks,
    x y^T   = sum_ij e_(ik+j) (x^T e_i e_j^T y)       m k masks.

This is the slow reference for one bilinear map (`bilinear.elementwise`, `bilinear.outer`), which is one key switch with all
rows vec(S1^T e_i e_j^T S2) in one key.  For P masks, n1 and n2 entries of the factors, l digits and d extra entries:

    =====================  ============  =================================================
    .                      key switches  key entries
    =====================  ============  =================================================
    masks                  2 P           P (n1 n2 l (1 + d)  +  (1 + d) l (P + d))
    one bilinear map       1             n1 n2 l (P + d)
    =====================  ============  =================================================

Masks also compute the tensor product P times, and they add the noise of 2 P key switches instead of one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from encnn.schemes.bilinear import BilinearMap, weighted_inner_product
from encnn.schemes.integer_vector.ciphertext import CiphertextArray
from encnn.schemes.integer_vector.evaluator import IntegerVectorEvaluator
from encnn.schemes.integer_vector.keys import IntegerVectorSecretKey, IntegerVectorSwitchKey


@dataclass(frozen=True)
class MaskedProduct:
    """The evaluator's side of a product by masks: public keys only.  Call it with the two encrypted factors."""

    evaluator: IntegerVectorEvaluator  # with the public keys
    masks: tuple[BilinearMap, ...]  # one weighted inner product per entry of the result
    placements: tuple[IntegerVectorSwitchKey, ...]  # the keys that put the entries in their places

    def __call__(self, a: CiphertextArray, b: CiphertextArray) -> CiphertextArray:
        """Return the product, ciphertext by ciphertext; raises what `evaluator.bilinear` and `evaluator.linear` raise.

        Noise: the sum over all masks of the noise of the inner product and |E c*| of the placement.
        """
        scalars = (self.evaluator.bilinear(f, a, b) for f in self.masks)
        return reduce(add, (self.evaluator.linear(s, key) for s, key in zip(scalars, self.placements, strict=True)))

    @property
    def key_switches(self) -> int:
        """Key switches of one call."""
        return len(self.masks) + len(self.placements)

    @property
    def nbytes(self) -> int:
        """Bytes of all its keys."""
        return self.evaluator.nbytes + sum(key.M_transposed.nbytes for key in self.placements)


def elementwise_by_masks(secret: IntegerVectorSecretKey, m: int) -> MaskedProduct:
    """Return (x, y) -> x * y for vectors of width m, by m masks; the owner's key needs the widths 1 and m."""
    return _by_masks(secret, (m, m), ((k, k) for k in range(m)))


def outer_by_masks(secret: IntegerVectorSecretKey, m: int, k: int) -> MaskedProduct:
    """Return (x, y) -> x y^T, shape (m, k) as a vector of width m k, by m k masks; the key needs widths 1, m, k and m k."""
    return _by_masks(secret, (m, k), np.ndindex(m, k))


def _by_masks(secret: IntegerVectorSecretKey, shape: tuple[int, int], ones: Iterable[tuple[int, ...]]) -> MaskedProduct:
    """Return the product whose entries are x_i y_j for the (i, j) of `ones`, in that order."""
    masks = tuple(weighted_inner_product(_unit(shape, at)) for at in ones)
    places = [_unit((len(masks), 1), (k, 0)) for k in range(len(masks))]
    evaluator = IntegerVectorEvaluator(secret.context, {f.name: secret.bilinear_key(f) for f in masks})
    return MaskedProduct(evaluator, masks, tuple(secret.linear_key(G) for G in places))


def _unit(shape: tuple[int, int], at: tuple[int, ...]) -> np.ndarray:
    """Return the matrix of zeros with a one at one place."""
    H = np.zeros(shape, dtype=np.int64)
    H[at] = 1
    return H
