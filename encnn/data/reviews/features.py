"""Reviews as numbers: bags of words (sparse), and means of word2vec vectors (dense).

The word vectors are trained with gensim, an optional dependency, on the texts of the *training* reviews alone.  One
worker and a fixed seed make them the same in every run; neither labels nor test reviews take part.
"""

import hashlib
import importlib
import json
from array import array
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Literal, get_args

import numpy as np
from scipy import sparse
from tqdm import tqdm

from encnn.arithmetic.checks import choice, real, whole
from encnn.data.fingerprints import Rule, fingerprint_of_names, marked
from encnn.data.reviews.cache import load_arrays, pack_strings, save_arrays, unpack_strings
from encnn.data.reviews.corpus import Reviews
from encnn.data.reviews.text import words_of
from encnn.data.reviews.vocabulary import Vocabulary
from encnn.errors import CapabilityError, DataError
from encnn.progress import progress

Scaling = Literal["none", "standard", "whitened"]
_FORMAT = 1
_SMALLEST_VARIANCE = 1e-10  # of a direction, relative to the largest; below it a direction carries nothing


def bag_of_words(reviews: Reviews | Sequence[str], vocabulary: Vocabulary, *, counts: bool = False) -> sparse.csr_array:
    """Return which words each review, or text, has: int64 csr_array of shape (len(reviews), len(vocabulary)).

    Entries are 1 for a word that occurs or, with `counts`, how often it does.  Columns are sorted within each row.  A
    review without any known word is an empty row.  The array carries the fingerprint of its words (`data.fingerprints`), by
    which a model notices features of another vocabulary.

    >>> reviews = Reviews(("bad bad film", "a good film", "fine"), [0, 1, 1])
    >>> bag_of_words(reviews, Vocabulary(("bad", "film", "good")), counts=True).toarray()
    array([[2, 1, 0],
           [0, 1, 1],
           [0, 0, 0]])
    """
    return bag_of(reviews, vocabulary, words_of, "counts" if counts else "words")


def bag_of(
    reviews: Reviews | Sequence[str], vocabulary: Vocabulary, units_of: Callable[[str], list[str]], rule: Rule
) -> sparse.csr_array:
    """Return what `bag_of_words` does, for the units that `units_of` makes of a text.  rule: its name in the fingerprint."""
    columns, row_starts = array("q"), array("q", [0])
    number_of = vocabulary.index.get
    texts = reviews.texts if isinstance(reviews, Reviews) else reviews
    for text in progress(texts, "bag of words", unit=" reviews"):
        columns.extend([number for unit in units_of(text) if (number := number_of(unit)) is not None])
        row_starts.append(len(columns))
    ones = np.ones(len(columns), dtype=np.int64)
    bag = sparse.csr_array((ones, np.array(columns), np.array(row_starts)), shape=(len(texts), len(vocabulary)))
    bag.sum_duplicates()  # also sorts the columns
    if rule != "counts":
        bag.data[:] = 1
    return marked(bag, fingerprint_of_names(rule, vocabulary.words))


def word2vec_features(
    train: Reviews,
    *others: Reviews,
    dimensions: int = 100,
    skip_gram: bool = False,
    epochs: int = 5,
    window: int = 15,
    min_count: int = 4,
    subsampling: float = 1e-4,
    learning_rate: float = 0.05,
    scaling: Scaling = "standard",
    dampened: bool = False,
    longest: float | None = None,
    seed: int = 1,
) -> tuple[np.ndarray, ...]:
    """Return the features of `train` and of each of `others`: float64 arrays of shape (reviews, dimensions).

    A review's feature is the mean of the vectors of its known words, repetitions included, or zero without any.  The vectors
    are trained on `train` alone, once: they are kept in the cache folder under its digest and the settings.  The defaults of
    `window`, `subsampling` and `learning_rate` did best on held-out real *training* reviews (the job `word2vec`).

    skip_gram: skip-gram if True, else continuous bag of words.  epochs, window: passes over the texts, words of each side.
    min_count: words seen more often than this get a vector.
    subsampling: share of the text above which a frequent word is left out at random in training.  It is tuned to the
        real reviews; a corpus of few different words, such as "toy", wants 0, which leaves none out.
    learning_rate: of the first step; it falls to zero towards the last.
    scaling: "none"; "standard", mean 0 and variance 1 in each dimension; or "whitened", also uncorrelated, by the
        symmetric (ZCA) transform.  Mean and covariance are those of `train`, for all.
    dampened: a word that a review has k times counts 1 + log(k) times in its mean, not k times.
    longest: after scaling, rows of a larger Euclidean norm are shortened to this one, which bounds scores; None leaves them.

    Raises CapabilityError without gensim, and DataError for settings out of range or texts too small for them.
    """
    _check(subsampling, learning_rate, scaling, longest)
    whole_ones = _whole_settings(dimensions=dimensions, epochs=epochs, window=window, min_count=min_count, seed=seed)
    settings = whole_ones | {"sg": int(skip_gram), "sample": float(subsampling), "alpha": float(learning_rate)}
    vocabulary, vectors = _word_vectors(train, settings)
    means = [_mean_vectors(reviews, vocabulary, vectors, dampened) for reviews in (train, *others)]
    centre, transform = _scaling_of(means[0], scaling)
    return tuple(_shortened((mean - centre) @ transform, longest) for mean in means)


