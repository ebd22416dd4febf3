"""A Dask cluster, and the bytes that were moved through it."""

from dataclasses import dataclass, replace
from typing import Any

from encnn.errors import ParameterError

WAIT_FOR_WORKERS_S = 60.0
"""When all workers are lost, wait this long for a new one."""


@dataclass(frozen=True)
class Traffic:
    """What runs moved, in bytes without headers, and how often."""

    setup: int = 0  # bytes of keys, weights and shards to the workers, at the start and to replace lost replicas
    up: int = 0  # bytes from the workers in training
    down: int = 0  # bytes to the workers in training
    collected: int = 0  # bytes of weights from the workers, once per epoch
    steps: int = 0  # mini-batches
    lost: int = 0  # replicas lost and replaced


class Cluster:
    """A `distributed.Client`, and the bytes that were moved through it.

    setup_seconds: the time to send keys, weights and shards to the workers, of all runs together.
    """

    def __init__(self, client: Any) -> None:
        if not hasattr(client, "submit") or not hasattr(client, "nthreads"):
            raise ParameterError(
                f"client is of type {type(client).__name__}; pass a distributed.Client (pip install 'encnn[distributed]')"
            )
        if client.asynchronous:
            raise ParameterError(
                "the client is asynchronous, but training is not; pass a distributed.Client without asynchronous=True"
            )
        self.client, self.traffic, self.setup_seconds = client, Traffic(), 0.0

    def count(self, **more: int) -> None:
        """Add to the counts of `traffic`."""
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
