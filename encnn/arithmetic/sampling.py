"""Randomness: where keys, masks and noise come from.

Every distribution below is made from one stream of uniform 64-bit words.  Three streams exist:

- the operating system's entropy (the default, the only one for real keys);
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
"""

import hashlib
import os
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import ndtri

from encnn.errors import ParameterError

TAIL = 8.3
"""Largest |e| / sigma that the Gaussian can return: Phi^-1(2^-53) = -8.21, and a little more."""

_SHAKE_BLOCK_BYTES = 1 << 14

_TABLE_SIGMA = 15.0
"""Up to this deviation a Gaussian fits a table of int8."""
_UNDECIDED = -128
_DIGITS_OF_3 = np.stack([np.arange(243) // 3**k % 3 - 1 for k in range(5)], axis=1).astype(np.int8)
"""The five ternary digits, as -1, 0, 1, of each number below 3^5: one byte is worth five of them."""


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
        """Return int8 of `shape`, uniform in {-1, 0, 1}: five from a byte, where `integers` takes eight bytes for each."""
        count = int(np.prod(shape))
        kept = np.empty(0, np.uint8)
        while 5 * len(kept) < count:
            drawn = self._words(count // 36 + 2).view(np.uint8)
            kept = np.concatenate([kept, drawn[drawn < len(_DIGITS_OF_3)]])
        return _DIGITS_OF_3[kept].reshape(-1)[:count].reshape(shape)

    def small_gaussian(self, sigma: float, shape: tuple[int, ...]) -> np.ndarray:
        """Return integers of `shape` with the distribution of `gaussian`, from a quarter of its random bits.

        The first 16 bits of u decide nearly every time; only where a step of the distribution lies between two of their values
        are the other 36 drawn.  int8 for small sigma.  Numbers differ from those of `gaussian`, whose sequence is fixed.
        """
        if not 0 < sigma <= _TABLE_SIGMA:
            return self.gaussian(sigma, shape)
        count = int(np.prod(shape))
        first = self._words(count // 4 + 1).view(np.uint16)[:count]
        e = _gaussian_table(sigma).take(first)
        (open_,) = np.nonzero(e == _UNDECIDED)
        rest = self._words(len(open_)) >> np.uint64(28)
        e[open_] = np.rint(sigma * ndtri((first[open_] + (rest + 0.5) * 2.0**-36) * 2.0**-16))
        return e.reshape(shape)

    def token(self) -> bytes:
        """Return 16 random bytes, for names of keys."""
        return self._words(2).tobytes()


def _system_words(count: int) -> np.ndarray:
    return np.frombuffer(bytearray(os.urandom(8 * count)), dtype=np.uint64)


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


def for_key(experimental: bool, rng: np.random.Generator | None) -> Randomness:
    """Return the stream for masks, noise and pads under a key; raise `ParameterError` for a seeded one under a real key."""
    if rng is not None and not experimental:
        raise ParameterError(
            "masks that repeat would show a real key: leave out rng, or make an experimental owner, Owner(..., rng=rng)"
        )
    return Randomness(rng)
