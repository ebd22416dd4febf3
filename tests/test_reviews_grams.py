"""Grams by document frequency, and the two recipes that condition features."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from encnn.data.reviews import Reviews, Vocabulary, bag_of_grams, bag_of_words, grams_of, load_reviews, select_grams
from encnn.data.reviews import conditioning as c
from encnn.errors import DataError

TEXTS = ("a good film . ", "a bad  film", "good . film", "a a a")
REVIEWS = Reviews(TEXTS, [1, 0, 1, 0])


def test_grams_pass_over_full_stops_and_blanks():
    assert grams_of("b  . c d . ", 3) == ["b", "c", "d", "b c", "c d", "b c d"]
    assert grams_of("b c", 1) == ["b", "c"] and grams_of(" . ") == []


def test_a_review_counts_once():
    assert select_grams(REVIEWS, least=3).words == ("a", "film")
    assert select_grams(REVIEWS, least=2, most=2).words == ("good", "good film")
    assert "a a" in select_grams(REVIEWS, least=1)
    assert select_grams(REVIEWS, longest=1, least=1).words == ("a", "bad", "film", "good")


def test_labels_do_not_choose():
    turned = Reviews(TEXTS, [0, 1, 0, 1])
    assert select_grams(REVIEWS, least=1).words == select_grams(turned, least=1).words


@pytest.mark.parametrize("wrong", [{"longest": 0}, {"least": 0}, {"least": 5, "most": 4}])
def test_limits_that_make_no_sense_are_refused(wrong):
    with pytest.raises(DataError, match="1 <= least <= most"):
        select_grams(REVIEWS, **wrong)
    with pytest.raises(DataError, match="no gram occurs in 5 to 9 of 4 reviews"):
        select_grams(REVIEWS, least=5, most=9)


def test_a_bag_has_a_one_for_each_gram_of_a_review():
    vocabulary = select_grams(REVIEWS, least=2)
    X = bag_of_grams(REVIEWS, vocabulary)
    expected = [[gram in grams_of(text) for gram in vocabulary.words] for text in TEXTS]
    np.testing.assert_array_equal(X.toarray(), np.array(expected, dtype=int))
    assert X.dtype == np.int64 and X.has_sorted_indices
    words = Vocabulary(("bad", "good"))
    np.testing.assert_array_equal(bag_of_grams(REVIEWS, words).toarray(), bag_of_words(REVIEWS, words).toarray())


def test_the_toy_corpus_has_pairs():
    corpus = load_reviews("toy")
    pairs = select_grams(corpus.train, least=20)
    assert any(" " in gram for gram in pairs.words)
    assert bag_of_grams(corpus.test, pairs).shape == (len(corpus.test), len(pairs))


# Recipes


X = csr_array(np.array([[1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]))
Y = np.array([1, 0, 0, 1])


def test_rare_features_take_larger_steps():
    np.testing.assert_allclose(c.rarity(X), [1, np.sqrt(2), np.sqrt(2), 2])  # one that nobody has: as if one review had it
    many = csr_array((np.ones(1, int), ([0], [0])), shape=(10_000, 1))
    assert c.rarity(many)[0] == c.RAREST
    assert c.without_labels(X, largest=6).multipliers.tolist() == [3, 4, 4, 6]


def test_leaning_is_the_log_count_ratio_of_naive_bayes():
    positive, negative = 1.0 + np.array([[2, 1, 2, 0], [2, 1, 0, 0]])
    expected = abs(np.log(positive / positive.sum() / (negative / negative.sum())))
    np.testing.assert_allclose(c.leaning(X, Y), expected)
    np.testing.assert_allclose(c.leaning(X, 1 - Y), expected)
    steps = c.with_labels(X, Y, largest=8).multipliers
    assert steps[2] == 8 == steps.max() and (steps >= 1).all()


def test_long_reviews_are_wide():
    np.testing.assert_allclose(c.lengths(X, 1.0), np.array([2, 2, 1, 3]) / 2)
    long = csr_array(np.concatenate([np.ones((1, 900), int), np.eye(40, 900, dtype=int)]))
    assert c.lengths(long).tolist() == [c.WIDEST] + [c.NARROWEST] * 40
    empty = csr_array(np.array([[0, 0], [1, 1]]))
    assert np.isfinite(c.lengths(empty)).all()


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=9), st.integers(1, 30))
def test_whole_steps_are_from_one_to_the_largest(steps, largest):
    m = c.whole(np.array(steps), largest)
    assert m.dtype.kind == "i" and m.min() >= 1 and m.max() <= largest
    if max(steps) > 1e-9:
        assert m[np.argmax(steps)] == largest


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="largest multiplier is 0"):
        c.without_labels(X, largest=0)
    for y in (Y[:3], np.array([1, 2, 0, 0])):
        with pytest.raises(DataError, match="4 zeros and ones"):
            c.with_labels(X, y)
