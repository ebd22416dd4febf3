"""Where the time of an epoch goes: profile.csv has a line for each part of a step of the main schemes.

Each part of a mini-batch is timed separately and compared with the whole.  "rest" is the remainder: the loop and its calls.  If
the formulas give the work of a part, `of_peak` is the time of this work at the machine's measured peak (`benchmarks.machine`),
divided by the measured time.  A part at 1 is limited by memory traffic or by arithmetic alone.

    sum of rows       reads batch * words rows               update of rows   reads and writes as many
    product           as many multiply-adds as its key has entries, for each review
    key switch        d l (n + 1) int32 multiply-adds, and the key, 4 d l (n + 1) bytes, is read once per batch
    rotation          products: n l (k + 1)(k + 2) N / 2 complex multiply-adds (four real ones) per review, and the key,
                      8 n l (k + 1)^2 N bytes, is read once per batch;
                      n / m (k + 1)(l + 1) transforms for blocks of m
    trace             log2 N (k l + k + 1) transforms,       log2 N k l (k + 1) N / 2 complex multiply-adds

A transform of M = N / 2 complex numbers counts 5 M log2 M additions and multiplications, and two of these as a multiply-add.
It has more additions than multiplications, so it cannot reach the peak.  The parts of a rotation are timed alone, on small
arrays, and a transform back rounds and adds its result; the rest of a rotation are digits, powers of X, and what the parts lose
because they follow one another.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cases import BenchmarkCase, named
from benchmarks.suite import step_seconds, timed, update
from encnn.costs.rehearsal import Rehearsal
from encnn.data.batches import Batch
from encnn.progress import progress
from encnn.schemes import bootstrapped
from encnn.schemes.bilinear import BilinearMap, elementwise
from encnn.schemes.bootstrapped import engine
from encnn.schemes.bootstrapped.blocks import scatter_subtract
from encnn.schemes.bootstrapped.bootstrap import alone, rotated_table
from encnn.schemes.bootstrapped.parameters import BootstrappedParameters
from encnn.schemes.bootstrapped.rotation import RotationKey, blind_rotate
from encnn.schemes.bootstrapped.switching import switch_key, to_positions

PROFILED = (
    ("integer vectors, paper", 1),
    ("integer vectors, paper", 64),
    ("integer vectors, assisted", 1),
    ("bootstrapped", 1),
    ("bootstrapped", 16),
)
ROUNDS = 5
DIFFERENT = 256
"""The number of different reviews whose rows are summed and updated in turn."""


@dataclass(frozen=True)
class Part:
    """A part of the work on a mini-batch."""

    name: str  # as the table shows it
    seconds: Callable[[], float]  # does the part once and returns its CPU seconds
    work: dict[str, float]  # the amount of work that it must do, by the name of the peak that limits it

    def bound(self, peaks: dict[str, float]) -> tuple[str, float]:
        """Return the peak at which this work takes longest, and the seconds; each kind of work can go on during the others."""
        seconds = {peak: amount / peaks[peak] for peak, amount in self.work.items()}
        return max(seconds.items(), key=lambda item: item[1], default=("", 0.0))


def profile(peaks: dict[str, float], profiled: tuple[tuple[str, int], ...] = PROFILED, rounds: int = ROUNDS) -> pd.DataFrame:
    """Return columns scheme, parameters, batch, part, cpu_us (per review), share_percent, bound_by, of_peak."""
    lines: list[dict[str, Any]] = []
    for name, batch in progress(list(profiled), "profiles", unit="scheme"):
        lines += _profile(named(name), batch, peaks, rounds)
    return pd.DataFrame(lines)


def _profile(case: BenchmarkCase, batch: int, peaks: dict[str, float], rounds: int) -> Iterator[dict[str, Any]]:
    r = case.rehearsal()
    found = list(parts(r, batch))
    runs = [[step_seconds(r, batch), *(part.seconds() for part in found)] for _ in range(rounds)]
    whole, *each = np.median(runs, axis=0)
    common = {"scheme": case.name, "parameters": case.parameters.name, "batch": batch}
    for part, spent in zip(found, each, strict=True):
        bound, least = part.bound(peaks)
        line = common | {"part": part.name} | _time(spent, whole, batch)
        yield line | {"bound_by": bound, "of_peak": round(least / spent, 3) if bound else None}
    yield common | {"part": "rest"} | _time(max(whole - sum(each), 0.0), whole, batch) | {"bound_by": "", "of_peak": None}
    yield common | {"part": "whole step"} | _time(whole, whole, batch) | {"bound_by": "", "of_peak": None}


def parts(r: Rehearsal, size: int) -> Iterator[Part]:
    """Yield the parts of a step on a mini-batch of this size."""
    evaluator, W = r.evaluator, r.network.W1
    batches = [r.batch(size) for _ in range(max(1, DIFFERENT // size))]  # one alone would soon be in the nearest cache
    G = evaluator.gather(batches[0], W)
    packed = isinstance(evaluator, bootstrapped.BootstrappedEvaluator)
    row_bytes = 4 * evaluator.parameters.d if packed else r.row_bytes  # of a packed row: the window of a block
    rows, share = size * round(r.task.words) * row_bytes, 1 / len(batches)
    sums = timed(lambda: [evaluator.gather(batch, W) for batch in batches])
    yield Part("sum of rows", _times(sums, share), {"read": rows})
    if packed:
        yield from _bootstrap(evaluator, r, G)
    elif r.help.error_step is not None:
        yield _trip(r, G, size)
    else:
        yield from _products(r, size)
    updates = _block_updates(evaluator, W.copy(), batches, G) if packed else update(r, *batches)
    yield Part("update of rows", _times(updates, share), {"update": 2 * rows})


def _products(r: Rehearsal, size: int) -> Iterator[Part]:
    task, secret = r.task, r.owner.secret_key
    evaluator: Any = r.evaluator
    for f in task.architecture.products(task.plan.sigmoid):
        if isinstance(f, BilinearMap) and f != elementwise(f.left):
            x, y = (secret.encrypt(np.full((size, width), 0.1)) for width in (f.left, f.right))
            key = evaluator.products[f.name]
            work = {"multiply-add": float(size * key.M_transposed.size)}
            calls = 2 if f.left == 1 else 1  # d W2^T and h^T d
            yield Part(f"product {f.name}", _times(timed(lambda f=f, x=x, y=y: evaluator.bilinear(f, x, y)), calls), work)
    z = secret.encrypt(np.full((size, 1), 0.1))
    yield Part("sigmoid", timed(lambda: evaluator.activate(task.plan.sigmoid, z)), {})


def _times(seconds: Callable[[], float], calls: float) -> Callable[[], float]:
    return lambda: calls * seconds()


def _trip(r: Rehearsal, G: Any, size: int) -> Part:
    """Return the trainer's part of a trip: it adds an encryption of zero to the scores and expands the answer's masks."""
    targets, step = np.ones((size, r.task.architecture.outputs)), r.help.error_step

    def seconds() -> float:
        owner = r.answers.cpu_seconds
        calls = 2 * r.owner.parameters.d // size  # type: ignore[attr-defined]
        spent = timed(lambda: [step(r.evaluator, G, targets, 0.01) for _ in range(calls)])()  # type: ignore[misc]
        return max(spent - (r.answers.cpu_seconds - owner), 0.0) / calls

    return Part("trip to the owner, trainer's part", seconds, {})


def _block_updates(evaluator: Any, W: Any, batches: list[Batch], G: Any) -> Callable[[], float]:
    """Return a function that measures the updates of blocks without the traces before them, which are another part."""
    errors = alone(evaluator.key, G.data)

    def update_all() -> None:
        for batch in batches:
            scatter_subtract(W, batch, errors, 0.0, 0.0)

    return timed(update_all)


def _bootstrap(evaluator: Any, r: Rehearsal, z: Any) -> Iterator[Part]:
    p, key, B = evaluator.parameters, evaluator.key, len(z)
    switch = {"int32 multiply-add": float(B * p.d * p.switch_levels * (p.n + 1)), "read": float(key.switch.nbytes)}
    yield Part("key switch", timed(lambda: switch_key(key.switch, z.data)), switch)
    yield from _rotation(p, key.rotation, to_positions(switch_key(key.switch, z.data), p.N))
    steps = B * len(key.trace.bodies)
    transforms = steps * (p.k * p.trace_levels + p.k + 1) * _of_a_transform(p)
    products = 4.0 * steps * p.k * p.trace_levels * (p.k + 1) * p.N / 2
    yield Part("trace", timed(lambda: alone(key, z.data)), {"multiply-add": transforms + products})


def _rotation(p: BootstrappedParameters, key: RotationKey, positions: np.ndarray) -> Iterator[Part]:
    B, components = len(positions), p.k + 1
    acc = rotated_table(np.full(p.N, 1 << 20, np.int32), positions[:, 0], p.k)
    exponents = -positions[:, 1:]
    steps, forward = p.n // p.block, components * p.rotation_levels
    whole = timed(lambda: blind_rotate(key, acc, exponents))
    if engine.compiled(p.N, p.k) is None:
        yield Part("blind rotation", whole, {})
        return
    products, transforms = _loops_of_a_rotation(p, key, B, steps * forward * B, steps * components * B)
    multiply_adds = 4.0 * B * p.n * p.rotation_levels * components * (components + 1) * p.N / 2
    yield Part("products of the rotation", products, {"multiply-add": multiply_adds, "read": float(key.nbytes)})
    flops = B * steps * (forward + components) * _of_a_transform(p)
    yield Part("transforms of the rotation", transforms, {"multiply-add": flops})
    yield Part("rest of the rotation", lambda: max(whole() - products() - transforms(), 0.0), {})


def _of_a_transform(p: BootstrappedParameters) -> float:
    """Return the work of a transform, in multiply-adds."""
    return 2.5 * (p.N // 2) * log2(p.N // 2)


def _loops_of_a_rotation(
    p: BootstrappedParameters, key: RotationKey, B: int, forward: int, backward: int
) -> tuple[Callable[[], float], Callable[[], float]]:
    """Return what measures the products of a rotation of B ciphertexts, and what measures a number of transforms."""
    from numba import njit

    from encnn.schemes.bootstrapped import compiled, compiled_transform, compiled_vectors

    d, _, w, v, factors, sums = compiled.room(p.block, p.rotation_levels)
    for array in (d, w, v, factors, sums):
        array[:] = 0
    blocks, block, levels = key.transforms.reshape(p.n // p.block, -1), p.block, p.rotation_levels
    together = compiled_vectors.TOGETHER

    @njit
    def products(v, factors, key, sums):  # type: ignore[no-untyped-def]
        for step in range(key.shape[0]):
            for first in range(0, B, together):
                compiled.sum_products(v, factors, key[step], min(together, B - first), block, levels, sums, first == 0)

    @njit
    def transforms(d, w, v):  # type: ignore[no-untyped-def]
        for _ in range(forward):
            compiled_transform.forward(d, w, v)
        for _ in range(backward):
            compiled_transform.add_backward(v, w, d)

    products(v, factors, blocks, sums), transforms(d, w, v)  # compiles
    return timed(lambda: products(v, factors, blocks, sums)), timed(lambda: transforms(d, w, v))


def _time(spent: float, whole: float, batch: int) -> dict[str, float]:
    return {"cpu_us": float(f"{1e6 * spent / batch:.4g}"), "share_percent": round(100 * spent / whole, 1)}
