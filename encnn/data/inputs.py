"""The check of all features and labels when they enter the package, and their conversion to one form.

**Features** of shape (reviews, features) may be numpy arrays, nested lists, data frames, or any of scipy's sparse matrices.
`features_of` returns a dense array or a `csr_array`, of int64 if all entries are whole and of float64 otherwise.  Sparse
features stay sparse: their rows are bags of words, and `pooling="mean"` takes the mean over the words.  Dense features stay
dense: their rows are vectors, which have no words to count (see `data.batches`).

**Labels** are one whole number per review.  `labels_of` returns them as int64.  Words, stars and categories are mapped first,
with `mapped_labels` and a mapping from the caller.

Everything else raises a `DataError` that says what came, what was expected and what to do, in the same way for all schemes.
"""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from scipy import sparse
from scipy.sparse import csr_array

from encnn.arithmetic.checks import shown
from encnn.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Features: TypeAlias = np.ndarray | csr_array
"""Plaintext features of shape (reviews, features): dense, or sparse rows (a bag of words)."""

SparseMatrix: TypeAlias = sparse.spmatrix | sparse.sparray

LabelMapping: TypeAlias = Mapping[Any, int]
"""Which class, 0, 1, ..., a word, a number of stars or a category stands for."""

LARGEST_WHOLE = 1 << 31
"""Whole features up to this size enter as int64: sums over the words of a review then stay within 64 bits."""

MOST_ROWS = 1 << 24
"""Most rows of sparse features in formats that do not store rows: a claimed shape alone must not allocate memory."""

_EXACT = 2.0**53
_LARGEST_FLOAT = np.finfo(np.float64).max
_SEVERAL = 5


# -- features


def features_of(X: object, columns: int | None = None) -> Features:
    """Return features as a dense array or a canonical `csr_array`, of int64 or float64; `columns`, if given, is their width.

    A `csr_array` or array that needs no change is returned without a copy.  Raises `DataError` for anything but a matrix
    of finite real numbers with at least one row, for masked entries, and for sparse matrices whose indices do not fit.
    """
    if sparse.issparse(X) or _is_sparse_frame(X):
        return _sparse_rows(X, columns)
    values = _numbers("features", X)
    _check_shape(values.shape, columns)
    return _exact("features", values)


def _check_shape(shape: tuple[int, ...], columns: int | None) -> None:
    if len(shape) != 2:
        raise DataError(
            f"features have shape {shape}, expected (reviews, features); pass one row per review, for a single review "
            "x.reshape(1, -1)"
        )
    if columns is not None and shape[1] != columns:
        raise DataError(
            f"features have shape {shape}, but the network has {columns} features; make them with its own vocabulary"
        )
    if not shape[0]:
        raise DataError("there is no review to work on: features have no rows; pass at least one")


def _sparse_rows(X: SparseMatrix, columns: int | None) -> csr_array:
    """Return a canonical csr_array of int64 or float64, after checking every index, since scipy does not."""
    _check_shape(X.shape, columns)
    if not sparse.issparse(X):
        X = _as_coo(X.sparse, "to_coo")
    _check_structure(X)
    if X.format not in ("csr", "csc"):
        X = _as_coo(X)
        _check_within(X.row, X.shape[0], "row")
        _check_within(X.col, X.shape[1], "column")
    _check_kind("features", X.data)
    rows = _as_rows(X, _exact("features", X.data))
    return rows if _is_canonical(rows) else _without_duplicates(rows)


def _as_rows(X: SparseMatrix, values: np.ndarray) -> csr_array:
    """Return a matrix of format csr, csc or coo with these values as a csr_array; the matrix itself if nothing changes."""
    if X.format != "csr":
        other = copy.copy(X)
        other.data = values  # before the conversion, since scipy cannot convert every type
        return csr_array(other.tocsr())
    if values is X.data and isinstance(X, csr_array) and X.indptr[-1] == len(values):
        return X
    return csr_array((values, X.indices, X.indptr), shape=X.shape)


