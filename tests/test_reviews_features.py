"""Bags of words against plain loops, word2vec features, and both the same in every process."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn.data.reviews import (
    Reviews,
    Vocabulary,
    bag_of_words,
    features,
    load_reviews,
    reviews_available,
    word2vec_features,
)
from encnn.errors import CapabilityError, DataError

TOY = load_reviews("toy")
SMALL = {"dimensions": 8, "epochs": 2, "min_count": 2}
TEXTS = st.lists(st.text(alphabet="abc ", max_size=20), min_size=1, max_size=10)


@pytest.fixture(scope="module")
def imdb():
    """The real training reviews, from the user's own cache."""
    return load_reviews("imdb").train


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ENCNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def labelled(texts):
    return Reviews(texts, [0] * len(texts))


# Bag of words


@given(TEXTS, st.sets(st.text(alphabet="abcd", max_size=2), min_size=1), st.booleans())
def test_bag_of_words_counts_words(texts, words, counts):
    vocabulary = Vocabulary(tuple(sorted(words)))
    bag = bag_of_words(labelled(texts), vocabulary, counts=counts)
    expected = np.array([[text.split(" ").count(word) for word in vocabulary.words] for text in texts])
    np.testing.assert_array_equal(bag.toarray(), expected if counts else expected > 0)
    assert bag.shape == (len(texts), len(words))
    assert bag.dtype == np.int64
    assert bag.has_canonical_format
    for row in range(len(texts)):
        columns = bag.indices[bag.indptr[row] : bag.indptr[row + 1]]
        assert np.all(np.diff(columns) > 0)


def test_a_review_without_known_words_is_an_empty_row():
    bag = bag_of_words(labelled(["x y", "a", ""]), Vocabulary(("a", "b")))
    assert bag.toarray().tolist() == [[0, 0], [1, 0], [0, 0]]
    assert bag_of_words(labelled(["x"]), Vocabulary(("a",))).nnz == 0


def test_a_linear_rule_on_the_toy_bags_is_right():
    """Naive Bayes, written out: the bags carry the signal."""
    vocabulary = Vocabulary.select(TOY.train, min_count=1)
    train, test = (bag_of_words(part, vocabulary, counts=True) for part in (TOY.train, TOY.test))
    positive, negative = (train[TOY.train.labels == label].sum(axis=0) + 1 for label in (1, 0))
    scores = test @ np.log(positive / negative)
    assert np.mean((scores > 0) == TOY.test.labels) > 0.95


# word2vec


def test_word2vec_features_are_means_of_word_vectors():
    pytest.importorskip("gensim")
    texts = ["su", "ve", "ve su", "su su  . ve qqq", "qqq"]
    _, means = word2vec_features(TOY.train, labelled(texts), scaling="none", **SMALL)
    su, ve, both, repeated, unknown = means
    full_stop = word2vec_features(TOY.train, labelled(["."]), scaling="none", **SMALL)[1][0]
    assert means.dtype == np.float64
    np.testing.assert_allclose(both, (su + ve) / 2)
    np.testing.assert_allclose(repeated, (2 * su + full_stop + ve) / 4)
    assert not unknown.any()


@pytest.mark.parametrize("skip_gram", [True, False])
def test_word2vec_features_depend_on_the_training_texts_alone(cache, skip_gram):
    pytest.importorskip("gensim")
    train, test = word2vec_features(TOY.train, TOY.test, skip_gram=skip_gram, **SMALL)
    (cache / os.listdir(cache)[0]).unlink()
    (alone,) = word2vec_features(TOY.train, skip_gram=skip_gram, **SMALL)
    np.testing.assert_array_equal(train, alone)
    assert train.shape == (1000, 8)
    assert test.shape == (500, 8)


def test_word2vec_scaling_uses_the_training_statistics():
    pytest.importorskip("gensim")
    raw = word2vec_features(TOY.train, TOY.test, scaling="none", **SMALL)
    standard = word2vec_features(TOY.train, TOY.test, scaling="standard", **SMALL)
    white = word2vec_features(TOY.train, TOY.test, scaling="whitened", **SMALL)
    np.testing.assert_allclose(standard[1], (raw[1] - raw[0].mean(axis=0)) / raw[0].std(axis=0))
    covariance = np.cov(raw[0], rowvar=False, bias=True)
    transform = np.linalg.lstsq(raw[0] - raw[0].mean(axis=0), white[0])[0]
    np.testing.assert_allclose(np.cov(white[0], rowvar=False, bias=True), np.eye(8), atol=1e-9)
    np.testing.assert_allclose(transform @ covariance @ transform.T, np.eye(8), atol=1e-6)
    np.testing.assert_allclose(transform, transform.T, atol=1e-6 * abs(transform).max())
    np.testing.assert_allclose(white[1], (raw[1] - raw[0].mean(axis=0)) @ transform, atol=1e-6)


def test_dampened_means_count_a_repeated_word_less():
    pytest.importorskip("gensim")
    texts = ["su", "ve", "su su su ve"]
    su, ve, repeated = word2vec_features(TOY.train, labelled(texts), scaling="none", dampened=True, **SMALL)[1]
    weight = 1 + np.log(3)
    np.testing.assert_allclose(repeated, (weight * su + ve) / (weight + 1))


