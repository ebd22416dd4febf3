"""Blocks hold N numbers as the coefficients of one GLWE ciphertext, and training works on them directly.

A block is (b, a_1, ..., a_k): k+1 polynomials modulo X^N + 1 and 2^32.  The coefficients of its phase b + sum_j a_j S_j are the
numbers v_0, v_1, ... times the scale.  A number takes 4 (k+1) bytes in a block, and 4 (1 + k N) bytes as an LWE ciphertext.

    gather    sum_i x_i X^-i block, then the constant coefficient    a ciphertext of sum_i x_i v_i
    scatter   block -= sum_i x_i X^i E                               v_i -= x_i e, for a ciphertext E of the constant e

**Rows of several numbers**, such as the weights from one word to all hidden units, are neighbours in a block.  A row of `width`
numbers begins at a multiple of `stride`, the next power of two, so that no row crosses the end of a block.  Then
sum_i x_i X^-i block holds the sums of all columns in its first coefficients, and an E with several coefficients e_k changes all
columns.  So a word costs one addition of shifted blocks, however many hidden units there are.

Multiplying a block by X^i shifts it.  The coefficients that pass the end return at the beginning with the opposite sign.  So
both operations consist of additions, and add no noise but that of the ciphertexts.

    extract   the constant coefficient of a GLWE ciphertext as an LWE ciphertext    a change of order and signs
    embed     the way back: (b, 0, ..., 0) as the body, and the masks in their old order

The result of `embed` has the number in its constant coefficient and meaningless numbers elsewhere.  The trace removes those.

**A block without masks is a plaintext**, and so are sums of such blocks.  If weights had no masks, their scores would have none
either, and rotating by masks of 0 would add nothing of a key.  A network would then be trained in the open, with results that
look perfect.  `without_masks` finds such blocks, and the functions that read or train a model refuse them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from encnn.data.batches import Batch, SparseBatch
from encnn.errors import CapabilityError, KeyMismatchError, ParameterError
from encnn.schemes.base import KeyContext
from encnn.schemes.bootstrapped import engine, transform
from encnn.schemes.bootstrapped.parameters import BootstrappedParameters
from encnn.schemes.bootstrapped.shared import shared, shared_out
from encnn.schemes.integer_vector import CiphertextArray

BootstrappedContext = KeyContext[BootstrappedParameters]


@dataclass
class BlockArray:
    """Real numbers, shape (rows, *row), in blocks.  Parts of an array share its blocks."""

    data: np.ndarray  # the blocks, int32 of shape (blocks, k+1, N)
    rows: int  # how many rows there are
    context: BootstrappedContext  # the name of the key, and its parameters
    value: float  # bound on |v|, as in `CiphertextArray`
    noise: float  # bound on the noise, as in `CiphertextArray`
    places: np.ndarray | None = None  # N * block + coefficient for each row; None means 0, stride, 2 stride, ...
    seed: bytes | None = None  # expands to the masks of fresh blocks, so that files need not store them
    row: tuple[int, ...] = (1,)  # the shape of a row: (width,), or () for the numbers of a vector
    scale: float = 0.0  # the phase of 1; 0 means the scale of the parameters

    def __post_init__(self) -> None:
        """Take the scale of the parameters if none is given."""
        self.scale = self.scale or self.parameters.scale

    @property
    def parameters(self) -> BootstrappedParameters:
        """The parameter set."""
        return self.context.parameters

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the numbers it stands for."""
        return self.rows, *self.row

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return math.prod(self.row)

    @property
    def stride(self) -> int:
        """How many coefficients there are from one row to the next."""
        return stride_of(self.width)

    @property
    def nbytes(self) -> int:
        """Bytes of the blocks."""
        return self.data.nbytes

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.rows

    def __repr__(self) -> str:
        """Show shape, parameters and noise, never entries."""
        return f"BlockArray(shape={self.shape}, parameters={self.parameters.name!r}, noise<={self.noise:.3g})"

    def __getitem__(self, rows: slice | np.ndarray) -> "BlockArray":
        """Return some of the rows, in the same blocks."""
        places = self.at(np.arange(self.rows)[rows])
        return replace(self, rows=len(places), places=places, seed=None)

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Return the places of these rows."""
        return rows * self.stride if self.places is None else self.places[rows]

    def __sub__(self, other: "BlockArray") -> "BlockArray":
        """Return the difference of arrays that have the same places; noises add."""
        check_same_key(self, other)
        if (self.shape, self.scale, self.data.shape) != (other.shape, other.scale, other.data.shape) or (
            self.places is not None or other.places is not None
        ):
            raise ParameterError(
                f"{self} and {other} differ in shape, scale or places and cannot be subtracted; use arrays of the same layout"
            )
        value, noise = self.value + other.value, self.noise + other.noise
        return replace(self, data=self.data - other.data, value=value, noise=noise, seed=None)

    def entries(self) -> np.ndarray:
        """Return the places of all numbers, shape (rows, width)."""
        return self.at(np.arange(self.rows))[:, None] + np.arange(self.width)

    def copy(self) -> "BlockArray":
        """Return an array with its own blocks."""
        return replace(self, data=self.data.copy(), seed=None)

    def numbers(self) -> CiphertextArray:
        """Return one LWE ciphertext for each number: data of shape (rows, 1 + d), or (rows, width, 1 + d) for wider rows."""
        return gather(self, SparseBatch(np.arange(self.rows), np.arange(self.rows + 1), None, self.rows))


def stride_of(width: int) -> int:
    """Return how many coefficients there are from one row of `width` numbers to the next: the next power of two.

    >>> [stride_of(width) for width in (1, 3, 8)]
    [1, 4, 8]
    """
    return 1 << (width - 1).bit_length()


def blocks_for(rows: int, N: int) -> int:
    """Return how many blocks are needed for `rows` coefficients."""
    return -(-rows // N)


def without_masks(data: np.ndarray) -> np.ndarray:
    """Return which GLWE ciphertexts, shape (B, k+1, N), have no mask, so that anybody can read them."""
    return np.asarray(~data[:, 1:].any(axis=(1, 2)))


def extract(acc: np.ndarray, coefficient: int = 0) -> np.ndarray:
    """Return LWE ciphertexts of one coefficient of GLWE phases, int32 of shape (B, 1 + k N); this is sample extraction.

    X^-j moves coefficient j to the place of the constant one.  The constant coefficient of a product a S is
    (a S)_0 = a_0 S_0 - a_(N-1) S_1 - ... - a_1 S_(N-1), so the mask is (a_0, -a_(N-1), ..., -a_1).
    """
    acc = transform.monomial_product(acc, -coefficient) if coefficient else acc
    B, components, N = acc.shape
    found = np.empty((B, 1 + (components - 1) * N), acc.dtype)
    found[:, 0] = acc[:, 0, 0]
    _reflect(acc[:, 1:], found[:, 1:].reshape(B, components - 1, N))
    return found


def embed(ciphertexts: np.ndarray, N: int) -> np.ndarray:
    """Return GLWE ciphertexts, int32 (B, k+1, N), whose constant coefficients are these numbers; the others mean nothing."""
    masks = ciphertexts[:, 1:].reshape(len(ciphertexts), ciphertexts.shape[1] // N, N)
    acc = np.zeros((len(masks), 1 + masks.shape[1], N), np.int32)
    acc[:, 0, 0] = ciphertexts[:, 0]
    _reflect(masks, acc[:, 1:])
    return acc


def gather(W: BlockArray, X: Batch, threads: int = 1) -> CiphertextArray:
    """Return X W with one ciphertext per sum, in the shape of `BlockArray.numbers`.  Noises add, weighted by |X|."""
    places, pointers, factors = _entries(W, X)

    def sums(rows: slice) -> np.ndarray:
        first, stop = pointers[rows.start], pointers[rows.stop]
        return _sums(W, places[first:stop], pointers[rows.start : rows.stop + 1] - first, factors[first:stop])

    return _ciphertexts(W, shared(sums, len(X), threads), X.largest_row())


def _sums(W: BlockArray, places: np.ndarray, pointers: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return the data of one ciphertext per sum of numbers times factors."""
    sums = np.empty((len(pointers) - 1, *W.data.shape[1:]), np.int32)
    loops = engine.compiled_blocks(W.parameters.N, W.parameters.k)
    if loops is None:
        gather_numpy(W.data, places, pointers, factors, sums)
    else:
        loops.gather(W.data, places, pointers, factors, sums, W.width)
    found = [extract(sums, k) for k in range(W.width)]
    return found[0] if W.width == 1 else np.stack(found, axis=1)


