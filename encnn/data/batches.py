"""Mini-batches of plaintext features, and their two products with a network's weights.

With X of shape (B, features) a network needs X W (the rows of W, pooled per review) and W -= X^T G (the update, spread over
the rows).  Both are products of *plain* numbers with the entries of W, which are floats or the integers of ciphertexts.  So
they are written once here, for every scheme that keeps W as rows of a numpy array.  If every entry of X is one and the rows are
ciphertexts, `arithmetic.row_sums` computes them, with equal results.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array, hstack

from encnn.arithmetic import row_sums
from encnn.data.fingerprints import BIAS, fingerprint_of, marked
from encnn.data.inputs import Features, features_of
from encnn.errors import DataError

TrainingFeatures: TypeAlias = "Features | Conditioned"
"""Features as a trainer may pass them."""

Entries: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""Sparse rows: columns, where each row begins among them (and where the last ends), and the numbers (None: all are 1)."""


@dataclass(frozen=True, eq=False)
class Conditioned:
    """Sparse features whose reviews and steps the trainer scales, in public: a preconditioner.

    A network of one layer then learns  W_i -= m_i x_i rate / s (sigmoid(z / s) - y),  with z = x W as before.
    """

    X: csr_array  # features, shape (reviews, features)
    multipliers: np.ndarray | None = None  # m, a whole number >= 1 per feature; rare ones may take larger steps; None: 1
    widths: np.ndarray | None = None  # s, one per review, since long reviews reach larger scores; None: 1

    def __post_init__(self) -> None:
        """Raise `DataError` for scales that do not fit the features."""
        object.__setattr__(self, "X", features_of(self.X))
        reviews, features = self.X.shape
        m, s = self.multipliers, self.widths
        if isinstance(self.X, np.ndarray):
            raise DataError("dense features are not conditioned; scale them, or pass a csr_array")
        if m is not None and (m.shape != (features,) or m.dtype.kind not in "iu" or (m < 1).any()):
            raise DataError(f"multipliers must be {features} whole numbers from 1 on; these are {m.dtype} of shape {m.shape}")
        if s is not None and (s.shape != (reviews,) or not (np.isfinite(s) & (s > 0)).all()):
            raise DataError(f"widths must be {reviews} numbers above 0; these are {s.dtype} of shape {s.shape}")

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the features."""
        return self.X.shape

    @property
    def ndim(self) -> int:
        """Return 2."""
        return 2

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint of the features, or None."""
        return getattr(self.X, "fingerprint", None)

    def __getitem__(self, rows: slice | np.ndarray) -> "Conditioned":
        """Return some of the reviews."""
        return Conditioned(self.X[rows], self.multipliers, None if self.widths is None else self.widths[rows])

    def parts(self) -> list[np.ndarray]:
        """Return all arrays of these features."""
        return [a for a in (self.X.data, self.X.indices, self.X.indptr, self.multipliers, self.widths) if a is not None]


def training_features(X: TrainingFeatures, columns: int) -> TrainingFeatures:
    """Return what `features_of` returns; conditioned features come back as they are."""
    if isinstance(X, Conditioned):
        features_of(X.X, columns)
        return X
    return features_of(X, columns)


class _Plain:
    """What all batches without conditioning share."""

    __slots__ = ()

    @property
    def widths(self) -> np.ndarray | None:
        """The widths of the reviews, shape (B,), if the features give them."""
        return None

    def updating(self) -> "Batch":
        """Return the features that spread an update over the rows: the same as for scores."""
        return self  # type: ignore[return-value]


class OneReview(_Plain):
    """One row of ones at `indices`, the words of one review.  Per-review training makes many, so it is kept small."""

    __slots__ = ("indices",)

    def __init__(self, indices: np.ndarray) -> None:
        self.indices = indices

    def __len__(self) -> int:
        """Return 1."""
        return 1

    def inverse_counts(self) -> float:
        """Return 1 / (number of words); 1 for a review without words."""
        return 1.0 / max(len(self.indices), 1)

    def is_whole(self) -> bool:
        """Return True: the row holds ones."""
        return True

    def largest_row(self) -> float:
        """Return the number of words: the factor by which a pooled row can exceed a row of W."""
        return float(len(self.indices))

    def largest_column(self) -> float:
        """Return 1: the factor by which an update can exceed a row of G."""
        return 1.0

    def entries(self) -> "Entries":
        """Return (columns, pointers, None): the row holds ones."""
        return self.indices, _pointers(len(self.indices)), None

    def gather(self, W: np.ndarray) -> np.ndarray:
        """Return the sum of the rows of W, shape (1, k)."""
        if row_sums.worthwhile(W):
            return row_sums.gather(W, self.indices, _pointers(len(self.indices)))
        # for few rows, a product with ones takes half the time of a sum
        return _ones(len(self.indices), W.dtype).dot(W.take(self.indices, axis=0))

    def scatter_subtract(self, W: np.ndarray, G: np.ndarray) -> None:
        """Subtract G, of shape (1, k), from the rows of W in place."""
        if row_sums.worthwhile(W):
            row_sums.scatter_subtract(W, self.indices, _pointers(len(self.indices)), G)
        else:
            _subtract_rows(W, self.indices, G)


