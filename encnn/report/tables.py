"""Tables II and III and the tables beside them.  The functions take runs and return a DataFrame."""

import numpy as np
import pandas as pd

from encnn.data.datasets import Dataset
from encnn.report import paper
from encnn.schemes.integer_vector import PAPER


def table2(dataset: Dataset, sigmoid: str, learning_rate: float, hidden: int) -> pd.DataFrame:
    """Return Table II: the settings that the paper states, and those of this run.  sigmoid: the name of the polynomial."""
    p = PAPER
    return pd.DataFrame(
        [
            ("training reviews", f"{paper.REVIEWS:,}", f"{dataset.X.shape[0]:,} ({dataset.name})"),
            ("learning rate", f"{paper.LEARNING_RATE}", f"{learning_rate}"),
            ("scaling factor", f"{paper.SCALE}", f"{p.scale}"),
            ("sigmoid", "Taylor series", sigmoid),
            ("scheme", "integer vectors, key switching", f"integer vectors, key switching ({p.name})"),
            ("weight w", "not stated", f"2^{p.w_bits}"),
            ("digits of c*", "bits", f"base 2^{p.base_bits}, {'balanced' if p.balanced else 'signed'}"),
            ("vocabulary", "not stated", f"{dataset.X.shape[1]:,} features"),
            ("hidden units", "not stated", f"{hidden}, mean of the rows of a review's words"),
            ("start", "not stated", "W1 = 0, W2 standard normal, by seed"),
        ],
        columns=["setting", "paper", "here"],
    )


def table3(results: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return Table III for Non-PP and PP: the paper's numbers, those of the run with `seed`, and the spread over all seeds."""
    rows = []
    for row in ("Non-PP", "PP"):
        of_row = results[results["row"] == row]
        one = of_row[of_row["seed"] == seed].iloc[0]
        correct = of_row["correct"].astype(int)
        rows.append(
            {
                "row": row,
                "paper: correct": paper.CORRECT[row],
                "paper: %": paper.PERCENT[row],
                "correct": int(one["correct"]),
                "of": int(one["reviews"]),
                "%": round(float(one["accuracy_percent"]), 2),
                "test %": round(float(one["test_accuracy_percent"]), 2),
                "CPU s": round(float(one["cpu_seconds"]), 1),
                f"correct, {len(of_row)} seeds": f"{correct.min():,} to {correct.max():,}, median {int(correct.median()):,}",
            }
        )
    return pd.DataFrame(rows).set_index("row")


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Return right counts and accuracy over the seeds, with one line per row and learning rate.

    The last columns give the share of seeds below the paper's counts.  0 or 1 means that a count is outside the spread.
    """
    lines = []
    for (row, rate, sigmoid), group in results.groupby(["row", "learning_rate", "sigmoid"], sort=False):
        correct = group["correct"].dropna().astype(int)
        line = {
            "row": row,
            "learning rate": rate,
            "sigmoid": sigmoid,
            "seeds": len(group),
            "diverged": len(group) - len(correct),
        }
        if len(correct):
            line |= {"min": correct.min(), "median": int(correct.median()), "max": correct.max()}
            line |= {"mean %": round(float(group["accuracy_percent"].mean()), 2)}
            line |= {"test mean %": round(float(group["test_accuracy_percent"].mean()), 2)}
            for name, count in paper.CORRECT.items():
                if int(group["reviews"].iloc[0]) == paper.REVIEWS:
                    line[f"below paper's {name}"] = round(float((correct < count).mean()), 2)
        lines.append(line)
    return pd.DataFrame(lines).set_index("row")


def differences(results: pd.DataFrame) -> pd.DataFrame:
    """Return what encryption alone changes, in reviews and in points of accuracy: PP beside Non-PP, pair by pair."""
    keys = ["seed", "learning_rate", "sigmoid"]
    pairs = []
    for name in [r for r in results["row"].unique() if r.startswith("Non-PP")]:
        clear = results[results["row"] == name]
        encrypted = results[results["row"] == name.replace("Non-PP", "PP")]
        both = clear.merge(encrypted, on=keys, suffixes=("_clear", "_encrypted"))
        pairs.append(both.assign(features=name.replace("Non-PP", "").strip(", ") or "words"))
    both = pd.concat(pairs, ignore_index=True)
    out = both[["features", *keys]].copy()
    out["Non-PP"], out["PP"] = both["correct_clear"], both["correct_encrypted"]
    out["PP - Non-PP"] = both["correct_encrypted"] - both["correct_clear"]
    out["points"] = np.round(both["accuracy_percent_encrypted"] - both["accuracy_percent_clear"], 4)
    out["test points"] = np.round(both["test_accuracy_percent_encrypted"] - both["test_accuracy_percent_clear"], 4)
    out["CPU ratio"] = np.round(both["cpu_seconds_encrypted"] / both["cpu_seconds_clear"], 2)
    return out
