"""Random numbers for keys, masks and noise.

Every distribution below is made from one stream of uniform 64-bit words.  There are four streams:

- The operating system's entropy.  It is the default, and the only one for real keys.
- OpenSSL's generator, which the operating system seeds (`in_bulk`).  It makes masks of messages, which take many kilobytes.
- SHAKE-128 over a public seed.  It makes public masks, of which only the seed is stored.
- A `numpy.random.Generator` that the caller passes, for experiments that must repeat.  It is **never for real keys**: keys made
  from it are marked experimental.

Noise is a rounded Gaussian: round(sigma * Phi^-1(u)), with u uniform on 2^52 midpoints.  float64 holds these midpoints exactly,
so u is never 1, and |e| <= TAIL * sigma + 1/2 always holds.  A scale of zero gives exact zeros, so exact tests need no other
source.

**After a fork** two processes have the same state.  They would draw equal numbers, and could put two messages under one pad.
The system's entropy does not repeat.  A seeded generator is replaced in every forked process.  The new generator is derived
from the next words of the old one and from the process's place among the forks (`process`).  So a program repeats itself, but
no two of its processes draw the same numbers.  Code that keeps drawn numbers for later stores `process()` with them; if it has
changed, the code draws again.

[SP800-90A] E. Barker, J. Kelsey, "Recommendation for random number generation using deterministic random bit generators", NIST
SP 800-90A Rev. 1, 2015.
"""

import hashlib
import math
import os
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import ndtri

try:
    import ssl
except ImportError:  # pragma: no cover - a Python that was built without OpenSSL
    ssl = None  # type: ignore[assignment]

from encnn.arithmetic import row_sums
from encnn.errors import ParameterError

TAIL = 8.3
"""Largest |e| / sigma that the Gaussian can return: Phi^-1(2^-53) = -8.21, and a little more."""

_SHAKE_BLOCK_BYTES = 1 << 14

