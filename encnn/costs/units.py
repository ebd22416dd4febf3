"""Sizes and durations as text, in units that suit them."""

import math


def size_text(number: float) -> str:
    """Return bytes in a unit that suits them.

    >>> size_text(31457280), size_text(2.62e11), size_text(2.73e18)
    ('31.5 MB', '262 GB', '2.73 EB')
    """
    power = max(0, min(6, int(math.log10(max(number, 1.0)) // 3)))
    return f"{number / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB')[power]}"


def duration_text(seconds: float) -> str:
    """Return the duration of a run in a unit that suits it.

    >>> duration_text(0.25), duration_text(90), duration_text(5e6)
    ('0.25 s', '1.5 min', '1,389 h')
    """
    if seconds < 60:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.3g} min" if seconds < 3600 else f"{seconds / 3600:{'.3g' if seconds < 3.6e6 else ',.0f'}} h"


def short_time_text(ms: float) -> str:
    """Return the duration of an operation, given in milliseconds, in a unit that suits it.

    >>> short_time_text(0.00117), short_time_text(12.49), short_time_text(0.0)
    ('1.17 us', '12.5 ms', '0')
    """
    if not ms:
        return "0"
    return f"{1e3 * ms:.3g} us" if ms < 1 else f"{ms:.3g} ms"
