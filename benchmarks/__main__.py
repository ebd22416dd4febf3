"""`python -m benchmarks` measures everything, prints a summary, and writes tables and pictures to results/benchmarks/.

docs/ and the README quote the tables benchmarks/*.csv and the pictures figures/bench_*.png.  `--publish` copies measured tables
there.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks import bootstraps, growth, machine, parts, peers, plan, suite, twin, workers
from encnn.data.datasets import words_dataset
from encnn.experiments.console import heading, load_or_toy
from encnn.experiments.results import FRESH, PUBLISHED, Results, copy_tables
from encnn.report import bench_figures
from encnn.report.style import save, use_style

HERE = Path(__file__).parent
KEYS = {
    "twin": ("degree", "batch"),
    "results": ("benchmark", "scheme", "parameters", "n"),
    "growth": ("against", "series", "size"),
    "machine": ("peak",),
    "peers": ("operation", "parameters", "peer"),
    "profile": ("scheme", "batch", "part"),
    "workers": ("batch", "workers"),
    "scale": ("scheme",),
}
"""For each table, the columns that identify a line."""
EXPONENT_OFF, VOCABULARY_OFF = 0.05, 20.0
"""The aims: the exponent of cost against reviews is 1 +- the first number, and steps with other vocabularies differ by at most
the second number, in percent."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that the arguments name, by default all parts; return the exit status."""
    options = _options(arguments)
    if options.publish:
        copy_tables(options.folder, HERE, keys=KEYS)
    if options.publish or options.figures:
        draw(HERE, PUBLISHED)
        return 0
    begun, results = time.perf_counter(), Results(options.folder, keys=KEYS)
    for name in options.only or PARTS:
        heading(name)
        PARTS[name](results)
        print(f"\n({time.perf_counter() - begun:.0f} s so far)", flush=True)
    draw(options.folder, options.folder)
    results.finish(HERE)
    return 0


def measure_twins(results: Results) -> None:
    """Write twin.csv: the speed of encrypted training, of the clear twin and of a hand-written loop, on the real reviews."""
    _store(results, "twin", twin.table(words_dataset(load_or_toy("imdb"))))


def measure_operations(results: Results) -> None:
    """Write results.csv: the cost of every operation of every scheme."""
    _store(results, "results", suite.results())


def measure_peers(results: Results) -> None:
    """Write peers.csv: operations under FV beside SEAL's, and bootstraps beside TFHE-go's if its program is there."""
    tables, program = [peers.table()], os.environ.get(bootstraps.PROGRAM)
    if program:
        tables.append(bootstraps.table(program))
    else:
        print(f"no bootstraps beside TFHE-go: {bootstraps.PROGRAM} names no program; build that of benchmarks/tfhe_go/main.go")
    _store(results, "peers", pd.concat(tables))


def measure_growth(results: Results) -> None:
    """Write growth.csv, and say whether cost is linear in reviews and independent of the vocabulary."""
    table = growth.growth()
    results.store("growth", table)
    fits = growth.fits(table)
    print(fits.to_string(index=False))
    print("\n" + verdicts(fits))


def measure_profile(results: Results) -> None:
    """Write machine.csv and profile.csv: the machine's peaks, and how near to them each part of an epoch comes."""
    table = machine.machine()
    _store(results, "machine", table.round(3))
    print()
    _store(results, "profile", parts.profile(machine.peaks(table)))


def measure_workers(results: Results) -> None:
    """Write workers.csv: the speed of two workers against one, on the real reviews."""
    _store(results, "workers", workers.scaling(words_dataset(load_or_toy("imdb"))))


def measure_plan(results: Results) -> None:
    """Write scale.csv: the predicted cost of a large task."""
    _store(results, "scale", plan.scale())


PARTS = {
    "twins": measure_twins,
    "operations": measure_operations,
    "peers": measure_peers,
    "growth": measure_growth,
    "profile": measure_profile,
    "workers": measure_workers,
    "plan": measure_plan,
}


def verdicts(fits: pd.DataFrame) -> str:
    """Return a line for each aim that says whether it is reached."""
    lines = []
    for _, fit in fits.iterrows():
        if fit["against"] == "reviews":
            reached = abs(fit["exponent"] - 1) <= EXPONENT_OFF
            what = f"exponent of cost against reviews {fit['exponent']:.3f}, wanted 1.00 +- {EXPONENT_OFF}"
        elif fit["against"] == "vocabulary":
            reached = fit["spread_percent"] <= VOCABULARY_OFF
            what = (
                f"steps of different vocabularies take {1e3 * fit['least_ms']:.3g} us per review and up to "
                f"{fit['spread_percent']:.0f} % more, wanted at most {VOCABULARY_OFF:.0f}"
            )
        elif fit["against"] == "words":
            reached = fit["off_percent"] <= VOCABULARY_OFF
            cost = f"{1e3 * fit['base_ms']:.3g} + {1e3 * fit['slope_ms']:.3g} words us per review"
            what = f"{cost}, off by {fit['off_percent']:.0f} %"
        else:
            continue
        lines.append(f"{'reached' if reached else 'MISSED '}  {fit['series']}: {what}")
    return "\n".join(lines)


def draw(folder: Path, figures: Path) -> list[Path]:
    """Draw a picture of each table that is in `folder`; return the files."""
    use_style()
    drawn = []
    if (path := folder / "growth.csv").exists():
        table = pd.read_csv(path)
        drawn.append(save(bench_figures.growth(table, growth.fits(table)), figures, "bench_growth"))
    if (path := folder / "results.csv").exists():
        drawn.append(save(bench_figures.operations(pd.read_csv(path)), figures, "bench_operations"))
    if (path := folder / "profile.csv").exists():
        drawn.append(save(bench_figures.profile(pd.read_csv(path)), figures, "bench_profile"))
    return drawn


def _store(results: Results, name: str, table: pd.DataFrame) -> None:
    print(table.to_string(index=False))
    results.store(name, table)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed, sizes and memory.")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), help="parts to measure (default: all)")
    folder = FRESH / "benchmarks"
    parser.add_argument("--folder", type=Path, default=folder, help=f"where results go (default: {folder})")
    parser.add_argument("--figures", action="store_true", help="only draw figures/bench_*.png again, from benchmarks/*.csv")
    parser.add_argument("--publish", action="store_true", help="only copy the tables of the folder to benchmarks/")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
