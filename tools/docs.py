"""Put measured tables into the pages of docs/: `python tools/docs.py check | write`."""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from encnn.costs.units import size_text
from encnn.report.comparison_figures import overview
from encnn.report.names import operation_name, scheme_name
from encnn.schemes import bootstrapped

ROOT = Path(__file__).parent.parent
STEPS = (1, 16, 64, 256)
"""The sizes of mini-batches that have a column."""
VOCABULARIES = (10**6, 10**7)
"""Features of the plan on paper, for the table of what has to be moved."""
GIGABIT_PER_S = 10**9 / 8
"""Bytes per second of a link of one gigabit per second."""
SHORT_S = 0.5
"""Runs of fewer seconds are left out: a prediction is of little use there, and a measurement is mostly noise."""


def machine(table: pd.DataFrame) -> str:
    """Return the peaks of the machine as Markdown."""
    return _markdown(["peak", "measured"], [(p["peak"], f"{p['rate']:.3g} {p['unit']}") for p in table.to_dict("records")])


def profile(table: pd.DataFrame) -> str:
    """Return the parts of an epoch as Markdown, and for each scheme what limits its largest part."""
    rows, sentences = [], []
    for (scheme, batch), of in table.groupby(["scheme", "batch"], sort=False):
        parts = of.to_dict("records")
        for part in parts:
            peak = "" if pd.isna(part["of_peak"]) else f"{100 * part['of_peak']:.0f} % of {part['bound_by']}"
            rows.append(
                (scheme, batch, operation_name(part["part"]), _number(part["cpu_us"]), f"{part['share_percent']:.0f} %", peak)
            )
        top = max((part for part in parts if part["part"] != "whole step"), key=lambda part: part["share_percent"])
        bound = "" if pd.isna(top["of_peak"]) else f", at {100 * top['of_peak']:.0f} % of the peak of {top['bound_by']}"
        sentences.append(
            f"- {scheme}, batch {batch}: {operation_name(top['part'])}, {top['share_percent']:.0f} % of the step{bound}."
        )
    names = ["scheme", "batch", "part", "CPU us per review", "share", "of the machine's peak"]
    return _markdown(names, rows) + "\nThe largest part of each:\n\n" + "\n".join(sentences) + "\n"


def peers(table: pd.DataFrame) -> str:
    """Return operations beside SEAL's as Markdown."""
    lines = table[table["peer"] == "SEAL"].to_dict("records")
    rows = [(o["operation"], f"{o['ours_ms']:.3g}", f"{o['peer_ms']:.3g}", f"{o['ours_to_peer']:.2f} x") for o in lines]
    return _markdown(["operation", "here, ms", "SEAL, ms", "of SEAL's time"], rows)


def bootstraps(table: pd.DataFrame) -> str:
    """Return bootstraps beside those of the other peers as Markdown."""
    rows = [
        (
            o["operation"],
            f"{o['parameters']} ({o['bits']:.0f} bits, 2^{o['noise']:.1f})",
            f"{o['peer']} ({o['peer_bits']:.0f} bits, 2^{o['peer_noise']:.1f})",
            f"{o['ours_ms']:.3g}",
            f"{o['peer_ms']:.3g}",
            f"{1 / o['ours_to_peer']:.2f} x",
        )
        for o in table[table["peer"] != "SEAL"].to_dict("records")
    ]
    return _markdown(["operation", "here (security, noise)", "peer (security, noise)", "here, ms", "peer, ms", "as fast"], rows)


def results(table: pd.DataFrame) -> str:
    """Return the costs of steps and epochs and the peak memory as Markdown, with a line per parameter set."""
    rows = []
    for (scheme, parameters), of in table.groupby(["scheme", "parameters"], sort=False):
        found = {(line["benchmark"], line["n"]): line for line in of.to_dict("records")}
        epoch = next((line for (name, _), line in found.items() if name == "epoch"), None)
        if epoch is None:
            continue
        memory = next((f"{line['peak_memory_mb']:,.0f} MB" for (name, _), line in found.items() if name == "peak memory"), "")
        steps = [found.get(("training step", n)) for n in STEPS]
        cells = ["" if s is None else f"{_number(s['cpu_ms'])} ({_number(s['ratio_to_clear'])} x)" for s in steps]
        rows.append(
            (
                scheme_name(str(scheme)),
                parameters,
                f"{epoch['security_bits']:.0f}",
                *cells,
                f"{_number(epoch['ratio_to_clear'])} x",
                memory,
            )
        )
    steps_of = [f"step of {n}, ms" for n in STEPS]
    return _markdown(["scheme", "parameters", "bits", *steps_of, "epoch", "peak memory"], rows)


