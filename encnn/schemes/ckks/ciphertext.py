"""Packed arrays: real vectors in the slots of CKKS ciphertexts, and the operations that need no key.

The numbers are approximate: the noise of encryption and the rounding of every encoding stay in them and in what is decrypted.
**Decrypted numbers are for the owner only.**  Anyone who knows the exact numbers sees the noise in an approximate decryption,
and the noise gives the key (Li, Micciancio, EUROCRYPT 2021: CKKS is not IND-CPA-D).  The owner sends a trainer only fresh
encryptions (`encnn.parties.assistance.weights`), never a decrypted number.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np

from encnn.errors import CapabilityError, KeyMismatchError, ParameterError
from encnn.schemes.base import KeyContext
from encnn.schemes.ckks.packing import Packing, power_above
from encnn.schemes.ckks.parameters import CKKSParameters
from encnn.schemes.ckks.seal import SealCiphertext, SealRing, ring


@dataclass(frozen=True)
class CKKSContext(KeyContext[CKKSParameters]):
    """What all arrays of one key share."""

    packing: Packing = field(kw_only=True)  # the layout of arrays

    @property
    def ring(self) -> SealRing:
        """SEAL's ring of the parameters."""
        return ring(self.parameters)


class PackedArray:
    """Ciphertexts that stand for a vector (m,) or for rows (rows, width), laid out as in `packing`.

    `blocks` are SEAL ciphertexts; `rows` says how many rows each holds (empty for a vector).  `+` and `-` take another array of
    the same shape and key, or plain numbers or arrays; `*` takes a plain number.  Blocks are never changed, so copies share
    them.  `messages` are the bytes of fresh ciphertexts.  They hold a seed instead of the mask and so have half of the size.
    Computed arrays have no messages.
    """

    __slots__ = ("blocks", "context", "messages", "rows", "shape")
    __array_ufunc__ = None  # makes numpy leave plain array + ciphertexts to `__radd__`

    def __init__(
        self,
        blocks: Sequence[SealCiphertext],
        context: CKKSContext,
        shape: tuple[int, ...],
        rows: tuple[int, ...] = (),
        messages: tuple[bytes, ...] = (),
    ) -> None:
        self.blocks, self.context, self.shape, self.rows, self.messages = tuple(blocks), context, shape, rows, messages

    @property
    def level(self) -> int:
        """Rescalings left, in the block that has the fewest."""
        return min(map(self.context.ring.level, self.blocks))

    @property
    def nbytes(self) -> int:
        """Bytes of the ciphertexts in memory."""
        return sum(map(self.context.ring.nbytes, self.blocks))

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return self.shape[0]

    def __repr__(self) -> str:
        """Show shape, parameters and level, never entries."""
        return f"PackedArray(shape={self.shape}, parameters={self.context.parameters.name!r}, level={self.level})"

    def copy(self) -> "PackedArray":
        """Return an array that can be trained by itself."""
        return PackedArray(self.blocks, self.context, self.shape, self.rows, self.messages)

    def lowered(self, level: int) -> "PackedArray":
        """Return the same numbers with no more than `level` rescalings left: smaller, and faster to compute with."""
        ring = self.context.ring
        return self.with_blocks([ring.moved(c, min(level, ring.level(c))) for c in self.blocks])

    def smallest(self, largest_bits: int = 6) -> "PackedArray":
        """Return the same numbers at the lowest level that holds numbers up to 2^largest_bits: the shortest message."""
        ring = self.context.ring
        blocks = []
        for c in self.blocks:
            wanted = math.log2(c.scale) + largest_bits + 1
            level = next((k for k in range(ring.level(c)) if ring.bits[k] >= wanted), ring.level(c))
            blocks.append(ring.moved(c, level))
        return self.with_blocks(blocks)

    def replace(self, other: "PackedArray") -> None:
        """Take the ciphertexts of an array of the same shape and key, in place."""
        self.check_same_key(other)
        if other.shape != self.shape:
            raise ParameterError(f"an array of shape {other.shape} cannot replace one of shape {self.shape}; encrypt that one")
        self.blocks, self.rows, self.messages = other.blocks, other.rows, other.messages

    def __getitem__(self, rows: slice) -> "PackedArray":
        """Return some of the rows, in whole ciphertexts only, since cutting one would take a product."""
        ends = [0, *accumulate(self.rows)]
        start, stop, step = rows.indices(len(self)) if isinstance(rows, slice) else (-1, -1, 0)
        if step != 1 or start not in ends or stop not in ends:
            raise CapabilityError(
                f"scheme 'ckks' cuts packed rows between ciphertexts only, here at {ends}, not {rows}; train with "
                "batch_size=evaluator.batch_rows, or encrypt the labels of each mini-batch by themselves and join them by "
                "evaluator.concatenate"
            )
        chosen = slice(ends.index(start), ends.index(stop))
        kept = self.rows[chosen]
        return PackedArray(self.blocks[chosen], self.context, (stop - start, *self.shape[1:]), kept, self.messages[chosen])

    def __neg__(self) -> "PackedArray":
        """Return -v."""
        return self * -1.0

    def __add__(self, other: "PackedArray | np.ndarray | float") -> "PackedArray":
        """Return the sum; arrays of different scale cost a level (see `SealRing.sum`)."""
        return self._sum(other, subtract=False) if isinstance(other, PackedArray) else self._plus_plain(other)

    __radd__ = __add__

    def __sub__(self, other: "PackedArray | np.ndarray | float") -> "PackedArray":
        """Return the difference, as for sums."""
        return self._sum(other, subtract=True) if isinstance(other, PackedArray) else self._plus_plain(-np.asarray(other))

    def __rsub__(self, other: np.ndarray | float) -> "PackedArray":
        """Return plain - v."""
        return (-self)._plus_plain(other)

    def __mul__(self, factor: float) -> "PackedArray":
        """Return factor * v for a plain number other than 0: no level, no noise (see `SealRing.times_constant`)."""
        if isinstance(factor, PackedArray):  # type: ignore[unreachable]
            raise CapabilityError("a product of two ciphertexts needs an evaluation key: use evaluator.multiply(a, b)")
        number = float(factor)
        if not number:
            raise CapabilityError(
                "scheme 'ckks' does not multiply by 0: SEAL refuses ciphertexts that show their zero; leave the term out, or "
                "encrypt 0 anew"
            )
        return self.with_blocks(self.context.ring.times_constant(c, number) for c in self.blocks)

    __rmul__ = __mul__

    def check_same_key(self, other: "PackedArray") -> None:
        """Raise `KeyMismatchError` unless both arrays belong to one key."""
        if self.context != other.context:
            raise KeyMismatchError(
                f"ciphertexts of key {self.context.key_id} and of key {other.context.key_id} do not combine; encrypt both "
                "under one key"
            )

    def with_blocks(self, blocks: Iterable[SealCiphertext]) -> "PackedArray":
        """Return an array of the same shape with other ciphertexts."""
        return PackedArray(tuple(blocks), self.context, self.shape, self.rows)

    def packed(self, plain: np.ndarray | float) -> Iterator[np.ndarray]:
        """Yield the slots of plain numbers that broadcast to this shape, block by block, zero beyond rows and widths."""
        values = np.broadcast_to(np.asarray(plain, dtype=np.float64), self.shape)
        return packed(values, self.context.packing, self.rows)

    def _plus_plain(self, plain: np.ndarray | float) -> "PackedArray":
        if np.ndim(plain) == 0 and plain == 0:
            return self
        pairs = zip(self.blocks, self.packed(plain), strict=True)
        return self.with_blocks([self.context.ring.plus_plain(c, v) for c, v in pairs])

    def _sum(self, other: "PackedArray", subtract: bool) -> "PackedArray":
        self.check_same_key(other)
        if self.shape != other.shape or self.rows != other.rows:
            raise ParameterError(
                f"arrays of shape {self.shape} and {other.shape}, rows {self.rows} and {other.rows} in each ciphertext, do not "
                "add up; encrypt labels in the mini-batches of the run"
            )
        return self.with_blocks([self.context.ring.sum(a, b, subtract) for a, b in zip(self.blocks, other.blocks, strict=True)])


