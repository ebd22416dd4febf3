"""Networks, plans and parameter sets at the door: shapes, types and ranges; whose arrays weights are; which scores are kept."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from gate_cases import LABELS, REVIEWS, SCHEMES, WORDS, bag, outcome, scheme

from encnn.arithmetic import checks
from encnn.arithmetic.sigmoid import ExactSigmoid, PolynomialSigmoid, least_squares, minimax, taylor
from encnn.data.reviews import Vocabulary, load_reviews
from encnn.errors import DataError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan, training
from encnn.network.partial_scores import largest_part, mean_parts
from encnn.parties import Owner, Trainer
from encnn.parties.mirror import Server
from encnn.schemes import ClearParameters, bootstrapped, ckks, fv, yashe
from encnn.schemes.integer_vector import COMPACT_128, PAPER

# -- networks

WIDE = Architecture(WORDS, hidden=3)
LINEAR = Architecture(WORDS, hidden=0)

WRONG_WEIGHTS: dict[str, tuple[Architecture, Any, Any]] = {
    "half the rows": (LINEAR, np.zeros((WORDS // 2, 1)), None),
    "a row more": (LINEAR, np.zeros((WORDS + 1, 1)), None),
    "two columns": (LINEAR, np.zeros((WORDS, 2)), None),
    "a vector": (LINEAR, np.zeros(WORDS), None),
    "three axes": (LINEAR, np.zeros((WORDS, 1, 1)), None),
    "no rows": (LINEAR, np.zeros((0, 1)), None),
    "none": (LINEAR, None, None),
    "text": (LINEAR, "weights", None),
    "rows of several lengths": (LINEAR, [[1.0], [1.0, 2.0]], None),
    "complex": (LINEAR, np.zeros((WORDS, 1), complex), None),
    "objects": (LINEAR, np.zeros((WORDS, 1), object), None),
    "W2 of no hidden layer": (LINEAR, np.zeros((WORDS, 1)), np.zeros(1)),
    "no W2": (WIDE, np.zeros((WORDS, 3)), None),
    "W2 too short": (WIDE, np.zeros((WORDS, 3)), np.zeros(2)),
    "W2 of two axes": (WIDE, np.zeros((WORDS, 3)), np.zeros((3, 1))),
    "W1 for another hidden layer": (WIDE, np.zeros((WORDS, 4)), np.zeros(3)),
    "no architecture": ("linear", np.zeros((WORDS, 1)), None),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("kind", WRONG_WEIGHTS)
def test_weights_of_other_shapes_are_refused_where_they_enter(kind: str) -> None:
    with pytest.raises(ParameterError):
        Network(*WRONG_WEIGHTS[kind])


@pytest.mark.parametrize("name", SCHEMES)
def test_weights_that_changed_their_shape_are_refused_in_every_scheme(name: str) -> None:
    """A network is a mutable object: what matters is checked again before anything reads the rows."""
    s = scheme(name)
    X = bag().astype(float) if s.dense_only else bag()
    for rows in (WORDS // 2, WORDS + 3):
        network = s.owner.decrypt_network(s.model)
        network.W1 = np.zeros((rows, 1))
        with pytest.raises(ParameterError, match=rf"W1 has shape \({rows}, 1\), but the architecture needs \({WORDS}, 1\)"):
            s.owner.encrypt(network)
        model = s.model.copy()
        model.network.W1 = s.owner.secret_key.encrypt(np.zeros((rows, 1)))
        for call in (Trainer(model).predict, lambda x: Trainer(model).train(x, LABELS, s.plan, s.help())):  # noqa: B023
            assert isinstance(outcome(call, X), ParameterError)


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_not_encrypted(name: str, value: float) -> None:
    network = scheme(name).owner.decrypt_network(scheme(name).model)
    network.W1[1, 0] = value
    with pytest.raises(ParameterError, match="W1 holds NaN or infinity"):
        scheme(name).owner.encrypt(network)


def test_weights_in_the_clear_are_float64_whatever_they_came_as() -> None:
    """Whole numbers once stayed whole, and every update was rounded away."""
    for make in (np.ones, lambda shape: np.ones(shape, int), lambda shape: np.ones(shape, np.float32).tolist()):
        network = Network(LINEAR, make((WORDS, 1)), None)
        assert network.W1.dtype == np.float64
        owner = Owner(LINEAR, taylor(1), ClearParameters())
        training.train(owner.evaluator, network, bag(), LABELS, TrainingPlan(taylor(1), 0.01))
        assert (network.W1 % 1 != 0).any()


def test_networks_are_encrypted_once() -> None:
    for name in set(SCHEMES) - {"clear", "fixed point"}:
        with pytest.raises(ParameterError, match="W1 is encrypted; pass a network in the clear"):
            scheme(name).owner.encrypt(scheme(name).model.network)


@pytest.mark.parametrize("strange", [None, "network", 3, np.zeros((WORDS, 1))])
def test_what_is_no_network_no_plan_and_no_architecture(strange: Any) -> None:
    s = scheme("integer vectors")
    trainer = Trainer(s.model.copy())
    for call in [
        lambda: s.owner.encrypt(strange),
        lambda: Owner(strange, taylor(1)),
        lambda: Owner(LINEAR, strange),
        lambda: Owner(LINEAR, taylor(1), strange),
        lambda: Network.initial(LINEAR, strange),
        lambda: trainer.train(bag(), LABELS, strange),
        lambda: trainer.dry_run(bag(), LABELS, s.plan, strange),
        lambda: s.owner.evaluate(np.zeros((REVIEWS, 1)), LABELS, strange),
        lambda: s.owner.watch(strange),
    ]:
        with pytest.raises(ParameterError):
            call()


def test_the_mirror_takes_networks_in_the_clear_only() -> None:
    s = scheme("ckks")
    with pytest.raises(ParameterError, match="W1 is encrypted; pass a network in the clear"):
        Server(s.owner.evaluator, s.model.network)  # type: ignore[arg-type]


# -- aliasing


@pytest.mark.parametrize("name", SCHEMES)
def test_a_decrypted_network_is_a_copy(name: str) -> None:
    s = scheme(name)
    before = s.owner.decrypt_network(s.model)
    read = s.owner.decrypt_network(s.model)
    read.W1 += 17.0
    again = s.owner.decrypt_network(s.model).W1
    np.testing.assert_allclose(again, before.W1, atol=1e-3)
    scores = s.owner.decrypt(s.model.network.W1)
    scores += 17.0
    np.testing.assert_allclose(s.owner.decrypt_network(s.model).W1, before.W1, atol=1e-3)


@pytest.mark.parametrize("name", SCHEMES)
def test_encryption_and_training_leave_the_start_alone(name: str) -> None:
    s = scheme(name)
    W1 = np.array([1.0, -1, 2, 0, -2, 1])[:, None]
    start = Network(s.owner.architecture, W1, None)
    X, y = (bag().astype(float) if s.dense_only else bag()), LABELS.copy()
    X_before = X.copy()
    model = s.owner.encrypt(start)
    Trainer(model).train(X, y, s.plan, s.help())
    start.W1 += 1
    assert np.array_equal(W1.ravel(), [1, -1, 2, 0, -2, 1])
    assert np.array_equal(X, X_before) and np.array_equal(y, LABELS)


def test_a_network_holds_arrays_of_its_own() -> None:
    W1, W2 = np.zeros((WORDS, 3)), np.ones(3)
    network = Network(WIDE, W1, W2)
    copied = network.copy()
    network.W1 += 1
    network.W2 += 1
    assert not W1.any() and (W2 == 1).all() and not copied.W1.any() and (copied.W2 == 1).all()


# -- plans, architectures, parameter sets

POLYNOMIAL = partial(PolynomialSigmoid, "p")
PLAN: dict[str, Any] = {"sigmoid": taylor(3)}
WRONG_FIELDS: list[tuple[Callable[..., Any], dict[str, Any], str, list[Any]]] = [
    (TrainingPlan, PLAN, "learning_rate", [0, -1, np.inf, np.nan, "0.1", None, True, 1j, [0.1], 10**400]),
    (TrainingPlan, PLAN, "decay", [-0.1, np.inf, np.nan, "0", None, False]),
    (TrainingPlan, PLAN, "batch_size", [0, -1, 4.0, 2.5, True, "4", None, np.float64(4), [4], np.inf]),
    (TrainingPlan, PLAN, "epochs", [0, -1, 1.0, True, "1", None]),
    (TrainingPlan, PLAN, "shrink", [0, -0.5, 1.5, np.nan, "1", True]),
    (TrainingPlan, PLAN, "divide_update", [0, 1, "yes", None]),
    (TrainingPlan, {}, "sigmoid", [None, "taylor", 3, taylor, lambda z: z]),
    (Architecture, {}, "features", [0, -3, 2.0, True, "8", None, np.nan, 2**31, 10**30]),
    (Architecture, {"features": 3}, "hidden", [-1, 2.0, True, "8", None, 2**40]),
    (Architecture, {"features": 3}, "outputs", [0, 1.0, True, "1", None]),
    (Architecture, {"features": 3}, "pooling", ["max", "", 0, None, True, b"sum"]),
    (Architecture, {"features": 3}, "hidden_sigmoid", ["taylor", 3, ExactSigmoid(), taylor]),
    (
        PolynomialSigmoid,
        {"name": "p", "interval": (-1.0, 1.0)},
        "coefficients",
        [(), (1.0,), (0.5, 0.0), (0.5, np.nan), "ab", 3, None],
    ),
    (
        PolynomialSigmoid,
        {"name": "p", "coefficients": (0.5, 0.25)},
        "interval",
        [(1.0, -1.0), (0.0, np.nan), (0.0,), 3, None, "ab"],
    ),
    (taylor, {}, "degree", [0, -1, 2, 1.0, True, "3", None, 10**6]),
    (least_squares, {"radius": 8}, "degree", [0, 2, 33, True, 1.0, None]),
    (least_squares, {"degree": 3}, "radius", [0, -1, np.inf, np.nan, "8", None, True, 1e9]),
    (minimax, {"degree": 3}, "radius", [0, -1, np.inf, np.nan, "8", None, True, 1e9]),
    (ClearParameters, {}, "scale", [0, -1, 1000.0, True, "1000"]),
    (PAPER.updated, {}, "d", [0, -1, 1.0, True, "1", None]),
    (PAPER.updated, {}, "w_bits", [-1, 25.0, None, 10**6]),
    (PAPER.updated, {}, "balanced", [1, 0, None, "yes"]),
    (COMPACT_128.updated, {}, "sigma", [-1.0, np.nan, np.inf, "3.2", True]),
    (COMPACT_128.updated, {}, "q_bits", [2.0, True, "32", -4, 10**9]),
    (bootstrapped.BOOTSTRAP_TOY.updated, {}, "n", [0, 6.0, True, None, "8"]),
    (bootstrapped.BOOTSTRAP_TOY.updated, {}, "lwe_sigma", [-1.0, np.nan, np.inf, None, "0"]),
    (fv.TOY.updated, {}, "N", [0, 64.0, 63, True, None, "64"]),
    (fv.TOY.updated, {}, "scale", [0, 3, 2.0, True, None]),
    (fv.TOY.updated, {}, "q_primes", [(), (4,), (97.0,), None, "primes", 97]),
    (yashe.TOY.updated, {}, "value_limit", [0.0, -1.0, np.nan, np.inf, None, "8"]),
    (lambda **k: dataclasses.replace(ckks.TOY, **k), {}, "degree", [0, 2048.0, 100, True, None, "2048"]),
    (lambda **k: dataclasses.replace(ckks.TOY, **k), {}, "modulus_bits", [(), (46,), (46.0, 46), None, "46", 46]),
]


@pytest.mark.parametrize(
    ("make", "others", "field", "values"), WRONG_FIELDS, ids=[f"{n}-{w[2]}" for n, w in enumerate(WRONG_FIELDS)]
)
def test_fields_of_the_wrong_type_or_range_are_parameter_errors(make: Any, others: dict, field: str, values: list) -> None:
    found = {repr(v): outcome(lambda v=v: make(**others, **{field: v})) for v in values}
    assert {v: x for v, x in found.items() if not isinstance(x, ParameterError)} == {}


def test_numbers_of_numpy_are_taken_and_become_pythons() -> None:
    """So that files, which hold no numpy, can hold them."""
    plan = TrainingPlan(taylor(1), np.float32(0.5), batch_size=np.int64(4), epochs=np.uint8(2), divide_update=np.True_)
    assert [type(v) for v in dataclasses.astuple(plan)[1:]] == [float, float, int, int, bool, float]
    assert TrainingPlan(taylor(1), 1).learning_rate == 1.0
    architecture = Architecture(np.int32(5), hidden=np.int64(2))
    assert (type(architecture.features), type(architecture.hidden)) == (int, int)
    assert architecture == Architecture(5, hidden=2)


@pytest.mark.parametrize(
    "arguments",
    [{"min_count": v} for v in (-1, 1.5, True, "3", None, np.nan)]
    + [{"polarity_cutoff": v} for v in (-0.1, np.nan, np.inf, "0.1", True)]
    + [{"max_words": v} for v in (-1, 0, 2.0, True, "9", np.nan)],
    ids=str,
)
def test_vocabularies_are_not_selected_by_nonsense(arguments: dict) -> None:
    with pytest.raises(DataError, match=next(iter(arguments))):
        Vocabulary.select(load_reviews("toy").train[:20], **arguments)


@pytest.mark.parametrize("rate", [0, -1.0, np.nan, np.inf, "1", True])
def test_labels_are_encrypted_at_rates_only(rate: Any) -> None:
    with pytest.raises(ParameterError, match="rate="):
        scheme("integer vectors, 128 bits").owner.encrypt_labels(LABELS, rate)


def test_a_message_shows_little_of_what_is_wrong() -> None:
    class Mute:
        def __repr__(self) -> str:
            raise RuntimeError

    for value in ("x" * 10**6, Mute(), 10**400):
        with pytest.raises(ParameterError) as caught:
            checks.whole("size", value, most=3)
        assert len(str(caught.value)) < 250


# -- wide scores


@pytest.mark.parametrize("name", SCHEMES)
def test_the_bytes_of_scores_are_foreseen(name: str) -> None:
    s = scheme(name)
    X = bag().astype(float) if s.dense_only else bag()
    plan = dataclasses.replace(s.plan, batch_size=4 if name in ("fv", "yashe") else 3)  # whose toys hold two steps
    scores = Trainer(s.model.copy()).train(X, LABELS, plan, s.help(), keep_scores=True)
    parts = mean_parts(X, largest_part(s.owner.evaluator, s.model.network))
    foreseen = parts * training.scores_bytes(s.owner.evaluator, 1, REVIEWS, plan)
    assert scores.nbytes <= foreseen <= 12 * scores.nbytes  # under CKKS those of the highest level


@pytest.mark.parametrize("name", ["clear", "integer vectors", "fv"])
def test_scores_that_would_fill_the_memory_are_kept_on_demand_only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    s = scheme(name)
    needed = training.scores_bytes(s.owner.evaluator, 1, REVIEWS, s.plan)
    monkeypatch.setattr(training, "KEPT_BYTES", needed)
    assert len(Trainer(s.model.copy()).train(bag(), LABELS, s.plan)) == REVIEWS
    monkeypatch.setattr(training, "KEPT_BYTES", needed - 1)
    met: list[int] = []
    assert Trainer(s.model.copy()).train(bag(), LABELS, s.plan, on_scores=lambda _, z: met.append(len(z))) is None
    assert sum(met) == REVIEWS
    assert len(Trainer(s.model.copy()).train(bag(), LABELS, s.plan, keep_scores=True)) == REVIEWS
    with pytest.raises(DataError, match="keep_scores=True"):
        s.owner.evaluate(None, LABELS, s.plan)


def test_the_wide_scores_of_real_runs_are_not_kept() -> None:
    """25,000 reviews: gigabytes under FV and YASHE, half of one at most for integer vectors and under bootstrapping."""
    plan, reviews = TrainingPlan(taylor(1), batch_size=1024), 25_000
    for parameters, kept in [
        (COMPACT_128, True),
        (bootstrapped.ONE_LEVEL_128, True),
        (fv.ADDITIVE_128, False),
        (yashe.FRACTIONAL_128, False),
    ]:
        evaluator = _evaluator_of(parameters)
        assert (training.scores_bytes(evaluator, 1, reviews, plan) <= training.KEPT_BYTES) == kept, parameters.name


def _evaluator_of(parameters: Any) -> Any:
    """Return an evaluator without keys, of which only sizes are asked."""
    from encnn.schemes.bootstrapped.evaluator import BootstrappedEvaluator
    from encnn.schemes.fv.evaluator import FVEvaluator
    from encnn.schemes.integer_vector import IntegerVectorEvaluator
    from encnn.schemes.yashe.evaluator import YASHEEvaluator

    kinds = {
        bootstrapped.BootstrappedParameters: BootstrappedEvaluator,
        fv.FVParameters: FVEvaluator,
        yashe.YASHEParameters: YASHEEvaluator,
    }
    kind = kinds.get(type(parameters), IntegerVectorEvaluator)
    evaluator = kind.__new__(kind)
    evaluator.context = type("Context", (), {"parameters": parameters})()
    return evaluator
