"""Timers of CPU time: of one call, of the best of many, and of the mean of many.

CPU time and not the clock on the wall, since other programs share the machine.
"""

import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")

LONG_ENOUGH_S = 0.01
"""CPU seconds that `mean_cpu_seconds` repeats a call for, at least."""


def cpu_seconds(action: Callable[..., Result], *arguments: Any) -> tuple[Result, float]:
    """Return what one call of `action(*arguments)` gives, and its CPU seconds."""
    begun = time.process_time()
    result = action(*arguments)
    return result, time.process_time() - begun


def best_cpu_seconds(action: Callable[..., object], *arguments: Any, calls: int = 1, runs: int = 5) -> float:
    """Return the CPU seconds of one call of `action(*arguments)`, the best of `runs` series of `calls`; a first is not counted.

    The best, because whatever else a machine does can only make a series longer.
    """
    action(*arguments)
    best = math.inf
    for _ in range(runs):
        begun = time.process_time()
        for _ in range(calls):
            action(*arguments)
        best = min(best, time.process_time() - begun)
    return best / calls


def mean_cpu_seconds(
    action: Callable[..., object], prepare: Callable[[], tuple] = tuple, least_s: float = LONG_ENOUGH_S
) -> float:
    """Return the CPU seconds of one call of `action(*prepare())`: the mean of calls that fill `least_s`.

    The time of `prepare` does not count.
    """
    calls, spent = 0, 0.0
    while spent < least_s:
        spent += cpu_seconds(action, *prepare())[1]
        calls += 1
    return spent / calls
