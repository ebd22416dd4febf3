"""Bytes and seconds as texts, in a unit that suits them."""

import math


def size_text(number: float) -> str:
    """Return bytes in a unit that suits them.

    >>> size_text(31457280), size_text(2.62e11), size_text(2.73e18)
    ('31.5 MB', '262 GB', '2.73 EB')
    """
    power = max(0, min(6, int(math.log10(max(number, 1.0)) // 3)))
    return f"{number / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB')[power]}"


def duration_text(seconds: float) -> str:
    """Return seconds in a unit that suits them.

    >>> duration_text(0.25), duration_text(90), duration_text(5e6)
    ('0.25 s', '1.5 min', '1,389 h')
    """
    if seconds < 60:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.3g} min" if seconds < 3600 else f"{seconds / 3600:{'.3g' if seconds < 3.6e6 else ',.0f'}} h"
