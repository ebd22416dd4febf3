"""Scores for files: many of them share one ciphertext of FV or YASHE.

The plaintext of a number leaves most coefficients of its polynomial empty.  It fills those from X^-low to X^high, which the
bounds of an array tell in public: one coefficient for a number at a scale, its digits in the fractional encoding.  So

    sum_i X^(i S) c_i,    S = low + high + 1,

holds N / S ciphertexts c_i side by side.  A product with a power of X only moves coefficients, so the bounds on plaintexts stay
and noises add.  The owner decrypts the sum once and takes each number out of its window.  Slots are full already, so arrays in
slots stay as they are.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from encnn.arithmetic.negacyclic import monomial_product
from encnn.errors import FileError
from encnn.files.schema import Count, check_array, describe, parse
from encnn.schemes.rings import storage
from encnn.schemes.rings.array import Bounds, RingArray, RingContext
from encnn.schemes.rings.parameters import RingParameters

_TOGETHER = 128
"""Plaintexts that are taken out of their windows together."""


@dataclass(frozen=True)
class PackedRows:
    """Scores as their owner reads them from a file; nothing is computed with them."""

    blocks: RingArray  # a ciphertext for each `together` plaintexts, with the bounds of each
    shape: tuple[int, ...]  # (rows, width)

    @property
    def context(self) -> RingContext:
        """The name of the key, and its parameters."""
        return self.blocks.context

    @property
    def nbytes(self) -> int:
        """Bytes of the ciphertexts."""
        return self.blocks.nbytes

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    @cached_property
    def plaintexts(self) -> int:
        """The number of plaintexts: one for each row, or for each number."""
        return plaintexts_of(self.blocks.parameters, self.shape)

    @property
    def together(self) -> int:
        """The number of plaintexts in a ciphertext, as equal as it can be."""
        return -(-self.plaintexts // len(self.blocks))


def plaintexts_of(p: RingParameters, shape: tuple[int, ...]) -> int:
    """Return the number of plaintexts of an array of this shape."""
    return math.prod(shape if p.encoder.per_number else shape[:-1])


def room(p: RingParameters, width: int, b: Bounds) -> int:
    """Return how many plaintexts with these bounds one polynomial holds."""
    return 1 if p.encoding == "slots" else p.N // _window(p, width, b)[1]


def _window(p: RingParameters, width: int, b: Bounds) -> tuple[int, int]:
    """Return (low, S): a plaintext fills S coefficients, from X^-low on."""
    low, high = (b.low, b.high) if p.encoder.per_number else (0, width - 1)
    low = max(low, 0)
    return low, low + max(high, 0) + 1


def pack(a: RingArray) -> RingArray | PackedRows:
    """Return scores, shape (rows, width), packed as far as room and noise allow.  Noises add."""
    p, b = a.parameters, a.bounds
    together = min(room(p, a.width, b), int(0.49 / b.noise) if b.noise else p.N)
    if len(a.shape) != 2 or together < 2 or b.degree != 1:
        return a
    polynomials = a.residues().reshape(-1, *a.data.shape[-3:])
    together = -(-len(polynomials) // -(-len(polynomials) // together))  # as equal as it can be
    S = _window(p, a.width, b)[1]
    sums = np.stack([_sum(p, polynomials[i : i + together], S) for i in range(0, len(polynomials), together)])
    blocks = RingArray(sums, a.context, a.width, replace(b, noise=together * b.noise))
    return PackedRows(blocks, a.shape)


def _sum(p: RingParameters, polynomials: np.ndarray, S: int) -> np.ndarray:
    """Return sum_i X^(i S) c_i, residues of shape (parts, k, N)."""
    total = np.zeros(polynomials.shape[1:], np.int64)
    for i, c in enumerate(polynomials.view(np.int64)):
        total += monomial_product(c, i * S)  # at most N <= 2^16 numbers below 2^30
    return np.mod(total, p.cipher_ring.p.astype(np.int64)).view(np.uint64)


def unpacked(c: PackedRows, m: np.ndarray) -> Iterator[np.ndarray]:
    """Yield some plaintexts at a time, residues of shape (few, k_t, N), of decrypted blocks, shape (blocks, k_t, N)."""
    p = c.blocks.parameters
    low, S = _window(p, c.blocks.width, c.blocks.bounds)
    j, primes = np.arange(-low, S - low), p.plain_ring.p
    for first in range(0, c.plaintexts, _TOGETHER):
        i = np.arange(first, min(first + _TOGETHER, c.plaintexts))[:, None]
        place = i % c.together * S + j  # negative only for the first plaintext of a block, whose window wraps around
        found = m[i // c.together, :, place % p.N].swapaxes(1, 2)
        turned = ((j < 0) & (place >= 0))[:, None]  # back at its place, X^j is -X^(N + j)
        alone = np.zeros((len(i), *m.shape[1:]), np.uint64)
        alone[..., j % p.N] = np.where(turned, (primes - found) % primes, found)
        yield alone


# -- files


@dataclass(frozen=True)
class PackedRowsHeader:
    """What a file says of packed scores."""

    bounds: Bounds  # of the plaintexts, with the noise of the sums
    blocks: Count  # the number of ciphertexts


def export_rows(c: PackedRows) -> tuple[dict, np.ndarray]:
    """Return (header, uint32 residues): primes are below 2^30."""
    return describe(PackedRowsHeader(c.blocks.bounds, len(c.blocks))), c.blocks.residues().astype(np.uint32)


def restore_rows(context: RingContext, parts: int, header: object, data: np.ndarray, shape: tuple[int, ...]) -> PackedRows:
    """Return the scores that `export_rows` took apart; anything else is a `FileError`."""
    p, said = context.parameters, parse(PackedRowsHeader, header, "the description of packed scores")
    storage.check_bounds(p, said.bounds)
    check_array("packed scores", data, (said.blocks, parts, p.cipher_ring.k, p.N), np.uint32)
    if not (data < p.cipher_ring.p).all():
        raise FileError("packed scores: some entries are not residues of the modulus; get a new file from its sender")
    found = PackedRows(RingArray(data.astype(np.uint64), context, shape[-1], said.bounds), shape)
    if found.together > room(p, shape[-1], said.bounds) or -(-found.plaintexts // found.together) != said.blocks:
        raise FileError(f"{said.blocks} ciphertexts of {p.name!r} cannot hold scores of shape {shape}; get a new file")
    return found
