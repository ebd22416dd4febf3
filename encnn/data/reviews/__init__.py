"""The reviews: corpora, their words, and the features that networks are trained on."""

from encnn.data.reviews.corpus import CORPORA, Corpus, Reviews, load_reviews, numbers_or_words, read_table, reviews_available
from encnn.data.reviews.features import bag_of_words, word2vec_features
from encnn.data.reviews.grams import bag_of_grams, grams_of, select_grams
from encnn.data.reviews.text import paper_form, words_of
from encnn.data.reviews.vocabulary import Vocabulary, most_negative, most_positive, positive_to_negative_ratios

__all__ = [
    "CORPORA",
    "Corpus",
    "Reviews",
    "Vocabulary",
    "bag_of_grams",
    "bag_of_words",
    "grams_of",
    "load_reviews",
    "most_negative",
    "most_positive",
    "numbers_or_words",
    "paper_form",
    "positive_to_negative_ratios",
    "read_table",
    "reviews_available",
    "select_grams",
    "word2vec_features",
    "words_of",
]
