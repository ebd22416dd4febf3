"""What enters: kind of features or labels x scheme x entry point.  Every cell is right, or one documented error."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from gate_cases import (
    BAD,
    BAD_LABELS,
    DENSE,
    FEATURE_ENTRIES,
    GOOD,
    GOOD_LABELS,
    LABEL_ENTRIES,
    LABELS,
    REVIEWS,
    SPARSE,
    WORDS,
    bag,
    cells,
    outcome,
    scheme,
)
from scipy import sparse

from encnn.arithmetic.sigmoid import taylor
from encnn.data import features_of, labels_of, mapped_labels
from encnn.data.batches import with_bias
from encnn.errors import CapabilityError, DataError, ParameterError
from encnn.network import TrainingPlan, predict
from encnn.parties import Trainer
from encnn.schemes.integer_vector import IntegerVectorSecretKey

TOLERANCE = {"integer vectors, 128 bits": 1e-3}  # the owner's answers and the zeros added are fresh at each run


def same(name: str, found: Any, expected: np.ndarray, exact: bool = True, fresh: bool = False) -> bool:
    """Return whether an outcome is the expected numbers: to the bit, or up to the order of sums or a scheme's fresh noise."""
    if isinstance(found, Exception):
        return False
    tolerance = 1e-3 if fresh else TOLERANCE.get(name, 0 if exact else 1e-12)
    return found.shape == expected.shape and np.allclose(found, expected, rtol=0, atol=tolerance)


# -- the table


@pytest.mark.parametrize(("name", "entry"), cells(FEATURE_ENTRIES))
def test_good_features_equal_a_csr_array_in_every_scheme(name: str, entry: str) -> None:
    s, X = scheme(name), bag()
    call = getattr(s, entry)
    if s.dense_only and entry in ("predict", "train"):
        expected = call(X)
        assert all(isinstance(outcome(call, make(X)), CapabilityError) for make in SPARSE.values())
        assert [kind for kind, make in DENSE.items() if not same(name, outcome(call, make(X)), expected)] == []
        return
    expected = call(sparse.csr_array(X))
    assert [kind for kind, make in SPARSE.items() if not same(name, outcome(call, make(X)), expected)] == []
    assert [kind for kind, make in DENSE.items() if not same(name, outcome(call, make(X)), expected, exact=False)] == []


@pytest.mark.parametrize("name", ["clear", "integer vectors"])
def test_pooling_by_the_mean_counts_the_words_of_sparse_rows(name: str) -> None:
    s, X = scheme(name, "mean"), bag()
    words, vectors = s.train(sparse.csr_array(X)), s.train(X)
    assert not np.allclose(words, vectors)
    assert [kind for kind, make in SPARSE.items() if not same(name, outcome(s.train, make(X)), words)] == []
    assert [kind for kind, make in DENSE.items() if not same(name, outcome(s.train, make(X)), vectors)] == []


@pytest.mark.parametrize(("name", "entry"), cells(FEATURE_ENTRIES))
def test_bad_features_are_one_data_error_in_every_scheme(name: str, entry: str) -> None:
    call, X = getattr(scheme(name), entry), bag()
    found = {kind: outcome(call, make(X)) for kind, make in BAD.items()}
    assert {kind: x for kind, x in found.items() if type(x) is not DataError} == {}
    expected = {kind: str(outcome(scheme("clear").predict, make(X))) for kind, make in BAD.items()}
    assert {kind: str(x) for kind, x in found.items()} == expected  # the same words, whatever the scheme


@pytest.mark.parametrize(("name", "entry"), cells(LABEL_ENTRIES))
def test_good_labels_are_one_thing_in_every_scheme(name: str, entry: str) -> None:
    call, X = getattr(scheme(name), entry), bag()
    expected, fresh = call(X, LABELS), entry == "encrypt_labels"
    assert [
        kind for kind, make in GOOD_LABELS.items() if not same(name, outcome(call, X, make(LABELS)), expected, fresh=fresh)
    ] == []


@pytest.mark.parametrize(("name", "entry"), cells(LABEL_ENTRIES))
def test_bad_labels_are_one_data_error_in_every_scheme(name: str, entry: str) -> None:
    call, X = getattr(scheme(name), entry), bag()
    kinds = (
        BAD_LABELS if entry != "encrypt_labels" else {k: v for k, v in BAD_LABELS.items() if k not in ("half", "more", "none")}
    )
    found = {kind: outcome(call, X, make(LABELS)) for kind, make in kinds.items()}
    assert {kind: x for kind, x in found.items() if type(x) is not DataError} == {}


# -- the gate by itself


@pytest.mark.parametrize("kind", GOOD)
def test_features_come_out_in_one_form(kind: str) -> None:
    X = features_of(GOOD[kind](bag()), WORDS)
    assert X.dtype == np.int64 and isinstance(X, sparse.csr_array if kind in SPARSE else np.ndarray)
    assert type(X) in (sparse.csr_array, np.ndarray)
    assert np.array_equal(X if isinstance(X, np.ndarray) else X.toarray(), bag())
    if isinstance(X, sparse.csr_array):
        starts = X.indptr[1:-1] - 1
        falls = np.flatnonzero(np.diff(X.indices) <= 0)
        assert X.indptr[-1] == len(X.indices) == len(X.data) and set(falls) <= set(starts)


def test_what_is_right_already_is_not_copied() -> None:
    for X in (bag().astype(np.int64), bag() + 0.5, sparse.csr_array(bag()), sparse.csr_array(bag() * 0.3)):
        assert features_of(X) is X


