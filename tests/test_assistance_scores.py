"""The assisted protocol: it trains as in the clear, refuses what is not due, and shows the trainer no secret."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from secret_walker import arrays_from, shows

from encnn import Architecture, ClearParameters, EncryptedModel, ExactSigmoid, Network, Owner, Trainer, TrainingPlan, taylor
from encnn.errors import CapabilityError, DataError, DivergenceError, FileError, KeyMismatchError, ParameterError
from encnn.network.folded import collapsed, expanded
from encnn.parties.assistance.scores import (
    Answer,
    Assistant,
    AssistedStep,
    DirectChannel,
    KeptLabels,
    Opening,
    Request,
    stretches,
)
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, MODULUS_TOY, IntegerVectorParameters

FEATURES, REVIEWS = 20, 90
RNG = np.random.default_rng(7)
X = csr_array((RNG.random((REVIEWS, FEATURES)) < 0.3).astype(np.int64))
Y = (X[:, :10].sum(axis=1) > X[:, 10:].sum(axis=1)).astype(int)
THREE = X[:, :5].sum(axis=1) % 3
SMALL = COMPACT_128.updated(d=32, name="small-INSECURE")
WEIGHTED = MODULUS_TOY.updated(scale=1 << 24, w_bits=20, d=32)
PLAN = TrainingPlan(ExactSigmoid(), 0.05)


def architecture(outputs: int = 1) -> Architecture:
    return Architecture(FEATURES, hidden=0, outputs=outputs, pooling="sum")


def start(outputs: int = 1) -> Network:
    return Network.initial(architecture(outputs), np.random.default_rng(3), first_layer_sd=0.1)


def clear_twin(plan: TrainingPlan, y: np.ndarray, outputs: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return (weights, scores) of the same training in the clear."""
    trainer = Trainer(Owner(architecture(outputs), plan.sigmoid, ClearParameters()).encrypt(start(outputs)))
    scores = trainer.train(X, y, plan)
    return trainer.model.network.W1, scores


