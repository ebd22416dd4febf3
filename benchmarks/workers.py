"""Workers that share mini-batches: benchmarks/workers.csv, wall time of bootstrapped training on a Dask cluster.

Wall time, since what counts is waiting; so it means something only where the machine has a core for each worker and nothing
else to do.  One worker and several are timed in turn, in every round, on the same reviews.  A run of some reviews and one of
four times as many are timed, and the difference is what a review takes; what happens once a run, sending keys, weights and
reviews to the workers and weights back, is the same in both and is not counted.
"""

import time
from collections.abc import Sequence
from itertools import product
from typing import Any

import pandas as pd

from encnn import experiments as ex
from encnn.network import TrainingPlan
from encnn.parallel import Workers
from encnn.progress import progress
from encnn.roles import EncryptedModel, Owner, Trainer
from encnn.schemes.bootstrapped import ONE_LEVEL_128, Parameters
from encnn.sigmoid import ExactSigmoid

BATCHES = (16, 64, 256)
WORKERS = (1, 2)
REVIEWS = 1024
ROUNDS = 2


def scaling(
    data: ex.Dataset,
    parameters: Parameters = ONE_LEVEL_128,
    batches: Sequence[int] = BATCHES,
    reviews: int = REVIEWS,
    rounds: int = ROUNDS,
) -> pd.DataFrame:
    """Return columns batch, workers, wall_ms, bytes_a_review, times_as_fast, scheme, parameters, reviews: medians of rounds."""
    sigmoid, start = ExactSigmoid(), ex.linear_start(data)
    model = Owner(start.architecture, sigmoid, parameters).encrypt(start)
    lines = []
    for number, batch, k in progress(list(product(range(rounds), batches, WORKERS)), "workers", unit="run"):
        plan = TrainingPlan(sigmoid, ex.LEARNING_RATE, batch_size=batch)
        wall_ms, moved = _a_review(model, data, plan, k, reviews)
        lines.append({"round": number, "batch": batch, "workers": k, "wall_ms": wall_ms, "bytes_a_review": moved})
    runs = pd.DataFrame(lines)
    alone = runs[runs["workers"] == 1].set_index(["round", "batch"])["wall_ms"]
    runs["times_as_fast"] = alone.loc[pd.MultiIndex.from_frame(runs[["round", "batch"]])].to_numpy() / runs["wall_ms"]
    medians = runs.drop(columns="round").groupby(["batch", "workers"], as_index=False).median()
    found = medians.round({"wall_ms": 3, "times_as_fast": 2, "bytes_a_review": 0}).astype({"bytes_a_review": int})
    return found.assign(scheme="bootstrapped", parameters=parameters.name, reviews=reviews)


def _a_review(model: EncryptedModel, data: ex.Dataset, plan: TrainingPlan, k: int, reviews: int) -> tuple[float, float]:
    """Return wall milliseconds and bytes moved a review, on k workers."""
    from distributed import Client, LocalCluster  # here and not above: it is an extra

    with LocalCluster(n_workers=k, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        _train(client, model, data, plan, plan.batch_size)  # compiles the loops
        (short_s, short_moved), (long_s, long_moved) = (_train(client, model, data, plan, n) for n in (reviews // 4, reviews))
    more = reviews - reviews // 4
    return 1e3 * (long_s - short_s) / more, (long_moved - short_moved) / more


def _train(client: Any, model: EncryptedModel, data: ex.Dataset, plan: TrainingPlan, reviews: int) -> tuple[float, int]:
    """Return wall seconds of training, without what comes before it, and the bytes that mini-batches moved."""
    workers, begun = Workers(client), time.perf_counter()
    Trainer(model.copy()).train(data.X[:reviews], data.y[:reviews], plan, client=workers)
    spent = time.perf_counter() - begun - workers.setup_seconds
    return spent, workers.traffic.up + workers.traffic.down
