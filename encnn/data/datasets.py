"""Features and labels of a corpus, for training and testing: bags of words, and mean word vectors.

All jobs and notebooks use these recipes.  docs/deviations.md gives the reason for each choice.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from encnn.data import Features
from encnn.data.batches import TrainingFeatures
from encnn.data.reviews import Corpus, Vocabulary, bag_of_grams, bag_of_words, select_grams, word2vec_features

MIN_COUNT = 20
"""Words that occur more often than this in the training reviews are in the vocabulary."""
POLARITY_CUTOFF = 0.1
"""Words whose log ratio is closer to zero than this are left out."""
MOST = 5000
"""Grams in more training reviews than this are left out: they say little, and scores would share errors through them."""
HELD_OUT = 0.2
"""Share of the training reviews that is held out to make choices on."""
LONGEST = 12.0
"""Longer whitened features of a review are shortened to this norm, near the median of the real reviews."""


@dataclass(frozen=True)
class Dataset:
    """Plaintext features and labels, for training and for the test."""

    name: str  # of the corpus
    X: TrainingFeatures  # may be conditioned
    y: np.ndarray  # labels, shape (reviews,)
    X_test: Features  # features of the test reviews
    y_test: np.ndarray  # labels of the test reviews

    def first(self, reviews: int | None) -> "Dataset":
        """Return only the first training reviews (None: all of them), and all test reviews."""
        return Dataset(self.name, self.X[:reviews], self.y[:reviews], self.X_test, self.y_test)


def held_out(data: Dataset) -> Dataset:
    """Return the training reviews with the last `HELD_OUT` of them as test reviews, to make choices without the real test."""
    cut = round(data.X.shape[0] * (1 - HELD_OUT))
    return Dataset(data.name, data.X[:cut], data.y[:cut], data.X[cut:], data.y[cut:])


def words_dataset(corpus: Corpus, cutoff: float | None = POLARITY_CUTOFF, min_count: int = MIN_COUNT) -> Dataset:
    """Return bags of words over the vocabulary of the training reviews."""
    return bags_of_words(corpus, Vocabulary.select(corpus.train, min_count=min_count, polarity_cutoff=cutoff))


def bags_of_words(corpus: Corpus, vocabulary: Vocabulary) -> Dataset:
    """Return bags of words over this vocabulary."""
    X, X_test = (bag_of_words(reviews, vocabulary) for reviews in (corpus.train, corpus.test))
    return Dataset(corpus.name, X, corpus.train.labels, X_test, corpus.test.labels)


def grams_dataset(corpus: Corpus, least: int) -> Dataset:
    """Return which words and pairs of words each review has; only those in `least` to `MOST` training reviews count."""
    grams = select_grams(corpus.train, least=least, most=MOST)
    X, X_test = (bag_of_grams(reviews, grams) for reviews in (corpus.train, corpus.test))
    return Dataset(f"{corpus.name}, words and pairs", X, corpus.train.labels, X_test, corpus.test.labels)


def word2vec_dataset(corpus: Corpus) -> Dataset:
    """Return the mean vector of each review's words; the vectors are learnt from the training reviews only."""
    # the toy corpus has too few words to be thinned out
    subsampling = 1e-4 if corpus.is_real else 0.0
    X, X_test = word2vec_features(corpus.train, corpus.test, scaling="none", subsampling=subsampling)
    return Dataset(f"{corpus.name}, word2vec", X, corpus.train.labels, X_test, corpus.test.labels)


def whitened_dataset(corpus: Corpus) -> Dataset:
    """Return word2vec features for training with polynomials: whitened, so that few steps suffice, and of bounded norm.

    They are made without labels and without test reviews.
    """
    features = partial(word2vec_features, skip_gram=True, scaling="whitened", dampened=True, longest=LONGEST)
    if corpus.is_real:
        X, X_test = features(corpus.train, corpus.test, dimensions=128, window=10, learning_rate=0.025)
    else:
        X, X_test = features(corpus.train, corpus.test, dimensions=32, subsampling=0.0, epochs=30)
    return Dataset(f"{corpus.name}, word2vec whitened", X, corpus.train.labels, X_test, corpus.test.labels)
