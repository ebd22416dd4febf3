"""Put the table of figures/table3.csv into README.md between its markers: `python tools/readme.py check | write`."""

import sys
from pathlib import Path

import pandas as pd

from encnn import experiments as ex

ROOT = Path(__file__).parent.parent
START = "<!-- table3: written by tools/readme.py from figures/table3.csv -->\n"
END = "<!-- /table3 -->\n"


def block(results: pd.DataFrame) -> str:
    """Return Table III as Markdown: the paper's counts, the first seed's, the spread over all seeds."""
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
            f"{ex.PAPER_CORRECT[row]:,} ({ex.PAPER_PERCENT[row]} %)",
            f"{int(one['correct']):,} ({one['accuracy_percent']:.2f} %)",
            f"{one['test_accuracy_percent']:.2f} %",
            f"{correct.min():,} to {correct.max():,}",
            "" if row == "Non-PP" else f"at most {int(change)} of {ex.PAPER_REVIEWS:,}",
        ]
        rows.append(f"| {' | '.join(columns)} |")
    names = [
        "row",
        "paper: right",
        f"here, seed {first}",
        "its test accuracy",
        f"here, {len(clear)} seeds",
        "PP against Non-PP",
    ]
    head = f"| {' | '.join(names)} |\n{'|---' * len(names)}|\n"
    return head + "\n".join(rows) + "\n"


def renewed(readme: str, results: pd.DataFrame) -> str:
    """Return the README with the block replaced."""
    before, rest = readme.split(START)
    _, after = rest.split(END)
    return before + START + block(results) + END + after


def main(arguments: list[str]) -> int:
    """Write the block, or check that it is the one that figures/table3.csv gives."""
    path = ROOT / "README.md"
    new = renewed(path.read_text(), pd.read_csv(ROOT / "figures" / "table3.csv"))
    if arguments == ["write"]:
        path.write_text(new)
        return 0
    if new != path.read_text():
        print("README.md and figures/table3.csv disagree: run `python tools/readme.py write`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
