"""Random architectures, plans and reviews under every scheme, against the clear twin.

Run by `python tests/fuzz_twins.py --cases 5000`; a part of it is in `test_fuzz`.

A case draws an architecture, a plan, reviews and labels, trains under the scheme and in the clear from the same start, and
compares scores, weights and predictions.  They may differ by the *predicted* noise, which is of each scheme its own:

    integer vectors     the worst case that travels with the ciphertexts (`CiphertextArray.noise`)
    128 bits, assisted  half a last digit per update and word, and what the sigmoid makes of it
    bootstrapped        six deviations of fresh weights, of `noise.training_noise`, and of what a table is read with
    FV, YASHE           nothing: starts, rates and coefficients are dyadic, so all of it is exact
    CKKS                1e-3 (its noise is not tracked)

What a scheme cannot do, or runs out of, must be one of the package's errors; those are counted apart.
"""

import argparse
import collections
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from encnn.arithmetic.sigmoid import ExactSigmoid, PolynomialSigmoid, Sigmoid, least_squares, taylor
from encnn.errors import CapabilityError, CiphertextOverflowError, DivergenceError, ParameterError
from encnn.network import Architecture, Help, Network, TrainingPlan
from encnn.network.training import NOBODY
from encnn.parties import Owner, Trainer
from encnn.parties.assistance.scores import Assistant, AssistedStep, DirectChannel
from encnn.schemes import ClearParameters, bootstrapped, ckks, fv, yashe
from encnn.schemes.bootstrapped import noise
from encnn.schemes.integer_vector import COMPACT_128, PAPER

LIMITS = (CapabilityError, CiphertextOverflowError, DivergenceError, ParameterError)
"""What a scheme may say of a task that is beyond it."""

ROUNDING = 1e-9
"""Of float64, relative: sums in another order."""


@dataclass(frozen=True)
class Task:
    """A start, a plan, and what to train on."""

    start: Network
    plan: TrainingPlan
    X: Any
    y: np.ndarray


# -- drawing


def reviews(rng: np.random.Generator, features: int, whole: bool, dense: bool) -> Any:
    """Return a few reviews: bags of words or counts, sparse; or dense ones, whole or with fractions."""
    count = int(rng.integers(1, 10))
    if dense and not whole:
        return np.round(rng.normal(0, 0.5, (count, features)), 3)
    named = rng.random((count, features)) < rng.choice([0.2, 0.5, 0.9])
    X = named * rng.integers(1, rng.choice([2, 2, 4]), (count, features))
    return X if dense else csr_array(X)


def any_task(rng: np.random.Generator) -> Task:
    """Return a task of any shape: what the integer vectors without a modulus, and the clear, can all do."""
    hidden = int(rng.choice([0, 1, 2, 3, 5]))
    inner: PolynomialSigmoid | None = [None, taylor(1), taylor(3)][rng.choice([0, 0, 0, 1, 2])] if hidden else None
    pooling: Any = str(rng.choice(["sum", "mean"]))
    a = Architecture(int(rng.integers(1, 9)), hidden, int(rng.choice([1, 1, 2, 3])), pooling, inner)
    sigmoids: list[Sigmoid] = [taylor(1), taylor(3), taylor(5), least_squares(3, 8), least_squares(5, 4)]
    plan = TrainingPlan(
        sigmoids[rng.integers(len(sigmoids))],
        float(rng.choice([0.001, 0.01, 0.05])),
        decay=float(rng.choice([0.0, 0.0, 0.5])),
        batch_size=int(rng.choice([1, 1, 2, 3, 20])),
        epochs=int(rng.choice([1, 1, 2])),
        divide_update=bool(rng.integers(2)),
        shrink=float(rng.choice([1.0, 1.0, 0.9])),
    )
    X = reviews(rng, a.features, bool(rng.integers(2)), bool(rng.integers(2)))
    start = Network.initial(a, rng, first_layer_sd=0.2)
    return Task(start, plan, X, rng.integers(0, max(a.outputs, 2), X.shape[0]))


