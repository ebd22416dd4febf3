"""One progress bar for whatever takes longer than a moment."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def progress(iterable: Iterable | None = None, description: str = "", **options: Any) -> tqdm:
    """Return a bar over `iterable` that appears after one second, on terminals and in notebooks only.

    `options` are those of tqdm (`total`, `unit`, ...).  In logs, where nobody watches, it stays silent;
    so it does in notebooks when TQDM_DISABLE is set, whose stored outputs must not depend on speed.
    """
    watched = sys.stderr.isatty() or ("ipykernel" in sys.modules and not os.environ.get("TQDM_DISABLE"))
    settings = {"desc": description, "delay": 1.0, "leave": False, "disable": not watched}
    return tqdm(iterable, **(settings | options))
