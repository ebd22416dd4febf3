"""The main job: `python -m encnn.experiments.reproduce` trains in the clear and encrypted and prints the paper's tables.

It prints Table II (settings), Table III (paper, Non-PP, PP), the same pair on word2vec features, the ablation that explains
the gap step by step over 20 starts, a grid over vocabulary and threshold, and settings where PP equals Non-PP.  It writes
`figures/*.csv`, from which `--figures` draws the pictures again without training.

Without the real reviews it runs on the generated toy corpus, says so, and writes to `figures/toy/`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from encnn.costs import announce
from encnn.data.reviews import Corpus, load_reviews
from encnn.errors import DataError
from encnn.experiments import table_three as ex
from encnn.report import tables, training_figures
from encnn.report.sigmoid_figures import error_bands
from encnn.report.style import save, use_style
from encnn.sigmoid import TOLERANCE, taylor

FIGURES = Path("figures")
TOY = """
======================================================================
  THESE ARE NOT THE PAPER'S NUMBERS: everything below is computed on a
  small generated toy corpus, not on the real reviews
  ({reason}).
======================================================================
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the whole reproduction, or parts of it; return the exit status."""
    options = _options(arguments)
    if options.figures:
        draw(options.folder)
        return 0
    begun = time.perf_counter()
    corpus = load_or_toy(options.corpus)
    if not corpus.is_real:  # never in place of the paper's
        options.folder = options.folder / "toy"
    words = ex.words_dataset(corpus)
    heading("Table II: settings")
    print(tables.table2(words, taylor(ex.DEGREE).name).to_string(index=False))

    heading("What a run with encryption will cost")
    encrypted = ex.pair()[1]
    announce(encrypted.row, words.X, encrypted.plan, encrypted.architecture(words), encrypted.parameters)
    main_pair = [ex.run(setting, words, options.first_seed) for setting in ex.pair()]
    heading("Table III: reviews trained correctly, without (Non-PP) and with encryption (PP)")
    print(tables.table3(ex.table(main_pair), options.first_seed).iloc[:, :-1].to_string())
    rights = {run.line["row"]: run.evaluation.right for run in main_pair if run.evaluation is not None}
    store(training_figures.accuracy_curves(rights), options.folder / "accuracy.csv")
    print(f"\n({time.perf_counter() - begun:.0f} s so far)")
    if not options.quick:
        _everything(options, corpus, words, main_pair)
    print(f"\nDone in {time.perf_counter() - begun:.0f} s.  Tables and figures are in {options.folder}/")
    return 0


def _everything(options: argparse.Namespace, corpus: Corpus, words: ex.Dataset, main_pair: list[ex.Run]) -> None:
    vectors = ex.word2vec_dataset(corpus)
    word2vec = [ex.run(s, vectors, options.first_seed) for s in ex.word2vec_pair()]
    heading("The same pair on word2vec features")
    print(tables.differences(ex.table(word2vec)).to_string(index=False))

    seeds = range(options.first_seed, options.first_seed + options.seeds)
    pairs = [*main_pair, *ex.runs(ex.pair(), words, seeds[1:], "Table III, all seeds")]
    steps = list(ex.runs(ex.ablation(), words, seeds, "ablation"))
    results = ex.table([*pairs, *steps])
    heading(f"Table III over {options.seeds} starts, and the ablation step by step")
    print(tables.table3(results, options.first_seed).iloc[:, [0, -1]].to_string())
    print()
    print(tables.summary(ex.ladder(results)).to_string())

    others = ex.table(ex.runs(ex.other_settings(), words, [options.first_seed], "other settings"))
    everything = pd.concat([results, ex.table(word2vec), others], ignore_index=True)
    heading("What encryption alone changes: PP - Non-PP with the same start, learning rate and sigmoid")
    print(tables.differences(everything).groupby(["features", "learning_rate", "sigmoid"], sort=False).agg(
        {"PP - Non-PP": ["count", "min", "median", "max"], "points": ["min", "max"], "test points": ["min", "max"]}
    ).to_string())  # fmt: skip
    store(everything, options.folder / "table3.csv")

    grid = ex.grid(corpus)
    heading("What the paper may have run: mean right count over vocabulary and threshold")
    shown = grid.pivot_table(index=["row", "threshold"], columns="polarity_cutoff", values="correct", sort=False)
    print(shown.round(0).astype(int).to_string())
    store(grid, options.folder / "grid.csv")
    draw(options.folder)


def load_or_toy(name: str) -> Corpus:
    """Return the named corpus, or where the real reviews cannot be had the toy corpus; announce a toy loudly."""
    reason = "the toy corpus was asked for"
    try:
        corpus = load_reviews(name)
    except DataError as error:
        corpus, reason = load_reviews("toy"), str(error)
    if not corpus.is_real:
        print(TOY.format(reason=reason))
    return corpus


def draw(folder: Path) -> None:
    """Draw every figure from the stored numbers in `folder`."""
    missing = [name for name in ("table3.csv", "accuracy.csv", "grid.csv") if not (folder / name).exists()]
    if missing:
        raise DataError(f"{folder}/ lacks {', '.join(missing)}; run `make reproduce` first, which writes them")
    results = pd.read_csv(folder / "table3.csv")
    real = int(results["reviews"].max()) == ex.PAPER_REVIEWS
    save(training_figures.plot_accuracy(pd.read_csv(folder / "accuracy.csv"), real), folder, "accuracy")
    save(training_figures.plot_spread(ex.ladder(results).dropna(subset=["correct"])), folder, "spread")
    save(training_figures.plot_grid(pd.read_csv(folder / "grid.csv")), folder, "grid")
    save(_sigmoid_error(), folder, "sigmoid_error")


def _sigmoid_error() -> Figure:
    use_style()
    z, approximations = np.linspace(-8, 8, 801), [taylor(degree) for degree in (1, 3, 5, 7, 9)]
    curves = pd.DataFrame({p.name: p(z) for p in approximations}, index=z)
    return error_bands(curves, {p.name: p.tolerance_radius() for p in approximations}, TOLERANCE)


def store(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)


def heading(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m encnn.experiments.reproduce", description="Reproduce the paper's tables and figures."
    )
    parser.add_argument("--figures", action="store_true", help="only draw the figures again from figures/*.csv")
    parser.add_argument("--quick", action="store_true", help="stop after Table III with one start")
    parser.add_argument("--corpus", default="imdb", choices=["imdb", "toy"], help="the reviews (default: imdb)")
    parser.add_argument("--seeds", type=int, default=ex.SEEDS, help=f"starts of the network (default: {ex.SEEDS})")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them, shown in Table III (default: 0)")
    parser.add_argument("--folder", type=Path, default=FIGURES, help="where tables and figures go (default: figures)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
