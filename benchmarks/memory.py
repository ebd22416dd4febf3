"""`python -m benchmarks.memory NAME`: train the slice of one case in this process, and print its peak memory in MB."""

import resource
import sys
from pathlib import Path

import numpy as np

from benchmarks.cases import named, trained
from encnn.report.costs import synthetic_features


def peak_mb() -> float:
    """Return the peak resident memory of this process in MB.

    From Linux itself where it says so: what `getrusage` tells begins, in a new process, with the memory of the one it is
    started from.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(found["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(name: str) -> None:
    """Train the slice of the case of that name, and print the peak."""
    task, parameters = named(name).task, named(name).parameters
    rng, features = np.random.default_rng(0), task.architecture.features
    X = synthetic_features(rng, task.reviews, round(task.words), features, task.dense, task.whole)
    trained(task, parameters, X, np.arange(task.reviews) % 2)
    print(round(peak_mb(), 1))


if __name__ == "__main__":
    main(sys.argv[1])
