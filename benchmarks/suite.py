"""The cost of every operation of every scheme, one line of results.csv each.

`cpu_ms` is the CPU time of one call, which handles `n` things (ciphertexts or reviews).  `ratio_to_clear` is the quotient of
this time and that of the same call in the clear.  Machines are noisy, so both are measured one after the other in every round,
and the median over the rounds counts.  pytest-benchmark cannot do this, because it measures each function by itself.

An "epoch" is a slice of an epoch: training on the reviews in column `n` from fresh keys, without the owner's work.  "bytes" is
the size of the line's object in memory, or of its file.  Peak memory is that of a separate process that makes keys, encrypts a
network and trains the slice.  The lines of the scheme "clear" show the same operations in the clear.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cases import CASES, PRODUCT_SETS, BenchmarkCase, trained
from encnn.costs import estimate_cost
from encnn.costs.rehearsal import Rehearsal
from encnn.costs.timing import LONG_ENOUGH_S, mean_cpu_seconds
from encnn.data.batches import Batch
from encnn.network import predict
from encnn.parties import Owner
from encnn.progress import progress
from encnn.schemes import ClearParameters, bootstrapped, make_keys
from encnn.schemes.bilinear import BilinearMap, elementwise

COLUMNS = [
    "benchmark",
    "scheme",
    "parameters",
    "security_bits",
    "n",
    "cpu_ms",
    "ratio_to_clear",
    "bytes",
    "peak_memory_mb",
]
BATCHES = (1, 16, 64, 256)
ROUNDS = 5
AT_LEAST_S = LONG_ENOUGH_S
FEW_ROUNDS = 2
LONG_S = 0.25
"""A call that takes more CPU seconds than this is measured in `FEW_ROUNDS` rounds only."""


@dataclass(frozen=True)
class Operation:
    """An operation that is timed."""

    name: str  # as the table shows it
    n: int  # the number of ciphertexts or reviews that one call handles
    seconds: Callable[[], float]  # does the operation once more and returns its CPU seconds
    bytes: int | None = None  # the size of the result, if it is shown


def timed(act: Callable[..., object], prepare: Callable[[], tuple] = tuple) -> Callable[[], float]:
    """Return a function that measures one call of `act` on what `prepare` returns, as a mean over at least 1/100 s."""
    return lambda: mean_cpu_seconds(act, prepare, AT_LEAST_S)


def results(
    cases: tuple[BenchmarkCase, ...] = CASES, batch_sizes: tuple[int, ...] = BATCHES, memory: bool = True
) -> pd.DataFrame:
    """Return all lines of results.csv."""
    lines: list[dict[str, Any]] = []
    for case in progress(cases, "schemes", unit="scheme"):
        lines += _lines(case, batch_sizes)
        if memory:
            lines.append(_line(case, "peak memory", case.task.reviews, peak_memory_mb=peak_memory(case)))
    if cases == CASES:
        for scheme, parameters in PRODUCT_SETS:
            lines += product_lines(scheme, parameters)
    return pd.DataFrame(lines, columns=COLUMNS)


def _lines(case: BenchmarkCase, batch_sizes: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    encrypted, clear = case.rehearsal(), case.twin()
    ours, theirs = (list(operations(r, batch_sizes)) for r in (encrypted, clear))
    twins = {(o.name.partition(" (")[0], o.n): o for o in theirs if o.name != "key generation"}
    for operation in progress(ours, case.name, unit="operation"):
        yield _measured(case, operation, twins.get((operation.name.partition(" (")[0], operation.n)))
    yield _epoch(case, encrypted)
    cost = estimate_cost(case.task, case.parameters)
    sizes = {
        "keys file": cost.keys_file_bytes,
        "fresh model file": cost.start_file_bytes,
        "trained model file": cost.trained_file_bytes,
    }
    for name, size in sizes.items():
        yield _line(case, name, case.task.architecture.features, bytes=size)


def operations(r: Rehearsal, batch_sizes: tuple[int, ...] = BATCHES) -> Iterator[Operation]:
    """Yield the operations that are possible with these keys: parts of a step, then whole steps and predictions."""
    evaluator, secret, words = r.evaluator, r.owner.secret_key, round(r.task.words)
    yield Operation("key generation", 1, timed(lambda: new_keys(r)), getattr(evaluator, "nbytes", 0))
    c, n = r.first.W1, len(r.first.W1)
    plain = np.full((n, r.task.architecture.row_width), 0.01)
    yield Operation("encryption", n, timed(lambda: secret.encrypt(plain)), c.nbytes)
    yield Operation("decryption", n, timed(lambda: secret.decrypt(c)))
    one = evaluator.unpack(c)  # numbers of blocks are added one by one
    yield Operation("addition", n, timed(lambda: one + one))
    batch = r.batch(16)
    yield Operation("gather", len(batch), timed(lambda: evaluator.gather(batch, r.network.W1)))
    yield Operation("scatter", len(batch), update(r, batch))
    yield from products(r, len(batch))
    yield sigmoid(r, len(batch))
    sizes = (*batch_sizes, r.task.plan.batch_size) if r.task.dense else batch_sizes
    for size in sizes:
        yield Operation("training step", size, partial(step_seconds, r, size))
    X = r.reviews_of(words, r.task.plan.batch_size if r.task.dense else 64)
    scores = predict(evaluator, r.network, X)
    yield Operation("prediction", len(scores), timed(lambda: predict(evaluator, r.network, X)), scores.nbytes)
    if r.assistance == "weights":
        yield Operation("refresh of weights", n, lambda: sum(r.refreshed()[:2]))


def update(r: Rehearsal, *batches: Batch) -> Callable[[], float]:
    """Return a function that measures an update of rows by each of these batches.

    The updates are zeros, so that they can be repeated without end.  If updates spend a budget of the weights, each call has
    its own copy of the weights instead.
    """
    evaluator, W = r.evaluator, r.network.W1.copy()
    G = evaluator.gather(batches[0], W)
    G = G if r.assistance == "weights" else G - G

    def act(V: Any) -> None:
        for batch in batches:
            evaluator.scatter_subtract(V, batch, G)

    if r.assistance == "weights":
        return timed(act, lambda: (W.copy(),))  # repeated updates would spend the budget
    return timed(lambda: act(W))


def products(r: Rehearsal, n: int) -> Iterator[Operation]:
    """Yield the products of ciphertexts that a step computes."""
    task, evaluator, secret = r.task, r.evaluator, r.owner.secret_key
    if r.task.dense:
        z = evaluator.gather(r.batch(16), r.network.W1)
        yield Operation("product elementwise:1", n, timed(lambda: evaluator.multiply(z, z)))
        return
    for f in task.architecture.products(task.plan.sigmoid):
        if isinstance(f, BilinearMap) and f != elementwise(f.left):
            x, y = (secret.encrypt(np.full((n, width), 0.1)) for width in (f.left, f.right))
            yield Operation(f"product {f.name}", n, timed(partial(evaluator.bilinear, f, x, y)))


def sigmoid(r: Rehearsal, n: int) -> Operation:
    """Return the operation that gives the errors of a mini-batch: a polynomial, a bootstrap, or a trip to the owner."""
    evaluator, step = r.evaluator, r.help.error_step
    z = evaluator.gather(r.batch(16), r.network.W1) if r.task.dense else None
    z = r.owner.secret_key.encrypt(np.full((n, r.task.architecture.outputs), 0.1)) if z is None else z
    if step is not None:
        return Operation("sigmoid (trip to the owner)", n, timed(lambda: step(evaluator, z, np.ones((n, 1)), 0.01)))
    name = "bootstrap" if isinstance(r.parameters, bootstrapped.BootstrappedParameters) else r.task.plan.sigmoid.name
    return Operation(f"sigmoid ({name})", n, timed(lambda: evaluator.activate(r.task.plan.sigmoid, z)))


def new_keys(r: Rehearsal) -> Owner:
    """Make keys like those of the rehearsal, and everything that a first step derives from them."""
    owner = Owner(r.first.architecture, r.task.plan.sigmoid, r.parameters, insecure=True)
    owner.evaluator.prepare()
    return owner


def step_seconds(r: Rehearsal, size: int, words: int | None = None) -> float:
    """Return the trainer's CPU seconds per mini-batch: the mean over enough mini-batches to share the costs of a call."""
    steps = 1
    if r.assistance == "errors":
        steps = -(-r.owner.parameters.d // size)  # type: ignore[attr-defined]  # one polynomial of masks
    elif r.assistance == "none":
        steps = max(1, (256 if isinstance(r.parameters, bootstrapped.BootstrappedParameters) else 1024) // size)
    return r.seconds(words or round(r.task.words), size, steps)[0] / steps


def product_lines(scheme: str, parameters: Any) -> Iterator[dict[str, Any]]:
    """Yield the lines of operations under parameters that allow products, on vectors that fill the slots."""
    slots = parameters.N // 2
    case, f = BenchmarkCase(scheme, CASES[0].task, parameters), elementwise(slots)
    secret, evaluator = make_keys(parameters, [slots], [f])
    v = np.ones((1, slots))
    c = secret.encrypt(v)
    plain: dict[str, Callable[[], object]] = {"addition": lambda: v + v, "product of all slots": lambda: v * v}
    ours: dict[str, Callable[[], object]] = {
        "encryption": lambda: secret.encrypt(v),
        "decryption": lambda: secret.decrypt(c),
        "addition": lambda: c + c,
        "product of all slots": lambda: evaluator.bilinear(f, c, c),
    }
    for name, act in ours.items():
        twin = Operation(name, slots, timed(plain[name])) if name in plain else None
        yield _measured(case, Operation(name, slots, timed(act), c.nbytes), twin)


def peak_memory(case: BenchmarkCase) -> float:
    """Return the peak memory, in MB, of a new process that trains the slice of the case."""
    command = [sys.executable, "-m", "benchmarks.memory", case.name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _measured(case: BenchmarkCase, operation: Operation, twin: Operation | None) -> dict[str, Any]:
    """Return the line of an operation, which is timed in turn with its twin in the clear."""
    both = [o for o in (operation, twin) if o is not None]
    first = [o.seconds() for o in both]  # may compile, and is not counted
    rounds = FEW_ROUNDS if first[0] > LONG_S else ROUNDS
    seconds = np.array([[o.seconds() for o in both] for _ in range(rounds)])
    ratio = None if twin is None else float(np.median(seconds[:, 0] / seconds[:, 1]))
    spent = 1e3 * float(np.median(seconds[:, 0]))
    return _line(case, operation.name, operation.n, cpu_ms=spent, ratio_to_clear=ratio, bytes=operation.bytes)


def _epoch(case: BenchmarkCase, r: Rehearsal) -> dict[str, Any]:
    """Return the line of the slice of an epoch; making keys and the owner's work are not counted."""
    task, seconds = r.task, []
    X = r.reviews_of(round(task.words), task.reviews, task.architecture.features)
    for _ in range(FEW_ROUNDS):
        parameters = (case.parameters, ClearParameters())
        ours, clear = (trained(task, p, X, np.arange(task.reviews) % 2).trainer_s for p in parameters)
        seconds.append((ours, ours / clear))
    spent, ratio = np.median(seconds, axis=0)
    return _line(case, "epoch", task.reviews, cpu_ms=1e3 * float(spent), ratio_to_clear=float(ratio))


def _line(case: BenchmarkCase, benchmark: str, n: int, **more: Any) -> dict[str, Any]:
    line = {"benchmark": benchmark, "scheme": case.scheme, "parameters": case.parameters.name, "n": n}
    line["security_bits"] = round(case.security_bits, 1)
    rounded = {"cpu_ms": "{:.4g}", "ratio_to_clear": "{:.3g}"}
    for name, value in more.items():
        line[name] = float(rounded[name].format(value)) if name in rounded and value is not None else value
    return line
