"""Generated cases of everything that enters: python tests/fuzz_gate.py [--cases 50000] [--seed 0] prints what came of them.

Features, labels, plans, architectures and networks, half of them spoiled.  Each case must end as the reference says or in an
error of the package, within `SLOWEST_S`; one in `MEASURED` is also measured for memory.  `test_fuzz` runs a few thousand.
"""

import argparse
import collections
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from gate_cases import BAD, BAD_LABELS, DENSE, GOOD_LABELS, SPARSE, outcome
from scipy import sparse

from encnn.arithmetic.sigmoid import ExactSigmoid, PolynomialSigmoid, taylor
from encnn.data import features_of, labels_of
from encnn.errors import DataError, EncnnError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan, predict
from encnn.parties import Owner, Trainer
from encnn.schemes import ClearParameters, fv
from encnn.schemes.integer_vector import PAPER

SLOWEST_S = 2.0
MEASURED = 20
MOST_BYTES = 200 << 20

WORDS = 6
NASTY: list[Any] = [
    *(0, 1, -1, 2, 7, 2**31, 2**63, -(2**63), 10**30, True, False, None, 0.0, 0.5, 1.0, 4.0, -0.5, 1e-300, 1e300),
    *(np.nan, np.inf, -np.inf, "1", "", "sum", b"1", 1j, [], [1], (1,), {}, np.int64(3), np.float32(0.25), np.bool_(True)),
    *(np.array(2), np.array([2]), np.float64("nan"), taylor(3), ExactSigmoid(), taylor, object(), pd.NA, pd.NaT),
    *(np.datetime64("2020"), Ellipsis, range(3)),
]


class WrongError(AssertionError):
    """A case that ended otherwise than the reference says."""


def check(fact: bool, what: str) -> None:
    if not fact:
        raise WrongError(what)


