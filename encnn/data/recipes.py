"""Recipes: a recipe says how texts or tables become the features of one network.

A model carries its recipe, so nobody can use it with another vocabulary by mistake: `model.features(texts)` makes the right
features in any process.  A recipe is plain and public.  An owner who does not want to publish its words hands out only the
fingerprint, as `UnpublishedFeatures`.  (A vocabulary that was chosen with the labels reveals something about them, see
`Owner.encrypt_labels`.)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from encnn.data.batches import with_bias
from encnn.data.fingerprints import BIAS, Fingerprint, Rule, fingerprint_of_names, width_of
from encnn.data.reviews.cache import pack_strings, unpack_strings
from encnn.data.reviews.corpus import Reviews
from encnn.data.reviews.features import bag_of_words
from encnn.data.reviews.grams import bag_of_grams
from encnn.data.reviews.text import paper_form
from encnn.data.reviews.vocabulary import Vocabulary
from encnn.errors import CapabilityError, DataError, FileError
from encnn.files.schema import check_array

if TYPE_CHECKING:
    import pandas as pd


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
class UnpublishedFeatures:
    """The recipe that an owner hands out if it keeps the names of the features to itself."""

    fingerprint: str  # of the features

    def __call__(self, texts: object) -> NoReturn:
        """Raise `CapabilityError`, because the words or columns are not known here."""
        raise CapabilityError(
            "the owner of this model did not publish its words or columns, so they cannot be made here; ask the owner for the "
            "vocabulary, and make the features by bag_of_words(texts, vocabulary)"
        )


Recipe: TypeAlias = WordFeatures | TableFeatures | UnpublishedFeatures


def check_width(recipe: Recipe, width: int) -> None:
    """Raise `DataError` unless the recipe makes features of this width."""
    found = width_of(recipe.fingerprint)
    if found != width:
        raise DataError(f"the recipe makes {found} features, the network has {width}; use Architecture({found}, ...)")


# -- files


@dataclass(frozen=True)
class RecipeHeader:
    """A recipe in the header of a file."""

    fingerprint: Fingerprint  # of the features
    published: bool  # whether the names follow, as an array
    raw: bool  # for words: whether texts are first brought into the paper's text form


def export_recipe(recipe: Recipe) -> tuple[RecipeHeader, np.ndarray | None]:
    """Return the header of a recipe, and its names as one uint8 array (None if they are not published)."""
    if isinstance(recipe, UnpublishedFeatures):
        return RecipeHeader(recipe.fingerprint, False, False), None
    raw = isinstance(recipe, WordFeatures) and recipe.raw
    return RecipeHeader(recipe.fingerprint, True, raw), pack_strings(_names(recipe))


def restore_recipe(header: RecipeHeader, names: np.ndarray | None) -> Recipe:
    """Return the recipe that `export_recipe` took apart; raise `FileError` unless its names have its fingerprint."""
    recipe: Recipe = UnpublishedFeatures(header.fingerprint) if names is None else _published(header, names)
    if export_recipe(recipe)[0] != header:
        raise FileError(f"the names in the file are not those of its fingerprint {header.fingerprint}; get a new file")
    return recipe


def _published(header: RecipeHeader, names: np.ndarray) -> Recipe:
    rule, bias = header.fingerprint.split(":")[0], header.fingerprint.endswith(BIAS)
    known = tuple(_unpacked(names))
    if rule == "table":
        return TableFeatures(known)
    return WordFeatures(Vocabulary(known), rule == "counts", bias, header.raw, rule == "grams")


def _names(recipe: WordFeatures | TableFeatures) -> Sequence[str]:
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