def growth(table: pd.DataFrame) -> str:
    """Return the fitted exponents as Markdown."""
    from benchmarks.growth import fits

    rows = []
    for fit in fits(table).to_dict("records"):
        line = (
            f"{_number(1e3 * fit['base_ms'])} us + {1e3 * fit['slope_ms']:.3g} us per word" if fit["against"] == "words" else ""
        )
        span = f"{fit['from_size']:,.0f} to {fit['to_size']:,.0f}"
        exponent = f"{fit['exponent']:.2f}", f"{fit['formula']:g}", span, f"{fit['residual_percent']:.0f} %"
        rows.append((fit["against"], fit["series"], *exponent, line))
    return _markdown(["cost against", "of", "exponent", "formula", "fitted from", "points off by at most", "per review"], rows)


def workers(table: pd.DataFrame) -> str:
    """Return the speed of workers that share mini-batches as Markdown."""
    rows = [
        (w["batch"], w["workers"], f"{w['wall_ms']:.3g} ms", f"{w['times_as_fast']:.2f} x", size_text(w["bytes_per_review"]))
        for w in table.to_dict("records")
    ]
    return _markdown(["mini-batch", "workers", "wall time per review", "as fast as one", "moved per review"], rows)


def predictions(table: pd.DataFrame) -> str:
    """Return predicted and measured times of the runs of the comparison as Markdown."""
    reviews = table["reviews"] * table["epochs"]
    predicted, measured = (reviews * table[f"{which}trainer CPU ms per review"] / 1e3 for which in ("predicted ", ""))
    runs = zip(table["task"], table["scheme"], predicted, measured, strict=True)
    rows = [(task, name, f"{p:.1f} s", f"{m:.1f} s", f"{p / m:.2f}") for task, name, p, m in runs if m >= SHORT_S]
    return _markdown(["reviews", "scheme", "predicted", "measured", "quotient"], rows)


def scale(table: pd.DataFrame) -> str:
    """Return the plan on paper as Markdown, and the cheapest parameters of 128 bits in some respects."""
    lines: list[dict[Any, Any]] = table.to_dict("records")
    rows = []
    for line in lines:
        sizes = [size_text(line[c]) for c in ("keys_bytes", "model_bytes", "trainers_bytes", "owner_bytes")]
        hours = line["trainers_cpu_h"], line["trainers_cpu_h"] / line["trainers"], line["owner_cpu_h"]
        name, bits = f"{line['scheme']} ({line['parameters']})", f"{line['security_bits']:.0f}"
        rows.append((name, bits, *map(_number, hours), *sizes, f"{line['trips']:,}"))
    names = [
        "scheme",
        "bits",
        "CPU h, all trainers",
        "each",
        "owner",
        "keys",
        "model",
        "to trainers",
        "with the owner",
        "trips",
    ]
    secure = [line for line in lines if line["security_bits"] >= 128]
    words = [line for line in secure if line["features"] == max(other["features"] for other in secure)]
    dense = [line for line in secure if line not in words]
    chosen = {
        "least CPU time on bags of words": min(words, key=_hours),
        "smallest model on bags of words": min(words, key=lambda line: line["model_bytes"]),
        "least CPU time on bags of words without the owner": min((w for w in words if not w["trips"]), key=_hours),
        "least CPU time on dense features": min(dense, key=_hours),
    }
    best = "".join(f"- {what}: {line['scheme']} ({line['parameters']})\n" for what, line in chosen.items())
    return _markdown(names, rows) + "\nOf those with 128 bits:\n\n" + best


