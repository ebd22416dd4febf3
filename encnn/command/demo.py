"""Play owner, trainer and user, each with a folder of its own, on a small generated corpus.

    encnn demo

Every line after a $ is a command that you could type. Without --keep the folders are removed at the end.
"""

import argparse
import contextlib
import csv
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from encnn.command.outputs import new_file
from encnn.command.status import STOPPED
from encnn.costs.units import duration_text
from encnn.data.reviews import Reviews, load_reviews
from encnn.errors import EncnnError
from encnn.schemes.bootstrapped import LOGISTIC_PRESETS, ONE_LEVEL_128

TEXTS = {"owner": 200, "trainer": 400, "user": 200}
"""How many texts each party has."""

Main = Callable[[list[str]], int]
"""The command itself, which takes arguments and returns the exit status."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `encnn demo`."""
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the files in this folder")
    parser.add_argument(
        "--parameters", choices=list(LOGISTIC_PRESETS), default=ONE_LEVEL_128.name, help="parameter set (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> None:
    """Play the three parties, and say how long it took."""
    begun = time.monotonic()
    with _folder(options.keep) as folder, contextlib.chdir(folder):
        play(options.main, options.parameters)
    print(f"\nThe demonstration took {duration_text(time.monotonic() - begun)}.")


def play(main: Main, parameters: str) -> None:
    """Run the commands of all parties in folders of the current one; `main` runs a command."""
    _write_data()
    secret = "owner/secret.key"
    _command(main, f"init owner/data.csv --out owner --parameters {parameters}")
    _sent("owner/model.encnn", "trainer")
    _command(main, "train trainer/model.encnn trainer/data.csv --out trainer/trained.encnn")
    _sent("trainer/trained.encnn", "user")
    _command(main, "predict user/trained.encnn user/data.csv --out user/scores.encnn")
    _sent("user/scores.encnn", "owner")
    _command(main, f"info {secret}")
    _command(main, f"read {secret} owner/scores.encnn --labels user/data.csv")


def _folder(kept: Path | None) -> contextlib.AbstractContextManager[str | Path]:
    """Return the folder that is kept, after making it, or else a temporary folder."""
    if kept is None:
        return tempfile.TemporaryDirectory(prefix="encnn-demo-")
    kept.mkdir(parents=True, exist_ok=True)
    return contextlib.nullcontext(kept)


def _write_data() -> None:
    """Write a CSV file for each party: owner and trainer have training texts, the user has test texts."""
    corpus, cut = load_reviews("toy"), TEXTS["owner"]
    parts = (corpus.train[:cut], corpus.train[cut : cut + TEXTS["trainer"]], corpus.test[: TEXTS["user"]])
    for name, reviews in zip(TEXTS, parts, strict=True):
        write_csv(new_file(Path(name, "data.csv")), reviews)


def write_csv(path: Path, reviews: Reviews) -> None:
    """Write texts and labels as a CSV file that the commands read."""
    with open(path, "x", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows(zip(reviews.texts, reviews.labels.tolist(), strict=True))


def _command(main: Main, line: str) -> None:
    """Show a command and run it."""
    print(f"\n$ encnn {line}", flush=True)
    status = main(line.split())
    if status == STOPPED:
        raise KeyboardInterrupt
    if status:
        raise EncnnError("the demonstration ended here, for the reason above")


def _sent(path: str, party: str) -> None:
    """Copy a file to another party, whose folder has the party's name."""
    print(f"$ cp {path} {party}", flush=True)
    shutil.copy(path, party)