def test_the_callers_matrix_is_left_as_it_was() -> None:
    for make in GOOD.values():
        X = make(bag())
        features_of(X)
        dense = np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=float)
        assert np.array_equal(dense, bag())


def test_fractions_stay_fractions_and_large_numbers_floats() -> None:
    assert features_of([[0.5, 2.0]]).dtype == np.float64
    assert np.array_equal(features_of([[2**40, 1]]), [[2.0**40, 1.0]])
    assert features_of(np.array([[1e300, 1.0]])).dtype == np.float64
    assert features_of(np.array([[2.0**31, -1.0]])).dtype == np.int64


@pytest.mark.parametrize("name", ["integer vectors, 128 bits", "fv", "yashe"])
def test_fractions_are_refused_where_whole_numbers_are_needed(name: str) -> None:
    s = scheme(name)
    with pytest.raises(CapabilityError, match="fractions"):
        s.train(bag() * 0.5)
    s.train(np.rint(bag() * 0.5))  # its advice, which leaves floats


def test_an_absurd_height_asks_for_no_memory() -> None:
    with pytest.raises(DataError, match=r"pass X.tocsr\(\), or fewer rows"):
        features_of(sparse.coo_array(([1], ([0], [0])), shape=(2**50, 3)))


def test_a_bias_can_be_joined_to_every_kind() -> None:
    for make in GOOD.values():
        X = with_bias(make(bag()))
        dense = X if isinstance(X, np.ndarray) else X.toarray()
        assert np.array_equal(dense, np.hstack([bag(), np.ones((REVIEWS, 1))]))


def test_labels_come_out_in_one_form() -> None:
    for make in GOOD_LABELS.values():
        y = labels_of(make(LABELS), REVIEWS)
        assert type(y) is np.ndarray and y.dtype == np.int64 and np.array_equal(y, LABELS)
    assert np.array_equal(labels_of([0, 2, 1], outputs=3), [0, 2, 1])
    with pytest.raises(DataError, match="whole numbers from 0 to 2; found 3: map them"):
        labels_of([0, 3], outputs=3)


def test_stated_mappings_make_numbers_of_words_stars_and_categories() -> None:
    sentiments = {"bad": 0, "good": 1}
    for y in (["good", "bad"], np.array(["good", "bad"]), pd.Series(["good", "bad"]), pd.Categorical(["good", "bad"])):
        assert np.array_equal(mapped_labels(y, sentiments), [1, 0])
    assert np.array_equal(mapped_labels([1, 5, 2, 4.0, np.int8(1)], {1: 0, 2: 0, 4: 1, 5: 1}), [0, 1, 0, 1, 0])
    for y, mapping in [
        (["good", "fair"], sentiments),
        (["good", None], sentiments),
        ("good", sentiments),
        (3, sentiments),
        (pd.DataFrame({"bad": [1]}), sentiments),
        ({"bad": 1}, sentiments),
        (["good"], {}),
        (["good"], None),
        (["good"], {"good": "one"}),
        (["good"], {"good": 7}),
        ([["good"]], sentiments),
    ]:
        with pytest.raises(DataError):
            mapped_labels(y, mapping)


def test_what_a_message_advises_works() -> None:
    s, X = scheme("integer vectors"), bag()
    expected = s.predict(X)
    assert np.array_equal(s.predict(X[0].reshape(1, -1)), expected[:1])  # "x.reshape(1, -1)"
    column = LABELS[:, None]
    assert np.array_equal(s.train(X, column.ravel()), s.train(X, LABELS))  # "y.ravel()"
    words = np.where(LABELS == 1, "good", "bad")
    assert np.array_equal(s.train(X, mapped_labels(words, {"bad": 0, "good": 1})), s.train(X, LABELS))


# -- other doors


def test_kept_labels_pass_the_gate_too() -> None:
    from encnn.parties.assistance.scores import Assistant

    secret: IntegerVectorSecretKey = scheme("integer vectors, 128 bits").owner.secret_key  # type: ignore[assignment]
    for make in GOOD_LABELS.values():
        assert Assistant(secret, labels=make(LABELS)).opening().kept_labels == REVIEWS
    for kind, make in BAD_LABELS.items():
        if kind not in ("half", "more", "none", "None"):
            with pytest.raises(DataError):
                Assistant(secret, labels=make(LABELS))


def test_kept_labels_need_the_owner() -> None:
    from encnn.parties.assistance.scores import KeptLabels

    s = scheme("integer vectors, 128 bits")
    with pytest.raises(DataError, match="the owner keeps these labels"):
        Trainer(s.model.copy()).train(bag(), KeptLabels(REVIEWS), s.plan)


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "8"])
def test_the_size_of_batches_of_predictions_is_checked(size: Any) -> None:
    s = scheme("clear")
    with pytest.raises(ParameterError, match="batch_size"):
        predict(s.owner.evaluator, s.model.network, bag(), batch_size=size)


@pytest.mark.parametrize("scores", [None, np.zeros(8), np.zeros((8, 2)), np.zeros((8, 1), complex), np.zeros((8, 1), object)])
def test_what_is_no_scores_is_not_evaluated(scores: Any) -> None:
    with pytest.raises(DataError, match="scores"):
        scheme("clear").owner.evaluate(scores, LABELS, TrainingPlan(taylor(1)))


def test_the_gate_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for make in (*GOOD.values(), *BAD.values()):
            outcome(features_of, make(bag()))
