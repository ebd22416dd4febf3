"""One progress bar for whatever takes longer than a moment."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def progress(iterable: Iterable | None = None, description: str = "", **options: Any) -> tqdm:
    """Return a bar over `iterable` that appears after one second, on terminals and in notebooks only.

    `options` are those of tqdm (`total`, `unit`, ...).  In logs, where nobody watches, it stays silent.
    """
    watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    settings = {"desc": description, "delay": 1.0, "leave": False, "disable": not watched}
    return tqdm(iterable, **(settings | options))
