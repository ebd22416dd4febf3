"""What an owner reveals by answering decryption requests: T by chosen ciphertexts, a linear model by harmless questions.

**Idea.**  An oracle answers x = round(S c / w) (2) for any c.  The ciphertext c = a e_(m+j), a unit vector, has S c = a T_j:
the answer shows column j of T.  The first m entries of c add public numbers to the rows, so known parts can be subtracted.
Let an answer have b bits (log2(q / w) for full answers, 1 for signs).

- small T (span T_high - T_low = B): k columns travel in one query, w (1, B, B^2, ...), as long as B^k <= q / w;
- T uniform modulo q: with a = q / 2^(known + b) the next b bits are the highest ones, exactly; this takes log2(q) / b queries
  per column;
- signs only: the same with b = 1.  Without a modulus, sign(T - t) and bisection.

**Needs** a decryption oracle, and one ciphertext or evaluator for the name of the key.  **Works under all parameters**: no
choice of d, q and noise helps, as the scheme has no security against chosen ciphertexts.  An owner is safe only if it
decrypts for others nothing but what it computed itself.  Approximate decryptions of honest ciphertexts leak as well [LM21].

A linear model leaks by questions that no rule forbids: the score of a review of one word is that word's weight.

[LM21] B. Li, D. Micciancio, "On the security of homomorphic encryption on approximate numbers", EUROCRYPT 2021 (IND-CPA-D).
"""

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array, eye_array

from encnn.errors import ParameterError
from encnn.network import Architecture, Network
from encnn.schemes.integer_vector import CiphertextArray, IntegerVectorContext, IntegerVectorSecretKey
from encnn.schemes.integer_vector.parameters import EXACT_BITS, IntegerVectorParameters

Answers = Callable[[CiphertextArray], np.ndarray]
"""Ciphertexts of shape (queries, m) to integers, or to truth values, of the same shape."""


class DecryptionOracle:
    """An owner who decrypts everything it receives, and a count of the ciphertexts."""

    def __init__(self, secret: IntegerVectorSecretKey) -> None:
        self._secret = secret
        self.queries = 0

    def integers(self, c: CiphertextArray) -> np.ndarray:
        """Return x = round(S c / w), shape (queries, m)."""
        self.queries += len(c)
        return self._secret.decrypt_integers(c)

    def signs(self, c: CiphertextArray) -> np.ndarray:
        """Return whether x >= 0: one bit per entry, such as the sentiment of a review."""
        return self.integers(c) >= 0


def T_from_integers(answers: Answers, context: IntegerVectorContext, m: int) -> np.ndarray:
    """Return T for vectors of width m, shape (m, d), from full answers."""
    p = context.parameters
    if p.T_high - p.T_low <= _room(p):
        return _packed(answers, context, m)
    bits = _room(p).bit_length() - 1
    return _bit_by_bit(lambda c: answers(c) % (1 << bits), context, m, bits)


def T_from_signs(answers: Answers, context: IntegerVectorContext, m: int) -> np.ndarray:
    """Return T for vectors of width m, shape (m, d), from signs; `answers` gives x >= 0."""
    if context.parameters.q_bits is None:
        return _bisection(answers, context, m)
    return _bit_by_bit(lambda c: 1 - answers(c).astype(np.int64), context, m, 1)


def linear_model(scores: Callable[[csr_array], np.ndarray], architecture: Architecture) -> Network:
    """Return a network without a hidden layer that scores as the owner's does, from one-word reviews, `features` of them.

    scores: features to the owner's scores z, shape (reviews, outputs).  Exact if the owner's hidden layer is linear.
    """
    stolen = Architecture(architecture.features, 0, architecture.outputs, architecture.pooling)
    return Network(stolen, scores(csr_array(eye_array(architecture.features, dtype=np.int64))), None)


def _room(p: IntegerVectorParameters) -> int:
    """Return the number of different plaintext integers that an answer may be, or nearly so without a modulus."""
    return 1 << ((EXACT_BITS - 1 if p.q_bits is None else p.q_bits) - p.w_bits)


def _packed(answers: Answers, context: IntegerVectorContext, m: int) -> np.ndarray:
    p = context.parameters
    span = p.T_high - p.T_low
    k = 1
    while span ** (k + 1) <= _room(p):
        k += 1
    columns = np.arange(p.d)
    powers = np.array([_wrapped(p.w * span**s) for s in range(k)])
    data = np.zeros((-(-p.d // k), m + p.d), dtype=np.int64)
    data[columns // k, m + columns] = powers[columns % k]
    data[:, :m] = -p.T_low * data.sum(axis=1, keepdims=True)  # so the answer is sum_s (T - T_low) B^s >= 0
    x = answers(_ciphertexts(context, data)) % _room(p)
    digits = x[columns // k].T // span ** (columns % k) % span
    return digits + p.T_low


def _bit_by_bit(top_bits: Answers, context: IntegerVectorContext, m: int, bits: int) -> np.ndarray:
    """Return T from the lowest bits up; `top_bits` gives the `bits` highest bits of the phase, which must be exact."""
    p = context.parameters
    q_bits = p.q_bits or 64
    known = np.full((p.d, m), p.T_low, dtype=np.int64)
    done, total = 0, (p.T_high - p.T_low - 1).bit_length()
    while done < total:
        step = min(bits, total - done)
        a = np.int64(_wrapped(1 << (q_bits - done - step)))
        data = np.concatenate([-(a * known), a * np.eye(p.d, dtype=np.int64)], axis=1)
        known += (top_bits(_ciphertexts(context, data)) >> (bits - step)) << done
        done += step
    return known.T


def _bisection(answers: Answers, context: IntegerVectorContext, m: int) -> np.ndarray:
    p = context.parameters
    low = np.full((p.d, m), p.T_low, dtype=np.int64)
    high = np.full((p.d, m), p.T_high - 1, dtype=np.int64)
    while (low < high).any():
        middle = (low + high + 1) // 2
        data = p.w * np.concatenate([-middle, np.eye(p.d, dtype=np.int64)], axis=1)
        at_least = answers(_ciphertexts(context, data))
        low, high = np.where(at_least, middle, low), np.where(at_least, high, middle - 1)
    return low.T


def _ciphertexts(context: IntegerVectorContext, data: np.ndarray) -> CiphertextArray:
    if data.shape[1] <= context.parameters.d:
        raise ParameterError(f"vectors of width {data.shape[1] - context.parameters.d} cannot be asked for; use m >= 1")
    return CiphertextArray(data, context, context.parameters.scale, float(np.abs(data).max()), 0.0, 0.0)


def _wrapped(x: int) -> int:
    """Return x modulo 2^64 as an int64."""
    return (x + (1 << 63)) % (1 << 64) - (1 << 63)
