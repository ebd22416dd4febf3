"""The replicas of a run on the workers of a cluster: all are asked at once, and lost ones are replaced.

**Why losses are harmless.**  A step changes a replica's weights only when it applies `news`, and `news` has a version.  A
replica that has applied that version ignores it.  So the same question may be asked twice, and a replica made from the weights
of another one continues as the lost one would have.  A replica that is alone changes its weights as it goes; when it is lost,
nobody has them, and a new one begins at the checkpoint.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from encnn.errors import FileError, ParameterError
from encnn.scaling.cluster import WAIT_FOR_WORKERS_S, Cluster, machine_of
from encnn.scaling.messages import NO_NEWS, Message, nbytes_of
from encnn.scaling.replica import Replica

ATTEMPTS = 5
"""One call to the workers is tried this often before the run is given up."""
POLL_S = 2.0
"""Seconds between two checks whether a silent worker is still there."""

Answer = Any
"""What a method of `Replica` returns: a `Message`, or a list of them."""


class Reply(Protocol):
    """An answer of a worker that is still to come."""

    def result(self, timeout: float) -> Answer:
        """Wait for the answer and return it."""


@dataclass(frozen=True)
class Question:
    """What the replicas were asked, and their answers to come."""

    method: Callable  # of `Replica`
    arguments: Sequence[tuple]  # one tuple for each replica
    calls: dict[int, Reply | None]  # of each part; None for a replica that is known to be lost


class Crew:
    """One replica for each part of a mini-batch.

    job: returns what the replica of a part works with, except the weights and the number of threads.  restart: called when all
    replicas were lost; it makes new ones with `seat` and repeats the steps of the epoch that were done.  by_machine: whether a
    replica uses all workers of its machine (`Cluster.seats`).
    """

    def __init__(
        self, cluster: Cluster, parts: int, job: Callable[[int], tuple], restart: Callable[[], None], by_machine: bool = False
    ) -> None:
        self._cluster, self._job, self._restart, self._by_machine = cluster, job, restart, by_machine
        self._actors: list[Any] = [None] * parts
        self._addresses = [""] * parts

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self._actors)

    def ask(self, method: Callable, arguments: Sequence[tuple]) -> list[Answer]:
        """Return each replica's answer to a method of `Replica` with its own arguments; replace lost replicas and ask again."""
        return self.answers(self.begin(method, arguments))

    def begin(self, method: Callable, arguments: Sequence[tuple]) -> Question:
        """Ask as `ask` does, but return at once; `answers` waits for the answers."""
        return Question(method, arguments, {k: self._call(k, method, arguments[k]) for k in range(len(self))})

    def answers(self, question: Question) -> list[Answer]:
        """Return each replica's answer; replace lost replicas and ask them again."""
        method, arguments, calls = question.method, question.arguments, question.calls
        replies: dict[int, Answer] = {}
        for _ in range(ATTEMPTS):
            lost = [k for k, call in calls.items() if not self._answered(k, call, replies)]
            if not lost:  # weights are counted as `collected`, not as `up`
                self._cluster.count(down=nbytes_of(arguments), up=nbytes_of(replies) if method is not Replica.weights else 0)
                return [replies[k] for k in sorted(replies)]
            self._cluster.count(lost=len(lost))
            if not self._replace(lost):
                replies.clear()  # all replicas are new and have not computed this step, so all are asked again
            # Only replicas without an answer are asked again.
            calls = {k: self._call(k, method, arguments[k]) for k in range(len(self)) if k not in replies}
        raise ParameterError(
            f"workers were lost {ATTEMPTS} times in one step ({self._addresses}); look at their logs for what ends them, "
            "memory above all"
        )

    def _call(self, k: int, method: Callable, arguments: tuple) -> Reply | None:
        """Return the future answer of a worker, or None if it is known to be lost."""
        try:
            return getattr(self._actors[k], method.__name__)(*arguments)
        except RuntimeError:  # Dask: "Worker holding Actor was lost"
            return None

    def _answered(self, k: int, call: Reply | None, replies: dict[int, Answer]) -> bool:
        """Wait for an answer and keep it; return whether there is one."""
        while call is not None:
            try:
                replies[k] = call.result(timeout=POLL_S)
                return True
            except TimeoutError:  # slow or lost: the scheduler knows which, and a slow worker gets more time
                if self._addresses[k] not in self._cluster.client.nthreads():
                    return False
            except OSError:  # the connection broke
                return False
        return False

    def _replace(self, lost: list[int]) -> bool:
        """Give the parts of lost workers to others, with the weights of a replica that is left; return whether one was left.

        If none was left, repeat the steps of the epoch that were done.
        """
        left = [k for k in range(len(self._actors)) if k not in lost]
        found: dict[int, Message] = {}
        for k in left:
            # Whoever has answered this call is at one version, so any one will do.  NO_NEWS leaves it there.
            if self._answered(k, self._call(k, Replica.weights, (NO_NEWS, True)), found):
                self.seat(lost, found[k])
                return True
        self._restart()
        return False

    def seat(self, parts: Sequence[int], weights: Message) -> None:
        """Make replicas for these parts, on the workers that have the fewest."""
        for k in parts:
            self._addresses[k] = ""  # so that the old places do not count as load
        for k in parts:
            job = (*self._job(k), weights)
            for _ in range(ATTEMPTS):
                if self._begun(k, job):
                    break
                self._cluster.count(lost=1)
            else:
                raise ParameterError(
                    f"{ATTEMPTS} workers were lost before they could begin; look at their logs for what ends them"
                )

    def _begun(self, k: int, job: tuple) -> bool:
        """Make the replica of part k; return False if its worker is lost during that."""
        seats, taken = self._cluster.seats(self._by_machine), [self._place(address) for address in self._addresses]
        self._addresses[k] = min(seats, key=lambda address: taken.count(self._place(address)))
        client = self._cluster.client
        future = client.submit(Replica, actor=True, pure=False, workers=[self._addresses[k]])
        try:
            with client.as_current():  # or the actor would use the newest client, perhaps of another cluster
                self._actors[k] = future.result(timeout=WAIT_FOR_WORKERS_S)
            self._actors[k].begin(*job, seats[self._addresses[k]]).result()
        except FileError as error:
            raise ParameterError(
                f"a worker cannot use these evaluation keys ({error}); plan with the sigmoid that the keys were made for"
            ) from error
        except OSError:
            return False
        self._cluster.count(setup=nbytes_of(job))
        return True

    def _place(self, address: str) -> str:
        """Return what holds one replica at best."""
        return machine_of(address) if self._by_machine else address
