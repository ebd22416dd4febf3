"""A batch that threads share: the order of results, and processes that are forked from one with threads."""

import multiprocessing
import os
import threading

import numpy as np
import pytest

from encnn.schemes.bootstrapped.shared import shared


def squares(threads: int, batch: int = 7) -> np.ndarray:
    return shared(lambda rows: np.arange(batch)[rows] ** 2, batch, threads)


@pytest.mark.parametrize("threads", [1, 2, 3, 20])
@pytest.mark.parametrize("batch", [0, 1, 7])
def test_results_come_in_order(threads: int, batch: int) -> None:
    np.testing.assert_array_equal(squares(threads, batch), np.arange(batch) ** 2)


def test_each_part_has_a_thread_and_the_caller_does_one() -> None:
    """All parts meet before any of them ends, in two calls with the same threads."""
    used = []
    for _ in range(2):
        gate = threading.Barrier(3, timeout=30)

        def work(rows: slice, gate: threading.Barrier = gate) -> np.ndarray:
            gate.wait()
            return np.full(rows.stop - rows.start, threading.get_ident())

        used.append(set(shared(work, 7, 3).tolist()))
    assert used[0] == used[1] and len(used[0]) == 3 and threading.get_ident() in used[0]


def test_an_error_of_any_part_arrives() -> None:
    for bad in (0, 4):

        def work(rows: slice, bad: int = bad) -> np.ndarray:
            if rows.start <= bad < rows.stop:
                raise ArithmeticError(str(bad))
            return np.zeros(rows.stop - rows.start)

        with pytest.raises(ArithmeticError, match=str(bad)):
            shared(work, 7, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_starts_threads_of_its_own() -> None:
    """It has none of its parent's, and would wait for them forever."""
    squares(2)
    child = multiprocessing.get_context("fork").Process(target=squares, args=(2,))
    child.start()
    child.join(30)
    if child.exitcode is None:
        child.kill()
    assert child.exitcode == 0
