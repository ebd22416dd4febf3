"""The peak of a process is its own, not that of the process it was started from; arrays begin where they are told to."""

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from encnn.arithmetic.placement import PAGE, placed
from encnn.costs import peak_memory
from encnn.costs.peak_memory import peak_memory_mb

CHILD = "from encnn.costs.peak_memory import peak_memory_mb; print(peak_memory_mb())"


def test_the_peak_counts_what_was_touched(monkeypatch, tmp_path) -> None:
    before = peak_memory_mb()
    held = np.ones(int(before) << 17)  # as much again
    assert peak_memory_mb() > 1.2 * before and held[0] == 1
    monkeypatch.setattr(peak_memory, "STATUS", tmp_path / "none")
    assert peak_memory_mb() > 1.2 * before


def test_a_new_process_begins_anew() -> None:
    if not peak_memory.STATUS.exists():
        return
    held = np.ones(1 << 26)  # 512 MB
    found = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert 1 < float(found.stdout) < 400 < peak_memory_mb() and held[0] == 1


@given(st.lists(st.integers(1, 40), max_size=3), st.sampled_from([np.uint8, np.int32, float]), st.integers(0, PAGE // 8 - 1))
def test_arrays_begin_at_their_place_and_hold_what_is_written(shape, dtype, eighth) -> None:
    a = placed(tuple(shape), dtype, 8 * eighth)
    assert a.ctypes.data % PAGE == 8 * eighth
    assert a.shape == tuple(shape) and a.dtype == dtype and a.flags.c_contiguous and a.flags.aligned and a.flags.writeable
    a[...] = 7
    assert (a == 7).all()
