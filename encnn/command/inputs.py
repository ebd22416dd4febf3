"""Read data from CSV files: labels, and features by the recipe of a model."""

import argparse
import csv
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
from scipy.sparse import csr_array

from encnn.data.fingerprints import marked
from encnn.data.inputs import Features
from encnn.data.recipes import ClassFeatures, Label, Recipe, ScaledFeatures, TableFeatures, UnpublishedFeatures, WordFeatures
from encnn.data.reviews import Reviews, numbers_or_words, read_table
from encnn.errors import CapabilityError, DataError, DataWarning
from encnn.parties import EncryptedModel

if TYPE_CHECKING:
    import pandas as pd


def add_data(parser: argparse.ArgumentParser, labels: bool = True) -> None:
    """Add the argument for a CSV file and the options for reading it."""
    parser.add_argument("data", type=Path, metavar="DATA.csv", help="CSV file with a header line")
    parser.add_argument("--text", default="text", metavar="COLUMN", help="the column of texts (default: %(default)s)")
    if labels:
        add_labels(parser)
    add_form(parser)


def add_labels(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where labels are and what they mean."""
    parser.add_argument("--label", default="label", metavar="COLUMN", help="the column of labels (default: %(default)s)")
    parser.add_argument(
        "--positive", metavar="VALUE", help="the label that counts as 1; all others count as 0 (default: labels are 0 and 1)"
    )


def add_form(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a CSV file is written."""
    parser.add_argument("--sep", default=",", metavar="CHARACTER", help="the character between fields (default: a comma)")
    parser.add_argument("--encoding", default="utf-8", metavar="NAME", help="the encoding of the file (default: %(default)s)")


def classes_in(option: str) -> tuple[Label, ...]:
    """Return the labels that an option names, numbers or words as in a file."""
    import pandas as pd  # here and not above, since it takes a second to import

    return tuple(numbers_or_words(pd.Series(names_in(option))).tolist())


def names_in(option: str) -> list[str]:
    """Return the names that an option lists; a name with a comma stands between double quotes, as in a CSV file."""
    return next(csv.reader([option]), [])


def recipe_of(model: EncryptedModel) -> Recipe:
    """Return the recipe by which data becomes the features of a model.  Raises `CapabilityError` if it has none."""
    if model.features is None or isinstance(model.features, UnpublishedFeatures):
        raise CapabilityError(
            "this model does not say how data becomes its features, so a CSV file cannot be used with it; ask its owner for a "
            "model made by `encnn init`, or make the features in Python"
        )
    return model.features


Method = TypeVar("Method", bound=Callable[..., object])


def _naming_the_file(method: Method) -> Method:
    """Return a method of `CsvFile` whose errors name the file."""

    @wraps(method)
    def named(self: "CsvFile", *given: object) -> object:
        try:
            return method(self, *given)
        except DataError as error:
            if str(error).startswith(str(self.path)):
                raise
            raise DataError(f"{self.path}: {error}") from error

    return cast(Method, named)


@dataclass(frozen=True)
class CsvFile:
    """A CSV file, and what the options say about its columns."""

    path: Path  # of the file
    text: str = "text"  # the column of texts
    label: str = "label"  # the column of labels
    positive: str | None = None  # the label that counts as 1; None if labels are 0 and 1
    sep: str = ","  # the character between fields
    encoding: str = "utf-8"  # of the file

    @classmethod
    def of(cls, path: Path, options: argparse.Namespace) -> "CsvFile":
        """Return the file at a path, read as the options say."""
        given = {name: getattr(options, name) for name in ("text", "label", "positive", "sep", "encoding") if name in options}
        return cls(path, **given)

    @_naming_the_file
    def labelled(self, recipe: Recipe) -> tuple[Features, np.ndarray]:
        """Return features, shape (rows, features), and labels of shape (rows,), one row for each class that has weights."""
        if isinstance(recipe, ClassFeatures):
            return self.unlabelled(recipe), self.labels_for(recipe)
        if not isinstance(recipe, WordFeatures):
            return self.unlabelled(recipe), self.labels()
        reviews = self.reviews(recipe.raw)
        return recipe(reviews), reviews.labels

    @_naming_the_file
    def unlabelled(self, recipe: Recipe) -> Features:
        """Return features, shape (rows, features), one row for each class that has weights."""
        if isinstance(recipe, ClassFeatures):
            return recipe.for_classes(self.unlabelled(recipe.of))
        if isinstance(recipe, WordFeatures):
            return recipe(self.texts(recipe.raw))
        if isinstance(recipe, ScaledFeatures):
            return recipe(numbers_in(recipe.columns, self.table))
        return _whole_numbers(recipe, self.table) if isinstance(recipe, TableFeatures) else recipe(self.path)

    @_naming_the_file
    def reviews(self, raw: bool = True) -> Reviews:
        """Return the texts with their labels.  raw: bring the texts into the paper's text form."""
        table = self._with_numbers(self.table)
        self._check_column(table, "text", self.text)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*labels come sorted", DataWarning)  # `encnn train` shuffles
            return Reviews.from_frame(table, self.text, self.label, raw=raw)

    @_naming_the_file
    def texts(self, raw: bool = True) -> Reviews:
        """Return the texts with labels that are all 0; labels in the file are not used."""
        table = self.table
        self._check_column(table, "text", self.text)
        return Reviews.from_frame(table.assign(**{self.label: 0}), self.text, self.label, raw=raw)

    @_naming_the_file
    def labels(self) -> np.ndarray:
        """Return the labels, int8 of shape (rows,)."""
        table = self._with_numbers(self.table)
        return Reviews(("",) * len(table), table[self.label].to_numpy()).labels  # `Reviews` checks the labels

    @_naming_the_file
    def class_labels(self) -> list[Label]:
        """Return the labels as they are, numbers or words."""
        if self.positive is not None:
            raise DataError(
                "--positive names one class against all others, but this model has weights for each class; leave it out"
            )
        table = self.table
        self._check_column(table, "label", self.label)
        found: list[Label] = numbers_or_words(table[self.label]).tolist()
        return found

    @_naming_the_file
    def labels_for(self, recipe: ClassFeatures) -> np.ndarray:
        """Return the labels 0 and 1 of all rows of a recipe; `DataError` for a label that is none of its classes."""
        return recipe.labels(self.class_labels())

    @_naming_the_file
    def numbers(self, columns: tuple[str, ...]) -> np.ndarray:
        """Return columns as finite numbers, float64 of shape (rows, columns)."""
        return numbers_in(columns, self.table).to_numpy()

    @cached_property
    def table(self) -> "pd.DataFrame":
        """The whole table, as a data frame of strings."""
        return read_table(self.path, self.sep, self.encoding)

    def _with_numbers(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """Return the table with 0 and 1 in the column of labels.  Missing labels stay missing, and are refused later."""
        self._check_column(table, "label", self.label)
        labels = table[self.label]
        if self.positive is None:
            return table.assign(**{self.label: numbers_or_words(labels)})
        return table.assign(**{self.label: labels.map(lambda found: int(found == self.positive), na_action="ignore")})

    def _check_column(self, table: "pd.DataFrame", option: str, name: str) -> None:
        if list(table.columns).count(name) != 1:
            raise DataError(
                f"{self.path} has no column {name!r}, or several of that name; its columns are {list(table)!r:.200}: name one "
                f"of them by --{option}, or the character between fields by --sep"
            )


def numbers_in(columns: tuple[str, ...], table: "pd.DataFrame") -> "pd.DataFrame":
    """Return columns of a table as a data frame of finite numbers, float64."""
    try:
        numbers = TableFeatures(columns)(table).astype("float64")
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"a column of {list(columns)!r:.200} holds more than numbers ({error}); name others") from error
    wrong = np.argwhere(~np.isfinite(numbers.to_numpy()))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"row {row} of column {columns[column]!r} holds {numbers.iat[row, column]!s}; fill it in, or leave the column out"
        )
    return numbers


def _whole_numbers(recipe: TableFeatures, table: "pd.DataFrame") -> csr_array:
    """Return columns of a table as a csr_array of whole numbers with the recipe's fingerprint."""
    values = numbers_in(recipe.columns, table).to_numpy()
    wrong = np.argwhere(values != np.rint(values))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"row {row} of column {recipe.columns[column]!r} holds {values[row, column]}; expected small whole numbers, as "
            "this model was made for; ask its owner for one made by `encnn init --bits 4`, which scales real numbers"
        )
    return marked(csr_array(values.astype(np.int64)), recipe.fingerprint)
