"""The progress bar of all long computations."""

import os
import sys
from collections.abc import Iterable

from tqdm import tqdm


def progress(iterable: Iterable | None = None, description: str = "", **options: object) -> tqdm:
    """Return a bar over `iterable` that appears after one second, and only on terminals and in notebooks.

    `options` are those of tqdm (`total`, `unit`, ...).  The bar stays silent in logs, since nobody watches them.  It also stays
    silent in notebooks when TQDM_DISABLE is set, since their stored outputs must not depend on speed.
    """
    watched = sys.stderr.isatty() or ("ipykernel" in sys.modules and not os.environ.get("TQDM_DISABLE"))
    settings = {"desc": description, "delay": 1.0, "leave": False, "disable": not watched}
    return tqdm(iterable, **(settings | options))
