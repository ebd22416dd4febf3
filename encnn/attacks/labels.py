"""Copies without the owner's labels: what a trainer who has the texts can still do when labels are encrypted.

**Idea.**  With encrypted labels a trainer cannot repeat the owner's training, but it can get labels elsewhere and train a
network of its own in the clear: it counts the words of a sentiment lexicon, it reads some texts and labels them by hand, or it
has another labelled corpus of the same kind.

**Needs** the texts.  **Works under all parameters**, since nothing is decrypted.  The model is only as secret as the labels:
the better a stranger can guess the labels, the closer it comes to the model.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.sparse import vstack

from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.attacks.training import agreement, train_in_clear
from encnn.data import Features, features_of
from encnn.data.datasets import MIN_COUNT, Dataset, words_dataset
from encnn.data.reviews import Corpus, Vocabulary
from encnn.network import Architecture, Network, TrainingPlan
from encnn.network.rehearsal import predict_in_clear
from encnn.progress import progress

POSITIVE = ("amazing", "beautiful", "best", "brilliant", "enjoyed", "excellent", "fantastic", "great", "loved", "perfect",
            "superb", "wonderful")  # fmt: skip
NEGATIVE = ("annoying", "awful", "bad", "boring", "dull", "horrible", "lame", "poor", "stupid", "terrible", "waste",
            "worst")  # fmt: skip
"""A sentiment lexicon that anyone writes down in a minute."""

BY_HAND = (100, 1000)
MIN_UPDATES = 25_000


def lexicon_scores(X: Features, vocabulary: Vocabulary, positive: Iterable[str], negative: Iterable[str]) -> np.ndarray:
    """Return positive minus negative words of the lexicon in each review, shape (reviews,)."""
    weights = np.zeros(len(vocabulary))
    for words, sign in ((positive, 1.0), (negative, -1.0)):
        weights[[vocabulary.index[word] for word in words if word in vocabulary]] = sign
    return np.asarray(features_of(X, len(vocabulary)) @ weights)


def copy_from(X: Features, y: np.ndarray, learning_rate: float) -> Network:
    """Return logistic regression trained in the clear on these labels; small sets are repeated, with a falling rate."""
    X = features_of(X)
    epochs = max(1, MIN_UPDATES // X.shape[0])
    plan = TrainingPlan(ExactSigmoid(), learning_rate, epochs=epochs, decay=1.0 if epochs > 1 else 0.0)
    architecture = Architecture(X.shape[1], hidden=0, pooling="sum")
    return train_in_clear(Network.zeros(architecture), X, y, plan)


def copies(
    data: Dataset,
    vocabulary: Vocabulary,
    positive: Iterable[str],
    negative: Iterable[str],
    rng: np.random.Generator,
    learning_rate: float,
) -> pd.DataFrame:
    """Return one line per source of labels: the copy's accuracy, and how often it agrees with the owner's network.

    The owner's network is trained on all training labels.  Half of the test reviews stand for another labelled corpus of the
    same kind, the best that a stranger could have.  All networks are judged on the other half.
    """
    half = data.X_test.shape[0] // 2
    X_test, y_test = data.X_test[half:], data.y_test[half:]
    owners = copy_from(data.X, data.y, learning_rate)
    scores = lexicon_scores(data.X, vocabulary, positive, negative)
    sources = [("the owner's labels", data.X, data.y), ("another corpus", data.X_test[:half], data.y_test[:half])]
    sources.append(("a lexicon", data.X[scores != 0], (scores[scores != 0] > 0).astype(np.int64)))
    for count in BY_HAND:
        chosen = rng.permutation(data.X.shape[0])[:count]
        sources.append((f"{len(chosen):,} texts labelled by hand", data.X[chosen], data.y[chosen]))
    lines = []
    for name, X, y in progress(sources, "copies without labels", unit="copy"):
        copy = copy_from(X, y, learning_rate)
        right = (predict_in_clear(copy, X_test)[:, 0] >= 0) == (y_test == 1)
        lines.append((name, X.shape[0], 100 * right.mean(), 100 * agreement(owners, copy, X_test)))
    columns = ["labels from", "reviews labelled", "test accuracy percent", "agreement with owner percent"]
    return pd.DataFrame(lines, columns=columns).round(2)


def on_corpus(corpus: Corpus, learning_rate: float) -> pd.DataFrame:
    """Return `copies` for the real or the toy reviews, with a vocabulary chosen by frequency alone."""
    vocabulary = Vocabulary.select(corpus.train, min_count=MIN_COUNT)
    positive, negative = (POSITIVE, NEGATIVE) if corpus.is_real else toy_lexicon(corpus)
    data = words_dataset(corpus, cutoff=None)
    return copies(data, vocabulary, positive, negative, np.random.default_rng(0), learning_rate)


def toy_lexicon(corpus: Corpus) -> tuple[list[str], list[str]]:
    """Return a dictionary of the toy language: its dozen most leaning words each way, over all of its reviews."""
    data = words_dataset(corpus, cutoff=None)
    X, y = vstack([data.X, data.X_test], format="csr"), np.concatenate([data.y, data.y_test])
    lean = np.asarray(X[y == 1].sum(axis=0)).ravel() - np.asarray(X[y == 0].sum(axis=0)).ravel()
    words = Vocabulary.select(corpus.train, min_count=MIN_COUNT).words
    order = np.argsort(lean, kind="stable")
    return [words[i] for i in order[-12:]], [words[i] for i in order[:12]]
