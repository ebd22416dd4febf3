"""Vocabulary and ratios against the course's own way of computing them, one word at a time."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn.data.reviews import (
    Reviews,
    Vocabulary,
    load_reviews,
    most_negative,
    most_positive,
    positive_to_negative_ratios,
    reviews_available,
)
from encnn.data.reviews.toy import toy_log_odds
from encnn.errors import DataError

TOY = load_reviews("toy").train
needs_imdb = pytest.mark.skipif(not reviews_available("imdb"), reason="the real reviews are not here; set ENCNN_DATA")


def small_reviews():
    """Texts of few words, some of them seen often enough for their polarity to count."""
    review = st.tuples(st.text(alphabet="ab ", max_size=6), st.integers(1, 60), st.booleans())
    return st.lists(review, min_size=1, max_size=8).map(
        lambda rows: Reviews([" ".join([text] * times) for text, times, _ in rows], [label for _, _, label in rows])
    )


def course_counts(reviews):
    positive, negative = Counter(), Counter()
    for text, label in zip(reviews.texts, reviews.labels, strict=True):
        for word in text.split(" "):
            (positive if label == 1 else negative)[word] += 1
    return positive, negative


def course_log_ratio(positive, negative):
    ratio = positive / float(negative + 1)
    if ratio > 1:
        return np.log(ratio)
    return -np.log(1 / (ratio + 0.01))


def course_vocabulary(reviews, min_count, cutoff):
    positive, negative = course_counts(reviews)
    chosen = set()
    for word, count in (positive + negative).items():
        if count > min_count:
            log_ratio = course_log_ratio(positive[word], negative[word])
            if count < 50 or log_ratio >= cutoff or log_ratio <= -cutoff:
                chosen.add(word)
    return sorted(chosen)


def chosen_words(reviews, **settings):
    """The chosen words, or none where `select` refuses an empty vocabulary."""
    try:
        return list(Vocabulary.select(reviews, **settings).words)
    except DataError as error:
        assert "no words" in str(error)
        return []


def test_a_vocabulary_numbers_its_words_in_order():
    vocabulary = Vocabulary(["", "a", "b"])
    assert vocabulary.words == ("", "a", "b")
    assert dict(vocabulary.index) == {"": 0, "a": 1, "b": 2}
    assert ("a" in vocabulary, "c" in vocabulary, len(vocabulary)) == (True, False, 3)
    assert vocabulary == Vocabulary(("", "a", "b"))
    with pytest.raises(TypeError):
        vocabulary.index["c"] = 3


@pytest.mark.parametrize("words", [("b", "a"), ("a", "a"), (1, 2), ("a", None)])
def test_words_that_are_not_distinct_sorted_strings_are_refused(words):
    with pytest.raises(DataError, match=r"distinct strings in sorted order; pass sorted\(set\(words\)\)"):
        Vocabulary(words)


def test_an_empty_vocabulary_is_refused():
    with pytest.raises(DataError, match="lower min_count or polarity_cutoff"):
        Vocabulary.select(TOY, min_count=10**6)


@given(small_reviews())
def test_all_words_without_any_test(reviews):
    positive, negative = course_counts(reviews)
    assert chosen_words(reviews) == sorted(positive + negative)


@given(small_reviews(), st.integers(0, 60), st.sampled_from([0.0, 0.1, 0.5, 2.0, np.log(2)]))
def test_selection_is_the_courses(reviews, min_count, cutoff):
    found = chosen_words(reviews, min_count=min_count, polarity_cutoff=cutoff)
    assert found == course_vocabulary(reviews, min_count, cutoff)


def test_selection_cuts_common_neutral_words_only():
    texts = [" ".join(["even"] * 49 + ["good"] * 60 + ["rare"] * 24), " ".join(["even"] * 50 + ["rare"] * 25)]
    words = Vocabulary.select(Reviews(texts, [1, 0]), polarity_cutoff=0.1).words
    assert words == ("good", "rare")


@given(small_reviews(), st.integers(1, 6))
def test_the_most_frequent_words(reviews, max_words):
    counts = Counter(word for text in reviews.texts for word in text.split(" "))
    expected = sorted(counts, key=lambda word: (-counts[word], word))[:max_words]
    assert chosen_words(reviews, max_words=max_words) == sorted(expected)


def test_selection_by_frequency_does_not_see_the_labels():
    swapped = Reviews(TOY.texts, 1 - TOY.labels)
    settings = {"min_count": 20, "max_words": 200}
    assert Vocabulary.select(TOY, **settings) == Vocabulary.select(swapped, **settings)
    by_polarity = Vocabulary.select(TOY, polarity_cutoff=1.0)
    assert by_polarity != Vocabulary.select(Reviews(TOY.texts, np.sort(TOY.labels)), polarity_cutoff=1.0)


@given(small_reviews(), st.integers(0, 3))
def test_ratios_are_the_courses(reviews, min_count):
    table = positive_to_negative_ratios(reviews, min_count)
    positive, negative = course_counts(reviews)
    expected = [
        (word, positive[word], negative[word], course_log_ratio(positive[word], negative[word]))
        for word, count in (positive + negative).items()
        if count > min_count
    ]
    expected.sort(key=lambda row: (-row[3], row[0]))
    assert list(table.columns) == ["word", "positive", "negative", "log_ratio"]
    assert list(table.itertuples(index=False, name=None)) == expected


def test_the_most_positive_and_most_negative_words():
    texts = ["good good fine even", "bad bad bad even poor"]
    table = positive_to_negative_ratios(Reviews(texts, [1, 0]))
    assert most_positive(table, 2).word.tolist() == ["good", "fine"]
    assert most_negative(table, 2).word.tolist() == ["bad", "poor"]
    assert isinstance(most_negative(table), pd.DataFrame)
    assert len(most_negative(table)) == len(table) == 5


def test_the_toy_words_lean_as_they_should():
    log_odds = toy_log_odds()
    table = positive_to_negative_ratios(TOY, min_count=40)
    strong = sorted(word for word, odds in log_odds.items() if odds > 2)
    assert sorted(most_positive(table, len(strong)).word) == strong


@needs_imdb
@pytest.mark.slow
@pytest.mark.parametrize(("min_count", "cutoff"), [(10, 0.1), (20, 0.05), (50, 0.5)])
def test_selection_on_the_real_reviews_is_the_courses(min_count, cutoff):
    train = load_reviews("imdb").train
    words = Vocabulary.select(train, min_count=min_count, polarity_cutoff=cutoff).words
    assert list(words) == course_vocabulary(train, min_count, cutoff)


@needs_imdb
@pytest.mark.slow
def test_all_words_of_the_real_reviews():
    assert len(Vocabulary.select(load_reviews("imdb").train)) == 74_074
