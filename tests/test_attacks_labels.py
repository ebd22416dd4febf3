"""Copies without the owner's labels: better the more labels a stranger can get, and nothing without any."""

import numpy as np
import pandas as pd
import pytest

from encnn.attacks import labels
from encnn.data.datasets import words_dataset
from encnn.data.reviews import Vocabulary, load_reviews
from encnn.experiments import labels as labels_job
from encnn.experiments.linear import LEARNING_RATE as RATE


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return labels.on_corpus(load_reviews("toy"), RATE).set_index("labels from")


def test_the_owners_own_labels_give_the_owners_network(table: pd.DataFrame) -> None:
    assert table.loc["the owner's labels", "agreement with owner percent"] == 100


def test_strangers_come_near_and_more_labels_come_nearer(table: pd.DataFrame) -> None:
    agreement = table["agreement with owner percent"]
    assert agreement["100 texts labelled by hand"] < agreement["1,000 texts labelled by hand"]
    assert (agreement > 80).all()


def test_labels_that_say_nothing_give_nothing() -> None:
    data = words_dataset(load_reviews("toy"), cutoff=None)
    guessed = np.random.default_rng(0).integers(0, 2, data.X.shape[0])
    owners, copy = labels.copy_from(data.X, data.y, RATE), labels.copy_from(data.X, guessed, RATE)
    assert labels.agreement(owners, copy, data.X_test) < 0.7


def test_a_lexicon_counts_its_words_and_ignores_unknown_ones() -> None:
    X = np.array([[1, 0, 2], [0, 1, 0]])
    vocabulary = Vocabulary(("bad", "film", "great"))
    scores = labels.lexicon_scores(X, vocabulary, ["great", "superb"], ["bad"])
    np.testing.assert_array_equal(scores, [1, 0])


def test_the_job_writes_toy_numbers_apart(tmp_path) -> None:
    assert labels_job.main(["--corpus", "toy", "--folder", str(tmp_path)]) == 0
    assert len(pd.read_csv(tmp_path / "toy" / "label_copies.csv")) == 5
