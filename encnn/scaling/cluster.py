"""A Dask cluster, and what was moved through it."""

from dataclasses import dataclass, replace
from typing import Any

from encnn.errors import ParameterError

WAIT_FOR_WORKERS_S = 60.0
"""How long to wait for a worker when all are lost."""


@dataclass(frozen=True)
class Traffic:
    """Bytes that runs moved, headers not counted.

    setup: keys, weights and shards to the workers, at the start and to replace lost ones.  up, down: in training, from and to
    the workers.  collected: weights back, once an epoch.  steps: mini-batches.  lost: replicas lost and replaced.
    """

    setup: int = 0
    up: int = 0
    down: int = 0
    collected: int = 0
    steps: int = 0
    lost: int = 0


class Cluster:
    """A `distributed.Client`, and the bytes that were moved through it.

    setup_seconds: how long keys, weights and shards took to the workers, all runs together.
    """

    def __init__(self, client: Any) -> None:
        if not hasattr(client, "submit") or not hasattr(client, "nthreads"):
            raise ParameterError(
                f"client is of type {type(client).__name__}; pass a distributed.Client (pip install 'encnn[distributed]')"
            )
        if client.asynchronous:
            raise ParameterError(
                "the client is asynchronous, training is not; pass a distributed.Client without asynchronous=True"
            )
        self.client, self.traffic, self.setup_seconds = client, Traffic(), 0.0

    def count(self, **more: int) -> None:
        """Add to the counts."""
        self.traffic = replace(self.traffic, **{name: getattr(self.traffic, name) + k for name, k in more.items()})

    def addresses(self) -> list[str]:
        """Return the addresses of all workers; wait for one if there is none, up to `WAIT_FOR_WORKERS_S`."""
        if not self.client.nthreads():
            try:
                self.client.wait_for_workers(1, timeout=WAIT_FOR_WORKERS_S)
            except TimeoutError as error:
                raise ParameterError(
                    f"the cluster has had no worker for {WAIT_FOR_WORKERS_S:.0f} s; start workers, or train without their help"
                ) from error
        return sorted(self.client.nthreads())
