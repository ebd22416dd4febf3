"""Timers of CPU time, by a clock that the tests turn."""

import pytest

from encnn.costs import timing


class Clock:
    """CPU time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def spend(self, seconds: float) -> float:
        self.now += seconds
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing.time, "process_time", lambda: clock.now)
    return clock


def test_a_call_gives_its_result_and_its_seconds(clock: Clock) -> None:
    assert timing.cpu_seconds(clock.spend, 3.0) == (3.0, 3.0)
    assert timing.cpu_seconds(clock.spend, 0.5) == (3.5, 0.5)


def test_the_best_of_several_runs_is_taken_and_a_first_call_left_out(clock: Clock) -> None:
    durations = iter([9.0, 3.0, 3.0, 2.0, 1.0])  # the first call; then runs of two calls
    assert timing.best_cpu_seconds(lambda step: clock.spend(step * next(durations)), 2, calls=2, runs=2) == 3.0


def test_a_mean_fills_its_time_and_leaves_out_what_prepares_a_call(clock: Clock) -> None:
    durations = iter([1.0, 2.0, 3.0, 100.0])

    def prepare() -> tuple[float]:
        clock.spend(50.0)
        return (next(durations),)

    assert timing.mean_cpu_seconds(clock.spend, prepare, least_s=5.0) == 2.0