class SparseBatch(_Plain):
    """Rows of a sparse matrix; `values` is None when every stored entry is one, and `columns` if only the named ones count.

    Both products use only the rows of W that the batch uses, which are renumbered once for both.  One pass copies these rows
    out of a large W, and another writes the update back.
    """

    __slots__ = ("_renumbered", "columns", "indices", "indptr", "values")

    def __init__(self, indices: np.ndarray, indptr: np.ndarray, values: np.ndarray | None, columns: int | None) -> None:
        self.indices, self.indptr, self.values, self.columns = indices, indptr, values, columns
        self._renumbered: tuple[np.ndarray, csr_array] | None = None

    def __len__(self) -> int:
        """Return the number of reviews."""
        return len(self.indptr) - 1

    def inverse_counts(self) -> np.ndarray:
        """Return the factors that turn sums into means, shape (B, 1): 1 / sum of the row, 1 for empty rows."""
        counts = self._row_sums()
        return 1.0 / np.where(counts > 0, counts, 1)[:, None]

    def is_whole(self) -> bool:
        """Return whether the entries are of an integer type, so that products with integers are exact."""
        return self.values is None or self.values.dtype.kind in "iub"

    def largest_row(self) -> float:
        """Return the largest row sum of |X|: the factor by which a pooled row can exceed a row of W."""
        return float(self._row_sums().max())

    def largest_column(self) -> float:
        """Return a bound on the column sums of |X|: the factor by which an update can exceed a row of G."""
        return float(len(self)) if self.values is None else float(np.abs(self.values).sum())

    def entries(self) -> "Entries":
        """Return (columns, pointers, values) of the stored entries."""
        return self.indices, self.indptr, self.values

    def gather(self, W: np.ndarray) -> np.ndarray:
        """Return X W, shape (B, k); integers stay exact integers when X is made of ones or of integers."""
        if self.values is None and row_sums.worthwhile(W):
            return row_sums.gather(W, self.indices, self.indptr)
        used, X = self._over_used_rows()
        return X @ W.take(used, axis=0)

    def scatter_subtract(self, W: np.ndarray, G: np.ndarray) -> None:
        """Do W -= X^T G in place, for the rows that the batch uses; the update is rounded when W holds integers."""
        if self.values is None and row_sums.worthwhile(W):
            row_sums.scatter_subtract(W, self.indices, self.indptr, G)
            return
        used, X = self._over_used_rows()
        _subtract_rows(W, used, _like(W, X.T @ G))

    def _over_used_rows(self) -> tuple[np.ndarray, csr_array]:
        """Return the rows of W that the batch uses, and X with only their columns."""
        if self._renumbered is None:
            columns = self.columns or int(self.indices.max(initial=0)) + 1
            used, local = _renumber(self.indices, columns)
            values = np.ones(len(local), np.uint8) if self.values is None else self.values  # products keep the type of W
            self._renumbered = used, csr_array((values, local, self.indptr), shape=(len(self), len(used)))
        return self._renumbered

    def _row_sums(self) -> np.ndarray:
        """Return the row sums of |X|, shape (B,)."""
        if self.values is None:
            return self.indptr[1:] - self.indptr[:-1]
        return abs(self._over_used_rows()[1]).sum(axis=1)


class ConditionedBatch(SparseBatch):
    """Rows of a sparse matrix, with multipliers for the steps of features and widths of reviews."""

    __slots__ = ("_multipliers", "_widths")

    def __init__(self, plain: SparseBatch, multipliers: np.ndarray | None, widths: np.ndarray | None) -> None:
        super().__init__(plain.indices, plain.indptr, plain.values, plain.columns)
        self._multipliers, self._widths = multipliers, widths

    @property
    def widths(self) -> np.ndarray | None:
        """The widths of the reviews, shape (B,), or None."""
        return self._widths

    def updating(self) -> SparseBatch:
        """Return the features times the multipliers."""
        if self._multipliers is None:
            return SparseBatch(self.indices, self.indptr, self.values, self.columns)
        factors = self._multipliers[self.indices]
        return SparseBatch(self.indices, self.indptr, factors if self.values is None else factors * self.values, self.columns)


