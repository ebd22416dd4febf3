"""Recipes say how texts or tables become the features of one network.

A model carries its recipe, so that nobody can use it with another vocabulary by mistake: `model.features(texts)` makes the
right features in any process.  A recipe is plain and public.  An owner who does not want to publish its words hands out only
their fingerprint, as `UnpublishedFeatures`.  (If the vocabulary was chosen with the labels, it reveals something about them;
see `Owner.encrypt_labels`.)
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import numpy as np
from scipy.sparse import csr_array, eye_array, issparse, kron

from encnn.data.batches import with_bias
from encnn.data.fingerprints import BIAS, Fingerprint, Rule, fingerprint_of_names, marked, width_of
from encnn.data.inputs import Features, mapped_labels
from encnn.data.reviews.cache import pack_strings, unpack_strings
from encnn.data.reviews.corpus import Reviews
from encnn.data.reviews.features import bag_of_words
from encnn.data.reviews.grams import bag_of_grams
from encnn.data.reviews.text import paper_form
from encnn.data.reviews.vocabulary import Vocabulary
from encnn.data.whole_numbers import Scaling
from encnn.errors import CapabilityError, DataError, FileError
from encnn.files.schema import check_array, take

if TYPE_CHECKING:
    import pandas as pd


Label: TypeAlias = str | int | float | bool
"""What names a class."""

MAX_NAMES_BYTES = 1 << 25
"""The most bytes that the names of a recipe may take in a file."""


@dataclass(frozen=True)
class WordFeatures:
    """Bags of words, as the features of texts."""

    vocabulary: Vocabulary  # the words that have a column, in the order of the columns
    counts: bool = False  # entries say how often a word occurs, not only whether it does
    bias: bool = False  # a column of ones follows
    raw: bool = True  # texts are first brought into the paper's text form (`paper_form`); `Reviews` are taken as they are
    grams: bool = False  # the vocabulary has groups of words (`reviews.grams`), whose entries are never counts

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the features that this makes."""
        rule: Rule = "grams" if self.grams else "counts" if self.counts else "words"
        return fingerprint_of_names(rule, self.vocabulary.words, self.bias)

    def __call__(self, texts: Reviews | Iterable[str]) -> csr_array:
        """Return the features of texts, shape (texts, width), with their fingerprint."""
        if isinstance(texts, str):
            raise DataError("the texts are a single string; expected a sequence of strings, such as [text]")
        known = texts.texts if isinstance(texts, Reviews) else [paper_form(text) if self.raw else text for text in texts]
        X = bag_of_grams(known, self.vocabulary) if self.grams else bag_of_words(known, self.vocabulary, counts=self.counts)
        return with_bias(X) if self.bias else X


@dataclass(frozen=True)
class TableFeatures:
    """Columns of a table, as features."""

    columns: tuple[str, ...]  # the names of the columns, in this order

    def __post_init__(self) -> None:
        """Raise `DataError` unless there are names, and these are distinct strings."""
        if not self.columns or not all(isinstance(c, str) for c in self.columns) or len(set(self.columns)) < len(self.columns):
            raise DataError(f"the columns are {self.columns!r:.80}; expected distinct names, at least one")

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the features that this makes."""
        return fingerprint_of_names("table", self.columns)

    def __call__(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """Return these columns of a data frame, in this order."""
        missing = [name for name in self.columns if name not in getattr(table, "columns", ())]
        if missing:
            raise DataError(f"the table lacks the columns {missing!r:.200}; expected a data frame that has them")
        return table[list(self.columns)]


@dataclass(frozen=True)
class ScaledFeatures:
    """Columns of real numbers, as small whole ones with a bias (`whole_numbers`)."""

    columns: tuple[str, ...]  # their names, in order
    scaling: Scaling  # what makes them whole numbers

    def __post_init__(self) -> None:
        """Refuse names that are not distinct texts, and a scaling of other columns."""
        TableFeatures(self.columns)
        if len(self.columns) != len(self.scaling.steps):
            raise DataError(
                f"there are {len(self.columns)} columns, but the scaling is for {len(self.scaling.steps)}; make it from all of "
                "them (scaling_of)"
            )

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the features that this makes."""
        s = self.scaling
        each = zip(self.columns, s.centres, s.steps, strict=True)
        return fingerprint_of_names("scaled", [json.dumps([*column, s.largest, s.bias]) for column in each], bias=True)

    def __call__(self, table: "pd.DataFrame | Features") -> csr_array:
        """Return the features of a data frame with these columns, or of a matrix with as many columns."""
        numbers = table if isinstance(table, np.ndarray) or issparse(table) else TableFeatures(self.columns)(table)
        return marked(self.scaling.whole(numbers), self.fingerprint)


