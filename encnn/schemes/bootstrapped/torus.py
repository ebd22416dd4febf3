"""The numbers of the torus that tables read, which a layer of codes (`hidden`) computes with.

An array of numbers is int32 of shape (..., 1 + d), in units of 2^-32 of the torus.  Each number is an LWE ciphertext: a body
and d masks.  Ciphertexts add entry by entry, and a plain number is added to the body.  `simulation.SimulatedTorus` has the same
methods with d = 0: its numbers are phases in the clear, with the noise that ciphertexts would have.  So the same program trains
on ciphertexts and simulates.
"""

import math
from typing import Protocol, TypeVar

import numpy as np

from encnn.data.batches import Batch
from encnn.errors import ParameterError
from encnn.schemes.base import Encrypted
from encnn.schemes.bootstrapped import blocks
from encnn.schemes.bootstrapped.blocks import BlockArray, BootstrappedContext, extract
from encnn.schemes.bootstrapped.bootstrap import BootstrapKey, bootstrap_many, packed
from encnn.schemes.bootstrapped.codes import QUARTER
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, BootstrappedParameters
from encnn.schemes.factored import FactoredScores
from encnn.schemes.integer_vector import CiphertextArray


class Codes(Protocol):
    """Numbers that a layer keeps and passes on."""

    @property
    def data(self) -> np.ndarray:
        """The numbers, shape (..., 1 + d)."""

    def __len__(self) -> int:
        """Return the length of the first axis."""


W = TypeVar("W")
"""Weights, and labels."""
C = TypeVar("C", bound=Codes)
C_co = TypeVar("C_co", bound=Codes, covariant=True)
"""What a layer keeps: codes, and errors for rows."""
Z = TypeVar("Z")
"""Scores."""


class Torus(Protocol[W, C_co, Z]):
    """What a layer of codes needs.  `phase` is everywhere the phase of the number 1, as a fraction of the torus."""

    p: BootstrappedParameters

    def gather(self, W: W, batch: Batch) -> np.ndarray:
        """Return the sums of the rows of W for each review, shape (B, width, 1 + d)."""

    def numbers(self, a: W | Z, phase: float) -> np.ndarray:
        """Return the numbers of weights, labels or scores at this phase, shape (rows, width, 1 + d)."""

    def copies(self, a: W, count: int) -> np.ndarray:
        """Return the numbers of a packed vector `count` times, shape (count, m, 1 + d), whose reads have independent noise."""

    def read(self, x: np.ndarray, table: np.ndarray, outputs: int = 1, fine: bool = False) -> np.ndarray:
        """Return what a table gives for numbers of shape (..., 1 + d), as shape (outputs, ..., 1 + d).

        table: holds `outputs` functions whose entries alternate (`tables.interleaved`).  Its shape is (N,), or there is one
        table for each index of the first axis of x.  fine: whether to use the key with less noise, which takes longer.
        """

    def array(self, x: np.ndarray, phase: float) -> C_co:
        """Return numbers of shape (..., 1 + d) as an array that can be subtracted from rows, or kept."""

    def rows(self, x: np.ndarray, phase: float) -> Z:
        """Return numbers of shape (rows, width, 1 + d) as an array of rows."""

    def vector(self, x: np.ndarray, phase: float) -> W:
        """Return numbers of shape (m, 1 + d) as a packed vector."""

    def product_scores(self, S: np.ndarray, gains: np.ndarray, b: W) -> Encrypted:
        """Return scores S / gain * b for S of shape (B, 1, 1 + d), in quarters of the torus, and a vector of one number b."""


