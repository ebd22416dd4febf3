"""Settings that hold for every test."""

from collections.abc import Iterator

import matplotlib
import matplotlib.pyplot as plt
import pytest
from figure_checks import complaints
from hypothesis import settings

collect_ignore = ["hostile_loops.py"]  # a program, run by test_compiled_guards in a process of its own

matplotlib.use("Agg")

# Ciphertext operations vary in time from machine to machine, so a deadline would make tests fail at random.
settings.register_profile("encnn", deadline=None)
settings.load_profile("encnn")


@pytest.fixture
def checked_figures() -> Iterator[None]:
    """Demand of every figure that a test draws and leaves open what a reader needs, and close it."""
    plt.close("all")
    yield
    found = [complaint for number in plt.get_fignums() for complaint in complaints(plt.figure(number))]
    plt.close("all")
    assert not found, found