@dataclass(frozen=True)
class ClassFeatures:
    """Features of another recipe for several classes, each against the rest: logistic regression on rows (review, class).

    With K classes, review r has K rows.  Row r K + k holds feature i in column i K + k, so that each class has its own weights
    in one model under one key.  The label of a row says whether the review is of the row's class.  Two classes need only one
    row, whose label says whether the review is of the second class.
    """

    of: WordFeatures | ScaledFeatures
    classes: tuple[Label, ...]

    def __post_init__(self) -> None:
        """Refuse fewer than two classes, and classes that a file could not hold."""
        sound = all(isinstance(c, str | int | float) and c == c for c in self.classes)
        if not sound or len(set(self.classes)) < max(2, len(self.classes)):
            raise DataError(f"the classes are {self.classes!r:.80}; expected distinct texts or numbers, at least two")

    @property
    def rows(self) -> int:
        """The number of rows per review, K."""
        return len(self.classes) if len(self.classes) > 2 else 1

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the features that this makes."""
        return self.of.fingerprint + (f"x{self.rows}" if self.rows > 1 else "")

    def __call__(self, data: "Reviews | Iterable[str] | pd.DataFrame | Features") -> csr_array:
        """Return features of shape (reviews * rows, columns * rows), of texts or a table, as the other recipe takes them."""
        return self.for_classes(self.of(data))  # type: ignore[arg-type]

    def for_classes(self, X: Features) -> csr_array:
        """Return features of shape (reviews * rows, columns * rows) from those that the other recipe makes."""
        return marked(csr_array(kron(X, eye_array(self.rows, dtype=np.int64), format="csr")), self.fingerprint)

    def labels(self, y: Iterable[Label]) -> np.ndarray:
        """Return the labels 0 and 1 of all rows, shape (reviews * rows,), for one class per review."""
        numbers = mapped_labels(y, {c: k for k, c in enumerate(self.classes)})
        return numbers if self.rows == 1 else (numbers[:, None] == np.arange(self.rows)).astype(np.int64).ravel()

    def scores(self, z: np.ndarray) -> np.ndarray:
        """Return scores of rows, shape (reviews * rows, 1), as (reviews, rows)."""
        return z.reshape(-1, self.rows)

    def predicted(self, z: np.ndarray) -> list[Label]:
        """Return the class of each review, by the scores of its rows.  A class whose score is unknown is never returned."""
        scores = np.nan_to_num(self.scores(z), nan=-np.inf)
        numbers = (scores[:, 0] >= 0).astype(int) if self.rows == 1 else scores.argmax(axis=1)
        return [self.classes[k] for k in numbers]

    def in_turn(self, reviews: int, batch_size: int) -> np.ndarray:
        """Return an order of all rows in which the rows of a mini-batch of reviews come class by class.

        A mini-batch of rows then belongs to one class, like a mini-batch of a network for that class alone.
        """
        rows = np.arange(reviews * self.rows).reshape(reviews, self.rows)
        parts = [rows[first : first + batch_size].T.ravel() for first in range(0, reviews, batch_size)]
        return np.concatenate(parts)


@dataclass(frozen=True)
class UnpublishedFeatures:
    """The recipe that an owner hands out if it keeps the names of its features to itself."""

    fingerprint: str  # of the features

    def __call__(self, texts: object) -> NoReturn:
        """Raise `CapabilityError`, because the words or columns are not known here."""
        raise CapabilityError(
            "the owner of this model did not publish its words or columns, so they cannot be made here; ask the owner for the "
            "vocabulary, and make the features by bag_of_words(texts, vocabulary)"
        )


Recipe: TypeAlias = WordFeatures | TableFeatures | ScaledFeatures | ClassFeatures | UnpublishedFeatures


def check_width(recipe: Recipe, width: int) -> None:
    """Raise `DataError` unless the recipe makes features of this width."""
    found = width_of(recipe.fingerprint)
    if found != width:
        raise DataError(f"the recipe makes {found} features, but the network has {width}; use Architecture({found}, ...)")


# -- files

NAMES, SCALES = "features", "scales"
"""Arrays of a recipe in a file: its names, uint8; and centres and steps of real numbers, float64 of shape (2, columns)."""


@dataclass(frozen=True)
class RecipeHeader:
    """A recipe in the header of a file."""

    fingerprint: Fingerprint  # of the features
    published: bool  # whether the names follow, as an array
    raw: bool  # for words: whether texts are first brought into the paper's text form
    scaled: tuple[int, int] | None  # for real numbers: the largest whole number and that of the bias
    classes: tuple[str, ...]  # JSON texts of the classes, if they are named


def export_recipe(recipe: Recipe) -> tuple[RecipeHeader, dict[str, np.ndarray]]:
    """Return the header of a recipe and its arrays: names, if they are published, and scales, if numbers are real."""
    if isinstance(recipe, UnpublishedFeatures):
        return RecipeHeader(recipe.fingerprint, False, False, None, ()), {}
    of, classes = (recipe.of, recipe.classes) if isinstance(recipe, ClassFeatures) else (recipe, ())
    arrays, scaled = {NAMES: pack_strings(_names(of))}, None
    if isinstance(of, ScaledFeatures):
        arrays[SCALES], scaled = np.array([of.scaling.centres, of.scaling.steps]), (of.scaling.largest, of.scaling.bias)
    raw = isinstance(of, WordFeatures) and of.raw
    return RecipeHeader(recipe.fingerprint, True, raw, scaled, tuple(map(json.dumps, classes))), arrays


def restore_recipe(header: RecipeHeader, arrays: dict[str, np.ndarray]) -> Recipe:
    """Return the recipe that `export_recipe` took apart, and remove its arrays from `arrays`.

    Raises `FileError` unless they have the fingerprint of the header.
    """
    recipe: Recipe = _published(header, arrays) if header.published else UnpublishedFeatures(header.fingerprint)
    if export_recipe(recipe)[0] != header:
        raise FileError(f"the names in the file are not those of its fingerprint {header.fingerprint}; get a new file")
    return recipe


def _published(header: RecipeHeader, arrays: dict[str, np.ndarray]) -> Recipe:
    single = re.sub(r"x\d+$", "", header.fingerprint)
    rule, bias = single.split(":")[0], single.endswith(BIAS)
    known = tuple(_unpacked(take(arrays, NAMES)))
    of: WordFeatures | TableFeatures | ScaledFeatures
    if header.scaled is not None:
        scales = check_array("the scales of features", take(arrays, SCALES), (2, len(known)), np.float64)
        centres, steps = (tuple(row) for row in scales.tolist())
        of = ScaledFeatures(known, Scaling(centres, steps, *header.scaled))
    elif rule == "table":
        of = TableFeatures(known)
    else:
        of = WordFeatures(Vocabulary(known), rule == "counts", bias, header.raw, rule == "grams")
    if not header.classes:
        return of
    if isinstance(of, TableFeatures):
        raise FileError("a table of whole numbers has no classes of its own; get a new file from its sender")
    return ClassFeatures(of, tuple(map(_parsed, header.classes)))


def _parsed(text: str) -> Label:
    """Return the class of a JSON text."""
    try:
        found: Label = json.loads(text)
    except (ValueError, RecursionError):
        raise FileError(f"{text!r:.80} names no class; get a new file from its sender") from None
    return found


def _names(recipe: WordFeatures | TableFeatures | ScaledFeatures) -> Sequence[str]:
    return recipe.vocabulary.words if isinstance(recipe, WordFeatures) else recipe.columns


def _unpacked(names: np.ndarray) -> list[str]:
    check_array("the names of features", names, (min(names.size, MAX_NAMES_BYTES),), np.uint8)
    try:
        known = unpack_strings(names)
    except (ValueError, RecursionError):
        known = None
    if not isinstance(known, list) or not all(isinstance(name, str) for name in known):
        raise FileError("the names of features are not a list of strings; get a new file from its sender")
    return known