class Recorder:
    """A channel that keeps what passes."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant = assistant
        self.requests: list[Request] = []
        self.answers: list[Answer] = []

    def open(self) -> Opening:
        return self.assistant.opening()

    def ask(self, request: Request) -> Answer:
        self.requests.append(request)
        self.answers.append(self.assistant.answer(request))
        return self.answers[-1]


def targets_for(mode: str, owner: Owner, y: np.ndarray, outputs: int) -> Any:
    if mode == "kept":
        return KeptLabels(len(y), outputs)
    return owner.encrypt_labels(y, PLAN.learning_rate, insecure=True) if mode == "encrypted" else y


def assisted_run(
    mode: str, parameters: IntegerVectorParameters, plan: TrainingPlan = PLAN, outputs: int = 1
) -> tuple[Owner, Trainer, Recorder]:
    y = Y if outputs == 1 else THREE
    owner = Owner(architecture(outputs), plan.sigmoid, parameters)
    channel = Recorder(Assistant(owner.secret_key, outputs, labels=y if mode == "kept" else None))
    trainer = Trainer(owner.encrypt(start(outputs)))
    step = AssistedStep(channel, share_labels=mode != "withheld")
    trainer.train(X, targets_for(mode, owner, y, outputs), plan, help=step)
    return owner, trainer, channel


MODES = ["sent", "withheld", "kept", "encrypted"]


# Training


@pytest.mark.parametrize("parameters", [SMALL, WEIGHTED, COMPACT_128, ADDITIVE_128], ids=lambda p: p.name)
@pytest.mark.parametrize("mode", MODES)
def test_assisted_training_follows_the_clear_twin(mode, parameters):
    owner, trainer, channel = assisted_run(mode, parameters)
    weights, scores = clear_twin(PLAN, Y)
    assert np.abs(weights - start().W1).max() > 0.1
    assert np.allclose(owner.decrypt(trainer.model.network.W1), weights, atol=1e-3)
    assert np.allclose(channel.assistant.scores, scores, atol=2e-3)
    assert channel.assistant.tally.trips == REVIEWS


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("mode", MODES)
def test_mini_batches_and_several_outputs_follow_it_too(mode, outputs):
    plan = replace(PLAN, batch_size=7)
    owner, trainer, channel = assisted_run(mode, SMALL, plan, outputs)
    weights, _ = clear_twin(plan, Y if outputs == 1 else THREE, outputs)
    assert np.allclose(owner.decrypt(trainer.model.network.W1), weights, atol=1e-3)
    assert channel.assistant.tally.trips == math.ceil(REVIEWS / 7)


@pytest.mark.parametrize("mode", ["sent", "kept", "encrypted"])
def test_a_second_epoch_finds_the_labels_again(mode):
    plan = replace(PLAN, epochs=2)
    owner, trainer, _ = assisted_run(mode, SMALL, plan)
    assert np.allclose(owner.decrypt(trainer.model.network.W1), clear_twin(plan, Y)[0], atol=1e-3)


def test_one_number_is_sealed_as_many_are():
    owner = Owner(architecture(), PLAN.sigmoid, WEIGHTED, rng=np.random.default_rng(1))
    assistant = Assistant(owner.secret_key)
    for z, y in [(0.3, 1), (-2.0, 0), (5.5, None), (0.0, 1), (-7.25, 1)]:
        for pad in (-(1 << 63), -5, 0, (1 << 63) - 1):
            arguments = (np.array([[z]]), None if y is None else np.array([[y]], np.int8), 0.1, np.array([[pad]]))
            assert np.array_equal(assistant._seal_one(*arguments), assistant._seal(*arguments))


def test_a_hidden_layer_with_a_public_second_layer_is_logistic_regression():
    a = Architecture(FEATURES, hidden=5, pooling="sum")
    network = Network.initial(a, np.random.default_rng(5), first_layer_sd=0.3)
    u, gain = collapsed(network)
    plan = TrainingPlan(ExactSigmoid(), 0.01 * gain)
    owner = Owner(u.architecture, plan.sigmoid, COMPACT_128)
    trainer = Trainer(owner.encrypt(u))
    trainer.train(X, Y, plan, help=AssistedStep(DirectChannel(Assistant(owner.secret_key))))
    trained = expanded(network, Network(u.architecture, owner.decrypt(trainer.model.network.W1), None))
    W1 = network.W1.copy()
    for x, y in zip(X.toarray(), Y, strict=True):
        error = 1 / (1 + np.exp(-(x @ W1 @ network.W2))) - y
        W1 -= 0.01 * error * np.outer(x, network.W2)
    assert np.abs(W1 - network.W1).max() > 0.01
    assert np.allclose(trained.W1, W1, atol=1e-3)
    assert np.array_equal(trained.W2, network.W2)


def test_only_linear_networks_with_one_output_collapse():
    for a in (Architecture(3, hidden=0), Architecture(3, outputs=2), Architecture(3, hidden_sigmoid=taylor(1))):
        with pytest.raises(ParameterError, match="collapses"):
            collapsed(Network.initial(a, np.random.default_rng(1)))
    flat = Network.initial(Architecture(3, hidden=0), np.random.default_rng(1))
    with pytest.raises(ParameterError, match="no hidden layer"):
        expanded(flat, flat)


# What each side is told


@pytest.mark.parametrize("mode", MODES)
def test_requests_hold_labels_only_where_they_should(mode):
    _, _, channel = assisted_run(mode, SMALL)
    request = channel.requests[5]
    assert (request.labels is not None) == (mode == "sent")
    assert (request.rows is not None) == (mode == "kept")
    if mode == "sent":
        assert request.labels.tolist() == [[Y[5]]]
    if mode == "kept":
        assert request.rows.tolist() == [5]


def test_masks_of_a_request_do_not_show_which_words_were_added():
    owner = Owner(architecture(), PLAN.sigmoid, COMPACT_128)
    model, channel = owner.encrypt(start()), Recorder(Assistant(owner.secret_key))
    step = AssistedStep(channel)
    plain = model.network.W1[np.array([1, 2, 3])].sum()
    z = plain.copy()
    z.data = z.data[None]
    for _ in range(2):
        step(model.evaluator, z, np.zeros((1, 1)), 0.1)
    sums = [request.scores for request in channel.requests]
    assert np.allclose(owner.decrypt(sums[0]), owner.decrypt(plain), atol=1e-2)
    for masks in (sums[0].data[0, 1:] - plain.data[1:], sums[1].data[0, 1:] - sums[0].data[0, 1:]):
        assert np.abs(masks.astype(np.int64)).mean() > COMPACT_128.q / 8  # uniform: q / 4
    for scores in sums:  # residues: higher bits of a machine integer would not be hidden
        assert -COMPACT_128.q // 2 <= scores.data.min() <= scores.data.max() < COMPACT_128.q // 2


def test_answers_are_fresh_and_say_nothing_without_the_key():
    _, _, channel = assisted_run("sent", COMPACT_128)
    tops = np.concatenate([a.tops for a in channel.answers]) / COMPACT_128.q
    assert len({(a.seed, a.first) for a in channel.answers}) == len(channel.answers)
    assert abs(tops.mean()) < 6 / math.sqrt(12 * len(tops))
    assert abs(tops.std() - math.sqrt(1 / 12)) < 6 / math.sqrt(180 * len(tops))


def test_bytes_are_those_of_the_numbers_sent():
    _, _, channel = assisted_run("sent", COMPACT_128)
    tally, p = channel.assistant.tally, COMPACT_128
    assert tally.bytes_up == REVIEWS * (4 * (1 + p.d) + 1 + 16)
    assert tally.bytes_down == REVIEWS * (4 + 16 + 16)
    assert 0 < tally.cpu_seconds < 10


def test_no_secret_is_reachable_from_the_trainers_side():
    owner, trainer, channel = assisted_run("kept", COMPACT_128)
    T = owner.secret_key.T(1)
    assert shows(arrays_from(DirectChannel(channel.assistant)), T), "the walker must find T where it is"
    messages = [channel.requests[:3], channel.answers[:3], channel.open()]
    assert not shows(arrays_from(trainer, messages), T)


def test_representations_show_nothing():
    owner, _, channel = assisted_run("kept", SMALL)
    assert repr(channel.assistant) == f"Assistant(key_id={owner.secret_key.context.key_id}, kept_labels=90, trips=90)"


# What is refused


@pytest.fixture
def party() -> tuple[Owner, Assistant]:
    owner = Owner(architecture(), PLAN.sigmoid, SMALL)
    return owner, Assistant(owner.secret_key, labels=Y)


def request(owner: Owner, z: float = 0.5, **changes: Any) -> Request:
    scores = owner.secret_key.encrypt(np.array([[z]]))
    return replace(Request(1, 0.1, scores, np.array([[1]], np.int8)), **changes)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"trip": 0}, "request 0 came, but 1 is the next"),
        ({"trip": 2}, "request 2 came, but 1 is the next"),
        ({"trip": "1"}, "request '1' came"),
        ({"rate": 0.0}, "learning rate"),
        ({"rate": -0.1}, "learning rate"),
        ({"rate": 1.5}, "learning rate"),
        ({"rate": math.nan}, "learning rate"),
        ({"rate": math.inf}, "learning rate"),
        ({"rate": 1}, "learning rate"),
        ({"scores": np.zeros((1, 33), np.int32)}, "send encrypted ones"),
        ({"labels": np.array([[2]], np.int8)}, "not all 0 or 1"),
        ({"labels": np.array([[-1]], np.int8)}, "not all 0 or 1"),
        ({"labels": np.array([[1]])}, "labels must be int8"),
        ({"labels": np.array([1], np.int8)}, "labels must be int8"),
        ({"labels": [[1]]}, "labels must be int8"),
        ({"rows": np.array([0])}, "sends labels too"),
        ({"labels": None, "rows": np.array([0, 1])}, "numbers of reviews must be int64"),
        ({"labels": None, "rows": np.array([0], np.int32)}, "numbers of reviews must be int64"),
        ({"labels": None, "rows": [0]}, "numbers of reviews must be int64"),
        ({"labels": None, "rows": np.array([-1])}, "only 90 labels are kept"),
        ({"labels": None, "rows": np.array([90])}, "only 90 labels are kept"),
    ],
)
def test_malformed_requests_are_refused_and_cost_no_trip(party, changes, message):
    owner, assistant = party
    with pytest.raises(DataError, match=message):
        assistant.answer(request(owner, **changes))
    assert assistant.tally.trips == 0 and not len(assistant.scores)
    assistant.answer(request(owner))


def test_labels_of_several_scores_are_all_checked(party):
    owner, assistant = party
    scores = owner.secret_key.encrypt(np.zeros((3, 1)))
    with pytest.raises(DataError, match="not all 0 or 1"):
        assistant.answer(Request(1, 0.1, scores, np.array([[0], [1], [-1]], np.int8)))


def test_scores_of_other_shapes_types_and_scales_are_refused(party):
    owner, assistant = party
    good = owner.secret_key.encrypt(np.zeros((1, 1)))
    for change in (
        lambda d: d[0],
        lambda d: d[:, :-1],
        lambda d: d.astype(np.int64),
        lambda d: d[:0],
        lambda d: np.tile(d, (33, 1)),
    ):
        bad = good.copy()
        bad.data = change(bad.data)
        with pytest.raises(DataError, match="scores are"):
            assistant.answer(Request(1, 0.1, bad))
    bad = good.copy()
    bad.scale *= 2
    with pytest.raises(DataError, match="sums, not products"):
        assistant.answer(Request(1, 0.1, bad))


def test_another_key_is_refused_on_both_sides(party):
    owner, assistant = party
    other = Owner(architecture(), PLAN.sigmoid, SMALL)
    with pytest.raises(KeyMismatchError, match="ask their own owner"):
        assistant.answer(request(other))
    with pytest.raises(KeyMismatchError, match="ask its own owner"):
        Trainer(other.encrypt(start())).train(X, Y, PLAN, help=AssistedStep(DirectChannel(assistant)))


def test_a_request_that_is_sent_twice_is_refused(party):
    owner, assistant = party
    first = request(owner)
    assistant.answer(first)
    with pytest.raises(DataError, match="request 1 came, but 2 is the next"):
        assistant.answer(first)


@pytest.mark.parametrize("reviews", [1, 2])
def test_a_score_out_of_range_ends_the_run(party, reviews):
    owner, assistant = party
    limit = 0.5 * SMALL.q / 2 / SMALL.unit
    safe, large = (owner.secret_key.encrypt(np.full((reviews, 1), z)) for z in (limit - 0.01, -limit - 0.01))
    assistant.answer(Request(1, 0.1, safe))
    with pytest.raises(DivergenceError, match="no more requests are answered"):
        assistant.answer(Request(2, 0.1, large))
    with pytest.raises(DataError, match="has ended this run"):
        assistant.answer(Request(2, 0.1, safe))
    assert len(assistant.scores) == reviews


def test_an_owner_without_labels_says_so(party):
    owner, _ = party
    with pytest.raises(DataError, match="only 0 labels are kept"):
        Assistant(owner.secret_key).answer(request(owner, labels=None, rows=np.array([0])))
    few = AssistedStep(DirectChannel(Assistant(owner.secret_key, labels=Y[:3])))
    with pytest.raises(DataError, match="review 3 came, but the owner keeps 3 labels"):
        Trainer(owner.encrypt(start())).train(X, KeptLabels(REVIEWS), PLAN, help=few)


def test_encrypted_labels_hold_one_learning_rate(party):
    owner, assistant = party
    labels = owner.encrypt_labels(Y, 0.1, insecure=True)
    with pytest.raises(ParameterError, match="train without decay"):
        step = AssistedStep(DirectChannel(assistant))
        Trainer(owner.encrypt(start())).train(X, labels, replace(PLAN, decay=1.0), help=step)


def test_parameters_without_a_ring_cannot_assist():
    with pytest.raises(ParameterError, match="has no ring masks"):
        Assistant(Owner(architecture(), PLAN.sigmoid, COMPACT_128.updated(d=1100)).secret_key)


def test_the_clear_scheme_needs_no_assistance(party):
    _, assistant = party
    trainer = Trainer(Owner(architecture(), PLAN.sigmoid, ClearParameters()).encrypt(start()))
    with pytest.raises(CapabilityError, match="takes no errors from an owner"):
        trainer.train(X, Y, PLAN, help=AssistedStep(DirectChannel(assistant)))


@pytest.mark.parametrize(
    "changes",
    [
        {"trip": 2},
        {"first": -1},
        {"first": SMALL.d},
        {"first": "0"},
        {"seed": "00"},
        {"tops": np.zeros((2, 1), np.int32)},
        {"tops": np.zeros((1, 1), np.int64)},
    ],
)
def test_the_trainer_refuses_answers_to_something_else(party, changes):
    owner, assistant = party

    class Liar(DirectChannel):
        def ask(self, request: Request) -> Answer:
            return replace(super().ask(request), **changes)

    trainer = Trainer(owner.encrypt(start()))
    with pytest.raises((DataError, FileError)):
        trainer.train(X, Y, PLAN, help=AssistedStep(Liar(assistant)))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_arrives_is_answered_or_refused(data):
    owner, assistant = FUZZED
    shapes = st.sampled_from([(), (1,), (1, 1), (1, 33), (2, 33), (33, 33), (0, 33), (1, 2, 33), (2, 1)])
    types = st.sampled_from([np.int8, np.int32, np.int64, np.float64, object])
    arrays = st.builds(lambda shape, dtype, fill: np.full(shape, fill, dtype), shapes, types, st.integers(-128, 127))
    scores = owner.secret_key.encrypt(np.zeros((1, 1)))
    if data.draw(st.booleans()):
        scores.data = data.draw(arrays)
    anything = st.one_of(st.none(), arrays, st.integers(), st.text(max_size=3))
    numbers = st.one_of(st.floats(), st.integers(-1, 3), st.none(), st.just(0.1))
    trip = data.draw(st.one_of(numbers, st.just(assistant.tally.trips + 1)))
    message = Request(trip, data.draw(numbers), scores, data.draw(anything), data.draw(anything))  # type: ignore[arg-type]
    try:
        assert assistant.answer(message).tops.shape == (len(scores.data), 1)
    except (DataError, KeyMismatchError):
        assert not assistant.closed


FUZZED_OWNER = Owner(architecture(), PLAN.sigmoid, SMALL.updated(q_bits=32, scale=1 << 20))
FUZZED = FUZZED_OWNER, Assistant(FUZZED_OWNER.secret_key, labels=Y)


# Models


def test_a_start_is_saved_without_its_masks_and_comes_back_whole(tmp_path):
    owner = Owner(architecture(), PLAN.sigmoid, COMPACT_128)
    model = owner.encrypt(start())
    size = model.save(tmp_path / "model")
    restored = EncryptedModel.load(tmp_path / "model")
    assert size - model.evaluator.nbytes < 3000 < model.network.W1.nbytes
    assert np.array_equal(restored.network.W1.data, model.network.W1.data)
    assert isinstance(restored.sigmoid, ExactSigmoid)


def test_a_trained_model_is_saved_with_its_masks(tmp_path):
    owner, trainer, _ = assisted_run("sent", COMPACT_128)
    assert trainer.model.save(tmp_path / "model") > trainer.model.network.W1.nbytes
    restored = EncryptedModel.load(tmp_path / "model")
    assert np.array_equal(owner.decrypt(restored.network.W1), owner.decrypt(trainer.model.network.W1))


def test_experimental_runs_repeat():
    runs = []
    for _ in range(2):
        owner = Owner(architecture(), PLAN.sigmoid, SMALL, rng=np.random.default_rng(1))
        assistant = Assistant(owner.secret_key, rng=np.random.default_rng(2))
        trainer = Trainer(owner.encrypt(start()))
        trainer.train(X, Y, PLAN, help=AssistedStep(DirectChannel(assistant), rng=np.random.default_rng(3)))
        runs.append(trainer.model.network.W1.data)
    assert np.array_equal(*runs)


def test_a_mini_batch_that_is_more_than_a_request_holds_takes_several_trips() -> None:
    architecture = Architecture(4, hidden=0, pooling="sum")
    X, y = np.eye(4, dtype=np.int64)[np.arange(80) % 4], np.arange(80) % 2
    owner, plan = Owner(architecture, ExactSigmoid(), SMALL), TrainingPlan(ExactSigmoid(), 0.02, batch_size=80)
    assistant, trainer = Assistant(owner.secret_key), Trainer(owner.encrypt(Network.zeros(architecture)))
    trainer.train(X, y, plan, help=AssistedStep(DirectChannel(assistant)))
    twin = Trainer(Owner(architecture, ExactSigmoid(), ClearParameters()).encrypt(Network.zeros(architecture)))
    twin.train(X, y, plan)
    assert assistant.tally.trips == 3 and len(assistant.scores) == 80
    np.testing.assert_allclose(owner.decrypt_network(trainer.model).W1, twin.model.network.W1, atol=1e-2)


def test_reviews_of_one_request_fit_it() -> None:
    assert stretches(np.zeros(5), 2) == [slice(0, 2), slice(2, 4), slice(4, 5)]
