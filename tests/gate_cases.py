"""Features and labels as people have them, good and bad, and every scheme that they enter: shared by the gate's tests."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from encnn.arithmetic.sigmoid import ExactSigmoid, Sigmoid, taylor
from encnn.network import Architecture, Help, Network, TrainingPlan
from encnn.network.training import NOBODY
from encnn.parties import EncryptedModel, Owner, Trainer
from encnn.parties.acceptance import acceptance_test
from encnn.parties.assistance.scores import Assistant, AssistedStep, DirectChannel
from encnn.schemes import ClearParameters, bootstrapped, ckks, fv, yashe
from encnn.schemes.integer_vector import COMPACT_128, PAPER

REVIEWS, WORDS = 8, 6


def bag() -> np.ndarray:
    """Return counts of words: some repeated, one review empty, one word in none."""
    X = np.random.default_rng(3).integers(0, 3, (REVIEWS, WORDS)) * (np.random.default_rng(4).random((REVIEWS, WORDS)) < 0.6)
    X[2], X[:, 3] = 0, 0
    return X


LABELS = np.array([1, 0, 1, 1, 0, 0, 1, 0])

# -- features


def shuffled_csr(X: np.ndarray) -> Any:
    """Columns out of order in each row."""
    rows = sparse.csr_array(X)
    for start, stop in zip(rows.indptr, rows.indptr[1:], strict=False):
        for part in (rows.indices, rows.data):
            part[start:stop] = part[start:stop][::-1].copy()
    rows.has_sorted_indices = True  # what scipy remembers may be wrong
    return rows


def doubled_csr(X: np.ndarray) -> Any:
    """Every count in two entries, of 1 and of the rest."""
    rows, columns = np.nonzero(X)
    rows, columns = np.repeat(rows, 2), np.repeat(columns, 2)
    values = np.ones(len(rows), np.int64)
    values[1::2] = X[rows[::2], columns[::2]] - 1
    pointers = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(X)))])
    made = sparse.csr_array((values, columns, pointers), shape=X.shape)
    made.has_canonical_format = True
    return made


def frame(X: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(X, columns=[f"word{i}" for i in range(X.shape[1])], index=np.arange(len(X))[::-1])


def mixed_frame(X: np.ndarray) -> pd.DataFrame:
    """One column of whole numbers, one of pandas' own, the others floats."""
    made = frame(X.astype(float))
    return made.astype({"word0": "int16", "word1": "Int64"})


FORMATS = ("csr", "csc", "coo", "lil", "dok", "dia", "bsr")

SPARSE: dict[str, Callable[[np.ndarray], Any]] = {
    **{f"{kind} array": (lambda X, kind=kind: sparse.csr_array(X).asformat(kind)) for kind in FORMATS},
    **{f"{kind} matrix": (lambda X, kind=kind: sparse.csr_matrix(X).asformat(kind)) for kind in FORMATS},
    "csr of floats": lambda X: sparse.csr_array(X.astype(float)),
    "csr of float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "csr of uint8": lambda X: sparse.csr_array(X.astype(np.uint8)),
    "csr, columns out of order": shuffled_csr,
    "csr, words named twice": doubled_csr,
    "coo, words named twice": lambda X: doubled_csr(X).tocoo(),
    "csr, 64-bit indices": lambda X: _wide(sparse.csr_array(X)),
    "csr with room left": lambda X: _roomy(sparse.csr_array(X)),
    "sparse frame": lambda X: pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(X)),
    "sparse frame of floats": lambda X: pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(X.astype(float))),
}
"""What equals a `csr_array` exactly, whatever the pooling."""

DENSE: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda X: X,
    "array of floats": lambda X: X.astype(float),
    "array of float16": lambda X: X.astype(np.float16),
    "array of uint8": lambda X: X.astype(np.uint8),
    "array by columns": np.asfortranarray,
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "backwards twice": lambda X: X[::-1].copy()[::-1],
    "read-only array": lambda X: _read_only(X),
    "np.matrix": lambda X: X.view(np.matrix),
    "masked array without masked entries": lambda X: np.ma.array(X),
    "list": lambda X: X.tolist(),
    "tuple of lists of floats": lambda X: tuple(X.astype(float).tolist()),
    "list of arrays": list,
    "frame": frame,
    "frame of floats": lambda X: frame(X.astype(float)),
    "frame of several types": mixed_frame,
}
"""What equals an `ndarray` exactly."""

