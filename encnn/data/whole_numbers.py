"""Turn real numbers into small whole ones, in public.  Features multiply ciphertexts, and such factors must be whole numbers.

A number v of column i becomes

    x = (v - centre_i) / step_i,   rounded, and cut at +-largest

Unless it was cut, it is off by at most step_i / 2, which is the *stated error* of the column.  A constant column follows, the
bias.  It holds the number that stands for 1 in the other columns, so that its weight learns as fast as theirs.

Small numbers keep the noise small.  The noise of a score grows with the sums |x x'| over two reviews, while the score itself
stays the same if the numbers get larger and the weights smaller.  So a few bits are better than many
(`schemes.bootstrapped.noise`).

Centres and steps come from training data and are published with the model.  They tell the mean and the spread of each column.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from encnn.arithmetic import checks
from encnn.data.inputs import Features, features_of
from encnn.errors import DataError

WIDEST = 3.0
"""Dense numbers are cut this many standard deviations from their mean."""
MOST_BITS = 12
COUNTS = 16
"""Sparse whole numbers stay as they are if nearly all are up to this size."""
NEARLY_ALL = 0.99


@dataclass(frozen=True)
class Scaling:
    """How the columns of a table become small whole numbers."""

    centres: tuple[float, ...]  # what becomes 0 in each column
    steps: tuple[float, ...]  # all above 0
    largest: int  # numbers are cut at +-largest
    bias: int  # the number in the constant column

    def __post_init__(self) -> None:
        """Raise `DataError` unless these are a centre and a step for each column, and whole numbers from 1 on."""
        checks.check_types(self)
        steps = np.array(self.steps)
        if len(self.centres) != len(steps) or not (np.isfinite(self.centres).all() and np.isfinite(steps).all()):
            raise DataError(
                f"a scaling has {len(self.centres)} centres and {len(steps)} steps, or infinite ones; expected a finite centre "
                "and step for each column"
            )
        if not len(steps) or (steps <= 0).any() or not 1 <= self.bias <= self.largest < 1 << MOST_BITS:
            raise DataError(
                f"steps from {steps.min(initial=0):g}, largest={self.largest}, bias={self.bias}: expected steps above 0, and "
                f"1 <= bias <= largest < {1 << MOST_BITS}"
            )

    def whole(self, X: Features) -> csr_array:
        """Return numbers of shape (reviews, columns) as whole ones, with the bias: int64, shape (reviews, columns + 1)."""
        X = features_of(X, len(self.steps))
        steps, centres = np.array(self.steps), np.array(self.centres)
        if isinstance(X, np.ndarray):
            rows = csr_array(self._rounded((X - centres) / steps))
        elif centres.any():
            return self.whole(X.toarray())
        else:
            rows = csr_array((self._rounded(X.data / steps[X.indices]), X.indices, X.indptr), shape=X.shape)
        return _with_constant(rows, self.bias)

    def cut(self, X: Features) -> float:
        """Return the share of numbers that lie beyond +-largest steps, so that they are cut."""
        X = features_of(X, len(self.steps))
        dense = X if isinstance(X, np.ndarray) else X.toarray()
        return float(np.mean(np.abs(dense - self.centres) > (self.largest + 0.5) * np.array(self.steps)))

    def _rounded(self, numbers: np.ndarray) -> np.ndarray:
        return np.rint(np.clip(numbers, -self.largest, self.largest)).astype(np.int64)


def scaling_of(X: Features, bits: int) -> Scaling:
    """Return a scaling that turns training features X into whole numbers of `bits` bits, the sign included.

    Dense columns are standardised: they get their mean as centre, and `WIDEST` standard deviations are the largest number.
    Sparse columns keep their zeros: small whole numbers stay as they are, and others get one step for all columns.
    """
    checks.whole("bits", bits, 2, MOST_BITS)
    X, top = features_of(X), (1 << bits - 1) - 1
    if not isinstance(X, np.ndarray):
        return _sparse_scaling(X, top)
    deviations = X.std(axis=0)
    steps = np.where(deviations > 1e-9 * np.abs(X).max(axis=0), deviations, 1.0) * (WIDEST / top)
    return Scaling(tuple(X.mean(axis=0).tolist()), tuple(steps.tolist()), top, max(1, round(top / WIDEST)))


def _sparse_scaling(X: csr_array, top: int) -> Scaling:
    largest = float(np.quantile(np.abs(X.data), NEARLY_ALL)) if X.nnz else 0.0
    if X.data.dtype.kind == "i" and largest <= COUNTS:
        step, top, one = 1.0, COUNTS, 1
    else:
        step, one = (largest or 1.0) / top, max(1, round(top / WIDEST))
    return Scaling((0.0,) * X.shape[1], (step,) * X.shape[1], top, one)


def _with_constant(rows: csr_array, constant: int) -> csr_array:
    """Return rows with one more column that holds a constant."""
    count, columns = rows.shape
    ends = rows.indptr[1:]
    indices = np.insert(rows.indices.astype(np.int64), ends, columns)
    wider = csr_array((np.insert(rows.data, ends, constant), indices, np.arange(count + 1) + rows.indptr), (count, columns + 1))
    wider.eliminate_zeros()
    return wider
