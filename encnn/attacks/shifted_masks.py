"""The words of a review, from requests whose masks are rows of one encryption of zero (an older protocol).

**Idea.**  Row i of a polynomial is a^(i), and a^(i+1) is a^(i) shifted by one: a^(i+1)[1:] = a^(i)[:-1].  A request holds the
masks M_1 = x_1 A + a^(i) and M_2 = x_2 A + a^(i+1), where row w of A is the mask of word w, which the owner made itself.  So

    M_2[1:] - M_1[:-1] = x_2 A[:, 1:] - x_1 A[:, :-1]   (mod q)

has nothing random left: d - 1 equations for the word counts x_1, x_2.  With more words than equations, guesses of reviews are
tried.

**Needs** what the owner has: the model that it encrypted, and one request of two reviews.  **Worked** on the protocol of all
secure presets, although each mask by itself is as good as uniform.  **Fails** since each ciphertext gets an encryption of zero
of its own (`ring.ZeroStream`).  `largest_relation` is the test that would have told: it compares masks with each other.
"""

import numpy as np

from encnn.arithmetic.modular import centred
from encnn.arithmetic.negacyclic import backward, forward
from encnn.arithmetic.sampling import Randomness
from encnn.attacks.modular_solve import solve
from encnn.schemes.integer_vector.ciphertext import CiphertextArray
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters
from encnn.schemes.integer_vector.ring import Rows, ZeroKey, ZeroStream, zero_block

COUNT_BITS = 8
"""Word counts below 2^7 are found from equations modulo 2^8."""


class RotatedZeros:
    """The old stream of zeros: one product of polynomials gave d of them, and their masks were its rotations."""

    def __init__(self, key: ZeroKey, p: IntegerVectorParameters, randomness: Randomness) -> None:
        self._key, self._parameters, self._randomness, self._next = key, p, randomness, p.d

    def take(self, count: int) -> np.ndarray:
        """Return `count` encryptions of zero of shape (count, m + d), in the type of ciphertexts."""
        p = self._parameters
        if self._next + count > p.d:
            tops, mask = zero_block(self._key, p, self._randomness)
            self._zeros = np.concatenate([tops.T.astype(p.dtype), Rows(mask, p)[0 : p.d]], axis=1)
            self._next = 0
        self._next += count
        return self._zeros[self._next - count : self._next]


def owners_view(W1: CiphertextArray, x: np.ndarray, stream: ZeroStream | RotatedZeros) -> tuple[np.ndarray, np.ndarray]:
    """Return the masks that the owner knows of the words, (words, d), and those that it sees of sums, (reviews, d).

    x: word counts of shape (reviews, words).  stream: what hides the sums.
    """
    A, m = W1.data[:, W1.shape[-1] :], W1.shape[-1]
    sums = x.astype(np.int64) @ A.astype(np.int64) + stream.take(len(x))[:, m:]
    return A, centred(sums, W1.parameters.q_bits or 64)


def word_counts(A: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray | None:
    """Return the word counts of two reviews, shape (2, words), from the masks A of all words (words, d) and those of two sums.

    It returns None if no counts explain the masks.
    """
    equations = np.concatenate([A[:, 1:], -A[:, :-1]]).T
    found = solve(equations, (second[1:] - first[:-1])[:, None], COUNT_BITS)
    return None if found is None else found[:, 0].reshape(2, -1)[::-1]


def likeliest(A: np.ndarray, first: np.ndarray, second: np.ndarray, candidates: np.ndarray, q_bits: int) -> tuple[int, int]:
    """Return which two of the candidates, word counts of shape (reviews, words), the masks of two sums were made of.

    For any number of words: the difference that fits best is chosen, by the size of what it leaves.
    """
    sums = candidates @ A.astype(np.int64)
    left = centred(second[1:].astype(np.int64) - first[:-1] - sums[:, None, 1:] + sums[None, :, :-1], q_bits)
    best = int(np.abs(left).astype(np.float64).sum(axis=-1).argmin())
    after, before = divmod(best, len(candidates))
    return before, after


def largest_relation(masks: np.ndarray, q_bits: int) -> float:
    """Return the largest correlation of any mask of shape (count, d) with any rotation, modulo X^d + 1, of another one.

    1 for rotations of each other; for independent ones about sqrt(2 log(count^2 d) / d).
    """
    values = forward(centred(masks.astype(np.int64), q_bits) / 2.0**q_bits)
    pairs = [backward(values[i] * values[i + 1 :].conj()) for i in range(len(values) - 1)]
    return float(max(np.abs(c).max() for c in pairs) * 12 / masks.shape[1])