GOOD = SPARSE | DENSE


def _wide(X: Any) -> Any:
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def _roomy(X: Any) -> Any:
    X.data, X.indices = np.append(X.data, [7, 7]), np.append(X.indices, [0, 1])
    return X


def _read_only(X: np.ndarray) -> np.ndarray:
    X = X.copy()
    X.setflags(write=False)
    return X


def _with(X: np.ndarray, value: float) -> np.ndarray:
    X = X.astype(float)
    X[1, 1] = value
    return X


def _spoiled(kind: str, part: str, place: int, value: int) -> Callable[[np.ndarray], Any]:
    def make(X: np.ndarray) -> Any:
        made = sparse.csr_array(X).asformat(kind)
        getattr(made, part)[place] = value
        return made

    return make


def _uneven_lil(X: np.ndarray) -> Any:
    made = sparse.lil_array(X)
    made.rows[0] = [*made.rows[0], 1]
    return made


def _short_data(X: np.ndarray) -> Any:
    made = sparse.csr_array(X)
    made.data = made.data[:-2]
    return made


BAD: dict[str, Callable[[np.ndarray], Any]] = {
    "NaN": lambda X: _with(X, np.nan),
    "infinity": lambda X: _with(X, -np.inf),
    "NaN in csr": lambda X: sparse.csr_array(_with(X, np.nan)),
    "NaN in csc": lambda X: sparse.csc_matrix(_with(X, np.nan)),
    "NaN in a frame": lambda X: frame(_with(X, np.nan)),
    "missing in a frame": lambda X: frame(X).astype("Int64").mask(np.eye(REVIEWS, WORDS, dtype=bool)),
    "masked entries": lambda X: np.ma.masked_array(X, X == 1),
    "complex": lambda X: X + 0j,
    "complex csr": lambda X: sparse.csr_array(X + 0j),
    "objects": lambda X: X.astype(object),
    "strings": lambda X: X.astype(str),
    "frame with words": lambda X: frame(X).astype({"word2": str}),
    "frame with categories": lambda X: frame(X).astype({"word2": "category"}),
    "dates": lambda X: X.astype("datetime64[s]"),
    "beyond 2^53": lambda X: X + 2**60,
    "too wide": lambda X: np.hstack([X, X[:, :1]]),
    "too narrow": lambda X: X[:, 1:],
    "too wide csr": lambda X: sparse.csr_array(np.hstack([X, X[:, :1]])),
    "too narrow csc": lambda X: sparse.csc_array(X[:, 1:]),
    "turned": lambda X: X.T,
    "one row": lambda X: X[0],
    "one cell": lambda X: X[None],
    "one number": lambda X: np.float64(3),
    "sparse, one row": lambda X: sparse.coo_array(X[0]),
    "no rows": lambda X: X[:0],
    "no rows csr": lambda X: sparse.csr_array(X[:0]),
    "rows of several lengths": lambda X: [*X.tolist()[:-1], [1, 2]],
    "None": lambda X: None,
    "text": lambda X: "good film",
    "list of texts": lambda X: ["good film"] * REVIEWS,
    "dict": lambda X: dict(enumerate(X)),
    "generator": lambda X: (row for row in X),
    "set": lambda X: {1, 2},
    "column of a frame": lambda X: frame(X)["word0"],
    "csr, negative column": _spoiled("csr", "indices", 1, -1),
    "csr, column beyond": _spoiled("csr", "indices", 2, WORDS),
    "csr, column far beyond": _spoiled("csr", "indices", 2, 2**30),
    "csc, row beyond": _spoiled("csc", "indices", 2, REVIEWS),
    "csc, negative row": _spoiled("csc", "indices", 0, -3),
    "coo, column beyond": lambda X: _coo(X, column=2**20),
    "coo, negative row": lambda X: _coo(X, row=-1),
    "csr, pointers fall": _spoiled("csr", "indptr", 2, 10**6),
    "csr, pointers negative": _spoiled("csr", "indptr", 1, -7),
    "csr, first pointer not 0": _spoiled("csr", "indptr", 0, 1),
    "csr, last pointer beyond": _spoiled("csr", "indptr", -1, 2**30),
    "csc, pointers fall": _spoiled("csc", "indptr", 2, 10**6),
    "bsr, pointers fall": _spoiled("bsr", "indptr", 2, 10**6),
    "bsr, block beyond": _spoiled("bsr", "indices", 0, 2**20),
    "csr, fewer values than indices": _short_data,
    "lil, fewer values than indices": _uneven_lil,
    "csr of objects": lambda X: _csr_of(X, object),
    "empty rows without end": lambda X: sparse.coo_array(([1], ([0], [0])), shape=(2**50, WORDS)),
}
"""What is a `DataError` in every scheme."""