_TABLE_SIGMA = 15.0
"""Up to this deviation all values of a Gaussian fit into a table of int8."""
_UNDECIDED = -128  # no value of such a Gaussian, so it can mark the entries of the table that need more bits
_PACKED = 3**8  # eight ternary digits are drawn from 16 bits; as bytes they fill one word
_EIGHT_TERNARY = (
    np.stack([np.arange(_PACKED) // 3**k % 3 - 1 for k in range(8)], axis=1).astype(np.int8).view(np.uint64).ravel()
)
"""The eight ternary digits of each number below 3^8, as eight bytes -1, 0, 1 in one word."""


# -- which process this is

_place: tuple[int, ...] = ()
_forks = 0


def process() -> tuple[int, ...]:
    """Return the place of this process among the forks: () at first, (2, 1) for the first child of the second child.

    Within one process it is always the same object, so it can be compared by `is`.
    """
    return _place


def _count_fork() -> None:
    global _forks
    _forks += 1


def _enter_child() -> None:
    global _place, _forks
    _place, _forks = (*_place, _forks), 0


if hasattr(os, "register_at_fork"):  # other systems have no forks
    os.register_at_fork(before=_count_fork, after_in_child=_enter_child)


# -- streams


class Randomness:
    """A stream of random numbers; `Randomness()` reads the operating system, `Randomness(rng)` a seeded generator."""

    def __init__(self, rng: np.random.Generator | None = None) -> None:
        self.experimental = rng is not None
        self._words: Callable[[int], np.ndarray] = _system_words if rng is None else _generator_words(rng)

    @classmethod
    def from_public_seed(cls, seed: bytes) -> "Randomness":
        """Return the stream that SHAKE-128 expands from `seed`: for public masks only."""
        stream = cls()
        stream._words = _shake_words(seed)
        return stream

    @classmethod
    def derived(cls, secret: bytes) -> "Randomness":
        """Return the secret stream that SHAKE-128 expands from a secret key: for keys that follow from it."""
        return cls.from_public_seed(b"derived" + secret)

    @classmethod
    def in_bulk(cls) -> "Randomness":
        """Return a stream of OpenSSL's generator, ten times as fast as the system's, for many short-lived secret numbers.

        It is AES-256 in counter mode [SP800-90A].  The operating system seeds it, and it takes a new seed after a fork.  Keys
        and other lasting secrets come from the operating system directly.
        """
        stream = cls()
        stream._words = _openssl_words if ssl else _system_words
        return stream

    def words(self, shape: tuple[int, ...], bits: int = 64) -> np.ndarray:
        """Return int64 of `shape`, uniform modulo 2^bits, as centred representatives."""
        raw = self._words(int(np.prod(shape))).reshape(shape).view(np.int64)
        return raw >> np.int64(64 - bits)

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> np.ndarray:
        """Return int64 of `shape`, uniform in [low, high); unbiased by rejection."""
        span = high - low
        count = int(np.prod(shape))
        # the words up to `limit` are a multiple of `span` in number, so every remainder is equally likely; others are redrawn
        limit = np.uint64((1 << 64) - 1 - (1 << 64) % span)
        drawn = self._words(count)
        while (rejected := drawn > limit).any():
            drawn[rejected] = self._words(int(rejected.sum()))
        return (drawn % np.uint64(span)).astype(np.int64).reshape(shape) + low

    def gaussian(self, sigma: float, shape: tuple[int, ...]) -> np.ndarray:
        """Return int64 of `shape`, a Gaussian of standard deviation `sigma` rounded to integers."""
        # the 0.5 makes u a midpoint: it is never 0 or 1, where Phi^-1 is infinite
        u = ((self._words(int(np.prod(shape))) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
        return np.rint(sigma * ndtri(u)).astype(np.int64).reshape(shape)

    def ternary(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return int8 of `shape`, uniform in {-1, 0, 1}.  Eight numbers take 16 bits; `integers` takes 64 bits per number.

        A 16-bit number is used only if it is below 9 * 3^8, so that all remainders modulo 3^8 are equally likely.  Nine in ten
        are.
        """
        count = math.prod(shape)
        kept = np.empty(0, np.uint16)
        while 8 * len(kept) < count:
            # count / 32 words would do if none were rejected; this many are nearly always enough at the first try
            drawn = self._words(count // 28 + 4).view(np.uint16)
            kept = np.concatenate([kept, drawn[drawn < 9 * _PACKED]])
        return _EIGHT_TERNARY.take(kept % _PACKED).view(np.int8)[:count].reshape(shape)

    def small_gaussian(self, sigma: float, shape: tuple[int, ...]) -> np.ndarray:
        """Return integers of `shape` with the distribution of `gaussian`, from a quarter of its random bits.

        The first 16 bits of u nearly always decide the value.  The other 36 bits are drawn only if the value changes within the
        interval of u that the first 16 leave open.  The result is int8 for small sigma.  Under a seed the numbers differ from
        those of `gaussian`, whose sequence is fixed.
        """
        if not 0 < sigma <= _TABLE_SIGMA:
            return self.gaussian(sigma, shape)
        count = math.prod(shape)
        first = self._words(count // 4 + 1).view(np.uint16)[:count]
        e, undecided = _looked_up(_gaussian_table(sigma), first)
        # the 36 further bits complete u to the same midpoints as in `gaussian`, so the distribution is the same
        rest = self._words(len(undecided)) >> np.uint64(28)
        e[undecided] = np.rint(sigma * ndtri((first[undecided] + (rest + 0.5) * 2.0**-36) * 2.0**-16))
        return e.reshape(shape)

    def token(self) -> bytes:
        """Return 16 random bytes, for names of keys."""
        return self._words(2).tobytes()


def _system_words(count: int) -> np.ndarray:
    return np.frombuffer(bytearray(os.urandom(8 * count)), dtype=np.uint64)


def _openssl_words(count: int) -> np.ndarray:
    return np.frombuffer(bytearray(ssl.RAND_bytes(8 * count)), dtype=np.uint64)


def _generator_words(rng: np.random.Generator) -> Callable[[int], np.ndarray]:
    """Return the words of `rng` in the first process, and of a generator derived from it in a forked process."""
    drawn_in, stream = process(), _derived(rng)

    def draw(count: int) -> np.ndarray:
        nonlocal drawn_in, stream
        if drawn_in is not process():  # a fork happened since the last draw, and the parent has the same state
            drawn_in, stream = process(), _derived(stream)
        return stream.integers(0, 1 << 64, count, dtype=np.uint64)

    return draw


def _derived(rng: np.random.Generator) -> np.random.Generator:
    """Return `rng` in the first process; in a forked one, a generator seeded by its next words and by `process()`."""
    return np.random.default_rng([*rng.integers(0, 1 << 63, 4).tolist(), *process()]) if process() else rng


@cache
def _gaussian_table(sigma: float) -> np.ndarray:
    """Return round(sigma Phi^-1(u)) for i / 2^16 <= u <= (i + 1) / 2^16, as int8; `_UNDECIDED` where it is not constant."""
    # the clip keeps Phi^-1 finite at 0 and 1; Phi^-1 rises, so equal ends mean a constant value between them
    ends = np.rint(sigma * ndtri(np.clip(np.arange((1 << 16) + 1) * 2.0**-16, 2.0**-53, 1 - 2.0**-53)))
    return np.where(ends[:-1] == ends[1:], ends[:-1], _UNDECIDED).astype(np.int8)


def _looked_up(table: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the entries of a table at places `first`, and where they are undecided."""
    if not row_sums.available():
        e = table.take(first)
        return e, np.flatnonzero(e == _UNDECIDED)
    e, undecided = np.empty(len(first), table.dtype), np.empty(len(first), np.intp)
    return e, undecided[: row_sums.compiled(look_up)(e, undecided, table, first)]


def look_up(e: np.ndarray, undecided: np.ndarray, table: np.ndarray, first: np.ndarray) -> int:
    """Write table[first] to e and the places of undecided entries to `undecided`; return how many these are."""
    count = 0
    for i in range(len(first)):
        e[i] = table[first[i]]
        if e[i] == _UNDECIDED:
            undecided[count] = i
            count += 1
    return count


def _shake_words(seed: bytes) -> Callable[[int], np.ndarray]:
    """Return the word stream of SHAKE-128 in counter mode: block i is SHAKE-128(seed || i)."""
    buffer = bytearray()
    counter = 0

    def draw(count: int) -> np.ndarray:
        nonlocal counter
        while len(buffer) < 8 * count:
            block = hashlib.shake_128(seed + counter.to_bytes(8, "little"))
            buffer.extend(block.digest(_SHAKE_BLOCK_BYTES))
            counter += 1
        taken = np.frombuffer(bytes(buffer[: 8 * count]), dtype="<u8").astype(np.uint64)
        del buffer[: 8 * count]
        return taken

    return draw


def for_key(experimental: bool, rng: np.random.Generator | None, bulk: bool = False) -> Randomness:
    """Return the stream for masks, noise and pads under a key.  A seeded stream under a real key raises `ParameterError`."""
    if rng is not None and not experimental:
        raise ParameterError(
            "masks that repeat would show a real key: leave out rng, or make an experimental owner, Owner(..., rng=rng)"
        )
    return Randomness.in_bulk() if bulk and rng is None else Randomness(rng)
