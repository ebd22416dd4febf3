"""Real numbers as small whole ones: within the stated error, the same for dense and sparse, and one row for each class."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from encnn.data.fingerprints import fingerprint_of, width_of
from encnn.data.recipes import ClassFeatures, ScaledFeatures, WordFeatures
from encnn.data.reviews import Vocabulary
from encnn.data.whole_numbers import WIDEST, Scaling, scaling_of
from encnn.errors import DataError, ParameterError

TABLES = arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 4)), elements=st.floats(-1e6, 1e6, width=32))
TWO = Scaling((10.0, 0.0), (2.0, 0.5), largest=7, bias=2)


def test_known_numbers() -> None:
    found = TWO.whole(np.array([[10.0, 0.0], [13.1, -0.7], [100.0, -100.0]]))
    assert found.toarray().tolist() == [[0, 0, 2], [2, -1, 2], [7, -7, 2]] and found.dtype == np.int64
    assert found.nnz == 7
    assert TWO.cut(np.array([[10.0, 0.0], [13.1, -0.7], [100.0, -100.0]])) == 2 / 6


@given(TABLES, st.integers(2, 8))
def test_numbers_are_off_by_half_a_step_unless_they_are_cut(X: np.ndarray, bits: int) -> None:
    scaling = scaling_of(X, bits)
    found, steps, centres = scaling.whole(X).toarray(), np.array(scaling.steps), np.array(scaling.centres)
    assert (found[:, -1] == scaling.bias).all() and np.abs(found).max() <= scaling.largest == 2 ** (bits - 1) - 1
    off = np.abs(found[:, :-1] * steps + centres - X)
    within = np.abs(X - centres) <= scaling.largest * steps
    assert (off <= steps / 2 + 1e-9 * np.abs(X).max(axis=0) + 1e-12)[within].all()


def test_dense_columns_are_standardised() -> None:
    X = np.random.default_rng(0).normal([5.0, -3.0, 2.0], [0.1, 40.0, 0.0], (500, 3))
    scaling = scaling_of(X, 6)
    np.testing.assert_allclose(scaling.centres, X.mean(axis=0))
    np.testing.assert_allclose(np.array(scaling.steps)[:2], X.std(axis=0)[:2] * WIDEST / 31)
    found = scaling.whole(X).toarray()
    assert not found[:, 2].any(), "a column in which nothing varies says nothing"
    np.testing.assert_allclose(found[:, :2].std(axis=0), 31 / WIDEST, rtol=0.02)


def test_sparse_counts_stay_and_fractions_get_one_step() -> None:
    counts = csr_array(np.array([[0, 1, 3], [2, 0, 0], [0, 0, 40]]))
    assert scaling_of(csr_array(np.array([[0, 1, 3], [2, 0, 0]])), 4).steps == (1.0, 1.0, 1.0)
    assert scaling_of(counts, 4).steps[0] > 1
    parts = csr_array(np.array([[0.0, 0.25], [1.0, 0.0]]))
    scaling = scaling_of(parts, 4)
    assert scaling.centres == (0.0, 0.0) and len(set(scaling.steps)) == 1
    assert scaling.whole(parts).toarray()[:, :2].tolist() == [[0, 2], [7, 0]]
    assert scaling_of(csr_array((2, 3)), 4).whole(csr_array((2, 3))).toarray()[:, :3].tolist() == [[0, 0, 0]] * 2


@given(TABLES)
def test_dense_and_sparse_are_the_same(X: np.ndarray) -> None:
    for scaling in (scaling_of(X, 5), scaling_of(csr_array(X), 5)):
        assert (scaling.whole(X) != scaling.whole(csr_array(X))).nnz == 0


@pytest.mark.parametrize(
    "wrong",
    [
        ((), (), 7, 1),
        ((0.0,), (1.0, 1.0), 7, 1),
        ((0.0,), (0.0,), 7, 1),
        ((float("nan"),), (1.0,), 7, 1),
        ((0.0,), (1.0,), 7, 8),
        ((0.0,), (1.0,), 1 << 20, 1),
        ((0.0,), (1.0,), 7, 0),
    ],
)
def test_scalings_that_are_none_are_refused(wrong: tuple[Any, ...]) -> None:
    with pytest.raises((DataError, ParameterError), match="expected"):
        Scaling(*wrong)


def test_other_widths_and_bits_are_refused() -> None:
    with pytest.raises(DataError, match="the network has 2 features"):
        TWO.whole(np.zeros((3, 3)))
    with pytest.raises(ParameterError, match="bits=1"):
        scaling_of(np.zeros((3, 3)), 1)


# -- recipes


def test_real_columns_are_taken_by_name() -> None:
    recipe = ScaledFeatures(("age", "height"), TWO)
    table = pd.DataFrame({"height": [0.5, 1.0], "other": [0, 0], "age": [12.0, 10.0]})
    X = recipe(table)
    assert X.toarray().tolist() == [[1, 1, 2], [0, 2, 2]]
    assert fingerprint_of(X) == recipe.fingerprint and width_of(recipe.fingerprint) == 3
    assert fingerprint_of(X) != ScaledFeatures(("age", "height"), Scaling((10.0, 0.0), (2.0, 0.6), 7, 2)).fingerprint
    assert fingerprint_of(X) != ScaledFeatures(("age", "height"), Scaling((10.0, 0.0), (2.0, 0.5), 8, 2)).fingerprint
    with pytest.raises(DataError, match="make it from all of them"):
        ScaledFeatures(("age",), TWO)


def test_each_class_has_rows_and_columns_of_its_own() -> None:
    of = ScaledFeatures(("age", "height"), TWO)
    recipe = ClassFeatures(of, ("a", "b", "c"))
    X = of(np.array([[12.0, 0.5], [10.0, 1.0]])).toarray()
    pairs = recipe(np.array([[12.0, 0.5], [10.0, 1.0]]))
    assert pairs.shape == (6, 9) == (6, width_of(recipe.fingerprint)) and fingerprint_of(pairs) == of.fingerprint + "x3"
    W = np.random.default_rng(0).normal(size=(9, 1))
    np.testing.assert_allclose(recipe.scores(pairs @ W), X @ W.reshape(3, 3))
    assert recipe.labels(["b", "c"]).tolist() == [0, 1, 0, 0, 0, 1]
    assert recipe.predicted(np.array([[1.0], [3.0], [2.0], [0.0], [np.nan], [-1.0]])) == ["b", "a"]
    with pytest.raises(DataError, match="label 1 is 'd'"):
        recipe.labels(["a", "d"])


def test_two_classes_have_one_row() -> None:
    of = WordFeatures(Vocabulary(("bad", "good")), bias=True)
    recipe = ClassFeatures(of, ("no", "yes"))
    assert recipe(["good", "bad"]).toarray().tolist() == [[0, 1, 1], [1, 0, 1]]
    assert recipe.fingerprint == of.fingerprint and recipe.labels(["yes", "no"]).tolist() == [1, 0]
    assert recipe.predicted(np.array([[0.5], [-0.5]])) == ["yes", "no"]


@given(st.integers(1, 40), st.integers(1, 12), st.integers(3, 6))
def test_the_rows_of_a_mini_batch_come_class_by_class(reviews: int, batch_size: int, classes: int) -> None:
    recipe = ClassFeatures(ScaledFeatures(("age", "height"), TWO), tuple(range(classes)))
    turns = recipe.in_turn(reviews, batch_size)
    assert sorted(turns) == list(range(reviews * classes))
    for first in range(0, reviews // batch_size * batch_size * classes, batch_size):
        part = turns[first : first + batch_size]
        assert len(set(part % classes)) == 1 and part.max() // classes - part.min() // classes == batch_size - 1


@pytest.mark.parametrize("classes", [(), ("a",), ("a", "a"), ("a", None), (1, True)])
def test_classes_that_are_none_are_refused(classes: tuple[Any, ...]) -> None:
    with pytest.raises(DataError, match="at least two"):
        ClassFeatures(ScaledFeatures(("age", "height"), TWO), classes)
