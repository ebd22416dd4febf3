"""Randomness: where keys, masks and noise come from.

Every distribution below is made from one stream of uniform 64-bit words.  Four streams exist:

- the operating system's entropy (the default, the only one for real keys);
- OpenSSL's generator, seeded from it (`in_bulk`, for masks of messages that are drawn by the kilobyte);
- SHAKE-128 over a public seed (for public masks, of which only the seed is stored);
- a `numpy.random.Generator` that the caller passes (for experiments that must repeat; **never for real keys**: what it
  makes is marked experimental).

Noise is a rounded Gaussian: round(sigma * Phi^-1(u)) with u uniform on 2^52 midpoints
(which float64 holds exactly, so u is never 1), and so |e| <= TAIL * sigma + 1/2 always.
A scale of zero gives exact zeros, so exact tests need no other source.

**After a fork** two processes hold one state, and what both draw from it would be equal: two messages under one pad.  The
system's entropy does not repeat.  A seeded generator is replaced, in every forked process, by one that is derived from its next
words and from the process's place among the forks (`process`): the same program repeats itself, and no two of its processes
draw alike.  Whoever keeps drawn numbers for later use compares `process()` with what it was then, and draws anew.

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

from encnn.errors import ParameterError

TAIL = 8.3
"""Largest |e| / sigma that the Gaussian can return: Phi^-1(2^-53) = -8.21, and a little more."""

_SHAKE_BLOCK_BYTES = 1 << 14

_TABLE_SIGMA = 15.0
"""Up to this deviation a Gaussian fits a table of int8."""
_UNDECIDED = -128
_PACKED = 3**8
_EIGHT_TERNARY = (
    np.stack([np.arange(_PACKED) // 3**k % 3 - 1 for k in range(8)], axis=1).astype(np.int8).view(np.uint64).ravel()
)
"""The eight ternary digits of each number below 3^8, as eight bytes -1, 0, 1 in one word."""


# -- which process this is

_place: tuple[int, ...] = ()
_forks = 0


def process() -> tuple[int, ...]:
    """Return the place of this process among the forks: () at first, (2, 1) for the first child of the second child.

    Within one process it is one and the same object, so `is` compares it.
    """
    return _place


def _count_fork() -> None:
    global _forks
    _forks += 1


def _enter_child() -> None:
    global _place, _forks
    _place, _forks = (*_place, _forks), 0


if hasattr(os, "register_at_fork"):  # where there are no forks there is nothing to do
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
    def in_bulk(cls) -> "Randomness":
        """Return a real stream for what is drawn by the kilobyte and thrown away: OpenSSL's generator, ten times as fast.

        It is AES-256 in counter mode [SP800-90A], seeded by the operating system, and seeds itself anew after a fork.  Keys and
        all that lasts are drawn from the operating system directly.
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
        limit = np.uint64((1 << 64) - 1 - (1 << 64) % span)
        drawn = self._words(count)
        while (rejected := drawn > limit).any():
            drawn[rejected] = self._words(int(rejected.sum()))
        return (drawn % np.uint64(span)).astype(np.int64).reshape(shape) + low

    def gaussian(self, sigma: float, shape: tuple[int, ...]) -> np.ndarray:
        """Return int64 of `shape`, a Gaussian of standard deviation `sigma` rounded to integers."""
        u = ((self._words(int(np.prod(shape))) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
        return np.rint(sigma * ndtri(u)).astype(np.int64).reshape(shape)

    def ternary(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return int8 of `shape`, uniform in {-1, 0, 1}: eight from 16 bits, where `integers` takes 64 for each.

        16 bits are taken if they are below 9 * 3^8, nine times out of ten, so that all remainders modulo 3^8 are as likely.
        """
        count = math.prod(shape)
        kept = np.empty(0, np.uint16)
        while 8 * len(kept) < count:
            drawn = self._words(count // 28 + 4).view(np.uint16)
            kept = np.concatenate([kept, drawn[drawn < 9 * _PACKED]])
        return _EIGHT_TERNARY.take(kept % _PACKED).view(np.int8)[:count].reshape(shape)

    def small_gaussian(self, sigma: float, shape: tuple[int, ...]) -> np.ndarray:
        """Return integers of `shape` with the distribution of `gaussian`, from a quarter of its random bits.

        The first 16 bits of u decide nearly every time; only where a step of the distribution lies between two of their values
        are the other 36 drawn.  int8 for small sigma.  Numbers differ from those of `gaussian`, whose sequence is fixed.
        """
        if not 0 < sigma <= _TABLE_SIGMA:
            return self.gaussian(sigma, shape)
        count = math.prod(shape)
        first = self._words(count // 4 + 1).view(np.uint16)[:count]
        e = _gaussian_table(sigma).take(first)
        (undecided,) = np.nonzero(e == _UNDECIDED)
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
    """Return the words of `rng` itself in the first process, of a generator derived from it in a forked one."""
    drawn_in, stream = process(), _derived(rng)

    def draw(count: int) -> np.ndarray:
        nonlocal drawn_in, stream
        if drawn_in is not process():
            drawn_in, stream = process(), _derived(stream)
        return stream.integers(0, 1 << 64, count, dtype=np.uint64)

    return draw


def _derived(rng: np.random.Generator) -> np.random.Generator:
    return np.random.default_rng([*rng.integers(0, 1 << 63, 4).tolist(), *process()]) if process() else rng


@cache
def _gaussian_table(sigma: float) -> np.ndarray:
    """Return round(sigma Phi^-1(u)) for u = i / 2^16 up to (i + 1) / 2^16, int8, and `_UNDECIDED` where it is not constant."""
    ends = np.rint(sigma * ndtri(np.clip(np.arange((1 << 16) + 1) * 2.0**-16, 2.0**-53, 1 - 2.0**-53)))
    return np.where(ends[:-1] == ends[1:], ends[:-1], _UNDECIDED).astype(np.int8)


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
    """Return the stream for masks, noise and pads under a key; raise `ParameterError` for a seeded one under a real key."""
    if rng is not None and not experimental:
        raise ParameterError(
            "masks that repeat would show a real key: leave out rng, or make an experimental owner, Owner(..., rng=rng)"
        )
    return Randomness.in_bulk() if bulk and rng is None else Randomness(rng)
