"""Keys of the integer-vector scheme: S = [I, T], key-switch matrices, and the public material made from them.

    S' M = S* + E  (mod q)                 (7)
    S' = [I, T],   M = [S* - T A + E ; A]  (8)
    c' = M c*                              (9)
    S' c' = S* c* + E c* = S c + E c*      (10)

A key switch takes a ciphertext c of any key R, which has one row per output, to the key S'.  Three operations are such
switches: encryption (from the key I and the ciphertext w x), a linear map G (from the key G S), and a bilinear map (from the
key vec(S1^T H_k S2) and the ciphertext round(c1 (x) c2 / w)).

Only `IntegerVectorSecretKey` holds the secret key; `repr` never shows it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from encnn.arithmetic.digits import digits_lowest_first, expand_key
from encnn.arithmetic.modular import centred
from encnn.arithmetic.sampling import Randomness
from encnn.errors import KeyMismatchError, ParameterError
from encnn.schemes import base
from encnn.schemes.bilinear import BilinearMap
from encnn.schemes.integer_vector import noise, powers
from encnn.schemes.integer_vector.ciphertext import CiphertextArray, IntegerVectorContext, declared_bound, encode
from encnn.schemes.integer_vector.packing import PackedScores, PackingKey, make_packing_key, opened
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters
from encnn.schemes.integer_vector.storage import expand_masks, export_context
from encnn.schemes.powers import PowerSum

TOY_ZEROS = 64
"""Number of public encryptions of zero per vector width without a modulus; with one it is d, as in LWE encryption."""


@dataclass(frozen=True)
class IntegerVectorSwitchKey:
    """A key-switch matrix M of shape (n', N l), with public bounds on its source key."""

    parameters: IntegerVectorParameters  # of the scheme
    M_transposed: np.ndarray  # shape (N l, n'), most significant digit of each entry first
    key_norm: float  # the largest L1 norm that a row of the source key can have
    terms: int = 1  # the largest number of products that one output of a bilinear map adds up

    @property
    def M(self) -> np.ndarray:
        """M in the paper's orientation, shape (n', N l)."""
        return self.M_transposed.T

    @cached_property
    def noise(self) -> float:
        """A bound on the noise that a switch adds, |E c*|."""
        return noise.key_switch(self.parameters, self.entries)

    @cached_property
    def mask(self) -> float:
        """Without modulus: a bound on what the masks A c* add to an entry of the result, (1 + d |T|) |A c*|."""
        p = self.parameters
        return self.entries * p.n_digits * p.digit_bound * p.A_high * p.key_row_bound

    @cached_property
    def entries(self) -> int:
        """The number N of entries of the ciphertexts that it switches."""
        return self.M_transposed.shape[0] // self.parameters.n_digits

    def apply(self, c: np.ndarray) -> np.ndarray:
        """Return c* M^T modulo 2^64 for int64 c of shape (..., N).  The result is exact, though BLAS multiplies in float64.

        M is cut into limbs so small that no sum of digits times limbs can reach 2^53.
        """
        p = self.parameters
        limbs, recombine = self._limbs
        d = digits_lowest_first(c, p.base_bits, p.n_digits, p.balanced)
        # float64 products are exact below 2^53; int64 then joins the limbs, and wraps modulo 2^64 as ciphertexts do
        return d.astype(np.float64).dot(limbs).astype(np.int64) @ recombine

    @cached_property
    def by_digit(self) -> np.ndarray:
        """M for compiled loops, int64 of shape (n', digits, N), with the least significant digit first."""
        M = self.M_transposed.reshape(self.entries, self.parameters.n_digits, -1)
        return np.ascontiguousarray(M[:, ::-1].T)

    @cached_property
    def _limbs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the limbs of M^T side by side, float64, and the matrix that joins their products."""
        rows, n_new = self.M_transposed.shape
        # a sum of `rows` products of a digit and a limb must stay below 2^53, where float64 is exact
        limb_bits = 53 - (rows * self.parameters.digit_bound).bit_length()
        shifts = range(0, 64, limb_bits)
        M = self.M_transposed.reshape(self.entries, -1, n_new)[:, ::-1].reshape(rows, n_new)  # as `digits_lowest_first`
        low = [(M >> s) & ((1 << limb_bits) - 1) for s in shifts[:-1]]
        limbs = np.concatenate([*low, M >> shifts[-1]], axis=1)  # the last one keeps the sign
        recombine = np.concatenate([np.eye(n_new, dtype=np.int64) << s for s in shifts])
        return limbs.astype(np.float64), recombine


@dataclass(frozen=True)
class PublicKey:
    """What anyone needs to encrypt vectors of one width."""

    switch: IntegerVectorSwitchKey  # from the key I
    zeros: np.ndarray  # encryptions of zero P, shape (n, k)


class IntegerVectorSecretKey(base.SecretKey[CiphertextArray]):
    """The owner's key: one matrix T of shape (m, d) for every vector width m in use.

    `rng` makes an experimental key that can be reproduced.  Without it the key comes from the operating system's entropy.
    """

    context: IntegerVectorContext

    def __init__(
        self, parameters: IntegerVectorParameters, widths: Iterable[int], rng: np.random.Generator | None = None
    ) -> None:
        self.parameters = parameters
        self._randomness = Randomness(rng)
        self._T = {m: self._draw_matrix(m) for m in sorted(set(widths))}
        self._transposed: dict[int, np.ndarray] = {}
        self.context = IntegerVectorContext(parameters, self._randomness.token().hex(), self._randomness.experimental)

    @classmethod
    def from_matrices(cls, context: IntegerVectorContext, T: dict[int, np.ndarray]) -> Self:
        """Return the key with given matrices, as read from a file; new randomness comes from the operating system."""
        key = cls(context.parameters, ())
        key._T, key.context = T, context
        return key

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays).  The arrays are *the secret*: every T, named by its width."""
        return export_context(self.context), {f"T_{m}": T for m, T in self._T.items()}

    def __repr__(self) -> str:
        """Show the key's name, never its entries."""
        said = f"{self.parameters.name!r}, widths={list(self._T)}, key_id={self.context.key_id}, T=<secret>"
        return f"{type(self).__name__}({said})"

    @staticmethod
    def matrices_for(widths: set[int]) -> set[int]:
        """Return the widths of the matrices T that a network with vectors of these widths takes."""
        return widths

    @property
    def widths(self) -> list[int]:
        """Vector widths for which there is a T."""
        return list(self._T)

    def T(self, m: int) -> np.ndarray:
        """Return the secret T for vectors of width m, shape (m, d)."""
        if m not in self._T:
            raise KeyMismatchError(f"this key has no T for vectors of width {m}, only for {self.widths}")
        return self._T[m]

    def S(self, m: int) -> np.ndarray:
        """Return the secret S = [I, T] for vectors of width m, shape (m, m + d)."""
        return np.concatenate([np.eye(m, dtype=np.int64), self.T(m)], axis=1)

    # -- encryption and decryption

    def encrypt(self, v: np.ndarray) -> CiphertextArray:
        """Return fresh ciphertexts of real vectors v, shape (..., m): c = [w x + e - T a ; a] with a fresh mask a.

        Noise: at most `noise_bound` (plus 1/2 of rounding).  This needs the secret; `PublicKey` is for everybody else.  With a
        modulus the masks of an array of ciphertexts are expanded from a fresh public seed, and files store only the seed.
        """
        v = np.asarray(v, dtype=np.float64)
        p = self.parameters
        phase, _, rounding = encode(v, p, p.scale)
        seed = self._randomness.token() if p.q_bits is not None and v.ndim > 1 else None
        a = self._mask(v.shape[:-1]) if seed is None else expand_masks(seed, v.shape[:-1], p)
        top = phase + self._noise(phase.shape) - a @ self.T(v.shape[-1]).T
        data = self._reduce(np.concatenate([top, a], axis=-1)).astype(p.dtype, copy=False)
        largest = declared_bound(phase, p)
        bound = largest + p.noise_bound + p.key_row_bound * p.mask_bound
        return CiphertextArray(
            data, self.context, p.scale, bound, (largest + rounding) / p.unit, p.noise_bound + rounding, seed
        )

    def phase(self, c: CiphertextArray) -> np.ndarray:
        """Return S c = w x + e, modulo q if there is a modulus; shape (..., m)."""
        self._check_own(c.context)
        m = c.shape[-1]
        return self._reduce((c.data[..., :m] + c.data[..., m:] @ self._columns(m)).astype(np.int64, copy=False))

    def decrypt(self, c: CiphertextArray | PackedScores) -> np.ndarray:
        """Return the real vectors phase / (w scale), shape (..., m); fractions are kept."""
        if isinstance(c, PackedScores):
            self._check_own(c.context)
            return opened(self._T, c)
        return self.phase(c) / c.unit

    def decrypt_integers(self, c: CiphertextArray) -> np.ndarray:
        """Return the plaintext integers x = round(S c / w), equation (2): `scale` times the numbers."""
        phase, w_bits = self.phase(c), self.parameters.w_bits
        return phase if w_bits == 0 else (phase >> w_bits) + (phase >> (w_bits - 1) & 1)

    def measure_noise(self, c: CiphertextArray, v: np.ndarray) -> np.ndarray:
        """Return e = S c - w x for the vectors v that c should hold, shape (..., m)."""
        expected = np.asarray(v, dtype=np.float64) * c.scale
        if self.parameters.q_bits is None:
            return (self.phase(c) - expected * self.parameters.w).astype(np.float64)
        x = np.rint(expected).astype(np.int64) << np.int64(self.parameters.w_bits)
        return self._reduce(self.phase(c) - x).astype(np.float64)

    def _columns(self, m: int) -> np.ndarray:
        """Return T transposed, in the type of ciphertexts, so that products need no conversion and wrap as ciphertexts do."""
        if m not in self._transposed:
            self._transposed[m] = np.ascontiguousarray(self.T(m).T.astype(self.parameters.dtype))
        return self._transposed[m]

    # -- key switching

    def switch_key(self, R: np.ndarray, to_width: int, key_norm: float, terms: int = 1) -> IntegerVectorSwitchKey:
        """Return M of equation (8), from a key with rows R of shape (m', N) to this key's S' of width m'.

        Noise of a switch: |E c*| <= N l D |E| (`noise.key_switch`).
        """
        p = self.parameters
        # R times powers of the digit base: the switch multiplies it with digits of c, so that E meets small numbers only
        R_star = expand_key(R, p.base_bits, p.n_digits)
        A = self._public_matrix((p.d, R_star.shape[1]))  # hides R: without the secret T nobody can remove T A
        E = self._noise(R_star.shape)  # without it, T would follow from A and the public M by linear equations
        M = self._reduce(np.concatenate([R_star + E - self.T(to_width) @ A, A]))
        key = IntegerVectorSwitchKey(p, np.ascontiguousarray(M.T), key_norm, terms)
        if p.q_bits is None:
            self._check_switch(key)
        return key

    def public_key(self, m: int) -> PublicKey:
        """Return what anyone needs to encrypt vectors of width m."""
        p = self.parameters
        k = TOY_ZEROS if p.q_bits is None else p.d
        A = self._public_matrix((p.d, k))
        zeros = self._reduce(np.concatenate([self._noise((m, k)) - self.T(m) @ A, A]))
        return PublicKey(self.switch_key(np.eye(m, dtype=np.int64), m, 1.0), zeros)

    def packing_key(self) -> PackingKey | None:
        """Return the key with which scores are packed for files; None for parameters whose scores are not."""
        return make_packing_key(self.parameters, self._T)

    def linear_key(self, G: np.ndarray) -> IntegerVectorSwitchKey:
        """Return the key for x -> G x, a switch from the key G S, for integers G of shape (m', m).

        Its switch of c gives S' c' = G S c + E c* = w G x + G e + E c*.
        """
        G = np.asarray(G, dtype=np.int64)
        largest_row = float(np.abs(G).sum(axis=1).max())
        return self.switch_key(G @ self.S(G.shape[1]), G.shape[0], largest_row * self.parameters.key_row_bound)

    def bilinear_key(self, f: BilinearMap) -> IntegerVectorSwitchKey:
        """Return the key for y_k = x1^T H_k x2: one switch with one row vec(S1^T H_k S2) per output."""
        R = np.einsum("ai,kab,bj->kij", self.S(f.left), f.matrices(), self.S(f.right)).reshape(f.out, -1)
        return self.switch_key(R, f.out, *product_bounds(self.parameters, f))

    def power_key(self, f: PowerSum) -> IntegerVectorSwitchKey:
        """Return the key for x -> sum_k c_k x^k with any plain coefficients, as one switch (see `powers`)."""
        return self.switch_key(powers.source_key(self.S(f.width), f), f.width, *power_bounds(self.parameters, f))

    def re_key(self, other: "IntegerVectorSecretKey", m: int) -> IntegerVectorSwitchKey:
        """Return the switch of vectors of width m from this key to `other`; the caller must hold both keys.

        The evaluator of `other` uses it: `evaluator.switch(c, key)`.  Weight, scale and modulus of both keys must be equal.
        """
        if self._encoding() != other._encoding():
            raise ParameterError(
                f"(w_bits, scale, q_bits) are {self._encoding()} here and {other._encoding()} there; a key switch changes none "
                "of them, so make both keys with the same"
            )
        return other.switch_key(self.S(m), m, float(self.parameters.key_row_bound))

    # -- randomness

    def _draw_matrix(self, m: int) -> np.ndarray:
        return self._randomness.integers(self.parameters.T_low, self.parameters.T_high, (m, self.parameters.d))

    def _noise(self, shape: tuple[int, ...]) -> np.ndarray:
        p = self.parameters
        if p.sigma is not None:
            return self._randomness.gaussian(p.sigma, shape)
        return self._randomness.integers(-p.E_bound, p.E_bound + 1, shape)

    def _public_matrix(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return A: uniform modulo q, or without a modulus the paper's small numbers."""
        p = self.parameters
        if p.q_bits is not None:
            return self._randomness.words(shape, p.q_bits)
        return self._randomness.integers(0, p.A_high, shape)

    def _mask(self, shape: tuple[int, ...]) -> np.ndarray:
        p = self.parameters
        if p.q_bits is not None:
            return self._randomness.words((*shape, p.d), p.q_bits)
        return self._randomness.integers(-p.mask_bound, p.mask_bound + 1, (*shape, p.d))

    # -- checks

    def _reduce(self, data: np.ndarray) -> np.ndarray:
        q_bits = self.parameters.q_bits
        return data if q_bits is None else centred(data, q_bits)

    def _encoding(self) -> tuple[int, int, int | None]:
        return self.parameters.w_bits, self.parameters.scale, self.parameters.q_bits

    def _check_own(self, context: IntegerVectorContext) -> None:
        if context is not self.context and context != self.context:
            raise KeyMismatchError(
                f"this ciphertext belongs to key {context.key_id}, not to key {self.context.key_id}; use its own key"
            )

    def _check_switch(self, key: IntegerVectorSwitchKey) -> None:
        """Raise `ParameterError` if masks and noise of a switch without a modulus take more than half of the range."""
        p = self.parameters
        added = key.noise + key.mask
        if added >= p.entry_limit / 2:
            raise ParameterError(
                f"masks and noise of a key switch from {key.entries} entries reach {added:.3g}, more than half of the limit "
                f"{p.entry_limit:.3g} of {p.name!r}; lower base_bits, d, A_high or the width of the vectors"
            )


def product_bounds(parameters: IntegerVectorParameters, f: BilinearMap) -> tuple[float, int]:
    """Return public bounds on the L1 norms of vec(S1^T H_k S2), for the largest possible S, and of H_k."""
    return float(f.terms * parameters.key_row_bound**2), f.terms


def power_bounds(parameters: IntegerVectorParameters, f: PowerSum) -> tuple[float, int]:
    """Return (key_norm, terms) for a sum of powers."""
    return float(powers.largest_source_key(parameters, f).sum()), 1
