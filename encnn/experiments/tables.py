"""Train `EncryptedClassifier` at 128 bits on tables and texts other than reviews: `python -m encnn.experiments tables`.

Half of each data set is for training and half for the test, and run k has its own key and its own split.  Each run is compared
with scikit-learn's `LogisticRegression` on the same split, on standardised columns or on the same words.  Settings are chosen
on training rows held out.  Test rows choose nothing.

The data sets come with scikit-learn and with scipy: breast cancer (2 classes), wine (3), handwritten digits (10), and scipy's
documentation, whose pages are to be sorted into the 6 parts of the library that they belong to.  The names of the parts are
left out of the pages.

The job writes tables.csv, with a line for each run.
"""

import argparse
import importlib
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from encnn.classifier import EncryptedClassifier
from encnn.costs.timing import cpu_seconds
from encnn.experiments.columns import security
from encnn.experiments.console import job_options, show
from encnn.experiments.results import Results
from encnn.progress import progress

KEYS = 3
TOPICS = ("linalg", "ndimage", "optimize", "signal", "special", "stats")
SHORTEST_PAGE = 200
"""A page of the documentation with fewer characters is left out."""


@dataclass(frozen=True)
class LabelledData:
    """A table of numbers, or texts, and their labels."""

    name: str  # as tables show it
    X: np.ndarray  # an array of shape (rows, columns), or an array of texts
    y: np.ndarray  # a label per row

    @property
    def texts(self) -> bool:
        """Whether these are texts."""
        return self.X.ndim == 1


def data_sets() -> list[LabelledData]:
    """Return all data sets.  A new one is one line here."""
    loaders = {"breast cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits}
    tables = [LabelledData(name, *load(return_X_y=True)) for name, load in loaders.items()]
    return [*tables, documentation()]


def documentation() -> LabelledData:
    """Return the pages of scipy's documentation, and the part of the library that each belongs to."""
    pages = sorted({(page, topic) for topic in TOPICS for page in _pages(topic)})
    texts, topics = zip(*pages, strict=True)
    return LabelledData("scipy's pages", np.array(texts, dtype=object), np.array(topics))


def _pages(topic: str) -> list[str]:
    """Return the documentation of what a part of scipy exports, without the names of parts."""
    module = importlib.import_module(f"scipy.{topic}")
    found = (inspect.getdoc(getattr(module, name)) or "" for name in module.__all__)
    return [re.sub("|".join(TOPICS), "", page) for page in found if len(page) >= SHORTEST_PAGE]


def measured(data: LabelledData, help: str, key: int) -> dict[str, object]:
    """Return a line of the table: the classifier and `LogisticRegression` on split number `key`."""
    X, X_test, y, y_test = train_test_split(data.X, data.y, test_size=0.5, stratify=data.y, random_state=key)
    found = EncryptedClassifier(help=help, random_state=key, verbose=2)
    _, fit_s = cpu_seconds(found.fit, X, y)
    right, test_s = cpu_seconds(found.score, X_test, y_test)
    setting = found.setting_
    rows = len(y) * found.features_.rows * setting.epochs
    return {
        "data": data.name,
        "owner in the loop": help == "owner",
        "key": key,
        "classes": len(found.classes_),
        "columns": found.n_features_in_,
        "training rows": len(y),
        "test rows": len(y_test),
        "parameters": setting.parameters.name,
        **security(setting.parameters),
        "bits of a feature": setting.bits,
        "width of a score": setting.width,
        "learning rate": float(f"{setting.learning_rate:.4g}"),
        "epochs": setting.epochs,
        "batch": found.batch_size,
        "test accuracy percent": round(100 * right, 2),
        "LogisticRegression percent": round(100 * in_the_clear(data, found, X, y, X_test, y_test), 2),
        "fit CPU s": round(fit_s, 1),
        "CPU ms per row and class": round(1e3 * fit_s / rows, 2),
        "test CPU ms per row": round(1e3 * test_s / len(y_test), 2),
    }


def in_the_clear(data: LabelledData, found: EncryptedClassifier, *split: np.ndarray) -> float:
    """Return how often `LogisticRegression` is right on a split (X, y, X_test, y_test), on the same words for texts."""
    X, y, X_test, y_test = split
    model = LogisticRegression(max_iter=1000)
    if data.texts:
        X, X_test = (found.features_.of(texts) for texts in (X, X_test))
        return float(model.fit(X, y).score(X_test, y_test))
    return float(make_pipeline(StandardScaler(), model).fit(X, y).score(X_test, y_test))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, print the table and write it; return the exit status."""
    options = _options(arguments)
    results, lines = Results(options.folder), []
    sets = [data for data in data_sets() if not options.data or data.name in options.data]
    jobs = [(data, help, key) for data in sets for help in ("nobody", "owner") for key in range(options.keys)]
    for data, help, key in progress(jobs, "training on tables", unit="run"):
        lines.append(measured(data, help, key))
        results.store("tables", pd.DataFrame(lines))
    show(results, "tables", "Tables and texts at 128 bits, beside LogisticRegression on the same split", pd.DataFrame(lines))
    results.finish()
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = job_options(__name__, "Train EncryptedClassifier on tables and texts.", corpus=False)
    parser.add_argument("--keys", type=int, default=KEYS, help="runs of each line (default: %(default)s)")
    parser.add_argument("--data", nargs="*", metavar="NAME", help="only these data sets")
    return parser.parse_args(arguments)
