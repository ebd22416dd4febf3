"""The generated corpus has the signal that it says it has."""

import itertools
from collections import Counter

import numpy as np
import pytest

from encnn.data.reviews import load_reviews, words_of
from encnn.data.reviews.toy import LEANING_SHARE, LONGEST, NEUTRAL_WORDS, SHORTEST, STRENGTHS, toy_log_odds

TOY = load_reviews("toy")
LOG_ODDS = toy_log_odds()


def words(text):
    return [word for word in words_of(text) if word not in ("", ".")]


def test_the_corpus_never_changes():
    assert TOY.train.digest == "6a73c48fdde368ff057d8e7e4df699f2db3119e3642f6455f628e6f6463a4227"
    assert TOY.test.digest == "1d28e144bfc17d71affc5720a291f6eb8e41237d9b1c0677c657d923ffe78e1a"


def test_texts_look_like_reviews_in_the_paper_form():
    for reviews in (TOY.train, TOY.test):
        assert {len(words(text)) for text in reviews.texts} == set(range(SHORTEST, LONGEST + 1))
        assert all(text.endswith(" .  ") for text in reviews.texts)
        assert set("".join(reviews.texts)) <= set("abcdefghijklmnopqrstuvwxyz .")
        assert len(set(reviews.texts)) == len(reviews)
        assert reviews.labels.mean() == 0.5


def test_the_words_are_a_few_hundred_and_no_test_word_is_new():
    train, test = ({word for text in reviews.texts for word in words(text)} for reviews in (TOY.train, TOY.test))
    assert len(train) == NEUTRAL_WORDS + 2 * len(STRENGTHS)
    assert test <= train


def test_neutral_words_follow_zipf():
    counts = Counter(w for text in TOY.train.texts for w in words(text) if w not in LOG_ODDS)
    ranked = np.array(sorted(counts.values(), reverse=True))
    expected = 1 / (np.arange(NEUTRAL_WORDS) + 3.0)
    np.testing.assert_allclose(ranked / ranked.sum(), expected / expected.sum(), rtol=0.5)


def test_leaning_words_lean_as_strongly_as_stated():
    own, other = Counter(), Counter()
    n_words = 0
    for text, label in itertools.chain(*(zip(r.texts, r.labels, strict=True) for r in (TOY.train, TOY.test))):
        n_words += len(words(text))
        for word in words(text):
            if word in LOG_ODDS:
                (own if (LOG_ODDS[word] > 0) == label else other)[round(abs(LOG_ODDS[word]), 6)] += 1
    assert (own.total() + other.total()) / n_words == pytest.approx(LEANING_SHARE, abs=0.01)
    for strength in own:
        assert np.log(own[strength] / other[strength]) == pytest.approx(strength, abs=0.1)


@pytest.mark.parametrize("part", ["train", "test"])
def test_the_best_classifier_is_right_about_98_times_in_100(part):
    reviews = getattr(TOY, part)
    evidence = np.array([sum(LOG_ODDS.get(word, 0) for word in words(text)) for text in reviews.texts])
    assert 0.97 < np.mean((evidence > 0) == reviews.labels) < 0.995