def additive_task(rng: np.random.Generator, sigmoid: Sigmoid, rates: list[float], grid: float, whole: bool, steps: int) -> Task:
    """Return a task without products of ciphertexts, weights on a grid, of at most so many steps."""
    a = Architecture(int(rng.choice([2, 4, 6])), 0, 1, "sum")
    X = reviews(rng, a.features, whole, dense=not whole or bool(rng.integers(2)))
    plan = TrainingPlan(sigmoid, float(rng.choice(rates)), batch_size=max(1, -(-X.shape[0] // steps)))
    W1 = np.rint(rng.normal(0, 0.7, (a.features, 1)) / grid) * grid
    return Task(Network(a, W1, None), plan, X, rng.integers(0, 2, X.shape[0]))


# -- running


@cache
def owner_of(scheme: str, a: Architecture, sigmoid: Sigmoid) -> Owner:
    """Return an owner, made once where keys take long."""
    return Owner(a, sigmoid, PARAMETERS[scheme])


PARAMETERS: dict[str, Any] = {
    "integer vectors": PAPER,
    "integer vectors, 128 bits": COMPACT_128,
    "bootstrapped": bootstrapped.BOOTSTRAP_TOY,
    "fv": fv.TOY,
    "yashe": yashe.TOY,
    "ckks": ckks.TOY,
}


@dataclass(frozen=True)
class Result:
    """Scores met in training and weights learnt, in the clear; the predicted noise of both."""

    z: np.ndarray
    network: Network
    z_noise: float
    W_noise: float


def trained(
    owner: Owner, task: Task, help: Help = NOBODY, noise_of: Callable[..., tuple[float, float]] | None = None
) -> Result:
    model = owner.encrypt(task.start)
    scores = Trainer(model).train(task.X, task.y, task.plan, help, keep_scores=True)
    predicted = (0.0, 0.0) if noise_of is None else noise_of(scores, model.network, task)
    return Result(owner.decrypt(scores), owner.decrypt_network(model), *predicted)


def carried_noise(scores: Any, network: Network, _: Task) -> tuple[float, float]:
    """Return the worst case that travels with ciphertexts."""
    arrays = [network.W1] + ([] if network.W2 is None else [network.W2])
    return scores.noise / scores.unit, max(a.noise / a.unit for a in arrays)


def assisted_noise(_: Any, __: Any, task: Task) -> tuple[float, float]:
    """Return half a last digit for each update of a word, twice for the start, times the words of a review for z."""
    updates = len(task.y) * float(abs(task.X).max())
    W = 10 * (updates + 2) / COMPACT_128.scale
    return W * (1 + float(abs(task.X).sum(axis=1).max())), W


def table_noise(_: Any, __: Any, task: Task) -> tuple[float, float]:
    """Return six deviations of fresh weights and of what training leaves, and what a table's steps add to an error."""
    p = bootstrapped.BOOTSTRAP_TOY
    deviation = noise.training_noise(p, task.X, task.plan.learning_rate).deviation(1)
    per_error = 6 * (noise.output_deviation(p) + task.plan.learning_rate / 4 * (noise.input_deviation(p) + p.step))
    fresh = 6 * (p.sigma or 0.0) / p.scale
    W = fresh + 6 * deviation + per_error * len(task.y) * float(abs(task.X).max())
    return W * (1 + float(abs(task.X).sum(axis=1).max())), W


def run_integer_vectors(rng: np.random.Generator) -> tuple[Task, Result]:
    task = any_task(rng)
    return task, trained(Owner(task.start.architecture, task.plan.sigmoid, PAPER), task, noise_of=carried_noise)


def run_assisted(rng: np.random.Generator) -> tuple[Task, Result]:
    task = additive_task(rng, ExactSigmoid(), [0.01, 0.1], 2.0**-20, True, 20)
    owner = owner_of("integer vectors, 128 bits", task.start.architecture, task.plan.sigmoid)
    help = AssistedStep(DirectChannel(Assistant(owner.secret_key)))  # type: ignore[arg-type]
    return task, trained(owner, task, help, assisted_noise)


def run_bootstrapped(rng: np.random.Generator) -> tuple[Task, Result]:
    task = additive_task(rng, taylor(1) if rng.random() < 0.5 else ExactSigmoid(), [0.05, 0.2], 2.0**-20, True, 20)
    task.start.W1[:] = np.clip(task.start.W1, -0.3, 0.3)  # the table knows scores up to `z_half`
    owner = owner_of("bootstrapped", task.start.architecture, task.plan.sigmoid)
    return task, trained(owner, task, noise_of=table_noise)


def run_ring(scheme: str) -> Callable[[np.random.Generator], tuple[Task, Result]]:
    def run(rng: np.random.Generator) -> tuple[Task, Result]:
        task = additive_task(rng, taylor(1), [0.25, 0.5, 1.0], 1.0, True, 1)
        return task, trained(owner_of(scheme, task.start.architecture, task.plan.sigmoid), task)

    return run


def run_ckks(rng: np.random.Generator) -> tuple[Task, Result]:
    task = additive_task(rng, taylor(1), [0.05, 0.2], 2.0**-20, False, 1)
    owner = owner_of("ckks", task.start.architecture, task.plan.sigmoid)
    return task, trained(owner, task, noise_of=lambda *_: (1e-3, 1e-3))


RUNS: dict[str, tuple[Callable[[np.random.Generator], tuple[Task, Result]], float]] = {
    "integer vectors": (run_integer_vectors, 0.6),
    "integer vectors, 128 bits": (run_assisted, 0.08),
    "bootstrapped": (run_bootstrapped, 0.08),
    "fv": (run_ring("fv"), 0.11),
    "yashe": (run_ring("yashe"), 0.11),
    "ckks": (run_ckks, 0.02),
}


def difference(task: Task, found: Result) -> tuple[float, bool]:
    """Return the largest difference to the clear twin over what is predicted, and whether a prediction differs beyond it."""
    owner = Owner(task.start.architecture, task.plan.sigmoid, ClearParameters())
    twin = trained(owner, task)
    z_room = found.z_noise + ROUNDING * (1 + np.abs(twin.z).max())
    W_room = found.W_noise + ROUNDING * (1 + np.abs(twin.network.W1).max())
    shares = [np.abs(found.z - twin.z).max() / z_room, np.abs(found.network.W1 - twin.network.W1).max() / W_room]
    if twin.network.W2 is not None:
        shares.append(np.abs(found.network.W2 - twin.network.W2).max() / W_room)  # type: ignore[operator]
    clear_cut = np.abs(twin.z) > z_room
    return float(max(shares)), bool(((found.z > 0) != (twin.z > 0))[clear_cut].any())


def run(cases: int, seed: int = 0, schemes: Sequence[str] = tuple(RUNS)) -> dict[str, Any]:
    """Run so many cases; return the counts by scheme, refusals, mismatches, and the largest share of the predicted noise."""
    done: collections.Counter[str] = collections.Counter()
    refused: collections.Counter[str] = collections.Counter()
    largest: dict[str, float] = dict.fromkeys(RUNS, 0.0)
    wrong, number = [], 0
    shares = np.array([RUNS[name][1] for name in schemes])
    while sum(done.values()) < cases:
        rng = np.random.default_rng([seed, number])
        number += 1
        name = schemes[rng.choice(len(schemes), p=shares / shares.sum())]
        try:
            task, found = RUNS[name][0](rng)
        except LIMITS:
            refused[name] += 1
            continue
        except Exception as error:
            wrong.append((number - 1, name, f"{type(error).__name__}: {error}"))
            done[name] += 1
            continue
        share, turned = difference(task, found)
        done[name] += 1
        largest[name] = max(largest[name], share)
        if not share <= 1 or turned:
            wrong.append((number - 1, name, f"{share:.3g} times what is predicted, predictions turned: {turned}; {task.plan}"))
    return {"done": dict(done), "refused": dict(refused), "wrong": wrong, "largest": largest}


def main() -> int:
    """Run the cases and print what came of them; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun = time.process_time()
    found = run(options.cases, options.seed)
    print(f"{sum(found['done'].values())} cases in {time.process_time() - begun:.0f} CPU s: {found['done']}")
    print(f"beyond a scheme, and said so: {found['refused']}; mismatches: {len(found['wrong'])}")
    print("largest share of the predicted noise:", {name: round(share, 3) for name, share in found["largest"].items()})
    for number, name, what in found["wrong"][:20]:
        print(f"  seed {options.seed}, case {number}, {name}: {what:.300}")
    return int(bool(found["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