def _whole_settings(dimensions: int, epochs: int, window: int, min_count: int, seed: int) -> dict[str, float]:
    """Return the settings that are whole numbers, as gensim calls them; refuse those out of range."""
    return {
        "vector_size": _whole("dimensions", dimensions, 1),
        "epochs": _whole("epochs", epochs, 1),
        "window": _whole("window", window, 1),
        "min_count": _whole("min_count", min_count, 0) + 1,  # gensim's is inclusive
        "seed": _whole("seed", seed, 0),
    }


def _check(subsampling: float, learning_rate: float, scaling: str, longest: float | None) -> None:
    """Refuse settings out of range; whole numbers are checked by `_whole`."""
    real("subsampling", subsampling, 0, 1, error=DataError)
    real("learning_rate", learning_rate, most=1, above=0, error=DataError)
    choice("scaling", scaling, get_args(Scaling), error=DataError)
    if longest is not None:
        real("longest", longest, above=0, error=DataError)


def _whole(name: str, value: int, least: int) -> int:
    return whole(name, value, least, error=DataError)


def _word_vectors(train: Reviews, settings: dict[str, float]) -> tuple[Vocabulary, np.ndarray]:
    """Return words and their vectors, float64 of shape (words, dimensions), from the cache or from training."""
    key = json.dumps([_FORMAT, train.digest, settings], sort_keys=True)
    name = f"word2vec-{hashlib.sha256(key.encode()).hexdigest()[:32]}.bin"
    cached = load_arrays(name, ("words", "vectors"))
    if cached is None:
        words, vectors = _train_vectors(train, settings)
        cached = {"words": pack_strings(words), "vectors": vectors}
        save_arrays(name, cached)
    return Vocabulary(tuple(unpack_strings(cached["words"]))), cached["vectors"].astype(np.float64)


def _train_vectors(train: Reviews, settings: dict[str, float]) -> tuple[list[str], np.ndarray]:
    """Return the words in sorted order and their vectors, float32."""
    models = _gensim_models()
    passes = settings["epochs"] + 1  # the first one collects the words
    with progress(total=passes * len(train), description="training word2vec", unit=" reviews") as bar:
        model = models.Word2Vec(workers=1, **{k: v for k, v in settings.items() if k != "epochs"})
        sentences = _Sentences(train.texts, bar)
        model.build_vocab(sentences)
        if not len(model.wv):
            raise DataError(f"No word is seen {settings['min_count']} times or more; lower min_count or give more texts.")
        model.train(sentences, total_examples=len(train), epochs=settings["epochs"])
    words = sorted(model.wv.index_to_key)
    return words, model.wv[words]


def _gensim_models() -> ModuleType:
    try:
        return importlib.import_module("gensim.models")
    except ImportError as error:
        raise CapabilityError(
            "word2vec features need gensim, which is not installed; run: pip install 'encnn[word2vec]'"
        ) from error


class _Sentences:
    """Texts as lists of words, to be read several times; the empty word, which has no meaning to learn, is left out."""

    def __init__(self, texts: Sequence[str], bar: tqdm) -> None:
        self._texts, self._bar = texts, bar

    def __iter__(self) -> Iterator[list[str]]:
        for text in self._texts:
            yield [word for word in words_of(text) if word]
            self._bar.update()


def _mean_vectors(reviews: Reviews, vocabulary: Vocabulary, vectors: np.ndarray, dampened: bool) -> np.ndarray:
    bag = bag_of_words(reviews, vocabulary, counts=True)
    if dampened:
        bag = bag.astype(np.float64)
        bag.data = 1 + np.log(bag.data)
    known_words = np.maximum(bag.sum(axis=1), 1)
    return (bag @ vectors) / known_words[:, None]


def _scaling_of(features: np.ndarray, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """Return centre (dimensions,) and symmetric T (dimensions, dimensions): rows x are scaled to (x - centre) @ T."""
    dimensions = features.shape[1]
    if scaling == "none":
        return np.zeros(dimensions), np.eye(dimensions)
    centre = features.mean(axis=0)
    if scaling == "standard":
        return centre, np.diag(_inverse_roots(features.var(axis=0)))
    variances, directions = np.linalg.eigh(np.cov(features, rowvar=False, bias=True).reshape(dimensions, dimensions))
    return centre, (directions * _inverse_roots(variances)) @ directions.T


def _shortened(X: np.ndarray, longest: float | None) -> np.ndarray:
    """Return the rows, those longer than `longest` shortened to it."""
    if longest is None:
        return X
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X * np.minimum(1, longest / np.maximum(norms, 1e-300))


def _inverse_roots(variances: np.ndarray) -> np.ndarray:
    """Return 1 / sqrt(variance), and 0 for directions in which nothing varies."""
    varies = variances > _SMALLEST_VARIANCE * variances.max()
    return np.where(varies, 1 / np.sqrt(np.where(varies, variances, 1)), 0)