def _coo(X: np.ndarray, row: int | None = None, column: int | None = None) -> Any:
    made = sparse.coo_array(X)
    rows, columns = (np.array(k) for k in made.coords)
    if row is not None:
        rows[0] = row
    if column is not None:
        columns[0] = column
    made.coords = (rows, columns)
    return made


def _csr_of(X: np.ndarray, dtype: Any) -> Any:
    made = sparse.csr_array(X)
    made.data = made.data.astype(dtype)
    return made


# -- labels

GOOD_LABELS: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda y: y,
    "booleans": lambda y: y == 1,
    "floats": lambda y: y.astype(float),
    "uint8": lambda y: y.astype(np.uint8),
    "int8, every other": lambda y: np.repeat(y.astype(np.int8), 2)[::2],
    "list": lambda y: y.tolist(),
    "list of booleans": lambda y: (y == 1).tolist(),
    "tuple of floats": lambda y: tuple(y.astype(float)),
    "Series": lambda y: pd.Series(y, index=np.arange(len(y))[::-1]),
    "Series of booleans": lambda y: pd.Series(y == 1),
    "Series of Int64": lambda y: pd.Series(y, dtype="Int64"),
    "Series of boolean": lambda y: pd.Series(y == 1, dtype="boolean"),
    "Index": lambda y: pd.Index(y),
    "masked array without masked entries": lambda y: np.ma.array(y),
}

