"""Workers that share mini-batches: workers.csv has the wall time of bootstrapped training on a Dask cluster.

Wall time is measured, because the user waits for it.  It has a meaning only on a machine with a core for each worker and no
other work.  Other work can only add time, and may do so for seconds or minutes.  Two clusters, of one worker and of two,
therefore take turns on the same reviews, and the least time of a run counts.  Nobody asks for scores, so none are moved.  What
happens once per run at its beginning is left out: the plan is checked, and keys, weights and reviews go to the workers.

By default Dask's workers return memory to the system at once.  Here they keep it, as other programs do.  Otherwise every
mini-batch would pay for new memory, which virtual machines provide slowly.  Dask also watches its processes many times per
second, which takes time from cores that are all busy.  Here it does not.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from typing import Any

import pandas as pd

from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.data.datasets import Dataset
from encnn.experiments.linear import linear_start
from encnn.network import TrainingPlan, TrainingRun, train
from encnn.parties import EncryptedModel, Owner
from encnn.progress import progress
from encnn.scaling.shared_steps import SharedSteps
from encnn.scaling.workers import Workers
from encnn.schemes.bootstrapped import ONE_LEVEL_128, BootstrappedParameters

BATCHES = (16, 64, 256)
WORKERS = (1, 2)
REVIEWS = 3072
ROUNDS = 5
LEARNING_RATE = 0.005
"""A learning rate that parameters with one level of rotation allow."""
SETTINGS = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 32,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 1 << 30,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.system-monitor.gil.enabled": False,
}
"""How Dask is set up."""


def scaling(
    data: Dataset,
    parameters: BootstrappedParameters = ONE_LEVEL_128,
    batches: Sequence[int] = BATCHES,
    reviews: int = REVIEWS,
    rounds: int = ROUNDS,
) -> pd.DataFrame:
    """Return columns batch, workers, wall_ms (per review), bytes_per_review, times_as_fast, scheme, parameters, reviews."""
    sigmoid, start = ExactSigmoid(), linear_start(data)
    model = Owner(start.architecture, sigmoid, parameters).encrypt(start)
    lines = []
    with ExitStack() as stack:
        clients = {k: stack.enter_context(_client(k)) for k in WORKERS}
        for k, client in clients.items():  # compiles the loops
            _per_review(client, model, data, TrainingPlan(sigmoid, LEARNING_RATE, batch_size=k), 2 * k)
        turns = list(product(range(rounds), batches, WORKERS))
        for _, batch, k in progress(turns, "workers", unit="run"):
            plan = TrainingPlan(sigmoid, LEARNING_RATE, batch_size=batch)
            wall_ms, moved = _per_review(clients[k], model, data, plan, reviews)
            lines.append({"batch": batch, "workers": k, "wall_ms": wall_ms, "bytes_per_review": round(moved)})
    least = pd.DataFrame(lines).groupby(["batch", "workers"], as_index=False).min()
    alone = least[least["workers"] == 1].set_index("batch")["wall_ms"]
    least["times_as_fast"] = (alone.loc[least["batch"]].to_numpy() / least["wall_ms"]).round(2)
    return least.round({"wall_ms": 3}).assign(scheme="bootstrapped", parameters=parameters.name, reviews=reviews)


@contextmanager
def _client(workers: int) -> Iterator[Any]:
    """Yield a client of a new cluster on this machine with the given number of workers."""
    import dask  # imported here, because it is an optional extra
    from distributed import Client, LocalCluster

    with dask.config.set(SETTINGS):
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0")
    with cluster, Client(cluster) as client:
        yield client


def _per_review(client: Any, model: EncryptedModel, data: Dataset, plan: TrainingPlan, reviews: int) -> tuple[float, float]:
    """Return the wall milliseconds per review, and the bytes moved per review."""
    workers, network = _Clocked(client), model.network.copy()
    train(model.evaluator, network, data.X[:reviews], data.y[:reviews], plan, workers, keep_scores=False)
    seconds = time.perf_counter() - workers.begun - workers.setup_seconds
    return 1e3 * seconds / reviews, (workers.traffic.up + workers.traffic.down) / reviews


class _Clocked(Workers):
    """Workers that note when their work begins."""

    begun = 0.0

    def steps(self, run: TrainingRun) -> SharedSteps:
        """Do what `Workers.steps` does, and note the time."""
        self.begun = time.perf_counter()
        return super().steps(run)
