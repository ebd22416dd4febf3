"""Put the tables figures/*.csv into README.md and docs/results.md: `python tools/readme.py check | write`."""

import math
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from encnn.experiments import table_three as ex
from encnn.report import paper
from encnn.report.comparison_figures import accuracy_texts, overview

ROOT = Path(__file__).parent.parent


def assisted(runs: pd.DataFrame) -> str:
    """Return the assisted runs at 128 bits as Markdown, as means over the keys."""
    names = ["parameters", "security", "labels", "right (clear twin)", "test (clear twin)", "trainer, CPU per review", "model"]
    rows = []
    for (parameters, labels), of in runs.groupby(["parameters", "labels"], sort=False):
        mean = of.mean(numeric_only=True)
        columns = [
            f"{parameters}, {len(of)} keys",
            _security(of),
            str(labels),
            f"{mean['correct']:,.0f} ({mean['clear twin correct']:,.0f}) of {mean['reviews']:,.0f}",
            f"{mean['test accuracy percent']:.2f} % ({mean['clear twin test accuracy percent']:.2f} %)",
            f"{mean['trainer CPU us per review']:.0f} us",
            f"{mean['model bytes'] / 1e6:.0f} MB",
        ]
        rows.append(columns)
    return markdown(names, rows)


def _security(of: pd.DataFrame) -> str:
    """Return the bits of security of runs with the same parameters, with the attack and the cost model that give them."""
    return f"{math.floor(of['bits'].iloc[0])} bits ({of['decided by'].iloc[0]})"


def unassisted(runs: pd.DataFrame) -> str:
    """Return the runs without the owner's help as Markdown, as means over the keys of a case."""
    names = ["scheme, case", "security", "owner in the loop", "reviews", "running accuracy (clear twin)", "test (clear twin)"]
    names += ["CPU per review", "keys", "model"]
    rows = []
    for (scheme, case), of in runs.groupby(["scheme", "case"], sort=False):
        mean = of.mean(numeric_only=True)
        columns = [
            f"{scheme}, {case}, {len(of)} key{'s' if len(of) > 1 else ''}",
            _security(of),
            "yes" if of["owner in the loop"].any() else "no",
            f"{mean['epochs']:.0f} x {mean['reviews']:,.0f}",
            f"{mean['running accuracy percent']:.2f} % ({mean['clear twin running percent']:.2f} %)",
            f"{mean['test accuracy percent']:.2f} % ({mean['clear twin test accuracy percent']:.2f} %)",
            f"{mean['CPU ms per review']:.1f} ms",
            f"{mean['keys MB']:.0f} MB",
            f"{mean['model MB']:.3g} MB",
        ]
        rows.append(columns)
    return markdown(names, rows)


def alone(runs: pd.DataFrame) -> str:
    """Return all runs without the owner's help as Markdown: logistic regression, and then the paper's network."""
    hidden = pd.read_csv(ROOT / "figures" / "hidden.csv")
    rates = hidden["learning rate"].map("{:g}".format)
    cases = "the paper's network, " + hidden["hidden"].astype(str) + " hidden units, " + hidden["case"] + " (" + rates + ")"
    return unassisted(pd.concat([runs, hidden.assign(case=cases)]))


def tables(runs: pd.DataFrame) -> str:
    """Return the runs of the classifier as Markdown: means over the keys, and the largest distance of a single run."""
    names = [
        "data",
        "classes",
        "owner in the loop",
        "keys",
        "test",
        "LogisticRegression",
        "lowest run, against it",
        "CPU to fit",
    ]
    rows = []
    for (data, owner), of in runs.groupby(["data", "owner in the loop"], sort=False):
        mean, apart = of.mean(numeric_only=True), of["test accuracy percent"] - of["LogisticRegression percent"]
        columns = [
            str(data),
            f"{mean['classes']:.0f}",
            "yes" if owner else "no",
            str(len(of)),
            f"{mean['test accuracy percent']:.2f} %",
            f"{mean['LogisticRegression percent']:.2f} %",
            f"{apart.min():+.2f} points",
            f"{mean['fit CPU s']:.3g} s",
        ]
        rows.append(columns)
    return markdown(names, rows)


