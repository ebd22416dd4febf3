"""`python -m benchmarks.memory NAME` trains the slice of one case in this process and prints the peak memory in MB."""

import sys

import numpy as np

from benchmarks.cases import named, trained
from encnn.costs.peak_memory import peak_memory_mb
from encnn.costs.task import synthetic_features


def main(name: str) -> None:
    """Train the slice of the case of this name, and print the peak memory in MB."""
    task, parameters = named(name).task, named(name).parameters
    rng, features = np.random.default_rng(0), task.architecture.features
    X = synthetic_features(rng, task.reviews, round(task.words), features, task.dense, task.whole)
    trained(task, parameters, X, np.arange(task.reviews) % 2)
    print(round(peak_memory_mb(), 1))


if __name__ == "__main__":
    main(sys.argv[1])
