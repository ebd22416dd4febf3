"""Mini-batches against plain dense numpy: the two products, what turns sums into means, and the bounds ciphertexts rely on."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from encnn.data.batches import DenseBatch, OneReview, SparseBatch, batches

small_integers = st.integers(-50, 50)
fractions = st.integers(-64, 64).map(lambda k: k / 16)  # sums of these are exact in float64, so equality is equality


def matrices(elements: st.SearchStrategy) -> st.SearchStrategy:
    dtype = st.sampled_from([np.int64, np.float64]) if elements is not fractions else st.just(np.float64)
    shapes = st.tuples(st.integers(1, 7), st.integers(1, 6))
    return st.tuples(dtype, shapes).flatmap(lambda both: hnp.arrays(*both, elements=elements))


bags = matrices(st.sampled_from([0, 0, 1]))
counted = matrices(st.sampled_from([0, 0, 1, 2, 5]))
signed = matrices(st.sampled_from([-3, 0, 0, 1, 2]))
weighted = matrices(fractions)
any_features = st.one_of(bags, counted, signed, weighted)
sizes = st.integers(1, 9)


def weights(rows: int, columns: int, seed: int, dtype: type = np.int64) -> np.ndarray:
    return np.random.default_rng(seed).integers(-(1 << 20), 1 << 20, (rows, columns)).astype(dtype)


def both_forms(X: np.ndarray) -> list[np.ndarray | csr_array]:
    return [X, csr_array(X)]


@given(any_features, sizes)
def test_batches_cover_the_reviews_from_top_to_bottom(X: np.ndarray, size: int) -> None:
    for features in both_forms(X):
        found = list(batches(features, size))
        assert [(rows.start, rows.stop) for rows, _ in found] == [(k, min(k + size, len(X))) for k in range(0, len(X), size)]
        assert [len(batch) for _, batch in found] == [rows.stop - rows.start for rows, _ in found]


@given(any_features, sizes, st.integers(0, 99))
def test_gather_is_the_product_in_integers_and_in_floats(X: np.ndarray, size: int, seed: int) -> None:
    for dtype in (np.int64, np.float64):
        W = weights(X.shape[1], 3, seed, dtype)
        for features in both_forms(X):
            for rows, batch in batches(features, size):
                np.testing.assert_array_equal(batch.gather(W), X[rows] @ W)


@given(st.one_of(bags, counted, signed), sizes, st.integers(0, 99))
def test_gather_of_whole_numbers_stays_exact_beyond_float64(X: np.ndarray, size: int, seed: int) -> None:
    X = X.astype(np.int64)
    W = weights(X.shape[1], 2, seed) + (1 << 57) + 1
    for features in both_forms(X):
        for rows, batch in batches(features, size):
            found = batch.gather(W)
            assert found.dtype == np.int64
            np.testing.assert_array_equal(found, X[rows] @ W)


@given(any_features, sizes, st.integers(0, 99))
def test_scatter_subtract_is_the_transposed_product(X: np.ndarray, size: int, seed: int) -> None:
    for features in both_forms(X):
        W = weights(X.shape[1], 3, seed, np.float64)
        expected = W.copy()
        for rows, batch in batches(features, size):
            G = weights(len(batch), 3, seed + 1, np.float64)
            batch.scatter_subtract(W, G)
            expected -= X[rows].T @ G
        np.testing.assert_array_equal(W, expected)


@given(any_features, sizes, st.integers(0, 99))
def test_scatter_subtract_into_integers_rounds_once_a_batch(X: np.ndarray, size: int, seed: int) -> None:
    for features in both_forms(X):
        W = weights(X.shape[1], 3, seed)
        expected = W.copy()
        for rows, batch in batches(features, size):
            G = weights(len(batch), 3, seed + 1)
            batch.scatter_subtract(W, G)
            expected -= np.rint(X[rows].T @ G).astype(np.int64)
        assert W.dtype == np.int64
        np.testing.assert_array_equal(W, expected)


@given(any_features, sizes)
def test_inverse_counts_turn_sums_of_words_into_means(X: np.ndarray, size: int) -> None:
    for rows, batch in batches(csr_array(X), size):
        words = np.abs(X[rows]).sum(axis=1)
        expected = [[1 / n if n else 1.0] for n in words]
        np.testing.assert_allclose(np.broadcast_to(batch.inverse_counts(), (len(batch), 1)), expected, rtol=1e-15)
    for _, batch in batches(X, size):
        assert (np.broadcast_to(batch.inverse_counts(), (len(batch), 1)) == 1).all()


@given(any_features, sizes, st.integers(0, 99))
def test_largest_row_and_column_bound_what_pooling_and_updates_can_reach(X: np.ndarray, size: int, seed: int) -> None:
    """With every entry of W and G of size 1, and signs chosen by an adversary, nothing exceeds the bounds."""
    for features in both_forms(X):
        for rows, batch in batches(features, size):
            absolute = np.abs(X[rows])
            assert batch.largest_row() >= absolute.sum(axis=1).max()
            assert batch.largest_column() >= absolute.sum(axis=0).max()


@given(any_features, sizes)
def test_largest_row_is_reached(X: np.ndarray, size: int) -> None:
    """A bound that is never reached would waste the 64 bits."""
    for features in both_forms(X):
        for rows, batch in batches(features, size):
            assert batch.largest_row() == np.abs(X[rows]).sum(axis=1).max()


@pytest.mark.parametrize("copies", [1, 2])
def test_repeated_entries_count_as_often_as_they_stand_there(copies: int) -> None:
    """A word stored twice in a row (no canonical sparse matrix) weighs double, in pooling, in updates, in the bounds."""
    indptr, indices = np.array([0, 3, 3]), np.array([1, 1, 0])
    X = csr_array((np.ones(3), indices, indptr), shape=(2, 2))
    dense, G = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[1.0], [10.0]])
    W = np.zeros((2, 1))
    for rows, batch in batches(X, copies):
        batch.scatter_subtract(W, G[rows])
        assert batch.largest_column() >= dense[rows].sum(axis=0).max()
    np.testing.assert_array_equal(W, -dense.T @ G)


def test_a_bag_of_words_takes_the_lean_paths() -> None:
    bag, counts = csr_array(np.array([[1, 0, 1], [0, 0, 0]])), csr_array(np.array([[2, 0, 1], [0, 0, 0]]))
    kinds = [[type(batch) for _, batch in batches(X, size)] for X in (bag, counts, bag.toarray()) for size in (1, 2)]
    assert kinds == [[OneReview] * 2, [SparseBatch], [SparseBatch] * 2, [SparseBatch], [DenseBatch] * 2, [DenseBatch]]


def test_stored_zeros_are_no_words() -> None:
    X = csr_array((np.array([1.0, 0.0]), np.array([0, 1]), np.array([0, 2])), shape=(1, 2))
    ((_, batch),) = batches(X, 1)
    assert batch.inverse_counts() == 1.0
    assert batch.largest_row() == 1.0


def test_sparse_matrices_of_other_index_types_are_read() -> None:
    X = csr_array(np.eye(3))
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    W = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(np.concatenate([batch.gather(W) for _, batch in batches(X, 2)]), W)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint64, np.float64])
def test_weights_keep_their_type_and_may_lie_in_any_order(size: int, dtype: type) -> None:
    X = np.array([[1, 0, 1], [1, 1, 0]])
    G = np.array([[1, 2], [3, 4]], dtype)
    for order in ("C", "F"):
        W = np.arange(10, 16).reshape(3, 2).astype(dtype, order=order)
        expected = W - X.T.astype(dtype) @ G
        for rows, batch in batches(csr_array(X), size):
            assert batch.gather(W).dtype == dtype
            batch.scatter_subtract(W, G[rows])
        np.testing.assert_array_equal(W, expected)
