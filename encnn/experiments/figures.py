"""Pictures from stored tables: `python -m encnn.experiments figures` draws those of figures/ again, without training."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from encnn.experiments.drawing import draw
from encnn.experiments.results import PUBLISHED


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the pictures; return the exit status."""
    parser = argparse.ArgumentParser(prog="encnn figures", description="Draw the pictures again.")
    parser.add_argument("--folder", type=Path, default=PUBLISHED, help=f"where the tables are (default: {PUBLISHED})")
    for path in draw(parser.parse_args(arguments).folder):
        print(path)
    return 0
