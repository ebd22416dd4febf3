"""The operations of trainers and users on packed arrays.  It holds evaluation keys (rotations, relinearisation), no secrets.

X W, X^T G and a product of ciphertexts spend one level each.  A plain number spends none (`SealRing.times_constant`), so
learning rates and coefficients are free.  A polynomial spends `polynomial_depth` levels.  A step of logistic regression with a
cubic sigmoid takes 1 + 2 + 1 levels.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import accumulate, pairwise
from typing import ClassVar

import numpy as np

from encnn.data.batches import Batch, DenseBatch
from encnn.errors import CapabilityError, MissingKeyError, ParameterError
from encnn.schemes import base
from encnn.schemes.bilinear import BilinearMap, elementwise, scalar_vector, vector_matrix
from encnn.schemes.ckks import storage
from encnn.schemes.ckks.ciphertext import CKKSContext, PackedArray, concatenate
from encnn.schemes.ckks.packing import power_above
from encnn.schemes.ckks.parameters import CKKSParameters
from encnn.schemes.ckks.seal import SealCiphertext, SealObject


class CKKSEvaluator(base.Evaluator[PackedArray]):
    """Evaluation keys of one key pair, and the operations of the network on packed arrays.

    rotations: SEAL's Galois keys, for rotations by `steps`.  relinearisation: the key for products of ciphertexts, or None.
    """

    scheme: ClassVar[str] = "ckks"
    context: CKKSContext

    def __init__(
        self, context: CKKSContext, rotations: SealObject, steps: frozenset[int], relinearisation: SealObject | None = None
    ) -> None:
        self.context, self.rotations, self.steps, self.relinearisation = context, rotations, steps, relinearisation

    def __repr__(self) -> str:
        """Name the parameters and the rotations."""
        return f"CKKSEvaluator({self.parameters.name!r}, rotations={sorted(self.steps)})"

    @property
    def parameters(self) -> CKKSParameters:
        """The parameter set."""
        return self.context.parameters

    @property
    def batch_rows(self) -> int:
        """The number of reviews that fill one ciphertext: the best size of a mini-batch."""
        return self.context.packing.rows

    @property
    def nbytes(self) -> int:
        """Bytes of all evaluation keys in memory: each has two polynomials modulo all primes per prime of the data."""
        p = self.parameters
        primes = len(p.modulus_bits)
        return (len(self.steps) + (self.relinearisation is not None)) * (primes - 1) * 2 * primes * p.degree * 8

    # -- the two products with plain features

    def gather(self, X: Batch, W: PackedArray) -> PackedArray:
        """Return X W for dense features, at one level.  If all of X is 0, it is W times 1 / the plaintexts' scale: noise."""
        features, packing = self._features(X, W), self.context.packing
        rows = packing.blocks(len(features))
        parts = [features[start:stop] for start, stop in pairwise([0, *accumulate(rows)])]
        blocks = [self._sum_of_diagonals(W.blocks[0], packing.forward_diagonals(part)) for part in parts]
        return PackedArray(blocks, self.context, (len(features), W.shape[1]), rows)

    def scatter_subtract(self, W: PackedArray, X: Batch, G: PackedArray) -> None:
        """Do W -= X^T G in place for dense features; W comes down to one level below G."""
        features, packing = self._features(X, W), self.context.packing
        W.check_same_key(G)
        for block, (start, stop) in zip(G.blocks, pairwise([0, *accumulate(G.rows)]), strict=True):
            part = features[start:stop]
            if not part.any():  # no update
                continue
            update = self._sum_of_diagonals(block, packing.backward_diagonals(part), W.blocks[0].scale)
            update = self._folded(update, packing.features, packing.period(len(part)))
            W.replace(W - PackedArray([update], self.context, W.shape, W.rows))

    def _features(self, X: Batch, W: PackedArray) -> np.ndarray:
        """Return the dense features of a batch; check that W has a row for each, in one ciphertext."""
        if not isinstance(X, DenseBatch):
            raise CapabilityError(
                "scheme 'ckks' packs dense features by diagonals and takes no bags of words, of which thousands of rotations "
                "would be needed; use dense features, such as X.toarray() or word2vec features, or leave `parameters` out of "
                "Owner for a scheme that takes bags of words"
            )
        most = self.context.packing.features
        if X.X.shape[1] != len(W) or len(W) > most:
            raise ParameterError(
                f"features of shape {X.X.shape} with weights of shape {W.shape} under keys for {most} features; they must "
                "agree: make keys for the network's features, as Owner(architecture, ...) does"
            )
        return np.asarray(X.X, dtype=np.float64)

    def _sum_of_diagonals(
        self, c: SealCiphertext, diagonals: Iterator[np.ndarray], scale: float | None = None
    ) -> SealCiphertext:
        """Return sum_j diagonal_j * rot(c, j rows) by baby and giant steps (see `packing`), rescaled to `scale`."""
        ring, packing = self.context.ring, self.context.packing
        scale = scale or self.parameters.scale
        plain_scale = scale * ring.prime[ring.spend(c)] / c.scale
        babies = [c]
        for _ in range(1, packing.baby_steps):
            babies.append(self._rotated(babies[-1], packing.stride))
        sums: list[SealCiphertext | None] = [None] * (packing.features // len(babies))
        for j, diagonal in enumerate(diagonals):
            giant, baby = divmod(j, len(babies))
            sums[giant] = ring.add_product(sums[giant], babies[baby], diagonal, plain_scale)
        total = None
        for giant_sum in reversed(sums):  # Horner's rule: the last giant step is rotated most often
            if total is not None:
                total = self._rotated(total, packing.stride * len(babies))
            if giant_sum is not None:
                total = ring.sum_into(total, ring.rescaled_to(giant_sum, scale))
        if total is None:  # all features are 0; SEAL refuses that product, so the smallest plain number replaces 0
            smallest = ring.add_product(None, c, 1.0 / plain_scale, plain_scale)
            total = ring.rescaled_to(self._checked(smallest, "features"), scale)
        return total

    @staticmethod
    def _checked(total: SealCiphertext | None, what: str) -> SealCiphertext:
        """Return a sum of products; raise `ParameterError` if there is none, since all plain numbers were 0."""
        if total is None:
            raise ParameterError(f"all {what} are 0; SEAL refuses the ciphertext of a known zero, so leave the product out")
        return total

    def _folded(self, c: SealCiphertext, rows: int, period: int) -> SealCiphertext:
        """Return the sum of c moved by every multiple of `rows` below `period` rows: rows equal modulo `rows` add up."""
        while rows < period:
            c = self.context.ring.sum_into(self._rotated(c, rows * self.context.packing.stride), c)
            rows *= 2
        return c

    def _rotated(self, c: SealCiphertext, steps: int) -> SealCiphertext:
        if steps not in self.steps:
            raise MissingKeyError(
                f"no key for rotations by {steps} slots, only by {sorted(self.steps)}; the owner makes keys for the products "
                "of its network, and `make_mirror_keys` those for a clear model"
            )
        return self.context.ring.rotated(c, steps, self.rotations)

    # -- products

    def multiply_plain(self, a: PackedArray, factor: float | np.ndarray) -> PackedArray:
        """Return factor * a.  One number for all rows costs no level; one number per row costs one level."""
        if np.size(factor) == 1:
            return a * float(np.asarray(factor).item())
        blocks = zip(a.blocks, a.packed(factor), strict=True)
        return a.with_blocks([self.context.ring.times_plain(c, v, self.parameters.scale) for c, v in blocks])

    def multiply(self, a: PackedArray, b: PackedArray) -> PackedArray:
        """Return the product entry by entry of arrays of one shape; one level."""
        if a.shape != b.shape:
            raise ParameterError(f"arrays of shape {a.shape} and {b.shape} have no product by entries; use evaluator.bilinear")
        return self._product(a, b, a.shape)

    def bilinear(self, f: BilinearMap, a: PackedArray, b: PackedArray, gain: float = 1.0, total: bool = False) -> PackedArray:
        """Return gain * f(a, b) for the maps of a network with one output; with `total` the sum over the rows, as a vector.

        Elementwise products and a number times a vector are products in the slots: one level.  Inner products also add up the
        slots of a row and spread the sum, behind a mask: two levels.
        """
        if f == elementwise(f.left):
            result = self._product(a, b, a.shape)
        elif f == scalar_vector(f.right):
            result = self._product(a, b, (len(a), f.right))
        elif f == vector_matrix(f.left, 1):
            result = self._row_sums(self._product(a, b, a.shape))
        else:
            raise CapabilityError(
                f"scheme 'ckks' packs networks with one output and has no product {f.name!r}; use outputs=1, one network for "
                "each class"
            )
        result = result if gain == 1 else result * gain
        return self._total(result) if total else result

    def polynomial(self, z: PackedArray, coefficients: Sequence) -> PackedArray:
        """Return sum_k coefficients[k] z^k as `base.Evaluator.polynomial` does, also where there are even powers only."""
        if any(coefficients[1::2]) or not any(coefficients[2:]):
            return super().polynomial(z, coefficients)
        u, last = self.multiply(z, z), max(k for k, c in enumerate(coefficients) if k and c)
        return self._times_horner(u, u, coefficients[2 : last + 1 : 2]) + coefficients[0]

    def _product(self, a: PackedArray, b: PackedArray, shape: tuple[int, ...]) -> PackedArray:
        """Return the product slot by slot; a vector takes part in every ciphertext of the other array."""
        if self.relinearisation is None:
            raise MissingKeyError(
                "no key for products of ciphertexts; the owner makes it when the network or its sigmoid has products"
            )
        a.check_same_key(b)
        rows = a.rows or b.rows
        left, right = (x.blocks * (1 if x.rows else len(rows) or 1) for x in (a, b))
        if len(left) != len(right) or (a.rows and b.rows and a.rows != b.rows):
            raise ParameterError(f"arrays of shape {a.shape} and {b.shape} are packed differently; multiply those of one batch")
        product = self.context.ring.product
        blocks = [product(x, y, self.relinearisation) for x, y in zip(left, right, strict=True)]
        return PackedArray(blocks, self.context, shape, rows)

    def _row_sums(self, a: PackedArray) -> PackedArray:
        """Return the sum of each row in all slots of the row; one level for the mask that cuts the rows apart."""
        ring, packing = self.context.ring, self.context.packing
        powers = [1 << k for k in range(packing.stride.bit_length() - 1)]
        first = np.arange(packing.slots) % packing.stride == 0
        blocks = []
        for c in a.blocks:
            for k in powers:
                c = ring.sum_into(self._rotated(c, k), c)
            c = ring.times_plain(c, first.astype(np.float64), self.parameters.scale)
            for k in powers:
                c = ring.sum_into(self._rotated(c, -k), c)
            blocks.append(c)
        return PackedArray(blocks, self.context, (len(a), 1), a.rows)

    def _total(self, a: PackedArray) -> PackedArray:
        """Return the sum over the rows as a vector (width,); rows beyond the last hold zeros."""
        ring, packing = self.context.ring, self.context.packing
        parts = [self._folded(c, 1, packing.period(n)) for c, n in zip(a.blocks, a.rows, strict=True)]
        total = reduce(ring.sum, parts)
        return PackedArray([total], self.context, (a.shape[1],))

    def matrix_times(self, M: np.ndarray, x: PackedArray) -> PackedArray:
        """Return M x, shape (K,), for a plain matrix (K, D) and an encrypted vector (D,); one level.

        With K and D filled up to powers of two, K <= D, it takes K diagonals of the wide matrix and log2(D / K) foldings, so
        K - 1 + log2(D / K) rotations (the method of Halevi and Shoup for wide matrices).
        """
        M = np.atleast_2d(np.asarray(M, dtype=np.float64))
        if M.shape[1:] != x.shape or len(M) > power_above(M.shape[1]):
            raise ParameterError(f"a matrix of shape {M.shape} times a vector of shape {x.shape}: widths differ, or it is tall")
        ring, c = self.context.ring, x.blocks[0]
        K, D = power_above(len(M)), power_above(M.shape[1])
        wide = np.zeros((K, D))
        wide[: len(M), : M.shape[1]] = M
        t, scale = np.arange(D), self.parameters.scale
        plain_scale = scale * ring.prime[ring.spend(c)] / c.scale
        total = None
        for j in range(K):
            c = self._rotated(c, 1) if j else c
            slots = np.tile(wide[t % K, (t + j) % D], self.parameters.slots // D)
            total = ring.add_product(total, c, slots, plain_scale)
        total = ring.rescaled_to(self._checked(total, "entries of the matrix"), scale)
        while K < D:
            total = ring.sum_into(self._rotated(total, K), total)
            K *= 2
        return PackedArray([total], self.context, (len(M),))

    def weighted_sum(self, arrays: Sequence[PackedArray], weights: np.ndarray) -> PackedArray:
        """Return sum_j weights[j] * arrays[j] for plain weights and arrays of one shape and level; one level in all."""
        ring, first = self.context.ring, arrays[0]
        if len(arrays) != len(weights):
            raise ParameterError(f"{len(arrays)} arrays and {len(weights)} weights; give one weight per array")
        blocks = []
        for columns in zip(*(a.blocks for a in arrays), strict=True):
            plain_scale = self.parameters.scale * ring.prime[ring.spend(columns[0])] / columns[0].scale
            total = None
            for c, weight in zip(columns, weights, strict=True):
                total = ring.add_product(total, c, float(weight), plain_scale)
            blocks.append(ring.rescaled_to(self._checked(total, "weights"), self.parameters.scale))
        return first.with_blocks(blocks)

    def concatenate(self, arrays: Sequence[PackedArray]) -> PackedArray:
        """Return the arrays of rows joined along their first axis."""
        return concatenate(arrays)

    def scores_bytes(self, reviews: int, outputs: int) -> int:
        """Return the bytes of the scores of a mini-batch: whole ciphertexts, however few rows they hold."""
        p = self.parameters
        return len(self.context.packing.blocks(reviews)) * 2 * p.levels * p.degree * 8

    # -- files

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays): parameters, name of the key, and all evaluation keys; nothing secret."""
        return storage.export_keys(self.context, self.rotations, self.steps, self.relinearisation)

    def export_array(self, a: PackedArray) -> tuple[dict, np.ndarray]:
        """Return (header, bytes) of a packed array."""
        return storage.export_array(a)

    def restore_array(self, header: dict, array: np.ndarray, shape: tuple[int, ...]) -> PackedArray:
        """Return the packed array that `export_array` took apart."""
        return storage.restore_array(self.context, header, array, shape)

    def readable(self, a: PackedArray) -> bool:
        """Return whether some ciphertext is what SEAL calls transparent: without a mask."""
        return any(c.is_transparent() for c in a.blocks)


def polynomial_depth(coefficients: Sequence[float]) -> int:
    """Return the levels that `CKKSEvaluator.polynomial` spends: 0 for degree 1, 2 for degree 3, k for z^(2k) alone.

    Odd and even parts of equal depth have different scales, so their sum takes one more.

    >>> [polynomial_depth(c) for c in ((0.5, 0.2), (0, 1, 0.5), (0.5, 0.2, 0, 0.1), (0.5, 0.2, 0, 0.1, 0, 0.3))]
    [0, 1, 2, 3]
    """
    powers = [k for k, c in enumerate(coefficients) if c]
    odd, even = (max((k for k in powers if k % 2 == parity), default=0) for parity in (1, 0))
    odd_depth, even_depth = (odd + 1) // 2 if odd > 1 else 0, even // 2
    return max(odd_depth, even_depth) + (odd_depth == even_depth > 0)