def scatter_subtract(W: BlockArray, X: Batch, errors: np.ndarray, value: float, noise: float, threads: int = 1) -> None:
    """Do W -= X^T e in place.  Noises add, weighted by |X|.

    errors: GLWE ciphertexts of e, with one coefficient per number of a row and 0 elsewhere, int32 of shape (B, k+1, N).
    value, noise: bounds on each error and on its noise.  threads: they share the blocks.
    """
    places, pointers, factors = _entries(W, X)
    loops = engine.compiled_blocks(W.parameters.N, W.parameters.k)
    W.seed, weight = None, X.largest_column()
    if loops is None:
        scatter_subtract_numpy(W.data, places, pointers, factors, errors)
    else:
        shared_out(partial(loops.scatter_subtract, W.data, places, pointers, factors, errors), len(W.data), threads)
    W.value, W.noise = W.value + weight * value, W.noise + weight * noise


def gather_numpy(data: np.ndarray, places: np.ndarray, pointers: np.ndarray, factors: np.ndarray, sums: np.ndarray) -> None:
    """Write sum factor X^-place block for each row to sums, int32 of shape (B, k+1, N)."""
    N = data.shape[-1]
    for r in range(len(sums)):
        row = slice(pointers[r], pointers[r + 1])
        turned = transform.monomial_product(data[places[row] // N], -(places[row] % N)[:, None])
        sums[r] = (factors[row, None, None] * turned).sum(axis=0, dtype=np.int32)


def scatter_subtract_numpy(
    data: np.ndarray, places: np.ndarray, pointers: np.ndarray, factors: np.ndarray, errors: np.ndarray
) -> None:
    """Do block -= factor X^place errors[r] for each place of each row, in place."""
    N = data.shape[-1]
    for r in range(len(errors)):
        for t in range(pointers[r], pointers[r + 1]):
            data[places[t] // N] -= factors[t] * transform.monomial_product(errors[r], places[t] % N)


def concatenate(arrays: Sequence[BlockArray]) -> BlockArray:
    """Return the arrays joined, with the largest of their bounds.  Each keeps its own blocks."""
    for other in arrays[1:]:
        check_same_key(arrays[0], other)
    starts = arrays[0].parameters.N * np.cumsum([0, *(len(a.data) for a in arrays)])
    places = np.concatenate([first + a.at(np.arange(a.rows)) for a, first in zip(arrays, starts, strict=False)])
    in_order = (places == arrays[0].stride * np.arange(len(places))).all()
    value, noise = (max(getattr(a, bound) for a in arrays) for bound in ("value", "noise"))
    data = np.concatenate([a.data for a in arrays])
    kept = None if in_order else places
    return replace(arrays[0], data=data, rows=len(places), value=value, noise=noise, places=kept, seed=None)


def check_same_key(a: BlockArray, b: BlockArray | CiphertextArray) -> None:
    """Raise `KeyMismatchError` unless both belong to one key."""
    if a.context != b.context:
        raise KeyMismatchError(
            f"ciphertexts of key {a.context.key_id} and of key {b.context.key_id} do not combine; encrypt both under one key"
        )


def _entries(W: BlockArray, X: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (places in W, first index of each review among them, whole factors) for the entries of X."""
    columns, pointers, values = X.entries()
    factors = np.ones(len(columns), np.int32) if values is None else values.astype(np.int32)
    if values is not None and not (factors == values).all():
        raise CapabilityError(
            "scheme 'bootstrapped' multiplies by whole numbers below 2^31, not by fractions, and a feature or its multiplier "
            f"is {values[factors != values][0]:g}; use whole features (scale and round them), or the scheme 'clear'"
        )
    return np.ascontiguousarray(W.at(columns), np.int64), np.asarray(pointers, np.int64), factors


def _ciphertexts(W: BlockArray, data: np.ndarray, weight: float) -> CiphertextArray:
    bound = 2.0**31  # entries are anything modulo q
    return CiphertextArray(data, W.context, W.scale, bound, weight * W.value, weight * W.noise)


def _reflect(masks: np.ndarray, out: np.ndarray) -> None:
    """Write (a_0, -a_(N-1), ..., -a_1) for each polynomial a to out; doing it twice gives a again."""
    out[..., 0] = masks[..., 0]
    np.negative(masks[..., :0:-1], out=out[..., 1:])
