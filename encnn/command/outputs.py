"""What commands share beside data: files that must be new, lines in a log that say how far a run is, waiting, threads."""

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Sized
from pathlib import Path

from encnn.costs.units import duration_text, size_text
from encnn.errors import FileError
from encnn.schemes.base import Evaluator

SECONDS_BETWEEN_LINES = 10.0
SECONDS_TO_WAIT = 600.0
MESSAGES = "assist-*"
"""The files in a folder through which the owner assists."""


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how long owner and trainer wait for each other."""
    parser.add_argument(
        "--wait", type=_seconds, default=SECONDS_TO_WAIT, metavar="SECONDS", help="how long to wait (default: %(default)g)"
    )


def _seconds(text: str) -> float:
    """Return the seconds that an option names."""
    if not 0 < float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no time to wait; expected seconds above 0")
    return float(text)


def remove_messages(folder: Path, keep: str = "") -> None:
    """Remove the messages between owner and trainer from a folder, but for one of this name."""
    for path in folder.glob(MESSAGES):
        if path.name != keep:
            path.unlink(missing_ok=True)


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how many threads share the work."""
    parser.add_argument(
        "--threads", type=whole, default=os.cpu_count() or 1, metavar="N", help="threads (default: all processors)"
    )


def use_threads(evaluator: Evaluator, threads: int) -> None:
    """Let threads share the work of an evaluator, if it can share work."""
    if hasattr(evaluator, "threads"):
        evaluator.threads = threads


def whole(text: str) -> int:
    """Return the whole number from 1 on that an option names."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def new_file(path: Path) -> Path:
    """Return the path of a file to write, after making its folder.  Raises `FileError` if the file exists already."""
    if path.exists():
        raise FileError(f"{path} exists already; name another file, or remove it if nobody needs it")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def told_size(path: Path) -> str:
    """Return the path and size of a file that was written."""
    return f"{path} ({size_text(path.stat().st_size)})"


class ProgressLines:
    """Prints lines that say how far training is; pass it as `on_scores`.  On a terminal it is silent, since a bar is shown
    there.

    total: the rows of all epochs.  The speed and the time left are those of the work since `train` was called, so that rows
    from before a resume do not make a run look faster.
    """

    def __init__(self, total: int, watched: bool | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.done, self._first = 0, -1
        self._total, self._clock = total, clock
        self._watched = sys.stderr.isatty() if watched is None else watched
        self._begun = self._told = clock()

    def __call__(self, first: int, scores: Sized) -> None:
        """Count the scores of rows from `first` on as done, and print a line now and then."""
        self._first = first if self._first < 0 else self._first
        self.done = first + len(scores)
        now = self._clock()
        due = now - self._told >= SECONDS_BETWEEN_LINES or self.done == self._total
        if due and not self._watched:
            self._told = now
            print(self._line(now - self._begun), file=sys.stderr, flush=True)

    def _line(self, seconds: float) -> str:
        speed = (self.done - self._first) / max(seconds, 1e-9)
        left = (self._total - self.done) / speed
        share = 100 * self.done / self._total
        return (
            f"trained on {self.done:,} of {self._total:,} rows ({share:.0f} %), {float(f'{speed:.3g}'):,g} rows per second, "
            f"{duration_text(left)} left"
        )
