"""Workers that share mini-batches: benchmarks/workers.csv, wall time of bootstrapped training on a Dask cluster.

Wall time, since what counts is waiting; so it means something only where the machine has a core for each worker and nothing
else to do.  The speed of a shared machine changes from minute to minute: clusters of one worker and of two take turns, on the
same reviews, and what counts is the median of the rounds' ratios.  Time runs from the first report of scores to the
last but one, so that what happens once a run (keys, weights and reviews to the workers, weights back) is not counted.

Dask's workers give memory back to the system at once, by default.  Here they keep it, as other programs do: else every
mini-batch would be charged for new memory, which is slow to come by on virtual machines.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
REVIEWS = 2048
ROUNDS = 5
KEEP_MEMORY = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 32,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 1 << 30,
}


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
    for number, k in progress(list(product(range(rounds), WORKERS)), "workers", unit="cluster"):
        with _client(k) as client:
            _a_review(client, model, data, TrainingPlan(sigmoid, ex.LEARNING_RATE, batch_size=k), 2 * k)  # compiles the loops
            for batch in batches:
                plan = TrainingPlan(sigmoid, ex.LEARNING_RATE, batch_size=batch)
                wall_ms, moved = _a_review(client, model, data, plan, reviews)
                lines.append({"round": number, "batch": batch, "workers": k, "wall_ms": wall_ms, "bytes_a_review": moved})
    runs = pd.DataFrame(lines)
    alone = runs[runs["workers"] == 1].set_index(["round", "batch"])["wall_ms"]
    runs["times_as_fast"] = alone.loc[pd.MultiIndex.from_frame(runs[["round", "batch"]])].to_numpy() / runs["wall_ms"]
    medians = runs.drop(columns="round").groupby(["batch", "workers"], as_index=False).median()
    found = medians.round({"wall_ms": 3, "times_as_fast": 2, "bytes_a_review": 0}).astype({"bytes_a_review": int})
    return found.assign(scheme="bootstrapped", parameters=parameters.name, reviews=reviews)


@contextmanager
def _client(workers: int) -> Iterator[Any]:
    """Give a client of a new cluster on this machine."""
    import dask  # here and not above: it is an extra
    from distributed import Client, LocalCluster

    with dask.config.set(KEEP_MEMORY):
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0")
    with cluster, Client(cluster) as client:
        yield client


def _a_review(client: Any, model: EncryptedModel, data: ex.Dataset, plan: TrainingPlan, reviews: int) -> tuple[float, float]:
    """Return wall milliseconds and bytes moved a review."""
    workers, told = Workers(client), list[tuple[int, float]]()
    Trainer(model.copy()).train(
        data.X[:reviews],
        data.y[:reviews],
        plan,
        on_scores=lambda first, scores: told.append((first + len(scores), time.perf_counter())),
        client=workers,
    )
    (first, begun), (last, ended) = told[0], told[max(len(told) - 2, 0)]  # weights come back before the last one
    return 1e3 * (ended - begun) / max(last - first, 1), (workers.traffic.up + workers.traffic.down) / reviews