def _check_structure(X: SparseMatrix) -> None:
    """Raise `DataError` unless a sparse matrix's arrays fit each other, so that scipy's compiled code stays within them."""
    if X.format != "csr" and X.shape[0] > MOST_ROWS:
        raise DataError(
            f"sparse features have {X.shape[0]} rows in format {X.format!r}; pass X.tocsr(), or fewer rows at a time"
        )
    if X.format in ("csr", "csc", "bsr"):
        height, width = X.shape if X.format != "csc" else X.shape[::-1]
        block = X.blocksize if X.format == "bsr" else (1, 1)
        _check_compressed(X.data, X.indices, X.indptr, height // block[0], width // block[1], X.format)
    elif X.format == "lil" and [len(r) for r in X.rows] != [len(d) for d in X.data]:
        raise _corrupt("its rows name other numbers of columns than of values")
    elif X.format == "coo" and not len(X.row) == len(X.col) == len(X.data):
        raise _corrupt("it has other numbers of indices than of values")


def _check_compressed(data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, height: int, width: int, form: str) -> None:
    if not all(isinstance(a, np.ndarray) and a.dtype.kind in "iu" and a.ndim == 1 for a in (indices, indptr)):
        raise _corrupt("its indices and pointers are not whole numbers in one row")
    if len(indptr) != height + 1 or indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():
        raise _corrupt(f"indptr must be {height + 1} numbers that start at 0 and never fall")
    if not indptr[-1] <= len(indices) == len(data) or (form != "bsr" and data.ndim != 1):
        raise _corrupt(f"indptr ends at {indptr[-1]}, with {len(indices)} indices and {len(data)} values")
    _check_within(indices, width, "row" if form == "csc" else "column")


def _check_within(indices: np.ndarray, size: int, what: str) -> None:
    """Raise `DataError` unless all indices lie from 0 to below `size`."""
    if len(indices) and not 0 <= (low := indices.min()) <= (high := indices.max()) < size:
        raise _corrupt(f"an entry names {what} {low if low < 0 else high} of {size}")


def _corrupt(what: str) -> DataError:
    return DataError(f"the sparse features are not a matrix: {what}; build them again, with the network's own vocabulary")


def _as_coo(X: object, method: str = "tocoo") -> SparseMatrix:
    try:
        return getattr(X, method)()
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise _corrupt(f"scipy cannot read it ({error})") from error


def _is_canonical(X: csr_array) -> bool:
    """Return whether the columns of each row rise; this checks again, since scipy's cached answer may be old."""
    rising = X.indices[1:] > X.indices[:-1]
    if rising.all():
        return True
    starts = X.indptr[1:-1]  # where a row begins, columns may fall
    rising[starts[(starts > 0) & (starts < len(X.indices))] - 1] = True
    return bool(rising.all())


def _without_duplicates(X: csr_array) -> csr_array:
    """Return the same matrix with sorted columns, once each per row: a word stored twice would be updated only once."""
    fresh = csr_array((X.data.copy(), X.indices.copy(), X.indptr.copy()), shape=X.shape)
    fresh.sum_duplicates()
    return fresh


def _is_sparse_frame(X: object) -> bool:
    """Return whether this is a data frame whose columns are all sparse."""
    if not _is_pandas(X):
        return False
    import pandas as pd  # here and not above: whoever has a frame has imported it already

    return isinstance(X, pd.DataFrame) and X.shape[1] > 0 and all(isinstance(dtype, pd.SparseDtype) for dtype in X.dtypes)


# -- labels


def labels_of(y: object, reviews: int | None = None, outputs: int = 1) -> np.ndarray:
    """Return labels as int64 of shape (reviews,): 0 or 1 for one output, else class numbers from 0 to outputs - 1.

    Arrays, lists, tuples, ranges and Series of whole numbers (also as floats) or booleans are taken, a Series by position.
    Raises `DataError` for everything else, also for a column of shape (n, 1): a comparison with it would give a square.
    """
    values = _numbers("labels", y)
    if values.ndim != 1:
        raise DataError(
            f"labels have shape {values.shape}, expected (reviews,): one label per review; pass y.ravel() for a column"
        )
    if reviews is not None and len(values) != reviews:
        raise DataError(
            f"labels have shape {values.shape}, expected {(reviews,)}: one label per review, in the order of the reviews"
        )
    classes = max(outputs, 2)
    wrong = ~np.isin(values, np.arange(classes))
    if wrong.any():
        raise DataError(_other_classes(np.unique(values[wrong]), outputs, classes))
    return values.astype(np.int64)


def mapped_labels(y: object, mapping: LabelMapping) -> np.ndarray:
    """Return the class numbers, int64 of shape (reviews,), that a stated mapping gives to words, stars or categories.

    >>> mapped_labels(["good", "bad", "good"], {"bad": 0, "good": 1})
    array([1, 0, 1])
    """
    if not isinstance(mapping, Mapping) or not mapping:
        raise DataError(f"the mapping of labels is {shown(mapping)}; expected a dict such as {{'negative': 0, 'positive': 1}}")
    numbers = labels_of(list(mapping.values()), outputs=max(2, len(mapping)))
    if isinstance(y, str) or not hasattr(y, "__iter__"):
        raise DataError(f"labels are {shown(y)}; expected one label per review")
    if getattr(y, "ndim", 1) != 1 or isinstance(y, Mapping):
        raise DataError(f"labels are of type {type(y).__name__}, expected one label per review; pass a single column")
    found: list[int] = []
    to = dict(zip(mapping, numbers.tolist(), strict=True))
    for row, label in enumerate(y):
        if not isinstance(label, str | int | float | np.generic) or label not in to:
            raise DataError(f"label {row} is {shown(label)}, which the mapping does not name; add it to {shown(list(mapping))}")
        found.append(to[label])
    return np.array(found, np.int64)


def _other_classes(found: np.ndarray, outputs: int, classes: int) -> str:
    several = ", ".join(f"{v:g}" for v in found[:_SEVERAL])
    advice = "map them by encnn.data.mapped_labels(y, {...})"
    if outputs == 1:
        advice += ", take one class against the rest (y == 2), or a network with outputs=k for k classes"
    return f"labels must be whole numbers from 0 to {classes - 1}; found {several}: {advice}"


def is_plain(y: object) -> bool:
    """Return True for plain labels, which `labels_of` checks, and False for encrypted or kept targets."""
    return not hasattr(y, "shape") or hasattr(y, "__array__") or sparse.issparse(y)


# -- both


def _numbers(what: str, data: Any) -> np.ndarray:
    """Return plain real numbers of any shape as an array, not yet checked for size."""
    if sparse.issparse(data):
        raise DataError(f"{what} are a sparse matrix of shape {data.shape}; pass an array: y.toarray().ravel()")
    if isinstance(data, np.ma.MaskedArray):
        if np.ma.is_masked(data):
            raise DataError(f"{np.ma.count_masked(data)} {what} are masked; fill in or drop the missing ones")
        data = data.data
    if _is_pandas(data):
        data = _from_pandas(what, data)
    if not hasattr(data, "__array__") and not isinstance(data, list | tuple | range):
        raise DataError(f"{what} are of type {type(data).__name__}; expected an array, a list or a data frame")
    try:
        values = np.asarray(data)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{what} are not an array of numbers ({error}); give every row the same length") from error
    values = values if type(values) is np.ndarray else values.view(np.ndarray)  # not numpy.matrix, whose * is a matrix product
    _check_kind(what, values)
    return values


def _check_kind(what: str, values: np.ndarray) -> None:
    """Raise `DataError` unless the entries are finite real numbers."""
    if values.dtype.kind not in "biuf":
        hint = "map words to numbers first, by encnn.data.mapped_labels(y, {...})" if what == "labels" else "encode them first"
        first = shown(values.ravel()[:1].tolist()[0]) if values.size else "none"
        raise DataError(f"{what} are of type {values.dtype}, such as {first}; expected real numbers: {hint}")
    if values.dtype.kind == "f" and not (np.abs(values) <= _LARGEST_FLOAT).all():
        bad = values[~(np.abs(values) <= _LARGEST_FLOAT)]
        raise DataError(f"{len(bad)} {what} are {bad[0]}; expected finite numbers: fill in or drop what is missing or infinite")


def _exact(what: str, values: np.ndarray) -> np.ndarray:
    """Return finite real numbers as int64 where all are whole and below `LARGEST_WHOLE`, else as float64.

    Products of whole numbers are exact in every scheme, and schemes with a modulus take only whole numbers.
    """
    if values.dtype.kind == "f":
        values = values.astype(np.float64, copy=False)
        return values.astype(np.int64) if _all_whole(values) else values
    if not values.size or (values.min() >= -LARGEST_WHOLE and values.max() <= LARGEST_WHOLE):
        return values.astype(np.int64, copy=False)
    if max(abs(float(values.min())), abs(float(values.max()))) > _EXACT:
        raise DataError(f"{what} reach {values.max()}, beyond the whole numbers that float64 holds; scale them down")
    return values.astype(np.float64)


def _all_whole(values: np.ndarray) -> bool:
    if values.size and values.flat[0] != np.rint(values.flat[0]):
        return False  # most fractions are found at once
    return bool((np.rint(values) == values).all() and (np.abs(values) <= LARGEST_WHOLE).all())


def _is_pandas(data: object) -> TypeGuard["pd.DataFrame | pd.Series"]:
    return type(data).__module__.partition(".")[0] == "pandas"


def _from_pandas(what: str, data: "pd.DataFrame | pd.Series") -> np.ndarray:
    """Return a frame, Series or extension array as a numpy array; refuse words, categories and missing values."""
    import pandas as pd  # here and not above: whoever has a frame has imported it already

    dtypes = dict(data.dtypes.items()) if isinstance(data, pd.DataFrame) else {getattr(data, "name", None): data.dtype}
    for name, dtype in dtypes.items():
        if not pd.api.types.is_numeric_dtype(dtype):
            where = what if name is None else f"{what} in column {name!r}"
            hint = "map them by encnn.data.mapped_labels(y, {...})" if what == "labels" else "encode them as numbers first"
            raise DataError(f"{where} are of type {dtype}; expected numbers: {hint}")
    kinds = set(dtypes.values())
    if len(kinds) == 1 and isinstance(next(iter(kinds)), np.dtype):
        return data.to_numpy()
    if np.any(pd.isna(data)):
        raise DataError(f"some {what} are missing; expected finite numbers: fill in or drop what is missing")
    return data.to_numpy(dtype=np.float64)  # columns of several types, or of pandas' own types
