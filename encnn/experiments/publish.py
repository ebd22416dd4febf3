"""From results/ to figures/: `python -m encnn.experiments publish` publishes the tables of a run.

README.md and the pages quote the tables of figures/, so run `tools/readme.py write` and `tools/docs.py write` afterwards, and
`make notebooks` (`make publish` does the first two).  Toy results are never published.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from encnn.experiments.drawing import draw
from encnn.experiments.results import FRESH, PUBLISHED, copy_tables


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish tables; return the exit status."""
    parser = argparse.ArgumentParser(prog="encnn publish", description="Take results into figures/.")
    parser.add_argument("tables", nargs="*", help="names of tables, without .csv (default: all that are there)")
    parser.add_argument("--folder", type=Path, default=FRESH, help=f"where the results are (default: {FRESH})")
    parser.add_argument("--published", type=Path, default=PUBLISHED, help=f"where they go (default: {PUBLISHED})")
    options = parser.parse_args(arguments)
    copy_tables(options.folder, options.published, options.tables)
    draw(options.published)
    return 0
