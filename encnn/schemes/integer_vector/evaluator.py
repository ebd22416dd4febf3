"""The public side of the integer-vector scheme: a trainer computes with it.  No secret is reachable from here.

A product of two ciphertexts starts from t = round(c1 (x) c2 / divisor), for which

    vec(S1^T H S2) . t = H(x1, x2) scaled + noise.

So the product is a key switch of t from the key vec(S1^T H S2).  Without modulus the divisor is w * scale, so that all arrays
keep one scale and their fractions.  With a modulus the divisor is w, which divides q, and scales multiply.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from encnn.arithmetic.modular import centred, rounded_product
from encnn.arithmetic.sampling import Randomness, for_key
from encnn.data.batches import Batch
from encnn.errors import CapabilityError, CiphertextOverflowError, KeyMismatchError, MissingKeyError, ParameterError
from encnn.schemes import base
from encnn.schemes.bilinear import BilinearMap
from encnn.schemes.integer_vector import noise, packing, powers, products, storage
from encnn.schemes.integer_vector.ciphertext import (
    CiphertextArray,
    IntegerVectorContext,
    concatenate,
    declared_bound,
    encode,
)
from encnn.schemes.integer_vector.keys import IntegerVectorSwitchKey, PublicKey
from encnn.schemes.integer_vector.packing import PackedScores, PackingKey
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters
from encnn.schemes.integer_vector.powers import PreparedPolynomial
from encnn.schemes.powers import power_sum

_ROWS = 256
"""Number of ciphertexts that are checked together."""


class IntegerVectorEvaluator(base.Evaluator[Any]):  # not [CiphertextArray]: the bootstrapped evaluator has blocks, too
    """Operations on `CiphertextArray`s of one key, with the evaluation keys that its owner made."""

    scheme: ClassVar[str] = "integer_vector"
    context: IntegerVectorContext

    def __init__(
        self,
        context: IntegerVectorContext,
        products: dict[str, IntegerVectorSwitchKey] | None = None,
        public_keys: dict[int, PublicKey] | None = None,
        packing_key: PackingKey | None = None,
    ) -> None:
        self.context, self.packing_key = context, packing_key
        self.products = products or {}
        self.public_keys = public_keys or {}
        self._polynomials: dict[tuple, PreparedPolynomial | None] = {}

    def __repr__(self) -> str:
        """Name the key and list the operations."""
        return f"IntegerVectorEvaluator({self.parameters.name!r}, products={sorted(self.products)})"

    @property
    def parameters(self) -> IntegerVectorParameters:
        """The parameter set."""
        return self.context.parameters

    @property
    def score_limit(self) -> float:
        """Half of the modulus as a real number, q / (2 w scale); infinity without a modulus, where bounds are checked."""
        p = self.parameters
        return math.inf if p.q_bits is None else 2.0 ** (p.q_bits - 1) / p.unit

    @property
    def whole_features_only(self) -> bool:
        """True with a modulus, since ciphertexts modulo q cannot be divided."""
        return self.parameters.q_bits is not None

    @property
    def nbytes(self) -> int:
        """Bytes of all evaluation keys."""
        switches = [*self.products.values(), *(k.switch for k in self.public_keys.values())]
        packing_bytes = 0 if self.packing_key is None else self.packing_key.nbytes
        return (
            packing_bytes
            + sum(k.M_transposed.nbytes for k in switches)
            + sum(k.zeros.nbytes for k in self.public_keys.values())
        )

    # -- public-key encryption

    def encrypt_deterministic(self, v: np.ndarray) -> CiphertextArray:
        """Return the paper's encryption of real vectors v, shape (..., m): c = M (w x)*, a key switch from the key I.

        Equal vectors give equal ciphertexts, so anyone who guesses a vector can check the guess.  Noise: |E c*|.
        """
        v = np.asarray(v, dtype=np.float64)
        p = self.parameters
        key = self._public_key(v.shape[-1])
        phase, _, rounding = encode(v, p, p.scale)
        largest = declared_bound(phase, p)
        data, bound, added = self._switch(phase, key.switch, largest)
        return CiphertextArray(data, self.context, p.scale, bound, (largest + rounding) / p.unit, added + rounding)

    def encrypt(self, v: np.ndarray, rng: np.random.Generator | None = None) -> CiphertextArray:
        """Return randomised public-key encryptions of real vectors v: the deterministic ones plus encryptions of zero.

        An encryption of zero is P r + e' with r ternary and fresh noise e' (LWE public-key encryption).
        Noise: |E c*| + `noise.zero`.
        rng: for experimental keys only.
        """
        randomness, c = for_key(self.context.experimental, rng), self.encrypt_deterministic(v)
        return c + self._encrypt_zero(c.shape, randomness)

    def _encrypt_zero(self, shape: tuple[int, ...], randomness: Randomness) -> CiphertextArray:
        p = self.parameters
        P = self._public_key(shape[-1]).zeros
        n, k = P.shape
        r = randomness.integers(-1, 2, (*shape[:-1], k))
        if p.sigma is None:
            fresh = randomness.integers(-p.E_bound, p.E_bound + 1, (*shape[:-1], n))
        else:
            fresh = randomness.gaussian(p.sigma, (*shape[:-1], n))
        data = self._reduce(r @ P.T + fresh)
        bound = float(np.abs(P).astype(np.float64).sum(axis=1).max()) + p.noise_bound
        return CiphertextArray(data, self.context, p.scale, bound, 0.0, noise.zero(p, k))

    def _public_key(self, m: int) -> PublicKey:
        if m not in self.public_keys:
            raise MissingKeyError(
                f"no public key for vectors of width {m}, only for {sorted(self.public_keys)}; the owner makes one with "
                f"secret_key.public_key({m})"
            )
        return self.public_keys[m]

    # -- what key switching does

    def switch(self, c: CiphertextArray, key: IntegerVectorSwitchKey) -> CiphertextArray:
        """Return c' = M c*, equation (9): the same vectors (or their linear map) under the key that M leads to.

        Noise: key_norm / (1 + d |T|) times the old noise, plus |E c*|.
        """
        gain = max(1.0, key.key_norm / self.parameters.key_row_bound)
        if key.entries != c.data.shape[-1]:
            raise KeyMismatchError(
                f"this key switches ciphertexts of {key.entries} entries, not of {c.data.shape[-1]}; use a key for vectors of "
                f"width {c.shape[-1]}"
            )
        data, bound, added = self._switch(c.data, key, c.tightened(key.key_norm))
        return CiphertextArray(data, self.context, c.scale, bound, gain * c.value, gain * c.noise + added)

    linear = switch
    """Return G x for a key made by `secret_key.linear_key(G)`: the linear transformation (GS) c."""

    def bilinear(
        self, f: BilinearMap, a: CiphertextArray, b: CiphertextArray, gain: float = 1.0, total: bool = False
    ) -> CiphertextArray:
        """Return gain * f(a, b) as one key switch; with `total` the sum over the batch, whose tensors are added before it.

        The gain is part of the divisor, so it costs nothing and leaves key-switch noise as it is.  With a modulus it must be 1.
        Noise: `noise.product` + `noise.key_switch`.
        """
        key = self.products.get(f.name)
        if key is None:
            raise MissingKeyError(
                f"no evaluation key for {f.name!r}, only for {sorted(self.products)}; the owner makes it by naming the map "
                "when the keys are made"
            )
        a.check_same_key(b)
        p = self.context.parameters
        if a.data.shape[-1] != f.left + p.d or b.data.shape[-1] != f.right + p.d:
            raise ParameterError(
                f"{f.name!r} takes vectors of widths {f.left} and {f.right}, not {a.shape[-1]} and {b.shape[-1]}; "
                "mind their order"
            )
        if gain != 1 and p.q_bits is not None:
            self._refuse_fractions(f"a gain of {gain}")
        count = products.batch_size(a.data, b.data) if total else 1
        terms = key.terms * count
        value = abs(gain) * terms * a.value * b.value
        if p.q_bits is not None:
            t = self._modular_tensor(a.data, b.data, total)
            added = key.noise + noise.product(p, terms, a, b, p.w) + 0.5 * count * key.key_norm
            return CiphertextArray(self._reduce(key.apply(t)), self.context, a.scale * b.scale, 0.0, value, added)
        divisor = p.unit / gain
        data, largest, rounding = products.product(a.data, b.data, divisor, key, total)
        bound = self._bound_after(key, key.key_norm * largest)
        added = key.noise + noise.product(p, terms, a, b, divisor) + rounding * key.key_norm
        return CiphertextArray(data, self.context, a.scale, bound, value, added)

    def polynomial(self, z: CiphertextArray, coefficients: Sequence) -> CiphertextArray:
        """Return sum_k coefficients[k] z^k, entry by entry: by one key switch if there is a key for it, else by Horner's rule.

        Noise: `PreparedPolynomial.noise`, the rounding of the monomials under their key, and `noise.key_switch`.
        """
        prepared = self._prepared(z, tuple(coefficients[1:]))
        if prepared is None:
            return z * coefficients[1] + coefficients[0] if len(coefficients) == 2 else super().polynomial(z, coefficients)
        key = self.products[prepared.f.name]
        data, largest, message = products.polynomial(prepared, z.data, z.unit, key)
        bound = self._bound_after(key, message)
        added = key.noise + prepared.noise(z) + (0.5 + prepared.float_error * largest) * key.key_norm
        return CiphertextArray(data, self.context, z.scale, bound, prepared.value(z), added) + coefficients[0]

    def _prepared(self, z: CiphertextArray, plain: tuple[float, ...]) -> PreparedPolynomial | None:
        """Return the polynomial ready for one key switch, or None if it is only a factor or there is no key for it."""
        if len(plain) < 2:
            return None
        name = (z.data.shape[-1], plain)
        if name not in self._polynomials:
            known = any(plain) and power_sum(z.shape[-1], (0.0, *plain)).name in self.products
            self._polynomials[name] = powers.prepare(self.parameters, z.shape[-1], plain) if known else None
        return self._polynomials[name]

    def _modular_tensor(self, left: np.ndarray, right: np.ndarray, total: bool) -> np.ndarray:
        """Return round(c1 (x) c2 / w) modulo q, shape (..., n1 n2); with `total` the sum over the first axis."""
        left, right = self._reduce(left), self._reduce(right)
        t = rounded_product(left[..., :, None], right[..., None, :], self.parameters.w_bits)
        t = t.sum(axis=0) if total and t.ndim > 2 else t
        return self._reduce(t.reshape(*t.shape[:-2], -1))

    def _switch(self, c: np.ndarray, key: IntegerVectorSwitchKey, message_bound: float) -> tuple[np.ndarray, float, float]:
        """Return c' = M c*, a bound on its entries, and the added noise; raise `CiphertextOverflowError` if c' may not fit."""
        bound = self._bound_after(key, message_bound)
        return self._reduce(key.apply(c)), bound, key.noise

    def _bound_after(self, key: IntegerVectorSwitchKey, message_bound: float) -> float:
        """Return a bound on the entries of a key switch (0 with a modulus); raise `CiphertextOverflowError` if too large."""
        p = self.context.parameters
        if p.q_bits is not None:
            return 0.0
        bound = message_bound + key.noise + key.mask
        if not bound < p.entry_limit:
            raise CiphertextOverflowError(
                f"a key switch could give entries up to {bound:.3g}, but the limit of {p.name!r} is {p.entry_limit:.3g}; the "
                "values have grown too large (a diverging run?): lower the learning rate, w_bits or scale"
            )
        return bound

    # -- what the network needs besides

    def multiply_plain(self, a: CiphertextArray, factor: float | np.ndarray) -> CiphertextArray:
        """Return factor * a (see `CiphertextArray.__mul__`)."""
        return a * factor

    def gather(self, X: Batch, W: CiphertextArray) -> CiphertextArray:
        """Return X W, shape (B, m).  Noises add, weighted by |X|; fractions are rounded."""
        weight = X.largest_row()
        bound = W.tightened(weight)
        data = X.gather(W.data)
        rounding = 0.0
        if data.dtype.kind == "f":
            self._refuse_fractions("features with fractions")
            data, rounding, bound = np.rint(data).astype(np.int64), self._float_rounding(bound, len(W)), bound + 1
        return self._array(W, data, bound, weight * W.value, weight * W.noise + rounding)

    def scatter_subtract(self, W: CiphertextArray, X: Batch, G: CiphertextArray) -> None:
        """Do W -= X^T G in place.  Noises add, weighted by |X|; fractions are rounded."""
        W.check_same_scale(G)
        if not X.is_whole():
            self._refuse_fractions("features with fractions")
        weight = X.largest_column()
        added = G.tightened(2 * weight) / 2
        if W.bound + added >= self.parameters.entry_limit / 2:
            W.tightened(2)
        W.seed = None
        X.scatter_subtract(W.data, G.data)  # modulo 2^64; reducing all of W for one batch would cost more than the batch
        W.bound += added + 1
        W.value += weight * G.value
        W.noise += weight * G.noise + (0.0 if X.is_whole() else self._float_rounding(added, len(X)))

    def concatenate(self, arrays: Sequence[CiphertextArray]) -> CiphertextArray:
        """Return the arrays joined along their first axis."""
        return concatenate(arrays)

    def condense(self, a: CiphertextArray) -> CiphertextArray | PackedScores:
        """Return scores packed for a file, thousands under one mask (`packing`), if there is a key for it."""
        key = self.packing_key
        fits = key is not None and len(a.shape) == 2 and a.shape[1] in key.bodies and a.scale == self.parameters.scale
        return packing.pack(key, a) if key is not None and fits else self.pack(a)

    def scores_bytes(self, reviews: int, outputs: int) -> int:
        """Return the bytes of the scores of that many reviews: one ciphertext each."""
        p = self.parameters
        return reviews * (outputs + p.d) * np.dtype(p.dtype).itemsize

    # -- files

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays): parameters, name of the key, and all evaluation keys; nothing secret."""
        arrays, products = {}, []
        for i, (name, key) in enumerate(self.products.items()):
            arrays[f"product_{i}"] = key.M_transposed
            products.append(name)
        for m, public in self.public_keys.items():
            arrays[f"public_{m}_switch"], arrays[f"public_{m}_zeros"] = public.switch.M_transposed, public.zeros
        packs, header = self.packing_key, storage.export_context(self.context)
        if packs is not None:
            arrays |= {f"packing_{m}": bodies for m, bodies in packs.bodies.items()}
        return header | {
            "products": products,
            "public_widths": sorted(self.public_keys),
            "packing_seed": None if packs is None else packs.seed.hex(),
            "packing_widths": [] if packs is None else sorted(packs.bodies.keys() - {0}),
        }, arrays

    def export_array(self, a: CiphertextArray | PackedScores) -> tuple[dict, np.ndarray]:
        """Return (header, array) of an array of ciphertexts, or of packed scores."""
        return packing.export_packed(a) if isinstance(a, PackedScores) else storage.export_array(a)

    def restore_array(self, header: dict, array: np.ndarray, shape: tuple[int, ...]) -> CiphertextArray | PackedScores:
        """Return what `export_array` took apart, of vectors of `shape`."""
        if isinstance(header, dict) and "packed_bytes" in header:
            return packing.restore_packed(self.context, header, array, shape)
        return storage.restore_array(self.context, header, array, shape)

    def readable(self, a: CiphertextArray) -> bool:
        """Return whether some ciphertext is [w x ; 0], without a mask; False without a modulus, where masks hide nothing."""
        p = self.parameters
        if p.q_bits is None:
            return False
        masks = a.data.reshape(-1, a.data.shape[-1])[:, a.shape[-1] :]
        few = (masks[i : i + _ROWS] for i in range(0, len(masks), _ROWS))
        return any(not self._reduce(rows).any(axis=1).all() for rows in few)

    def _array(self, like: CiphertextArray, data: np.ndarray, bound: float, value: float, noise_: float) -> CiphertextArray:
        return CiphertextArray(self._reduce(data), self.context, like.scale, bound, value, noise_)

    def _float_rounding(self, bound: float, terms: int) -> float:
        """Return the noise of rounding sums of `terms` float64 products, if the sums of |products| are below `bound`."""
        return (0.5 + (terms + 5) * 2.0**-53 * bound) * self.parameters.key_row_bound

    def _refuse_fractions(self, what: str) -> None:
        if self.parameters.q_bits is not None:
            raise CapabilityError(
                f"scheme {self.scheme!r} with a modulus ({self.parameters.name!r}) cannot use {what}: use whole "
                "numbers, ckks.LOGISTIC_128, parameters without a modulus (insecure), or the scheme 'clear'"
            )

    def _reduce(self, data: np.ndarray) -> np.ndarray:
        p = self.parameters
        return data if p.q_bits is None or p.q_bits == 64 else centred(data, p.q_bits).astype(p.dtype, copy=False)
