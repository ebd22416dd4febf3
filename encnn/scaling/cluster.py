"""A Dask cluster, and the bytes that were moved through it."""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

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

    def seats(self, by_machine: bool) -> dict[str, int]:
        """Return the addresses at which replicas may live, the widest first, and the threads that each may use.

        by_machine: one for each machine, with the threads of all its workers; otherwise one for each worker, with one thread.
        Wait for a worker if there is none, up to `WAIT_FOR_WORKERS_S`.
        """
        workers = self._workers()
        seats: dict[str, int] = {}
        on_machine: dict[str, str] = {}
        for address in sorted(workers):
            seat = on_machine.setdefault(machine_of(address), address) if by_machine else address
            seats[seat] = seats.get(seat, 0) + (workers[address] if by_machine else 1)
        return dict(sorted(seats.items(), key=lambda seat: -seat[1]))

    def _workers(self) -> dict[str, int]:
        """Return the threads of each worker."""
        if not self.client.nthreads():
            try:
                self.client.wait_for_workers(1, timeout=WAIT_FOR_WORKERS_S)
            except TimeoutError as error:
                raise ParameterError(
                    f"the cluster has had no worker for {WAIT_FOR_WORKERS_S:.0f} s; start workers, or train without their help"
                ) from error
        return dict(self.client.nthreads())


def machine_of(address: str) -> str:
    """Return the machine of a worker; an address that names none is a machine of its own.

    >>> machine_of("tcp://10.0.0.7:40123"), machine_of("worker-0")
    ('10.0.0.7', 'worker-0')
    """
    return urlsplit(address).hostname or address