def test_rows_longer_than_the_longest_are_shortened_and_no_others():
    pytest.importorskip("gensim")
    free = word2vec_features(TOY.train, TOY.test, scaling="whitened", **SMALL)
    bounded = word2vec_features(TOY.train, TOY.test, scaling="whitened", longest=3.0, **SMALL)
    for before, after in zip(free, bounded, strict=True):
        norms = np.linalg.norm(before, axis=1)
        assert (norms > 3).any() and (norms < 3).any()
        np.testing.assert_allclose(np.linalg.norm(after, axis=1), np.minimum(norms, 3))
        np.testing.assert_allclose(after * norms[:, None], before * np.minimum(norms, 3)[:, None])


@pytest.mark.parametrize("scaling", ["standard", "whitened"])
@pytest.mark.parametrize("dimensions", [1, 8])
def test_scaling_survives_directions_that_do_not_vary(scaling, dimensions):
    pytest.importorskip("gensim")
    train = labelled(["a b", "a b", "b a"])  # the same mean for all
    (scaled,) = word2vec_features(train, dimensions=dimensions, epochs=1, min_count=0, scaling=scaling)
    np.testing.assert_allclose(scaled, 0, atol=1e-6)


def test_word2vec_is_trained_once(cache, monkeypatch):
    pytest.importorskip("gensim")
    first = word2vec_features(TOY.train, **SMALL)[0]
    monkeypatch.setattr(features, "_train_vectors", None)
    np.testing.assert_array_equal(word2vec_features(TOY.train, **SMALL)[0], first)
    assert len(os.listdir(cache)) == 1


def test_word2vec_is_trained_anew_for_other_texts_or_settings(cache):
    pytest.importorskip("gensim")
    word2vec_features(TOY.train, **SMALL)
    others = [{"dimensions": 7}, {"epochs": 1}, {"min_count": 3}, {"seed": 2}, {"window": 3}, {"skip_gram": True}]
    for number, change in enumerate([*others, {"subsampling": 0.0}, {"learning_rate": 0.1}], start=2):
        word2vec_features(TOY.train, **(SMALL | change))
        assert len(os.listdir(cache)) == number
    word2vec_features(TOY.train[:500], **SMALL)
    assert len(os.listdir(cache)) == number + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimensions": 0}, "dimensions=0: expected a whole number of at least 1"),
        ({"epochs": 1.5}, "epochs=1.5: expected"),
        ({"window": -1}, "window=-1: expected"),
        ({"min_count": -1}, "min_count=-1: expected"),
        ({"seed": -1}, "seed=-1: expected"),
        ({"subsampling": -0.1}, "subsampling=-0.1: expected"),
        ({"learning_rate": 0}, "learning_rate=0: expected"),
        ({"longest": 0.0}, "longest=0.0: expected a finite number above 0"),
        ({"scaling": "unit"}, "scaling is 'unit'; it must be 'none', 'standard' or 'whitened'"),
        ({"min_count": 10**6}, "No word is seen 1000001 times or more; lower min_count"),
    ],
)
def test_word2vec_refuses_impossible_settings(cache, change, message):
    pytest.importorskip("gensim")
    with pytest.raises(DataError, match=message):
        word2vec_features(TOY.train, **(SMALL | change))
    assert not cache.exists()


def test_without_gensim_the_error_names_the_extra(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(features.importlib, "import_module", missing)
    with pytest.raises(CapabilityError, match=r"pip install 'encnn\[word2vec\]'"):
        word2vec_features(TOY.train, **SMALL)


def test_word2vec_features_carry_the_signal():
    """Least squares on the features: nearly as right as the words themselves allow."""
    pytest.importorskip("gensim")
    train, test = word2vec_features(TOY.train, TOY.test, dimensions=64, subsampling=0)
    weights = np.linalg.lstsq(train, TOY.train.labels - 0.5)[0]
    assert np.mean((test @ weights > 0) == TOY.test.labels) > 0.95


# The same in every process

PROGRAM = """
import hashlib
from encnn.data.reviews import Vocabulary, bag_of_words, load_reviews, positive_to_negative_ratios, word2vec_features
toy = load_reviews("toy")
vocabulary = Vocabulary.select(toy.train, min_count=5, polarity_cutoff=0.3)
bag = bag_of_words(toy.test, vocabulary, counts=True)
ratios = positive_to_negative_ratios(toy.train)
parts = [toy.train.digest, repr(vocabulary.words), repr(ratios.to_csv()), bag.data, bag.indices, bag.indptr]
if WORD2VEC:
    parts += word2vec_features(toy.train, toy.test, dimensions=8, epochs=2, scaling="whitened")
for part in parts:
    print(hashlib.sha256(part.encode() if isinstance(part, str) else part.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_everything_is_the_same_whatever_the_hash_seed(tmp_path):
    word2vec = importlib.util.find_spec("gensim") is not None
    outputs = []
    for seed in ("0", "1", "12345"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "ENCNN_CACHE": str(tmp_path / seed)}
        command = [sys.executable, "-c", PROGRAM.replace("WORD2VEC", str(word2vec))]
        outputs.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(outputs[0].split()) == 6 + 2 * word2vec


@pytest.mark.slow
@pytest.mark.skipif(not reviews_available("imdb"), reason="the real reviews are not here; set ENCNN_DATA")
def test_bag_of_words_of_the_real_reviews(imdb):
    vocabulary = Vocabulary.select(imdb)
    bag, counts = (bag_of_words(imdb, vocabulary, counts=counts) for counts in (False, True))
    assert bag.shape == counts.shape == (25_000, 74_074)
    assert counts.sum() == sum(text.count(" ") + 1 for text in imdb.texts)
    assert bag.nnz == counts.nnz == sum(len(set(text.split(" "))) for text in imdb.texts)
    assert bag.max() == 1