def comparison(runs: pd.DataFrame) -> str:
    """Return the costs of one network under every scheme as Markdown, on 1,000 real reviews, and its accuracy on toy ones."""
    toy = accuracy_texts(runs[runs["task"] == "toy"], digits=1)
    shown = overview(runs, "real").drop(columns=["features", "sigmoid", "products per review"]).astype(str)
    shown.insert(2, "toy: test", toy)
    shown = shown.rename(columns={"trips": "owner's trips"})
    return markdown(list(shown.columns), shown.to_numpy().tolist())


def comparison_hidden(runs: pd.DataFrame) -> str:
    """Return the costs of a network with a hidden layer under every scheme that multiplies as Markdown, on toy reviews."""
    shown = overview(runs, "toy").drop(columns=["features", "sigmoid", "products per review"]).astype(str)
    shown = shown.rename(columns={"trips": "owner's trips"})
    return markdown(list(shown.columns), shown.to_numpy().tolist())


def table3(results: pd.DataFrame) -> str:
    """Return Table III as Markdown: the paper's counts, those of the first seed, and the spread over all seeds."""
    rows = []
    first = int(results["seed"].min())
    plan = ex.pair()[0].plan
    main = results[(results["learning_rate"] == plan.learning_rate) & (results["sigmoid"] == plan.sigmoid.name)]
    clear = main[main["row"] == "Non-PP"].set_index("seed")["correct"]
    for row in ("Non-PP", "PP"):
        runs = main[main["row"] == row].set_index("seed")
        one, correct = runs.loc[[first]].iloc[0], runs["correct"].astype(int)
        change = (correct - clear).abs().max()
        columns = [
            row,
            f"{paper.CORRECT[row]:,} ({paper.PERCENT[row]} %)",
            f"{int(one['correct']):,} ({one['accuracy_percent']:.2f} %)",
            f"{one['test_accuracy_percent']:.2f} %",
            f"{correct.min():,} to {correct.max():,}",
            "" if row == "Non-PP" else f"at most {int(change)} of {paper.REVIEWS:,}",
        ]
        rows.append(columns)
    names = [
        "row",
        "paper: right",
        f"here, seed {first}",
        "its test accuracy",
        f"here, {len(clear)} seeds",
        "PP against Non-PP",
    ]
    return markdown(names, rows)


def markdown(names: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    head, *lines = [f"| {' | '.join(map(str, line))} |\n" for line in (names, *rows)]
    return head + f"{'|---' * len(names)}|\n" + "".join(lines)


def renewed(readme: str, name: str, block: str) -> str:
    """Return the text of a page in which the block of this name is replaced."""
    start, end = f"<!-- {name}: written by tools/readme.py from figures/{name}.csv -->\n", f"<!-- /{name} -->\n"
    before, rest = readme.split(start)
    _, after = rest.split(end)
    return before + start + block + end + after


def current(page: str, text: str) -> str:
    """Return the text of a page in which every block shows its table in figures/."""
    for name, block in PAGES[page].items():
        text = renewed(text, name, block(pd.read_csv(ROOT / "figures" / f"{name}.csv")))
    return text


PAGES: dict[str, dict[str, Callable[[pd.DataFrame], str]]] = {
    "README.md": {"table3": table3, "unassisted": alone},
    "docs/results.md": {
        "assisted": assisted,
        "tables": tables,
        "comparison": comparison,
        "comparison_hidden": comparison_hidden,
    },
}
"""For each page its blocks, and the functions that make them."""


def main(arguments: list[str]) -> int:
    """Write the blocks, or check that they agree with figures/; return the exit status."""
    status = 0
    for page in PAGES:
        path = ROOT / page
        new = current(page, path.read_text())
        if arguments == ["write"]:
            path.write_text(new)
        elif new != path.read_text():
            print(f"{page} and figures/*.csv disagree: run `python tools/readme.py write`")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
