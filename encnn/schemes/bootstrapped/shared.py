"""A batch that threads share: each ciphertext is computed by itself, so results do not depend on the number of threads."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from encnn.arithmetic import checks


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return threads that are kept, because to start them would take as long as a small share of a batch."""
    return ThreadPoolExecutor(threads)


if hasattr(os, "register_at_fork"):  # a child process does not have the threads of its parent
    os.register_at_fork(after_in_child=_pool.cache_clear)


def shared(work: Callable[[slice], np.ndarray], batch: int, threads: int) -> np.ndarray:
    """Return the results of `work` for a batch, joined along their first axis, in nearly equal parts of one thread each."""
    parts = min(checks.whole("threads", threads, 1), batch)
    if parts <= 1:
        return work(slice(0, batch))
    bounds = [batch * i // parts for i in range(parts + 1)]
    first, *others = map(slice, bounds, bounds[1:])
    found = _pool(threads - 1).map(work, others)  # they begin at once, and this thread does a part instead of waiting
    return np.concatenate([work(first), *found])


def each(work: Callable[[int], None], threads: int) -> None:
    """Do work(0), ..., work(threads - 1) at the same time, each in one thread."""
    others = _pool(threads - 1).map(work, range(1, threads)) if threads > 1 else ()
    work(0)
    list(others)  # waits, and raises what they raised
