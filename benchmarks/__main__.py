"""`python -m benchmarks`: measure everything, print a summary, write benchmarks/*.csv and figures/bench_*.png."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks import growth, machine, parts, plan, suite, twin, workers
from encnn.experiments import table_three as ex
from encnn.experiments.reproduce import FIGURES, heading, load_or_toy
from encnn.report import bench_figures
from encnn.report.style import save, use_style

HERE = Path(__file__).parent
EXPONENT_OFF, VOCABULARY_OFF = 0.05, 20.0
"""What is to be reached: cost against reviews has an exponent of 1 +- this; percent between steps of any vocabulary."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for, all by default; return the exit status."""
    options = _options(arguments)
    begun, chosen = time.perf_counter(), options.only or list(PARTS)
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        heading(name)
        PARTS[name](options.folder)
        print(f"\n({time.perf_counter() - begun:.0f} s so far)", flush=True)
    draw(options.folder, options.figures)
    return 0


def measure_twins(folder: Path) -> None:
    """Write twin.csv: the speed of training beside a hand-written loop and the clear twin, on the real reviews."""
    _store(twin.table(ex.words_dataset(load_or_toy("imdb"))), folder / "twin.csv")


def measure_operations(folder: Path) -> None:
    """Write results.csv: every operation of every scheme."""
    _store(suite.results(), folder / "results.csv")


def measure_growth(folder: Path) -> None:
    """Write growth.csv, and say whether cost is linear in reviews and independent of the vocabulary."""
    table = growth.growth()
    table.to_csv(folder / "growth.csv", index=False)
    fits = growth.fits(table)
    print(fits.to_string(index=False))
    print("\n" + verdicts(fits))


def measure_profile(folder: Path) -> None:
    """Write machine.csv and profile.csv: the machine's peaks, and what parts of an epoch reach of them."""
    table = machine.machine()
    _store(table.round(3), folder / "machine.csv")
    print()
    _store(parts.profile(machine.peaks(table)), folder / "profile.csv")


def measure_workers(folder: Path) -> None:
    """Write workers.csv: two workers against one, on the real reviews."""
    _store(workers.scaling(ex.words_dataset(load_or_toy("imdb"))), folder / "workers.csv")


def measure_plan(folder: Path) -> None:
    """Write scale.csv: the plan on paper."""
    _store(plan.scale(), folder / "scale.csv")


PARTS = {
    "twins": measure_twins,
    "operations": measure_operations,
    "growth": measure_growth,
    "profile": measure_profile,
    "workers": measure_workers,
    "plan": measure_plan,
}


def verdicts(fits: pd.DataFrame) -> str:
    """Return a line for each figure that is to be reached."""
    lines = []
    for _, fit in fits.iterrows():
        if fit["against"] == "reviews":
            reached = abs(fit["exponent"] - 1) <= EXPONENT_OFF
            what = f"exponent of cost against reviews {fit['exponent']:.3f}, wanted 1.00 +- {EXPONENT_OFF}"
        elif fit["against"] == "vocabulary":
            reached = fit["spread_percent"] <= VOCABULARY_OFF
            what = (
                f"steps of different vocabularies take {1e3 * fit['least_ms']:.3g} us a review and up to "
                f"{fit['spread_percent']:.0f} % more, wanted at most {VOCABULARY_OFF:.0f}"
            )
        elif fit["against"] == "words":
            reached = fit["off_percent"] <= VOCABULARY_OFF
            what = (
                f"{1e3 * fit['base_ms']:.3g} + {1e3 * fit['slope_ms']:.3g} words us a review, off by {fit['off_percent']:.0f} %"
            )
        else:
            continue
        lines.append(f"{'reached' if reached else 'MISSED '}  {fit['series']}: {what}")
    return "\n".join(lines)


def draw(folder: Path, figures: Path) -> list[Path]:
    """Draw what there are tables of; return the files."""
    use_style()
    drawn = []
    if (path := folder / "growth.csv").exists():
        table = pd.read_csv(path)
        for against in dict.fromkeys(table["against"]):
            drawn.append(save(bench_figures.growth(table, growth.fits(table), against), figures, figure_name(against)))
    if (path := folder / "results.csv").exists():
        drawn.append(save(bench_figures.operations(pd.read_csv(path)), figures, "bench_operations"))
    if (path := folder / "profile.csv").exists():
        drawn.append(save(bench_figures.profile(pd.read_csv(path)), figures, "bench_profile"))
    return drawn


def figure_name(against: str) -> str:
    """Return the name of a figure of growth."""
    return f"bench_{against.removeprefix('log2 of the ').replace(' ', '_')}"


def _store(table: pd.DataFrame, path: Path) -> None:
    print(table.to_string(index=False))
    table.to_csv(path, index=False)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed, sizes and memory.")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), help="parts to measure (default: all)")
    parser.add_argument("--folder", type=Path, default=HERE, help="where tables go (default: benchmarks)")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="where figures go (default: figures)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