class EncryptedTorus:
    """Numbers in ciphertexts, with the keys that read tables."""

    def __init__(self, context: BootstrappedContext, key: BootstrapKey, threads: int = 1) -> None:
        self.context, self.key, self.threads = context, key, threads
        self.p = key.rotation.parameters

    def gather(self, W: BlockArray, batch: Batch) -> np.ndarray:
        """Return the sums of the rows of W for each review, shape (B, width, 1 + d)."""
        return self._split(blocks.gather(W, batch).data, W.width)

    def numbers(self, a: BlockArray | CiphertextArray, phase: float) -> np.ndarray:
        """Return the numbers of blocks, or of one ciphertext per number, as shape (rows, width, 1 + d).

        If their own scale is smaller than the phase, they and their noise are multiplied by a whole number, rounded down.
        """
        x = self._split(a.numbers().data, a.width) if isinstance(a, BlockArray) else a.data[:, None]
        factor = max(1, int(phase * 2.0**TORUS_BITS / a.scale))
        return x if factor == 1 else x * np.int32(factor)

    def copies(self, a: BlockArray, count: int) -> np.ndarray:
        """Return the numbers of a packed vector `count` times, shape (count, m, 1 + d).

        The noise of a read depends on the masks, so equal masks would give equal noise.  An encryption of zero is therefore
        added to every copy but the first, which gives it new masks.  The unused coefficients of the vector's block are such
        encryptions: they hold nothing but noise.
        """
        x = a.numbers().data
        if count * len(x) > self.p.N:
            raise ParameterError(
                f"{count} copies of {len(x)} numbers need more than the {self.p.N} coefficients of a block; use fewer hidden "
                "units or outputs"
            )
        zeros = [extract(a.data[:1], j) for j in range(len(x), count * len(x))]
        return x + np.concatenate([np.zeros_like(x), *zeros]).reshape(count, *x.shape)

    def read(self, x: np.ndarray, table: np.ndarray, outputs: int = 1, fine: bool = False) -> np.ndarray:
        """Return what a table gives for numbers of shape (..., 1 + d).

        A result has the noise `noise.rotation`, and the place that is read has the noise `noise.table_input`.
        """
        flat = x.reshape(-1, x.shape[-1])
        found = bootstrap_many(self.key, flat, spread(table, len(flat)), outputs, self.threads, fine)
        return np.moveaxis(found, 1, 0).reshape(outputs, *x.shape)

    def array(self, x: np.ndarray, phase: float) -> CiphertextArray:
        """Return numbers as ciphertexts."""
        return CiphertextArray(x, self.context, phase * 2.0**TORUS_BITS, 2.0 ** (TORUS_BITS - 1), math.inf, math.inf)

    def rows(self, x: np.ndarray, phase: float) -> BlockArray | CiphertextArray:
        """Return rows of one number as they are, and wider rows in blocks, which adds the noise of `trace.pack`."""
        return self.array(x[:, 0], phase) if x.shape[1] == 1 else self.packed_rows(x, phase)

    def packed_rows(self, x: np.ndarray, phase: float) -> BlockArray:
        """Return rows of numbers in blocks."""
        rows, width, length = x.shape
        padded = np.zeros((rows, blocks.stride_of(width), length), np.int32)
        padded[:, :width] = x
        return self._in_blocks(padded.reshape(-1, length), rows, (width,), phase)

    def vector(self, x: np.ndarray, phase: float) -> BlockArray:
        """Return a vector of numbers in a block, which adds the noise of `trace.pack`."""
        return self._in_blocks(x, len(x), (), phase)

    def product_scores(self, S: np.ndarray, gains: np.ndarray, b: BlockArray) -> FactoredScores:
        """Return scores as two encrypted factors, which the owner decrypts and multiplies."""
        return FactoredScores(self.array(S[:, 0], QUARTER), b.numbers(), np.array([len(S)]), gains)

    def _in_blocks(self, x: np.ndarray, rows: int, row: tuple[int, ...], phase: float) -> BlockArray:
        data = packed(self.key, x)
        return BlockArray(data, rows, self.context, math.inf, math.inf, None, None, row, phase * 2.0**TORUS_BITS)

    def _split(self, data: np.ndarray, width: int) -> np.ndarray:
        return data.reshape(len(data), width, data.shape[-1])


def spread(table: np.ndarray, count: int) -> np.ndarray:
    """Return a single table as it is, or several tables repeated to `count`, each for equally many neighbouring numbers."""
    return table if table.ndim == 1 else np.repeat(table, count // len(table), axis=0)