def only(errors: tuple[type[Exception], ...], call: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a call gives, or None if it raises one of these."""
    try:
        return call(*arguments)
    except errors:
        return None


# -- the cases: each takes a generator and raises WrongError, or whatever else must not come

OWNERS: dict[str, Any] = {"clear": ClearParameters(), "paper": PAPER, "fv": fv.TOY}
PLAN = TrainingPlan(taylor(1), 0.25, batch_size=4)
_owners: dict[str, tuple[Owner, Any]] = {}


def party(name: str) -> tuple[Owner, Any]:
    """Return an owner and its model, made once."""
    if name not in _owners:
        architecture = Architecture(WORDS, hidden=0, pooling="sum")
        owner = Owner(architecture, PLAN.sigmoid, OWNERS[name])
        W1 = np.array([1.0, -1, 2, 0, -2, 1])[:, None]
        _owners[name] = owner, owner.encrypt(Network(architecture, W1, None))
    return _owners[name]


def counts(rng: np.random.Generator) -> np.ndarray:
    X = rng.integers(0, 3, (8, WORDS)) * (rng.random((8, WORDS)) < rng.random())
    X[:, 0] |= 1  # at least something to spoil
    X[1, 2] = 1
    return X


def good_features(rng: np.random.Generator) -> None:
    """Any good form gives the scores, and the training, of the array itself."""
    X, name = counts(rng), str(rng.choice(list(OWNERS), p=[0.6, 0.3, 0.1]))
    forms = SPARSE | DENSE
    made = forms[str(rng.choice(list(forms)))](X)
    owner, model = party(name)
    z = owner.decrypt(Trainer(model).predict(made))
    check(np.allclose(z[:, 0], X @ [1, -1, 2, 0, -2, 1], atol=1e-4), f"scores of {type(made)}")
    if rng.random() < 0.3 and name != "fv":  # whose toy holds a step or two
        y, results = rng.integers(0, 2, 8), []
        for data in (made, X):
            trained = model.copy()
            Trainer(trained).train(data, y, PLAN)
            results.append(owner.decrypt_network(trained).W1)
        check(np.allclose(*results, atol=1e-12), f"training on {type(made)}")


def bad_features(rng: np.random.Generator) -> None:
    name, kind = str(rng.choice(list(OWNERS), p=[0.6, 0.3, 0.1])), str(rng.choice(list(BAD)))
    owner, model = party(name)
    made = BAD[kind](counts(rng))
    call = Trainer(model).predict if rng.random() < 0.7 else lambda X: Trainer(model.copy()).train(X, np.zeros(8, int), PLAN)
    found = outcome(call, made)
    check(type(found) is DataError, f"{kind}: {found!r}")


def spoiled_sparse(rng: np.random.Generator) -> None:
    """Indices, pointers and values of a sparse matrix changed at random: refused, or a matrix whose indices all fit."""
    X = sparse.csr_array(counts(rng)).asformat(str(rng.choice(["csr", "csc", "bsr", "coo"])))
    for _ in range(rng.integers(1, 4)):
        part = str(rng.choice(["indices", "indptr", "data"] if X.format != "coo" else ["row", "col", "data"]))
        values = np.array(getattr(X, part))
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = _spoiled(rng, values, part == "data")
        setattr(X, part, values)
    found = only((DataError,), features_of, X, WORDS)
    if found is not None:
        check(found.shape == (8, WORDS) and np.isfinite(found.toarray()).all(), "a sparse matrix that does not fit")
        check(len(found.indices) == 0 or 0 <= found.indices.min() <= found.indices.max() < WORDS, "indices that do not fit")
        owner, model = party("clear")
        z = predict(owner.evaluator, model.network, found)
        check(np.allclose(z[:, 0], found.toarray() @ [1.0, -1, 2, 0, -2, 1]), "scores of a sparse matrix")


def _spoiled(rng: np.random.Generator, values: np.ndarray, is_data: bool) -> np.ndarray:
    """Return an array of indices or of data with another type, another number, or cut."""
    if is_data and rng.random() < 0.5 and values.dtype.kind in "iuf":
        values = values.astype(rng.choice([float, complex, object, np.float16, np.uint64]))
    if values.size and values.ndim == 1:
        change = rng.choice([-1, -(2**31), 10**6, 2**31 - 1, 2**62, 0, 1, 2, 3, 5, 6, 7, 8])
        values = values.astype(np.int64) if not is_data and rng.random() < 0.5 else values
        values[rng.integers(values.size)] = np.array(change).astype(values.dtype)
        values = values[: rng.integers(values.size + 1)] if rng.random() < 0.1 else values
    return values


def random_features(rng: np.random.Generator) -> None:
    """Arrays of any type, shape and value; the reference is what the array says."""
    shape = tuple(int(k) for k in rng.choice([0, 1, 3, WORDS, WORDS, 8], rng.choice([0, 1, 2, 2, 2, 2, 3])))
    dtype = rng.choice(
        [np.int8, np.uint8, np.int64, np.uint64, np.float16, np.float32, np.float64, np.longdouble, bool, complex, "U3"]
    )
    usual, rare = [0, 1, 2, 0.5], [100, 65504.0, 2.0**31, 2.0**40, 1e30, np.nan, np.inf, -1]
    values = rng.choice(usual + rare, shape, p=[0.23] * 4 + [0.01] * 8)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X = np.asarray(values).astype(dtype)
    if rng.random() < 0.3:
        X = X.tolist()
    elif rng.random() < 0.2 and X.ndim == 2:
        X = pd.DataFrame(X)
    found = only((DataError,), features_of, X, WORDS)
    reference = np.asarray(X)
    numeric = reference.dtype.kind in "biuf" and reference.ndim == 2 and reference.shape[1] == WORDS and len(reference) > 0
    if found is None:
        fine = numeric and (np.abs(reference.astype(np.float64)) <= 2.0**53).all()
        check(not fine, f"{reference.dtype} {reference.shape} refused")
    else:
        check(numeric and np.array_equal(found, reference.astype(np.float64)), f"{reference.dtype} {reference.shape} accepted")


def any_labels(rng: np.random.Generator) -> None:
    y = rng.integers(0, 2, 8)
    y[:2] = [0, 1]
    owner, model = party(str(rng.choice(["clear", "paper"])))
    entries: list[Callable[[Any], Any]] = [
        lambda labels: labels_of(labels, 8),
        lambda labels: owner.evaluate(np.zeros((8, 1)), labels, PLAN).right,
        lambda labels: Trainer(model.copy()).train(np.ones((8, WORDS)), labels, PLAN),
    ]
    call = entries[rng.integers(len(entries))]
    if rng.random() < 0.5:
        made = GOOD_LABELS[str(rng.choice(list(GOOD_LABELS)))](y)
        check(np.array_equal(labels_of(made), y), f"labels {type(made)}")
        call(made)
    else:
        kind = str(rng.choice(list(BAD_LABELS)))
        found = outcome(call, BAD_LABELS[kind](y))
        check(type(found) is DataError, f"{kind}: {found!r}")


def random_labels(rng: np.random.Generator) -> None:
    outputs, pool = int(rng.integers(1, 4)), [0, 1, 2, 1.0, 0.0, True, False, -1, 0.5, np.nan, "1", None, np.int8(1), 3, 10**20]
    usual = rng.random() < 0.6
    y = [pool[k] for k in rng.integers(0, 7 if usual else len(pool), rng.integers(0, 6))]
    found = only((DataError,), labels_of, y, None, outputs)
    fits = all(isinstance(v, int | float | np.integer) and v in range(max(outputs, 2)) for v in y)
    check((found is not None) == fits, f"labels {y} for {outputs} outputs")
    if found is not None:
        check(found.tolist() == [int(v) for v in y], f"labels {y}")


FIELDS = {"learning_rate": 0.1, "decay": 0.5, "batch_size": 3, "epochs": 2, "divide_update": True, "shrink": 0.5}


def any_plan(rng: np.random.Generator) -> None:
    fields: dict[str, Any] = {"sigmoid": taylor(3), **FIELDS}
    for name in rng.choice(list(fields), rng.integers(0, 3)):
        fields[name] = NASTY[rng.integers(len(NASTY))]
    plan = only((ParameterError,), lambda: TrainingPlan(**fields))
    if plan is not None:
        check(all(type(getattr(plan, name)) is type(value) for name, value in FIELDS.items()), f"types of {plan}")
        sane = 0 < plan.learning_rate < np.inf and 0 <= plan.decay < np.inf and plan.batch_size >= 1 and plan.epochs >= 1
        check(sane and 0 < plan.shrink <= 1 and isinstance(plan.sigmoid, PolynomialSigmoid | ExactSigmoid), f"ranges of {plan}")


def any_network(rng: np.random.Generator) -> None:
    """An architecture of any fields; then weights of any shapes: accepted if they fit, and then the scores are theirs."""
    fields: dict[str, Any] = {"features": WORDS, "hidden": int(rng.integers(0, 4)), "outputs": int(rng.integers(1, 3))}
    fields["pooling"] = str(rng.choice(["sum", "mean"]))
    for name in rng.choice([*fields, "hidden_sigmoid"], rng.choice([0, 0, 0, 1])):
        fields[name] = NASTY[rng.integers(len(NASTY))]
    a = only((ParameterError,), lambda: Architecture(**fields))
    if a is None:
        return
    check(all(type(k) is int for k in (a.features, a.hidden, a.outputs)), f"types of {a}")
    if a.features != WORDS or max(a.hidden, a.outputs) > 9 or a.hidden_sigmoid is not None:
        return
    shapes = [(a.features, a.row_width), (a.hidden * a.outputs,)]
    W1, W2 = (rng.normal(size=_changed(rng, shape)) for shape in shapes)
    second, strange = W2 if a.hidden or rng.random() < 0.2 else None, rng.random() < 0.1
    first = W1.astype(rng.choice([complex, object, "U8"])) if strange else W1
    network = only((ParameterError,), Network, a, first, second)
    fits = W1.shape == shapes[0] and (second is None) == (not a.hidden) and (second is None or W2.shape == shapes[1])
    check((network is not None) == (fits and not strange), f"weights {W1.shape} {W2.shape} for {a}")
    if network is None:
        return
    owner = Owner(a, taylor(1), ClearParameters())
    X = np.ones((2, WORDS))
    z = owner.decrypt(Trainer(owner.encrypt(network)).predict(X))
    h = X @ network.W1
    check(np.allclose(z, h @ network.W2.reshape(a.hidden, a.outputs) if a.hidden else h), "scores of a network")


def _changed(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[int, ...]:
    sizes = list(shape)
    if rng.random() < 0.3:
        sizes[rng.integers(len(sizes))] += int(rng.choice([-1, 1, 5]))
    if rng.random() < 0.1:
        sizes.append(1)
    return tuple(max(k, 0) for k in sizes)


CASES: dict[Callable[[np.random.Generator], None], float] = {
    good_features: 0.15,
    bad_features: 0.15,
    spoiled_sparse: 0.2,
    random_features: 0.15,
    any_labels: 0.1,
    random_labels: 0.05,
    any_plan: 0.1,
    any_network: 0.1,
}


def run(cases: int, seed: int = 0) -> dict[str, Any]:
    """Run so many cases; return the counts by kind, what went wrong, the slowest case and the most memory of one."""
    counted: collections.Counter[str] = collections.Counter()
    wrong, slowest, most = [], 0.0, 0
    kinds, shares = list(CASES), np.array(list(CASES.values()))
    for number in range(cases):
        rng = np.random.default_rng([seed, number])
        case = kinds[rng.choice(len(kinds), p=shares / shares.sum())]
        measured = number % MEASURED == 0
        if measured:
            tracemalloc.start()
        begun = time.process_time()
        try:
            case(rng)
        except EncnnError as error:
            wrong.append((number, case.__name__, f"{type(error).__name__}: {error}"))
        except Exception as error:
            wrong.append((number, case.__name__, f"{type(error).__name__}: {error}"))
        slowest = max(slowest, time.process_time() - begun)
        if measured:
            most = max(most, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        counted[case.__name__] += 1
    return {"cases": cases, "counted": dict(counted), "wrong": wrong, "slowest": slowest, "most_bytes": most}


def main() -> int:
    """Run the cases and print what came of them; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    party("fv"), party("paper")  # keys and compiled loops, which no case is charged for
    warnings.simplefilter("error")
    begun = time.process_time()
    found = run(options.cases, options.seed)
    print(f"{found['cases']} cases in {time.process_time() - begun:.0f} CPU s: {found['counted']}")
    print(f"slowest {found['slowest']:.2f} s, most memory {found['most_bytes'] / 2**20:.1f} MB; wrong: {len(found['wrong'])}")
    for number, case, what in found["wrong"][:20]:
        print(f"  seed {options.seed}, case {number}, {case}: {what:.300}")
    return int(bool(found["wrong"]) or found["slowest"] > SLOWEST_S or found["most_bytes"] > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
