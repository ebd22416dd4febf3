"""A batch that threads share: each ciphertext is computed by itself, so results do not depend on the number of threads."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import numpy as np

from encnn.arithmetic import checks

T = TypeVar("T")
R = TypeVar("R")


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
    return np.concatenate(_at_once(work, list(map(slice, bounds, bounds[1:])), threads))


def shared_out(work: Callable[[int, int], None], things: int, threads: int) -> None:
    """Do work(share, of) for all shares, 0 to of - 1, of a number of things, each share in a thread of its own."""
    of = max(1, min(checks.whole("threads", threads, 1), things))
    _at_once(lambda share: work(share, of), range(of), threads)


def _at_once(work: Callable[[T], R], parts: Sequence[T], threads: int) -> list[R]:
    """Return the results of `work` for at most `threads` parts, or raise what one of them raised."""
    found = _pool(threads - 1).map(work, parts[1:]) if len(parts) > 1 else ()
    return [work(parts[0]), *found]  # the others have begun, and this thread does a part instead of waiting
