"""A network with a hidden layer, trained alone under encryption: how near it is to its clear twin, and what it costs.

    python -m benchmarks.hidden --reviews 1000 --hidden 8
    python -m benchmarks.hidden --xor 2

Both layers start from random weights and are trained with one key.  The ranges of the layer come from a rehearsal in the clear
from another start.  The table also has a simulation (`bootstrapped.simulation`) of the same run.  Its columns are the
correlation of test scores with those of the twin, the errors of weights as shares of their change (root mean squares),
accuracies in percent, and CPU ms per review.
"""

import argparse
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.costs.timing import cpu_seconds
from encnn.data.datasets import Dataset, words_dataset
from encnn.data.reviews import load_reviews
from encnn.network import Architecture, Network, TrainingPlan, train
from encnn.network.rehearsal import predict_in_clear
from encnn.parties import Owner
from encnn.schemes.bootstrapped import HIDDEN_128
from encnn.schemes.bootstrapped.hidden import Ranges
from encnn.schemes.bootstrapped.simulation import SimulatedEvaluator
from encnn.schemes.clear import ClearEvaluator


def reach(start: Network, data: Dataset, plan: TrainingPlan) -> Ranges:
    """Return ranges from a rehearsal in the clear, which trains `start`."""
    train(ClearEvaluator(), start, data.X, data.y, plan)
    counts = np.maximum(np.asarray(data.X.sum(axis=1)), 1)[:, None]  # type: ignore[union-attr]
    h, z = data.X @ start.W1 / counts, predict_in_clear(start, data.X)
    return Ranges.around(h, np.asarray(start.W2), z)


def compared(found: Network, twin: Network, start: Network, data: Dataset) -> dict[str, Any]:
    """Return what distinguishes a trained network from its twin."""
    z, z_twin = (predict_in_clear(n, data.X_test).ravel() for n in (found, twin))
    right = [100 * float(np.mean((s > 0) == (data.y_test == 1))) for s in (z, z_twin)]
    return {
        "correlation": float(np.corrcoef(z, z_twin)[0, 1]),
        "W1 error": _share(found.W1, twin.W1, start.W1),
        "W2 error": _share(found.W2, twin.W2, start.W2),
        "test %": right[0],
        "twin test %": right[1],
    }


def _share(found: Any, twin: Any, start: Any) -> float:
    return float(np.sqrt(np.mean((found - twin) ** 2) / np.mean((twin - start) ** 2)))


def xor(starts: int, simulated: int = 10) -> pd.DataFrame:
    """Return which runs of XOR get all four rows right, with a hidden layer of eight units and a cubic activation.

    Columns start, clear, simulated, encrypted (for the first `starts` only, each with its own key) and CPU seconds.
    """
    X, y = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]), np.array([0, 1, 1, 0])
    architecture = Architecture(3, hidden=8, pooling="sum", hidden_sigmoid=taylor(3))
    plan, rows = TrainingPlan(ExactSigmoid(), 0.2, epochs=100, batch_size=4), list[dict[str, float]]()
    ranges = Ranges(hidden=6.0, weight=8.0, score=12.0, gradient=0.25, hidden_octaves=4.0, error_octaves=4.0, slope_octaves=3.0)

    def right(network: Network) -> bool:
        return bool(((predict_in_clear(network, X).ravel() > 0) == (y == 1)).all())

    for seed in range(simulated):
        start, row = Network.initial(architecture, np.random.default_rng(seed), 1.0), {"start": float(seed)}
        evaluators = ClearEvaluator(), SimulatedEvaluator(HIDDEN_128, np.random.default_rng(seed), ranges)
        for name, evaluator in zip(("clear", "simulated"), evaluators, strict=True):
            network = start.copy()
            train(evaluator, network, X, y, plan, keep_scores=False)
            row[name] = right(network)
        if seed < starts:
            owner = Owner(architecture, plan.sigmoid, HIDDEN_128)
            model = owner.encrypt(start)
            model.evaluator.ranges = ranges  # type: ignore[attr-defined]
            row["CPU s"] = cpu_seconds(partial(train, model.evaluator, model.network, X, y, plan, keep_scores=False))[1]
            row["encrypted"] = right(owner.decrypt_network(model))
            print(row, flush=True)
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    """Print one line for the simulation and one for the encrypted run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("reviews", 1000), ("hidden", 8), ("batch", 16), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rate", type=float, default=0.04)
    parser.add_argument("--start", type=float, default=0.1, help="standard deviation of the first layer's start")
    parser.add_argument("--xor", type=int, metavar="STARTS", help="train XOR instead, encrypted from this many starts")
    o = parser.parse_args()
    if o.xor is not None:
        print(xor(o.xor).to_string(index=False))
        return
    data = words_dataset(load_reviews("imdb")).first(o.reviews)
    architecture, plan = (
        Architecture(data.X.shape[1], hidden=o.hidden),
        TrainingPlan(ExactSigmoid(), o.rate, batch_size=o.batch),
    )
    start, other = (Network.initial(architecture, np.random.default_rng(s), o.start) for s in (o.seed, o.seed + 1000))
    ranges, twin, simulated = reach(other, data, plan), start.copy(), start.copy()
    print(ranges)
    train(ClearEvaluator(), twin, data.X, data.y, plan)
    train(SimulatedEvaluator(HIDDEN_128, np.random.default_rng(o.seed), ranges), simulated, data.X, data.y, plan)
    owner = Owner(architecture, plan.sigmoid, HIDDEN_128)
    model = owner.encrypt(start)
    model.evaluator.ranges = ranges  # type: ignore[attr-defined]
    model.evaluator.prepare()
    train(model.evaluator, model.copy().network, data.X[:4], data.y[:4], plan)  # compiles the loops
    seconds = cpu_seconds(lambda: train(model.evaluator, model.network, data.X, data.y, plan, keep_scores=False))[1]
    lines = {"simulated": simulated, "encrypted": owner.decrypt_network(model)}
    table = pd.DataFrame([{"run": name} | compared(n, twin, start, data) for name, n in lines.items()])
    table["CPU ms per review"] = [np.nan, 1000 * seconds / o.reviews]
    print(table.round(4).to_string(index=False))


if __name__ == "__main__":
    main()
