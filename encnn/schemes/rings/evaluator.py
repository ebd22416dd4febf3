"""The public side of FV and YASHE: a trainer computes with it.  No secret is reachable from here.

Row i of W is one ciphertext (or one per number, in the fractional encoding).  So X W and the update W -= X^T G are sums of
ciphertexts and need no key.  A logistic regression with a sigmoid of degree 1 therefore trains by additions and plain factors
only.  Products of ciphertexts need the relinearisation key; sums over a vector's slots need the rotation keys.

SIMD schemes also have another layout, with one review per slot and one ciphertext per weight.  It computes the scores of N / 2
reviews by one plain product per word.  But its update sums over reviews, and so over slots.  This takes log2(N / 2) rotations
per word, which cost more than the sums of rows that they replace, and more keys.  Here slots hold a row's hidden units.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial, reduce
from typing import Any

import numpy as np

from encnn.arithmetic.sampling import Randomness, for_key
from encnn.arithmetic.sigmoid import Sigmoid
from encnn.data.batches import Batch
from encnn.errors import CapabilityError, CiphertextOverflowError, MissingKeyError, ParameterError
from encnn.schemes import base
from encnn.schemes.bilinear import BilinearMap
from encnn.schemes.encoders import GENERATOR, SlotEncoder
from encnn.schemes.rings import packing, storage
from encnn.schemes.rings.array import SLACK_LIMIT, Bounds, RingArray, RingContext, blocks, encrypted, join
from encnn.schemes.rings.packing import PackedRows
from encnn.schemes.rings.parameters import RingParameters
from encnn.schemes.rings.rns import Ring, base_conversion, rescaling
from encnn.schemes.rings.switching import RingSwitchKey

RELINEARISE = 0
"""Name of the relinearisation key among the switch keys; the others are named by their rotation."""


class RingEvaluator(base.Evaluator[RingArray]):
    """Operations on `RingArray`s of one key.

    public_key: what anyone needs to encrypt, residues.  keys: switch keys by their name, `RELINEARISE` or a rotation.
    """

    context: RingContext
    parts: int

    def __init__(
        self, context: RingContext, public_key: np.ndarray | None = None, keys: dict[int, RingSwitchKey] | None = None
    ) -> None:
        self.context, self.public_key, self.keys = context, public_key, keys or {}

    def __repr__(self) -> str:
        """Name the key and list what can be done."""
        rotations = sorted(set(self.keys) - {RELINEARISE})
        return f"{type(self).__name__}({self.parameters.name!r}, products={RELINEARISE in self.keys}, rotations={rotations})"

    @property
    def parameters(self) -> RingParameters:
        """The parameter set."""
        return self.context.parameters

    @property
    def whole_features_only(self) -> bool:
        """True, since sums of rows are those of residues."""
        return True

    @property
    def nbytes(self) -> int:
        """Bytes of all public keys."""
        return sum(key.nbytes for key in self.keys.values()) + (0 if self.public_key is None else self.public_key.nbytes)

    def encrypt(self, v: np.ndarray, rng: np.random.Generator | None = None) -> RingArray:
        """Return randomised public-key encryptions of real vectors v, shape (..., m).  Noise: `parameters.public_noise`."""
        if self.public_key is None:
            raise MissingKeyError("there is no public key; the owner makes one when make_keys is told of public widths")
        key = self.parameters.cipher_ring.ntt.forward(self.public_key)
        zeros = partial(self._encrypted_zeros, key, for_key(self.context.experimental, rng))
        return encrypted(self.context, np.asarray(v, np.float64), zeros, self.parameters.public_noise)

    # -- what a scheme adds

    @abstractmethod
    def _encrypted_zeros(self, key: np.ndarray, randomness: Randomness, counts: tuple[int, ...]) -> np.ndarray:
        """Return encryptions of zero by the public key, whose values are given: residues of shape (*counts, parts, k, N)."""

    @abstractmethod
    def _multiply_polynomials(self, ring: Ring, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the parts of the product of two ciphertexts in the transform's domain, (parts, k, N)."""

    # -- products

    def multiply_raw(self, a: RingArray, b: RingArray) -> RingArray:
        """Return round(t / q a b), not relinearised: the plaintext product, entry by entry in slots, else of polynomials."""
        a.check_same_key(b)
        p = self.parameters
        self._check_multiplicable(a, b)
        bounds = self._product_bounds(a, b).check(p, "product")
        counts = np.broadcast_shapes(a.data.shape[:-3], b.data.shape[:-3])
        left = np.broadcast_to(a.residues(), (*counts, *a.data.shape[-3:])).reshape(-1, *a.data.shape[-3:])
        right = np.broadcast_to(b.residues(), (*counts, *b.data.shape[-3:])).reshape(-1, *b.data.shape[-3:])
        products = np.stack([self._product(x, y) for x, y in zip(left, right, strict=True)])
        width = max(a.shape[-1], b.shape[-1]) if not p.encoder.per_number else a.shape[-1]
        return RingArray(products.reshape(*counts, *products.shape[1:]), self.context, width, bounds)

    def relinearise(self, c: RingArray) -> RingArray:
        """Return products under the key itself again; adds the noise of a key switch."""
        if c.bounds.degree == 1:
            return c
        return self._switched(replace(c.bounds, degree=1), c, c.residues(), self._key(RELINEARISE), "relinearisation")

    def rotate(self, a: RingArray, steps: int) -> RingArray:
        """Return the vectors in the slots moved to the left by `steps`; adds the noise of a key switch."""
        moved = self.parameters.cipher_ring.automorphism(a.residues(), galois_element(self.parameters, steps))
        return self._switched(a.bounds, a, moved, self._key(steps), "rotation")

    def _switched(self, bounds: Bounds, like: RingArray, data: np.ndarray, key: RingSwitchKey, operation: str) -> RingArray:
        """Return ciphertexts whose last part is switched by the key and added to the parts before it."""
        p = self.parameters
        bounds = replace(bounds, noise=bounds.noise + self.parameters.switch_noise).check(p, operation)
        flat = data.reshape(-1, *data.shape[-3:])
        result = np.stack([key.apply(c[-1]) for c in flat])
        kept = flat[:, :-1]
        result[:, : kept.shape[1]] = p.cipher_ring.add(result[:, : kept.shape[1]], kept)
        return like.like(result.reshape(*data.shape[:-3], *result.shape[1:]), bounds)

    def multiply_entries(self, a: RingArray, plain: np.ndarray, scale: int | None = None) -> RingArray:
        """Return a * plain, entry by entry, for real vectors of the shape of a: a plain factor for each slot.

        Takes a plaintext polynomial at `scale` (that of the parameters unless given); noise times its size and the expansion.
        """
        p = self.parameters
        if not isinstance(p.encoder, SlotEncoder):
            raise CapabilityError(
                f"scheme {p.scheme!r} multiplies entries by different numbers in slots only, {p.name!r} holds {p.encoding!r}; "
                "use parameters with encoding='slots'"
            )
        scale = scale or p.scale
        plain = np.broadcast_to(np.asarray(plain, np.float64), a.shape)
        encoded = p.encoder.encode(plain, scale)
        m = p.plain_ring.lift(encoded.residues)
        noise = p.expansion * float(np.abs(m).max()) * a.bounds.noise
        bounds = Bounds(a.scale * scale, a.bounds.magnitude * max(encoded.magnitude, 1.0), noise).check(
            p, "product with a plain vector"
        )
        ring = p.cipher_ring
        factors = ring.ntt.forward(ring.residues(m))[..., None, :, :]
        return a.like(ring.ntt.inverse(ring.ntt.forward(a.residues()) * factors % ring.p), bounds)

    def multiply_plain(self, a: RingArray, factor: float | np.ndarray) -> RingArray:
        """Return factor * a (see `RingArray.__mul__`)."""
        return a * factor

    def bilinear(self, f: BilinearMap, a: RingArray, b: RingArray, gain: float = 1.0, total: bool = False) -> RingArray:
        """Return gain * f(a, b); with `total` the sum over the first axis.

        In slots: products entry by entry, of a number and a vector, and inner products.  Numbers that have a ciphertext each
        (fractional) take any map.
        """
        if self.parameters.encoder.per_number:
            result = self._bilinear_of_numbers(f, a, b)
        elif f.name.startswith("vector_matrix:") and f.out == 1 and f.left > 1:
            result = self._inner_product(a, b)
        elif f.terms == 1 and 1 in (f.left, f.right) or f.name.startswith("elementwise:") or f.terms == f.out == f.left == 1:
            result = self._with_width(self.relinearise(self.multiply_raw(a, b)), f.out)
        else:
            raise CapabilityError(
                f"scheme {self.scheme!r} cannot compute {f.name!r} in slots: it has products entry by entry, of a number and a "
                "vector, and inner products; use outputs=1, or parameters with encoding='fractional' or the scheme "
                "'integer_vector', which have every bilinear map"
            )
        if total:
            result = self.sum(result)
        return result if gain == 1 else result * gain

    def sum(self, a: RingArray) -> RingArray:
        """Return the sum over the first axis."""
        bounds = a.bounds.times(len(a)).check(self.parameters, "sum")
        return a.like(a.residues().sum(axis=0) % self.parameters.cipher_ring.p, bounds)

    def sum_slots(self, a: RingArray) -> RingArray:
        """Return the sums over the vectors, in every slot: log2(period) rotations."""
        encoder = self.parameters.encoder
        if not isinstance(encoder, SlotEncoder):
            raise CapabilityError(
                f"scheme {self.scheme!r} sums over a vector in slots only, {self.parameters.name!r} holds "
                f"{self.parameters.encoding!r}; use parameters with encoding='slots'"
            )
        steps = 1
        while steps < encoder.period(a.shape[-1]):
            a, steps = a + self.rotate(a, steps), 2 * steps
        return a

    # -- what the network needs besides

    def error_in_place(
        self, sigmoid: Sigmoid, z: RingArray, targets: RingArray | np.ndarray, rate: float
    ) -> tuple[RingArray, float]:
        """Return what `error` does, as (e, 1), in the memory of z.

        It takes a few reviews at a time.  The ciphertexts of a mini-batch fill much of the memory, and four copies of them
        doubled the time of a step.
        """
        bounds = []
        for rows in blocks(len(z)):
            e, gain = self.error(sigmoid, z[rows], targets[rows], rate)
            e = self.multiply_plain(e, gain)
            z.data[rows] = e.residues().view(np.int64)
            bounds.append(e.bounds)
        return z.like(z.data, reduce(Bounds.either, bounds)), 1.0

    def gather(self, X: Batch, W: RingArray) -> RingArray:
        """Return X W; noises add, weighted by |X|."""
        self._check_whole(X)
        weight = self._checked_weight(X.largest_row())
        bounds = W.bounds.times(max(weight, 1.0)).check(self.parameters, "sum of rows")
        if W._slack * weight >= SLACK_LIMIT:
            W.residues()
        sums = X.gather(W.data.reshape(len(W), -1)).reshape(-1, *W.data.shape[1:])
        np.mod(sums, self.parameters.cipher_ring.p.astype(np.int64), out=sums)  # in place: new memory would cost more
        return W.like(sums, bounds)

    def scatter_subtract(self, W: RingArray, X: Batch, G: RingArray) -> None:
        """Do W -= X^T G in place, at the larger of both scales; noises add, weighted by |X|."""
        self._check_whole(X)
        weight = self._checked_weight(X.largest_column())
        W.check_same_key(G)
        if W.scale < G.scale:
            W.rescale(G.scale)
        G = G.at_scale(W.scale)
        bounds = W.bounds.plus(G.bounds, weight).check(self.parameters, "update of rows")
        if W._slack + weight >= SLACK_LIMIT:
            W.residues()
        rows = np.ascontiguousarray(G.residues().view(np.int64)).reshape(len(G), -1)
        # reducing all of W for one batch would cost more than the batch
        X.scatter_subtract(W.data.reshape(len(W), -1), rows)
        W.bounds, W._slack = bounds, W._slack + weight

    def concatenate(self, arrays: Sequence[RingArray]) -> RingArray:
        """Return the arrays joined along their first axis, at the largest of their scales."""
        return join(arrays)

    def condense(self, a: RingArray) -> RingArray | PackedRows:
        """Return scores packed for a file, as many in a ciphertext as it has room for (`packing`)."""
        return packing.pack(a)

    def scores_bytes(self, reviews: int, outputs: int) -> int:
        """Return the bytes of the scores of that many reviews: one ciphertext each, or one for each number."""
        p = self.parameters
        return reviews * (outputs if p.encoder.per_number else 1) * self.parts * p.cipher_ring.k * p.N * 8

    # -- files

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays): parameters, name of the key, and all public keys; nothing secret."""
        return storage.export_keys(self.context, self.public_key, self.keys)

    def export_array(self, a: RingArray | PackedRows) -> tuple[dict, np.ndarray]:
        """Return (header, residues) of an array, or of packed scores."""
        if isinstance(a, PackedRows):
            return packing.export_rows(a)
        return {"bounds": asdict(a.bounds)}, a.residues().view(np.int64)

    def restore_array(self, header: dict, array: np.ndarray, shape: tuple[int, ...]) -> Any:
        """Return the array that `export_array` took apart, of vectors of `shape`."""
        if isinstance(header, dict) and "blocks" in header:
            return packing.restore_rows(self.context, self.parts, header, array, shape)
        return storage.restore_array(self.context, self.parts, header, array, shape)

    def readable(self, a: RingArray) -> bool:
        """Return whether some ciphertext has a mask of zeros."""
        return not a.residues()[..., 1:, :, :].any(axis=(-3, -2, -1)).all()

    # -- inside

    def _key(self, name: int) -> RingSwitchKey:
        if name not in self.keys:
            what = "products" if name == RELINEARISE else f"rotations by {name}"
            raise MissingKeyError(f"the owner made no key for {what}; make_keys makes them for the products it is told")
        return self.keys[name]

    def _product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return round(t / q a b) of two ciphertexts, exactly: the product is formed modulo q and modulo the wide ring."""
        p = self.parameters
        small, wide = p.cipher_ring, p.wide_ring
        widen, narrow = base_conversion(small, wide), base_conversion(wide, small)
        x = self._multiply_polynomials(small, small.ntt.forward(a), small.ntt.forward(b))
        y = self._multiply_polynomials(wide, *(wide.ntt.forward(widen(c), overwrite=True) for c in (a, b)))
        parts = small.ntt.inverse(x, overwrite=True), wide.ntt.inverse(y, overwrite=True)
        return narrow(rescaling(small, wide, p.t)(*parts))

    def _product_bounds(self, a: RingArray, b: RingArray) -> Bounds:
        x, y = a.bounds, b.bounds
        noise = self.parameters.product_noise(x.noise, y.noise)
        terms = min(x.low + x.high, y.low + y.high) + 1 if self.parameters.encoder.per_number else 1
        magnitude = terms * max(x.magnitude, 1.0) * max(y.magnitude, 1.0)
        return Bounds(x.scale * y.scale, magnitude, noise, x.low + y.low, x.high + y.high, degree=2)

    def _check_multiplicable(self, a: RingArray, b: RingArray) -> None:
        if self.parameters.encoding == "coefficients" and (a.shape[-1], b.shape[-1]) != (1, 1):
            raise CapabilityError(
                f"scheme {self.scheme!r} with {self.parameters.name!r} holds vectors in coefficients, whose product is that of "
                "polynomials; use parameters with encoding='slots' for products entry by entry"
            )
        if a.bounds.degree != 1:
            raise ParameterError("both factors are products that were not relinearised; call evaluator.relinearise first")

    def _inner_product(self, a: RingArray, b: RingArray) -> RingArray:
        return self._with_width(self.sum_slots(self.relinearise(self.multiply_raw(a, b))), 1)

    def _bilinear_of_numbers(self, f: BilinearMap, a: RingArray, b: RingArray) -> RingArray:
        """Return f(a, b) for arrays with one ciphertext per number: the sums of the products that its matrices name."""
        outputs = []
        for H in f.matrices():
            terms = []
            for i, j in zip(*np.nonzero(H), strict=True):
                term = self.multiply_raw(_entry(a, i), _entry(b, j))
                terms.append(term if H[i, j] == 1 else term * float(H[i, j]))
            outputs.append(self.relinearise(reduce(lambda x, y: x + y, terms)))
        largest = join([o[None] for o in outputs])
        return largest.like(np.stack([o.residues() for o in outputs], axis=-4), largest.bounds)

    def _with_width(self, a: RingArray, width: int) -> RingArray:
        return RingArray(a.data, a.context, width, a.bounds, a._slack)

    def _checked_weight(self, weight: float) -> float:
        """Return how much rows can grow in a sum; raise where the sum of their residues would leave int64."""
        if weight >= SLACK_LIMIT:
            raise CiphertextOverflowError(
                f"features add up to {weight:.3g} in a row or column, but sums of residues allow {SLACK_LIMIT:.3g}; scale them"
            )
        return weight

    def _check_whole(self, X: Batch) -> None:
        if not X.is_whole():
            raise CapabilityError(
                f"scheme {self.scheme!r} cannot use features with fractions, or beyond 2^31: scale and round them to integers "
                "first, or use ckks.LOGISTIC_128 or the scheme 'clear'"
            )


def galois_element(p: RingParameters, steps: int) -> int:
    """Return g such that X -> X^g moves the slots to the left by `steps`."""
    return pow(GENERATOR, steps, 2 * p.N)


def _entry(a: RingArray, i: int) -> RingArray:
    """Return entry i of every vector."""
    return a.like(a.residues()[..., int(i), :, :, :], a.bounds)
