"""Timers of CPU time: of one call, of the best of many, and of the mean of many.

They measure CPU time and not wall-clock time, because other programs share the machine.
"""

import math
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

LONG_ENOUGH_S = 0.01
"""`mean_cpu_seconds` repeats a call for at least this many CPU seconds."""


def cpu_seconds(action: Callable[..., Result], *arguments: object) -> tuple[Result, float]:
    """Return the result of one call of `action(*arguments)`, and its CPU seconds."""
    begun = time.process_time()
    result = action(*arguments)
    return result, time.process_time() - begun


def best_cpu_seconds(action: Callable[..., object], *arguments: object, calls: int = 1, runs: int = 5) -> float:
    """Return the CPU seconds of one call of `action(*arguments)`: the best of `runs` series of `calls`, after a warm-up call.

    It is the best and not the mean, because other work on the machine can only make a series longer.
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
    """Return the CPU seconds of one call of `action(*prepare())`: the mean over calls that take at least `least_s` together.

    The time of `prepare` does not count.
    """
    calls, spent = 0, 0.0
    while spent < least_s:
        spent += cpu_seconds(action, *prepare())[1]
        calls += 1
    return spent / calls
