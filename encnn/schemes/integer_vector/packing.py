"""Scores for files: thousands of them share one mask, and a smaller modulus.

A score is an LWE ciphertext (b, a) of d + 1 numbers.  The owner needs one number of it.  So before scores are written, up to N
of them become the coefficients of one ciphertext of ring LWE, whose mask they share [CDKS21].  The ring has polynomials
modulo X^N + 1 and Q = 2^50 with N = 2048, and is harder to break than any preset whose scores it packs.  The steps:

1. **Embed.**  a becomes a polynomial whose product with T, taken as a polynomial, has the coefficient <a, T> at 1.
2. **Switch** to the ring's key s.  The ciphertext is (b, 0) + sum_t digit_t(a) K_t, with encryptions K_t of T g_t under s.
3. **Join.**  A + X^h B + sigma(A - X^h B) has the numbers of A and of B, doubled, where sigma: X -> X^d leaves those of A in
   place and turns the signs of those of X^h B.  sigma needs a key switch from sigma(s) to s.  After log2 N steps all numbers
   are the coefficients of one ciphertext, times N.  So all phases are divided by N first, in fractions of the modulus.
4. **Round** the ciphertext to a modulus 2^k of 3 or 4 bytes (`bytes_of`).

A file then holds N masks for N scores, and one number for each score: 2 k bits per score in place of (d + 1) log2 q.

**Security.**  s is ternary.  SHAKE-128 expands it and the noise from the secret key, so the secret's file need not hold them.
The keys encrypt functions of T and of s under s: circular security, as for every key that switches in a circle.
**Noise** (`deviation`): with l digits of base B = 2^bits, key noise sigma, and D = B^2 / 12, a key switch adds the variance

    V = N l D sigma^2  +  2 N / 3 r^2  +  N l D / 12 (FFT_ERROR 2^-53)^2 (1 + 2 N / 3)

in which r is the deviation of what lies below the last digit.  Steps 2 and 3 give N^2 (V + V / 3), and step 4 adds
(1 + 2 N / 3) / 12 in its own units.  `digits_of` takes the fewest digits for which this stays below `LARGEST_DEVIATION`.

[CDKS21] Chen, Dai, Kim, Song, Efficient Homomorphic Conversion between (Ring) LWE Ciphertexts, ACNS 2021 (ePrint 2020/015).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Annotated

import numpy as np

from encnn.arithmetic.automorphisms import automorphism, exponents
from encnn.arithmetic.digits import fraction_digits
from encnn.arithmetic.modular import centred
from encnn.arithmetic.negacyclic import backward, forward, monomial_product, multiply
from encnn.arithmetic.sampling import Randomness
from encnn.errors import FileError
from encnn.files.schema import Within, check_array, describe, parse
from encnn.progress import progress
from encnn.schemes.integer_vector.ciphertext import CiphertextArray, IntegerVectorContext
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters

N, Q_BITS, SIGMA = 2048, 50, 3.2
FLOAT_BITS = 53
"""Numbers modulo 2^53 are fractions of the modulus that float64 holds exactly."""
STEPS = exponents(N)
LARGEST_DEVIATION = 2.0**-8
"""What packing may add to a score as a standard deviation, in units of 1."""
FFT_ERROR = 3.5
"""Relative deviation of a sum of products that float64 transforms compute, in units of 2^-53 (as in `bootstrapped.noise`)."""
MOST_BYTES = 6
"""The most bytes that a number may take in a file."""
MOST_OUTPUTS = 64
"""Wider vectors are no scores, and get no key."""
_TOGETHER = 32
"""Ciphertexts that are switched together: their transforms fit the cache."""


# -- sizes and noise


def packs(p: IntegerVectorParameters) -> bool:
    """Return whether scores under these parameters can be packed: a modulus and a dimension within the ring's, a small key."""
    small = p.q_bits is not None and p.q_bits <= FLOAT_BITS and p.d <= N and p.T_bound <= 1 and p.sigma is not None
    return small and bytes_of(p) <= MOST_BYTES


def bytes_of(p: IntegerVectorParameters) -> int:
    """Return the bytes of a number in a file: the rounding of step 4 then deviates by 2^-10 at most, in units of 1."""
    least = math.log2(math.sqrt((1 + 2 * N / 3) / 12)) + _range_bits(p) + 10
    return max(1, math.ceil(least / 8))


