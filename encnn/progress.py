"""The progress bar of all long computations, and a word on those that have no bar."""

import os
import sys
from collections.abc import Iterable

from tqdm import tqdm


def progress(iterable: Iterable | None = None, description: str = "", **options: object) -> tqdm:
    """Return a bar over `iterable` that appears after one second, and only on terminals and in notebooks.

    `options` are those of tqdm (`total`, `unit`, ...).  The bar stays silent in logs, since nobody watches them.  It also stays
    silent in notebooks when TQDM_DISABLE is set, since their stored outputs must not depend on speed.
    """
    watched = sys.stderr.isatty() or ("ipykernel" in sys.modules and not _stored())
    settings = {"desc": description, "delay": 1.0, "leave": False, "disable": not watched}
    return tqdm(iterable, **(settings | options))


def note(text: str) -> None:
    """Say in a line on stderr what will take some seconds; not in notebooks whose outputs are stored."""
    if not _stored():
        print(f"encnn: {text}", file=sys.stderr, flush=True)


def _stored() -> bool:
    """Return whether this is a notebook whose outputs are stored, which must not depend on speed."""
    return "ipykernel" in sys.modules and bool(os.environ.get("TQDM_DISABLE"))
