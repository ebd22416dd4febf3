"""Data in CSV files: features by the recipe of a model, and labels."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from encnn.data.fingerprints import marked
from encnn.data.recipes import Recipe, TableFeatures, UnpublishedFeatures, WordFeatures
from encnn.data.reviews import Reviews
from encnn.errors import CapabilityError, DataError
from encnn.parties import EncryptedModel


def add_data(parser: argparse.ArgumentParser, labels: bool = True) -> None:
    """Add the argument for a CSV file and the options that name its columns."""
    parser.add_argument("data", type=Path, metavar="DATA.csv", help="CSV file in UTF-8 with a header line")
    parser.add_argument("--text", default="text", metavar="COLUMN", help="the column of texts (default: text)")
    if labels:
        add_label(parser)


def add_label(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the column of labels."""
    parser.add_argument("--label", default="label", metavar="COLUMN", help="the column of labels, 0 or 1 (default: label)")


def recipe_of(model: EncryptedModel) -> Recipe:
    """Return how data becomes the features of a model; `CapabilityError` if the model does not say."""
    if model.features is None or isinstance(model.features, UnpublishedFeatures):
        raise CapabilityError(
            "this model does not say how data becomes its features, so a CSV file cannot be used with it; ask its owner for a "
            "model made by `encnn init`, or make the features in Python"
        )
    return model.features


def labelled(recipe: Recipe, path: Path, text: str, label: str) -> tuple[Any, np.ndarray]:
    """Return features, shape (rows, features), and labels, shape (rows,), of a CSV file."""
    if isinstance(recipe, TableFeatures):
        return _table_features(recipe, read_table(path)), labels_in(path, label)
    reviews = Reviews.from_csv(path, text, label, raw=_raw(recipe))
    return recipe(reviews), reviews.labels


def unlabelled(recipe: Recipe, path: Path, text: str) -> Any:
    """Return features, shape (rows, features), of a CSV file."""
    table = read_table(path, text)
    if isinstance(recipe, TableFeatures):
        return _table_features(recipe, table)
    _check_column(path, table, text)
    missing = np.flatnonzero(table[text].isna())
    if len(missing):
        raise DataError(f"{path}: text {missing[0]} is missing; fill it in or remove its row")
    return recipe(table[text].tolist())


def labels_in(path: Path, label: str) -> np.ndarray:
    """Return the labels in a CSV file, int8 of shape (rows,)."""
    table = read_table(path)
    _check_column(path, table, label)
    return Reviews(("",) * len(table), table[label].to_numpy()).labels  # which checks labels and knows their words


def read_table(path: Path, text: str = "text") -> Any:
    """Return a CSV file as a data frame; the column `text`, if there is one, is not read as numbers."""
    import pandas as pd  # a second to import, and most commands need none

    try:
        return pd.read_csv(path, dtype={text: str}, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"{path} cannot be read as a CSV file in UTF-8 with a header line ({error})") from error


def _table_features(recipe: TableFeatures, table: Any) -> csr_array:
    """Return columns of a table as a csr_array of whole numbers with the recipe's fingerprint."""
    chosen = recipe(table)
    try:
        values = chosen.to_numpy(dtype=np.float64)
    except ValueError as error:
        raise DataError(f"the columns {list(recipe.columns)!r:.200} hold more than numbers ({error}); use others") from error
    wrong = np.argwhere(~np.isfinite(values) | (values != np.rint(values)))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"row {row} of column {recipe.columns[column]!r} holds {values[row, column]}; expected small whole numbers: scale "
            "each column and round it, in the same way for owner, trainer and user"
        )
    return marked(csr_array(values.astype(np.int64)), recipe.fingerprint)


def _raw(recipe: Recipe) -> bool:
    return isinstance(recipe, WordFeatures) and recipe.raw


def _check_column(path: Path, table: Any, name: str) -> None:
    if name not in table.columns:
        raise DataError(f"{path} has no column {name!r}; its columns are {list(table.columns)!r:.200}: name one of them")