@cache
def digits_of(p: IntegerVectorParameters) -> tuple[int, int]:
    """Return (bits per digit, number of digits)."""
    for levels in range(1, 16):
        best = min(range(2, Q_BITS // levels + 1), key=lambda bits: _deviation(p, bits, levels))
        if _deviation(p, best, levels) <= LARGEST_DEVIATION:
            break
    return best, levels


def deviation(p: IntegerVectorParameters) -> float:
    """Return the standard deviation that packing adds to a score, in units of 1."""
    return _deviation(p, *digits_of(p))


def _deviation(p: IntegerVectorParameters, bits: int, levels: int) -> float:
    digits, key = N * levels * 4.0**bits / 12, 2 * N / 3
    # phases divided by N have this many bits after the point; those below the last digit are left out
    below = 4.0 ** -(bits * levels) / 12 if bits * levels < (p.q_bits or 0) + N.bit_length() - 1 else 0.0
    switch = digits * (SIGMA * 2.0**-Q_BITS) ** 2 + key * below + digits / 12 * (FFT_ERROR * 2.0**-53) ** 2 * (1 + key)
    rounding = (1 + key) / 12 * 2.0 ** (-16 * bytes_of(p))
    return math.sqrt(N**2 * switch * 4 / 3 + rounding) * 2.0 ** _range_bits(p)


def _range_bits(p: IntegerVectorParameters) -> float:
    """Return log2 of the width of the range of scores."""
    return (p.q_bits or 64) - math.log2(p.unit)


# -- keys


@dataclass(frozen=True)
class PackingKey:
    """Encryptions under s of T g_t, for each row of each T, and of sigma(s) g_t for each sigma; g_t = 2^-(bits (t + 1))."""

    parameters: IntegerVectorParameters  # of the scores
    seed: bytes  # public; the masks are expanded from it
    bodies: Mapping[int, np.ndarray]  # by width m of vectors, int64 of shape (m, levels, N); 0 stands for the sigmas

    @property
    def nbytes(self) -> int:
        """Bytes of the key without the masks."""
        return len(self.seed) + sum(b.nbytes for b in self.bodies.values())

    @cached_property
    def transforms(self) -> dict[int, np.ndarray]:
        """By width, transforms in fractions of the modulus, complex of shape (m, levels, 2, N / 2)."""
        both = {m: np.stack([b, _masks(self.seed, m, b.shape)], axis=2) for m, b in self.bodies.items()}
        return {m: forward(a * 2.0**-Q_BITS) for m, a in both.items()}


def body_shape(p: IntegerVectorParameters, m: int) -> tuple[int, int, int]:
    """Return the shape of the bodies for vectors of width m; 0 stands for the sigmas."""
    return m or len(STEPS), digits_of(p)[1], N


def make_packing_key(p: IntegerVectorParameters, T: Mapping[int, np.ndarray]) -> PackingKey | None:
    """Return the key for vectors of each width m, whose T has shape (m, d); None if these parameters and widths have none.

    It follows from T, by SHAKE-128.
    """
    widths = [m for m in sorted(T) if m <= MOST_OUTPUTS]
    if not packs(p) or not widths:
        return None
    s, stream = _ring_key(T)
    seed, messages = stream.token(), {0: np.stack([automorphism(s, d) for d in STEPS])}
    messages |= {m: np.pad(T[m], ((0, 0), (0, N - p.d))) for m in widths}
    return PackingKey(p, seed, {m: _bodies(p, seed, m, rows, s, stream) for m, rows in messages.items()})


def _ring_key(T: Mapping[int, np.ndarray]) -> tuple[np.ndarray, Randomness]:
    """Return the secret s, int64 of shape (N,), and the stream of the other secret numbers."""
    stream = Randomness.derived(b"ring key" + b"".join(T[m].astype(np.int8).tobytes() for m in sorted(T)))
    return stream.integers(-1, 2, (N,)), stream


def _bodies(
    p: IntegerVectorParameters, seed: bytes, m: int, messages: np.ndarray, s: np.ndarray, stream: Randomness
) -> np.ndarray:
    bits, levels = digits_of(p)
    gadget = np.int64(1) << (Q_BITS - bits * (1 + np.arange(levels)))
    bodies = messages[:, None] * gadget[:, None] + stream.gaussian(SIGMA, (len(messages), levels, N))
    return centred(bodies - multiply(_masks(seed, m, bodies.shape), s, Q_BITS), Q_BITS)


def _masks(seed: bytes, m: int, shape: tuple[int, ...]) -> np.ndarray:
    return Randomness.from_public_seed(b"masks of packing key %d " % m + seed).words(shape, Q_BITS)


# -- packed scores


@dataclass(frozen=True)
class PackedScores:
    """Scores as their owner reads them from a file; nothing is computed with them."""

    data: np.ndarray  # uint8 of shape (numbers, bytes), lowest byte first: N masks for each N scores, then a number for each
    shape: tuple[int, ...]  # (rows, m)
    context: IntegerVectorContext  # of the key

    @property
    def nbytes(self) -> int:
        """Bytes of the scores."""
        return self.data.nbytes

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]


def pack(key: PackingKey, a: CiphertextArray) -> PackedScores:
    """Return ciphertexts of vectors, shape (rows, m), as scores for their owner.  Noise: `deviation` for each number."""
    total, blocks = math.prod(a.shape), []
    for first in progress(range(0, total, N), "packing", unit="block"):
        blocks.append(_block(key, a, np.arange(first, min(first + N, total))))
    whole = np.stack(blocks)
    numbers = np.concatenate([whole[:, 1].ravel(), whole[:, 0].ravel()[:total]])
    return PackedScores(_to_bytes(numbers, bytes_of(a.parameters)), a.shape, a.context)


def opened(T: Mapping[int, np.ndarray], c: PackedScores) -> np.ndarray:
    """Return the real numbers of packed scores, shape (rows, m)."""
    p, k, (s, _) = c.context.parameters, 8 * c.data.shape[1], _ring_key(T)
    numbers = _from_bytes(c.data)
    masks = numbers[: N * blocks_for(c.shape)].reshape(-1, N)
    phases = numbers[masks.size :] + multiply(masks, s, k).ravel()[: math.prod(c.shape)]
    return centred(phases, k).reshape(c.shape) * 2.0 ** (_range_bits(p) - k)


def blocks_for(shape: tuple[int, ...]) -> int:
    """Return how many blocks hold scores of this shape."""
    return -(-math.prod(shape) // N)


def _block(key: PackingKey, a: CiphertextArray, numbers: np.ndarray) -> np.ndarray:
    """Return one ciphertext, fractions of shape (2, N), whose coefficients are these entries, counted row by row."""
    C, half = np.concatenate([_switched(key, a, few) for few in _few(numbers)]), N
    for step in reversed(range(len(STEPS))):
        half //= 2  # each step joins ciphertext i with ciphertext i + half, and halves their number
        C = _joined(key, C, half, step)
    return np.asarray(C[0])


def _switched(key: PackingKey, a: CiphertextArray, numbers: np.ndarray) -> np.ndarray:
    """Return ciphertexts of the ring, shape (B, 2, N), whose coefficients at 1 are these entries divided by N."""
    (rows, columns), m, p = np.divmod(numbers, a.shape[1]), a.shape[1], a.parameters
    x = centred(a.data[rows], p.q_bits or 64) * (2.0 ** -(p.q_bits or 64) / N)
    masks = np.pad(x[:, m:], ((0, 0), (0, N - p.d)))
    embedded = np.concatenate([masks[:, :1], -masks[:, :0:-1]], axis=1)
    C = _product(p, embedded, key.transforms[m][columns])
    C[:, 0, 0] += x[np.arange(len(x)), columns]
    return _reduced(C)


def _joined(key: PackingKey, C: np.ndarray, half: int, step: int) -> np.ndarray:
    """Return A + X^half B + sigma(A - X^half B) of the first `half` ciphertexts A and the others B."""
    A, moved = C[:half], monomial_product(C[half:], half)
    A[: len(moved)] -= moved
    for few in _few(A):
        turned = automorphism(_reduced(few), STEPS[step])
        few += _reduced(_product(key.parameters, turned[:, 1], key.transforms[0][step]))
        few[:, 0] += turned[:, 0]  # the body meets no key
    A[: len(moved)] += 2 * moved
    return _reduced(A)


def _product(p: IntegerVectorParameters, masks: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Return sum_t digit_t(masks) K_t, shape (B, 2, N), for masks of shape (B, N) and K of shape (..., levels, 2, N / 2)."""
    digits = np.stack(list(fraction_digits(masks, *digits_of(p))), axis=1)
    return backward((forward(digits)[:, :, None] * K).sum(axis=1))


def _few(a: np.ndarray) -> list[np.ndarray]:
    return [a[first : first + _TOGETHER] for first in range(0, len(a), _TOGETHER)]


def _reduced(x: np.ndarray) -> np.ndarray:
    """Return fractions of the modulus in [-1/2, 1/2]."""
    return x - np.rint(x)


def _to_bytes(x: np.ndarray, size: int) -> np.ndarray:
    """Return fractions as numbers modulo 2^(8 size), rounded: uint8 of shape (len(x), size), the lowest byte first."""
    whole = np.rint(x * 2.0 ** (8 * size)).astype("<i8")
    return np.ascontiguousarray(whole.view(np.uint8).reshape(-1, 8)[:, :size])


def _from_bytes(data: np.ndarray) -> np.ndarray:
    """Return such numbers as int64, not negative."""
    return np.pad(data, ((0, 0), (0, 8 - data.shape[1]))).view("<i8").ravel().astype(np.int64)


# -- files


@dataclass(frozen=True)
class PackedHeader:
    """What a file says of packed scores."""

    packed_bytes: Annotated[int, Within(1, MOST_BYTES)]  # of a number


def export_packed(c: PackedScores) -> tuple[dict, np.ndarray]:
    """Return (header, uint8 array)."""
    return describe(PackedHeader(c.data.shape[1])), c.data


def restore_packed(context: IntegerVectorContext, header: object, data: np.ndarray, shape: tuple[int, ...]) -> PackedScores:
    """Return the scores that `export_packed` took apart; anything else is a `FileError`."""
    p, size = context.parameters, parse(PackedHeader, header, "the description of packed scores").packed_bytes
    if not packs(p) or size != bytes_of(p):
        raise FileError(f"numbers of {size} bytes are no scores of {p.name!r}; get a new file from its sender")
    check_array("packed scores", data, (N * blocks_for(shape) + math.prod(shape), size), np.uint8)
    return PackedScores(data, shape, context)