def packed(values: np.ndarray, packing: Packing, rows: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield the slots of a vector, or of rows block by block."""
    if values.ndim == 1:
        yield packing.pack(values)
        return
    for start, stop in pairwise([0, *accumulate(rows)]):
        yield packing.pack(values[start:stop])


def check_shape(shape: tuple[int, ...], packing: Packing) -> None:
    """Raise `ParameterError` unless arrays of this shape can be packed."""
    fits = len(shape) == 1 and 1 <= power_above(shape[0]) <= packing.slots
    fits |= len(shape) == 2 and shape[0] >= 1 and 1 <= shape[1] <= packing.stride
    if not fits:
        raise ParameterError(
            f"an array of shape {shape} is not packed: give a vector of up to {packing.slots} numbers, or rows of up to "
            f"{packing.stride}; wider rows need keys made for their width"
        )


def concatenate(arrays: Sequence[PackedArray]) -> PackedArray:
    """Return the arrays of rows joined along their first axis."""
    first = arrays[0]
    for other in arrays:
        first.check_same_key(other)
        if len(other.shape) != 2 or other.shape[1] != first.shape[1]:
            raise ParameterError(f"arrays of shape {first.shape} and {other.shape} are not rows of one width; join equal ones")
    blocks = [c for a in arrays for c in a.blocks]
    rows = tuple(n for a in arrays for n in a.rows)
    messages = tuple(m for a in arrays for m in a.messages)
    shape = (sum(map(len, arrays)), first.shape[1])
    return PackedArray(blocks, first.context, shape, rows, messages if len(messages) == len(blocks) else ())