BAD_LABELS: dict[str, Callable[[np.ndarray], Any]] = {
    "column": lambda y: y[:, None],
    "column of a frame": lambda y: pd.DataFrame({"label": y}),
    "row": lambda y: y[None],
    "np.matrix": lambda y: y.view(np.matrix),
    "half": lambda y: y[: len(y) // 2 + 1],
    "more": lambda y: np.append(y, [0, 1, 0]),
    "none": lambda y: y[:0],
    "words": lambda y: np.where(y == 1, "positive", "negative"),
    "list of words": lambda y: np.where(y == 1, "positive", "negative").tolist(),
    "Series of words": lambda y: pd.Series(np.where(y == 1, "positive", "negative")),
    "Categorical": lambda y: pd.Categorical(y),
    "Series of categories": lambda y: pd.Series(y, dtype="category"),
    "1 and 2": lambda y: y + 1,
    "-1 and 1": lambda y: 2 * y - 1,
    "stars": lambda y: np.arange(len(y)) % 5 + 1,
    "shares": lambda y: y * 0.9,
    "NaN": lambda y: np.where(y == 1, np.nan, 0.0),
    "missing": lambda y: pd.Series(y, dtype="Int64").mask(y == 1),
    "masked": lambda y: np.ma.masked_array(y, y == 1),
    "objects": lambda y: y.astype(object),
    "complex": lambda y: y + 0j,
    "None": lambda y: None,
    "one number": lambda y: 1,
    "text": lambda y: "10110010",
    "set": lambda y: {0, 1},
    "dict": lambda y: dict(enumerate(y)),
    "generator": lambda y: iter(y),
    "sparse": lambda y: sparse.csr_array(y[:, None]),
    "sparse row": lambda y: sparse.coo_array(y),
}

# -- schemes


@dataclass(frozen=True)
class Scheme:
    """An owner of keys of one scheme, a plan that it can train by, and a model that nobody has trained yet."""

    name: str
    owner: Owner
    model: EncryptedModel
    plan: TrainingPlan
    assisted: bool = False
    dense_only: bool = False

    def help(self) -> Help:
        return AssistedStep(DirectChannel(Assistant(self.owner.secret_key))) if self.assisted else NOBODY  # type: ignore[arg-type]

    def predict(self, X: Any, y: Any = LABELS) -> np.ndarray:
        """Return the scores that the owner reads."""
        return self.owner.decrypt(Trainer(self.model).predict(X))

    def train(self, X: Any, y: Any = LABELS) -> np.ndarray:
        """Return the scores met and the weights learnt, one after the other."""
        model = self.model.copy()
        scores = Trainer(model).train(X, y, self.plan, self.help(), keep_scores=True)
        W1 = self.owner.decrypt_network(model).W1
        return np.concatenate([self.owner.decrypt(scores).ravel(), W1.ravel()])

    def dry_run(self, X: Any, y: Any = LABELS) -> np.ndarray:
        report = Trainer(self.model).dry_run(X, y, self.plan, np.random.default_rng(0))
        return np.array([report.min_z, report.max_z])

    def accept(self, X: Any, y: Any = LABELS) -> np.ndarray:
        return np.array([acceptance_test(self.owner, self.model, X, y, 0.5).accuracy.correct])

    def evaluate(self, X: Any, y: Any = LABELS) -> np.ndarray:
        scores = Trainer(self.model).predict(X)
        return self.owner.evaluate(scores, y, self.plan).right.astype(float)

    def encrypt_labels(self, X: Any, y: Any = LABELS) -> np.ndarray:
        """Return what training on encrypted labels reads, at the rate of the plan; only their number where it cannot train."""
        targets = self.owner.encrypt_labels(y, self.plan.learning_rate if self.labels_carry_rate else 1.0, insecure=True)
        return np.array([len(targets), *(np.asarray(targets if self.clear else self.owner.decrypt(targets)).ravel())])

    @property
    def clear(self) -> bool:
        return isinstance(self.owner.parameters, ClearParameters)

    @property
    def labels_carry_rate(self) -> bool:
        return self.owner.evaluator.labels_carry_rate


@cache
def scheme(name: str, pooling: Any = "sum") -> Scheme:
    """Return a scheme with keys; W1 of whole numbers, which all of them hold exactly."""
    parameters, sigmoid, assisted = SCHEMES[name]
    architecture = Architecture(WORDS, hidden=0, pooling=pooling)
    owner = Owner(architecture, sigmoid, parameters)
    W1 = np.array([1.0, -1, 2, 0, -2, 1])[:, None]
    plan = TrainingPlan(sigmoid, 0.25, batch_size=4)
    return Scheme(name, owner, owner.encrypt(Network(architecture, W1, None)), plan, assisted, name == "ckks")


SCHEMES: dict[str, tuple[Any, Sigmoid, bool]] = {
    "clear": (ClearParameters(), taylor(1), False),
    "fixed point": (ClearParameters(scale=1000), taylor(1), False),
    "integer vectors": (PAPER, taylor(1), False),
    "integer vectors, 128 bits": (COMPACT_128, ExactSigmoid(), True),
    "bootstrapped": (bootstrapped.BOOTSTRAP_TOY, taylor(1), False),
    "fv": (fv.TOY, taylor(1), False),
    "yashe": (yashe.TOY, taylor(1), False),
    "ckks": (ckks.TOY, taylor(1), False),
}

FEATURE_ENTRIES = ("predict", "train", "dry_run", "accept")
LABEL_ENTRIES = ("train", "dry_run", "accept", "evaluate", "encrypt_labels")


def outcome(call: Callable[..., np.ndarray], *arguments: Any) -> np.ndarray | Exception:
    """Return what a call gives or raises."""
    try:
        return call(*arguments)
    except Exception as error:
        return error


def cells(entries: tuple[str, ...]) -> list[Any]:
    """Return every (scheme, entry point); CKKS takes seconds to compute with what it takes."""
    slow = {("ckks", entry) for entry in ("train", "predict", "evaluate")}
    return [
        pytest.param(name, entry, marks=[pytest.mark.slow] if (name, entry) in slow else [])
        for name in SCHEMES
        for entry in entries
    ]
