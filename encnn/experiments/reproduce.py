"""The main job: `python -m encnn.experiments reproduce` trains in the clear and encrypted and prints the paper's tables.

It prints Table II (settings), Table III (paper, Non-PP, PP), the same pair on word2vec features, the ablation that explains
the gap step by step over 20 starts, a grid over vocabulary and threshold, and settings where PP equals Non-PP.  It writes
table3.csv, accuracy.csv and grid.csv, and the pictures drawn from them.
"""

import argparse
import time
from collections.abc import Sequence

import pandas as pd

from encnn.arithmetic.sigmoid import taylor
from encnn.costs import announce
from encnn.data.datasets import Dataset, word2vec_dataset, words_dataset
from encnn.data.reviews import Corpus
from encnn.experiments import table_three as ex
from encnn.experiments.console import begin, heading, job_options
from encnn.experiments.drawing import draw
from encnn.experiments.results import Results
from encnn.report import tables, training_figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the whole reproduction, or parts of it; return the exit status."""
    options = _options(arguments)
    begun = time.perf_counter()
    corpus, results = begin(options)
    words = words_dataset(corpus)
    heading("Table II: settings")
    print(tables.table2(words, taylor(ex.DEGREE).name, ex.LEARNING_RATE, ex.HIDDEN).to_string(index=False))
    main_pair = _table_three(words, results, options.first_seed)
    print(f"\n({time.perf_counter() - begun:.0f} s so far)")
    if not options.quick:
        _everything(options, corpus, words, main_pair, results)
        draw(results.folder)
    print(f"\nDone in {time.perf_counter() - begun:.0f} s.")
    results.finish()
    return 0


def _table_three(words: Dataset, results: Results, seed: int) -> list[ex.SettingRun]:
    """Run the pair of Table III with one start, and keep its accuracy over the epoch."""
    heading("What a run with encryption will cost")
    encrypted = ex.pair()[1]
    announce(encrypted.row, words.X, encrypted.plan, encrypted.architecture(words), encrypted.parameters)
    main_pair = [ex.run(setting, words, seed) for setting in ex.pair()]
    heading("Table III: reviews trained correctly, without (Non-PP) and with encryption (PP)")
    print(tables.table3(ex.table(main_pair), seed).iloc[:, :-1].to_string())
    rights = {str(run.line["row"]): run.evaluation.right for run in main_pair if run.evaluation is not None}
    results.store("accuracy", training_figures.accuracy_curves(rights))
    return main_pair


def _everything(
    options: argparse.Namespace, corpus: Corpus, words: Dataset, main_pair: list[ex.SettingRun], results: Results
) -> None:
    vectors = word2vec_dataset(corpus)
    word2vec = [ex.run(s, vectors, options.first_seed) for s in ex.word2vec_pair()]
    heading("The same pair on word2vec features")
    print(tables.differences(ex.table(word2vec)).to_string(index=False))
    all_seeds = _all_seeds(options, words, main_pair)
    others = ex.table(ex.runs(ex.other_settings(), words, [options.first_seed], "other settings"))
    everything = pd.concat([all_seeds, ex.table(word2vec), others], ignore_index=True)
    heading("What encryption alone changes: PP - Non-PP with the same start, learning rate and sigmoid")
    print(tables.differences(everything).groupby(["features", "learning_rate", "sigmoid"], sort=False).agg(
        {"PP - Non-PP": ["count", "min", "median", "max"], "points": ["min", "max"], "test points": ["min", "max"]}
    ).to_string())  # fmt: skip
    results.store("table3", everything)
    _grid(corpus, results)


def _all_seeds(options: argparse.Namespace, words: Dataset, main_pair: list[ex.SettingRun]) -> pd.DataFrame:
    """Run the pair and the ablation from every start; return the lines of table3.csv."""
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    pairs = [*main_pair, *ex.runs(ex.pair(), words, seeds[1:], "Table III, all seeds")]
    steps = list(ex.runs(ex.ablation(), words, seeds, "ablation"))
    found = ex.table([*pairs, *steps])
    heading(f"Table III over {options.seeds} starts, and the ablation step by step")
    print(tables.table3(found, options.first_seed).iloc[:, [0, -1]].to_string())
    print()
    print(tables.summary(ex.ladder(found)).to_string())
    return found


def _grid(corpus: Corpus, results: Results) -> None:
    grid = ex.grid(corpus)
    heading("What the paper may have run: mean right count over vocabulary and threshold")
    shown = grid.pivot_table(index=["row", "threshold"], columns="polarity_cutoff", values="correct", sort=False)
    print(shown.round(0).astype(int).to_string())
    results.store("grid", grid)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = job_options(__name__, "Reproduce the paper's tables and figures.")
    parser.add_argument("--quick", action="store_true", help="stop after Table III with one start")
    parser.add_argument("--seeds", type=int, default=ex.SEEDS, help=f"starts of the network (default: {ex.SEEDS})")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them, shown in Table III (default: 0)")
    return parser.parse_args(arguments)
