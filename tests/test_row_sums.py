"""Compiled loops against numpy: equal bit for bit, also where they wrap."""

import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from encnn.arithmetic import row_sums as kernels
from encnn.data import batches
from encnn.errors import DataError

ROWS, WIDTH = 30, 256

needs_numba = pytest.mark.skipif(not kernels.available(), reason="numba is not installed")


def words(seed: int, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Return integers over the whole range of their type, so that sums wrap."""
    limits = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def reviews(seed: int, count: int) -> csr_array:
    """Return reviews of ones, some of them empty."""
    rng = np.random.default_rng(seed)
    return csr_array((rng.random((count, ROWS)) < rng.random((count, 1))).astype(np.int64))


def by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "worthwhile", lambda W: False)


@needs_numba
@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3, 7]), st.sampled_from([np.int32, np.int64]), st.sampled_from([2, 9, WIDTH]))
def test_batches_give_the_same_with_and_without_compiled_loops(seed, size, dtype, width):
    X, W = reviews(seed, 7), words(seed, (ROWS, width), dtype)
    results = []
    for compiled in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not compiled:
                by_numpy(patch)
            V, sums = W.copy(), []
            for rows, batch in batches.batches(X, size):
                sums.append(batch.gather(V))
                batch.scatter_subtract(V, words(seed + rows.start, (len(batch), width), dtype))
            results.append((np.concatenate(sums), V))
    for with_loops, without in zip(*results, strict=True):
        assert with_loops.dtype == without.dtype == dtype
        assert np.array_equal(with_loops, without)


def test_the_loops_as_plain_python_do_what_they_say():
    W, X = words(1, (ROWS, 5), np.int64) >> 8, reviews(2, 12)
    lengths = np.diff(X.indptr)
    assert lengths.min() < kernels.TOGETHER < lengths.max() and (lengths % kernels.TOGETHER).any()
    sums, V = np.zeros((12, 5), np.int64), W.copy()
    kernels.add_rows(sums, W, X.indices, X.indptr)
    assert np.array_equal(sums, X @ W)
    kernels.subtract_rows(V, X.indices, X.indptr, sums)
    assert np.array_equal(V, W - X.T @ sums)


@needs_numba
@pytest.mark.parametrize("indices", [[0, ROWS], [-1, 0], [0, 2**40]])
def test_rows_that_are_not_there_are_refused(indices):
    W, pointers = words(1, (ROWS, WIDTH), np.int64), np.array([0, 2], np.int32)
    before = W.copy()
    with pytest.raises(DataError, match="names rows that are not there"):
        kernels.gather(W, np.array(indices), pointers)
    with pytest.raises(DataError, match="names rows that are not there"):
        kernels.scatter_subtract(W, np.array(indices), pointers, W[:1])
    with pytest.raises(DataError, match="one row per review"):
        kernels.scatter_subtract(W, np.array([0, 1]), pointers, W[:1, :-1])
    with pytest.raises(DataError, match="updates are float64 .* expected int64"):
        kernels.scatter_subtract(W, np.array([0, 1]), pointers, W[:1] / 2)
    assert np.array_equal(W, before)


@needs_numba
def test_only_rows_of_integers_are_worth_it():
    assert kernels.worthwhile(np.zeros((2, WIDTH), np.int32))
    assert kernels.worthwhile(np.zeros((2, 1), np.int64))
    assert not kernels.worthwhile(np.zeros((2, WIDTH)))
    assert not kernels.worthwhile(np.zeros(WIDTH, np.int64))
    assert not kernels.worthwhile(np.zeros((2, 2 * WIDTH), np.int64)[:, ::2])


def test_without_numba_numpy_does_it(monkeypatch):
    monkeypatch.setattr(kernels, "available", lambda: False)
    W, X = words(1, (ROWS, WIDTH), np.int64) >> 8, reviews(2, 1)
    (_, batch), *_ = batches.batches(X, 1)
    assert not kernels.worthwhile(W)
    assert np.array_equal(batch.gather(W), X @ W)


@pytest.mark.parametrize("index", [-1, 3])
def test_features_that_do_not_exist_never_reach_the_loops(index):
    X = csr_array(np.eye(3, dtype=np.int64))
    X.indices[1] = index
    with pytest.raises(DataError, match="a review names feature"):
        next(batches.batches(X, 1))


def test_integers_of_another_size_wrap_into_the_rows():
    W = np.zeros((2, 3), np.int32)
    batches.DenseBatch(np.array([[1, 2]])).scatter_subtract(W, np.array([[1, 2, 2**40]]))
    assert W.tolist() == [[-1, -2, 0], [-2, -4, 0]]


@needs_numba
def test_threads_that_need_numba_at_the_same_time_wait_for_one_of_them() -> None:
    """While one thread imports it, others must not: two that did could stop for ever at a lock of its compiler."""
    asked = [threading.Thread(target=kernels.available.__wrapped__) for _ in range(2)]
    with kernels._IMPORTING:
        for thread in asked:
            thread.start()
        for thread in asked:
            thread.join(0.05)
        assert all(thread.is_alive() for thread in asked)
    for thread in asked:
        thread.join(60)
    assert not any(thread.is_alive() for thread in asked)


@pytest.mark.slow
@needs_numba
def test_a_fresh_process_whose_threads_begin_with_numba_ends() -> None:
    program = """
import threading
import numpy as np
from encnn.schemes.bootstrapped import ONE_LEVEL_128, engine
from encnn.schemes.bootstrapped.shared import shared
def part(rows):
    loops = engine.compiled_blocks(ONE_LEVEL_128.N, ONE_LEVEL_128.k)
    sums = np.empty((1, 3, 1024), np.int32)
    loops.gather(np.ones((1, 3, 1024), np.int32), np.zeros(1, np.int64), np.arange(2), np.ones(1, np.int32), sums)
    return sums
print(shared(part, 4, 4).shape)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "(4, 3, 1024)"
