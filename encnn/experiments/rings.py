"""Logistic regression under FV and YASHE at 128 bits beside its clear twin: `python -m encnn.experiments rings` prints it.

The reviews are those of `small_reviews`.  Training takes additions and plain factors only, no products of ciphertexts, and the
owner renews the weights where their budgets run low.  Keys are real (the operating system's randomness).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from encnn.costs import announce
from encnn.data.datasets import Dataset
from encnn.experiments.columns import distance_percent, right_percent, significant
from encnn.experiments.console import job_options
from encnn.experiments.helped import trained
from encnn.experiments.linear import linear_start
from encnn.experiments.results import Results
from encnn.experiments.small_reviews import PLANS, datasets
from encnn.experiments.twin import clear_twin
from encnn.network import Network, TrainingPlan
from encnn.progress import progress
from encnn.schemes import fv, yashe

PRESETS = (fv.ADDITIVE_128, fv.FRACTIONAL_128, yashe.ADDITIVE_128, yashe.FRACTIONAL_128)


@dataclass(frozen=True)
class RingRun:
    """The results of a run."""

    line: dict[str, object]  # of the table
    network: Network  # the encrypted network after training, decrypted
    twin: Network  # its clear twin


def compare(parameters: fv.FVParameters | yashe.YASHEParameters, data: Dataset, plan: TrainingPlan) -> RingRun:
    """Train from zero in the clear and under encryption, the owner refreshing the weights where budgets run low."""
    start = linear_start(data)
    twin = clear_twin(start, data, plan)
    network, seconds, run = trained(parameters, data, plan)
    reviews, tally, W = data.X.shape[0] * plan.epochs, run.tally, run.model.network.W1
    line = {
        "scheme": parameters.scheme,
        "parameters": parameters.name,
        "bits": round(parameters.security_bits, 1),
        "decided by": parameters.cheapest_attack.method,
        "encoding": parameters.encoding,
        "data": data.name,
        "ciphertext products": 0,
        "error of the change percent": significant(distance_percent(network, twin.network, start), 2),
        "accuracy percent": right_percent(network, data.X, data.y),
        "test accuracy percent": right_percent(network, data.X_test, data.y_test),
        "clear test accuracy percent": right_percent(twin.network, data.X_test, data.y_test),
        "trainer CPU ms per review": round(1e3 * (seconds - tally.cpu_seconds) / reviews, 2),
        "clear CPU ms per review": round(1e3 * twin.cpu_seconds / reviews, 4),
        "owner trips": tally.trips,
        "owner CPU s": round(tally.cpu_seconds, 1),
        "MB up": round(tally.bytes_up / 1e6, 1),
        "MB down": round(tally.bytes_down / 1e6, 1),
        "model MB": round(W.nbytes / 1e6, 1),
        "key MB": round(run.model.evaluator.nbytes / 1e6, 1),
        "noise bits left": round(W.noise_budget_bits, 1),
    }
    return RingRun(line, network, twin.network)


def lines() -> Iterator[dict[str, object]]:
    """Yield one line for each preset and data set, as they come, and say before each run what it will cost."""
    cases = [(p, name, data) for name, data in datasets().items() for p in PRESETS]
    for p, name, data in progress(cases, "rings", unit="run"):
        announce(f"{p.name}, {name}", data.X, PLANS[name], linear_start(data).architecture, p)
        yield compare(p, data, PLANS[name]).line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, print the lines as they come and write them; return the exit status."""
    options = job_options(__name__, "Train under FV and YASHE at 128 bits.", corpus=False).parse_args(arguments)
    found = []
    for line in lines():
        print(pd.Series(line).to_string(), end="\n\n", flush=True)
        found.append(line)
    results = Results(options.folder)
    results.store("rings", pd.DataFrame(found))
    results.finish()
    return 0
