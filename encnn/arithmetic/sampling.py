"""Randomness: where keys, masks and noise come from.

Every distribution below is made from one stream of uniform 64-bit words.  Three streams exist:

- the operating system's entropy (the default, the only one for real keys);
- SHAKE-128 over a public seed (for public masks, of which only the seed is stored);
- a `numpy.random.Generator` that the caller passes (for experiments that must repeat; **never for real keys**: what it
  makes is marked experimental).

Noise is a rounded Gaussian: round(sigma * Phi^-1(u)) with u uniform on 2^52 midpoints
(which float64 holds exactly, so u is never 1), and so |e| <= TAIL * sigma + 1/2 always.
A scale of zero gives exact zeros, so exact tests need no other source.
"""

import hashlib
import os
from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

TAIL = 8.3
"""Largest |e| / sigma that the Gaussian can return: Phi^-1(2^-53) = -8.21, and a little more."""

_SHAKE_BLOCK_BYTES = 1 << 14


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

    def token(self) -> bytes:
        """Return 16 random bytes, for names of keys."""
        return self._words(2).tobytes()


def _system_words(count: int) -> np.ndarray:
    return np.frombuffer(bytearray(os.urandom(8 * count)), dtype=np.uint64)


def _generator_words(rng: np.random.Generator) -> Callable[[int], np.ndarray]:
    return lambda count: rng.integers(0, 1 << 64, count, dtype=np.uint64)


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