class DenseBatch(_Plain):
    """Rows of a dense matrix, shape (B, features)."""

    __slots__ = ("X",)

    def __init__(self, X: np.ndarray) -> None:
        self.X = X

    def __len__(self) -> int:
        """Return the number of reviews."""
        return len(self.X)

    def inverse_counts(self) -> np.ndarray:
        """Return 1: a dense row has no words to take the mean of."""
        return np.ones((1, 1))

    def is_whole(self) -> bool:
        """Return whether the entries are of an integer type, so that products with integers are exact."""
        return self.X.dtype.kind in "iub"

    def largest_row(self) -> float:
        """Return the largest row sum of |X|."""
        return float(np.abs(self.X).sum(axis=1).max())

    def largest_column(self) -> float:
        """Return the largest column sum of |X|."""
        return float(np.abs(self.X).sum(axis=0).max())

    def entries(self) -> "Entries":
        """Return (columns, pointers, values) of the entries that are not zero."""
        sparse = csr_array(self.X)
        return sparse.indices, sparse.indptr, sparse.data

    def gather(self, W: np.ndarray) -> np.ndarray:
        """Return X W, shape (B, k)."""
        return self.X @ W

    def scatter_subtract(self, W: np.ndarray, G: np.ndarray) -> None:
        """Do W -= X^T G in place; the update is rounded when W holds integers."""
        W -= _like(W, self.X.T @ G)


Batch = OneReview | SparseBatch | DenseBatch


def batches(X: TrainingFeatures, size: int) -> Iterator[tuple[slice, Batch]]:
    """Yield (rows, batch) over X from the first review to the last, `size` reviews per batch."""
    cut, reviews = cutter(X), X.shape[0]
    for start in range(0, reviews, size):
        stop = min(start + size, reviews)
        yield slice(start, stop), cut(start, stop)


def cutter(X: TrainingFeatures) -> Callable[[int, int], Batch]:
    """Return a function that cuts rows start..stop out of X; it prepares X once, so that a cut takes little time."""
    if isinstance(X, Conditioned):
        return _conditioned_maker(X)
    return _dense_maker(X) if isinstance(X, np.ndarray) else _sparse_maker(X)


def _conditioned_maker(X: Conditioned) -> Callable[[int, int], Batch]:
    make = _sparse_maker(X.X)

    def conditioned(start: int, stop: int) -> Batch:
        columns, pointers, values = make(start, stop).entries()
        widths = None if X.widths is None else X.widths[start:stop]
        return ConditionedBatch(SparseBatch(columns, pointers, values, X.shape[1]), X.multipliers, widths)

    return conditioned


def _dense_maker(X: np.ndarray) -> Callable[[int, int], Batch]:
    return lambda start, stop: DenseBatch(X[start:stop])


def _sparse_maker(X: csr_array) -> Callable[[int, int], Batch]:
    """Return a function that cuts rows start..stop out of X; it converts index arrays once, not once per review."""
    if not X.has_canonical_format:  # a word that is stored twice would be updated only once
        X = X.copy()
        X.sum_duplicates()
    indices, bounds = X.indices.astype(np.intp, copy=False), X.indptr.tolist()
    values = None if (X.data == 1).all() else X.data
    if len(indices) and not 0 <= indices.min() <= indices.max() < X.shape[1]:
        raise DataError(f"a review names feature {indices.max()} of {X.shape[1]}; build the matrix with its own vocabulary")

    def make(start: int, stop: int) -> Batch:
        words = slice(bounds[start], bounds[stop])
        if values is None and stop - start == 1:
            return OneReview(indices[words])
        pointers = (X.indptr[start : stop + 1] - bounds[start]).astype(np.int32)  # the type of the renumbered columns
        return SparseBatch(indices[words], pointers, None if values is None else values[words], X.shape[1])

    return make