def moved(table: pd.DataFrame) -> str:
    """Return what the plan on paper moves under bootstrapping, packed and with one ciphertext per weight, as Markdown."""
    presets = {p.name: p for p in (bootstrapped.ONE_LEVEL_128, bootstrapped.TWO_LEVEL_128)}
    rows = []
    for line in (line for line in table.to_dict("records") if line["parameters"] in presets):
        p, trainers, keys = presets[line["parameters"]], line["trainers"], line["keys_bytes"]
        for features in VOCABULARIES:
            packed = -(-features // p.N) * 4 * (1 + p.k) * p.N  # whole blocks of N weights
            alone = features * 4 * (1 + p.d)
            sent, before = trainers * (keys + packed), trainers * (keys + alone)
            sizes = [size_text(x) for x in (packed, alone, sent, before)]
            cores = [_number(3600 * line["trainers_cpu_h"] * GIGABIT_PER_S / x) for x in (sent, before)]
            rows.append((p.name, f"{features:,}", *sizes, f"{before / sent:.0f} x", *cores))
    names = ["parameters", "features", "model", "model, alone", "moved", "moved, alone", "less"]
    return _markdown([*names, "cores at balance", "cores at balance, alone"], rows)


def schemes(table: pd.DataFrame) -> str:
    """Return the costs of one network under each scheme as Markdown."""
    shown = overview(table)
    names = [name for name in map(str, shown) if name.split()[0] not in ("features", "sigmoid", "products", "off")]
    return _markdown(names, shown[names].to_numpy().tolist())


def _hours(line: dict[Any, Any]) -> float:
    return line["trainers_cpu_h"] + line["owner_cpu_h"]


def _number(x: float) -> str:
    """Return a number with three digits; a number of 1,000 or more is shown whole, with its thousands apart."""
    return f"{x:.3g}" if x < 999.5 else f"{x:,.0f}"


BLOCKS: dict[str, tuple[str, str, Callable[[pd.DataFrame], str]]] = {
    "machine": ("performance.md", "benchmarks/machine.csv", machine),
    "profile": ("performance.md", "benchmarks/profile.csv", profile),
    "results": ("performance.md", "benchmarks/results.csv", results),
    "peers": ("performance.md", "benchmarks/peers.csv", peers),
    "bootstraps": ("performance.md", "benchmarks/peers.csv", bootstraps),
    "growth": ("performance.md", "benchmarks/growth.csv", growth),
    "predictions": ("performance.md", "figures/comparison.csv", predictions),
    "workers": ("performance.md", "benchmarks/workers.csv", workers),
    "schemes": ("schemes.md", "figures/comparison.csv", schemes),
    "scale": ("scale.md", "benchmarks/scale.csv", scale),
    "moved": ("scale.md", "benchmarks/scale.csv", moved),
}
"""For each block its page, the table that it shows, and the function that makes it."""


def renewed(text: str, name: str, source: str, block: str) -> str:
    """Return the text of a page in which the block of this name is replaced."""
    start, end = f"<!-- {name}: written by tools/docs.py from {source} -->\n", f"<!-- /{name} -->\n"
    before, rest = text.split(start)
    _, after = rest.split(end)
    return before + start + block + end + after


def current(page: str, text: str) -> str:
    """Return the text of a page in which every block shows its table."""
    for name, (where, source, block) in BLOCKS.items():
        if where == page:
            text = renewed(text, name, source, block(pd.read_csv(ROOT / source)))
    return text


def main(arguments: list[str]) -> int:
    """Write the blocks, or check that they agree with the tables; return the exit status."""
    status = 0
    for page in dict.fromkeys(where for where, *_ in BLOCKS.values()):
        path = ROOT / "docs" / page
        new = current(page, path.read_text())
        if arguments == ["write"]:
            path.write_text(new)
        elif new != path.read_text():
            print(f"docs/{page} and the measured tables disagree: run `python tools/docs.py write`")
            status = 1
    return status


def _markdown(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)
    return f"| {' | '.join(names)} |\n{'|---' * len(names)}|\n{lines}\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # for the suite in benchmarks/
    sys.exit(main(sys.argv[1:]))