def split_rows(batch: Batch, most: int) -> tuple[SparseBatch, np.ndarray]:
    """Return the rows of a batch cut into parts with sums of |x| up to `most`, and the number of parts of each row (int64).

    The rows of the result are the parts, row after row; they add up to the rows of the batch.  Imagine the entries of a row
    side by side on a line, each as long as its |x|.  The line is cut at every multiple of `most`.  An entry across a cut is
    shared by two parts or more.  A row without entries is one part.
    """
    if isinstance(batch, OneReview) or (isinstance(batch, SparseBatch) and batch.values is None):
        return _split_ones(batch, most)
    indices, values, pointers, columns = _entries(batch)
    lengths = np.diff(pointers)
    ends = np.cumsum(np.abs(values))  # one line for all rows at first
    before = np.concatenate([[0], ends])[pointers]  # where each row begins on that line
    counts = np.maximum(np.ceil((before[1:] - before[:-1]) / most).astype(np.int64), 1)
    ends = ends - np.repeat(before[:-1], lengths)  # each row now begins at 0, since cuts are counted per row
    starts = ends - np.abs(values)
    cut = (starts // most).astype(np.int64)  # the part, within its row, in which each entry begins
    # An entry that spans several parts becomes one piece per part; an entry of value 0 stays one piece.
    pieces = np.maximum(np.ceil(ends / most).astype(np.int64) - cut, 1)
    # Pieces of an entry lie in consecutive parts: its first part, plus the index of the piece within the entry.
    cut = np.repeat(cut - np.cumsum(pieces) + pieces, pieces) + np.arange(pieces.sum())
    # A piece is what the entry and its part have in common on the line.
    sizes = np.minimum(np.repeat(ends, pieces), (cut + 1) * most) - np.maximum(np.repeat(starts, pieces), cut * most)
    # Numbered over all rows, parts become the rows of the result; pieces are already in their order.
    part = np.repeat(np.repeat(np.cumsum(counts) - counts, lengths), pieces) + cut
    bounds = np.concatenate([[0], np.cumsum(np.bincount(part, minlength=counts.sum()))]).astype(np.int32)
    shares = sizes * np.repeat(np.sign(values), pieces)
    return SparseBatch(np.repeat(indices, pieces), bounds, None if (shares == 1).all() else shares, columns), counts


def _split_ones(batch: OneReview | SparseBatch, most: int) -> tuple[SparseBatch, np.ndarray]:
    """Return what `split_rows` returns for rows of ones, of which every `most` entries are a part: only pointers are new."""
    # training cuts every review, and for few rows Python is faster than numpy
    bounds, columns = (
        ([0, len(batch.indices)], None) if isinstance(batch, OneReview) else (batch.indptr.tolist(), batch.columns)
    )
    cuts = [range(first, stop, most) or (first,) for first, stop in pairwise(bounds)]
    pointers = np.array([*chain.from_iterable(cuts), bounds[-1]], np.int32)
    return SparseBatch(batch.indices, pointers, None, columns), np.array([len(parts) for parts in cuts])


def _entries(batch: SparseBatch | DenseBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray, int | None]:
    """Return a batch's entries: their columns, values (int64 or float64), where rows begin, and the number of columns."""
    if isinstance(batch, DenseBatch):
        X = csr_array(batch.X)
        batch = SparseBatch(X.indices.astype(np.intp), X.indptr, X.data, X.shape[1])
    values = np.ones(len(batch.indices), np.int64) if batch.values is None else batch.values
    return batch.indices, values.astype(np.int64 if batch.is_whole() else np.float64), batch.indptr, batch.columns


def with_bias(X: Features) -> Features:
    """Return X with one more column, of ones; the weight of that column is a bias, which every review updates."""
    known = fingerprint_of(X)
    X = features_of(X)
    ones = np.ones((X.shape[0], 1), X.dtype)
    if isinstance(X, np.ndarray):
        return np.concatenate([X, ones], axis=1)
    wider = csr_array(hstack([X, ones], format="csr"))
    return wider if known is None or known.endswith(BIAS) else marked(wider, known + BIAS)


@cache
def _ones(count: int, dtype: np.dtype) -> np.ndarray:
    return np.ones((1, count), dtype)


@cache
def _pointers(count: int) -> np.ndarray:
    return np.array([0, count], np.int32)


def _like(W: np.ndarray, update: np.ndarray) -> np.ndarray:
    """Return the update in the type of W, rounded if W holds integers."""
    if update.dtype.kind == "f" and W.dtype.kind == "i":
        update = np.rint(update)
    return update.astype(W.dtype, copy=False)


def _subtract_rows(W: np.ndarray, indices: np.ndarray, G: np.ndarray) -> None:
    """Do W[indices] -= G for distinct indices in half numpy's time: each row is written back as one item."""
    if not W.flags.c_contiguous:
        W[indices] -= G
        return
    rows, item = W.take(indices, axis=0), _item(W.dtype, W.shape[1])
    rows -= G
    W.view(item)[:, 0][indices] = rows.view(item)[:, 0]


@cache
def _item(dtype: np.dtype, width: int) -> np.dtype:
    """Return a type whose one item is a whole row."""
    return np.dtype((np.void, dtype.itemsize * width))


def _renumber(indices: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct indices and the position of each index among them, without sorting."""
    named = np.zeros(columns, dtype=np.bool_)
    named[indices] = True
    used = np.flatnonzero(named)
    position = np.empty(columns, dtype=np.int32)
    position[used] = np.arange(len(used), dtype=np.int32)
    return used, position.take(indices)
