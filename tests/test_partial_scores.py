"""A score that a scheme cannot hold is right, reported as unknown, or an error: never a wrong number that looks right."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from encnn import files
from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.data.batches import Conditioned, DenseBatch, OneReview, batches, split_rows
from encnn.errors import CapabilityError, DataError, DivergenceError, EncnnError, FileError, ParameterError
from encnn.files.schema import parse
from encnn.network import Architecture, Network, TrainingPlan, partial_scores
from encnn.network.partial_scores import FILLED, WEIGHT_BOUND, WITHIN, PartialScores, check_counts, joined, octave
from encnn.parties import EncryptedModel, Owner, Trainer, User
from encnn.parties.assistance.folders import read_request, write_request
from encnn.parties.assistance.scores import Assistant, AssistedStep, DirectChannel, Request
from encnn.parties.model import MODEL, ModelHeader
from encnn.scaling.federation import blank_model, pass_on, recipient_key, reencryption_key
from encnn.schemes import ClearParameters, ckks, fv, yashe
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, HIDDEN_TOY
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, MODULUS_TOY, PAPER
from encnn.schemes.rings.parameters import primes_of_bits

EXACT = ExactSigmoid()
COMPACT = COMPACT_128.updated(d=32, name="compact-small-INSECURE")
RNG = np.random.default_rng(4)


def roomy(module: Any) -> Any:
    """Return the toy parameters of FV or YASHE with fractions and room to grow."""
    toy, t = module.TOY, primes_of_bits(module.TOY.N, (20, 20), module.TOY.q_primes)
    return toy.updated(encoding="coefficients", scale=1 << 10, t_primes=t)


SCHEMES = [
    ClearParameters(),
    PAPER,
    COMPACT_128,
    ADDITIVE_128,
    MODULUS_TOY.updated(scale=1 << 10, w_bits=30),
    BOOTSTRAP_TOY,
    roomy(fv),
    roomy(yashe),
    fv.ADDITIVE_128,
    yashe.ADDITIVE_128,
    ckks.TOY,
    ckks.LOGISTIC_128,
]
SLOW = {"ckks-toy-INSECURE", "fv-additive-128", "yashe-additive-128", "ckks-8192"}
CASES = [pytest.param(p, id=p.name, marks=[pytest.mark.slow] if p.name in SLOW else []) for p in SCHEMES]


def model_of(parameters: Any, W: np.ndarray, sigmoid: Any = None) -> tuple[Owner, EncryptedModel]:
    """Return an owner of logistic regression, with weights W of shape (features,), and its encrypted model."""
    a = Architecture(len(W), hidden=0, pooling="sum")
    if sigmoid is None:
        sigmoid = EXACT if parameters in (BOOTSTRAP_TOY, COMPACT, COMPACT_128, ADDITIVE_128) else taylor(1)
    owner = Owner(a, sigmoid, parameters)
    return owner, owner.encrypt(Network(a, np.asarray(W, float)[:, None], None))


def features_for(parameters: Any, X: np.ndarray) -> Any:
    """Return features as the scheme takes them."""
    return X.astype(float) if isinstance(parameters, ckks.CKKSParameters) else csr_array(X)


def sweep(features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and reviews of 1 to all words, with multiplicities, whose scores run from 0.1 to 10^4 with both signs."""
    W = np.where(np.arange(features) % 2, 0.3, 0.25) * np.where(np.arange(features) < 0.9 * features, 1, -1)
    rows = []
    for words in (1, 3, features // 4, features):
        for target in np.geomspace(0.1, 1.1e4, 9):
            for sign in (1, -1):
                X = np.zeros(features, np.int64)
                X[(W > 0).nonzero()[0][:words] if sign > 0 else (W < 0).nonzero()[0][:words]] = 1
                rows.append(X * max(1, round(target / (0.28 * X.sum()))))
    return W, np.array([*rows, np.eye(features, dtype=np.int64)[0] * 0])


def judged(found: np.ndarray, true: np.ndarray) -> tuple[int, int, int]:
    """Return how many scores are right (to one in a hundred), unknown and wrong."""
    unknown = np.isnan(found)
    right = ~unknown & (np.abs(found - true) <= 0.01 * np.abs(true) + 0.01)
    return int(right.sum()), int(unknown.sum()), int((~right & ~unknown).sum())


# -- the sweep


@pytest.mark.parametrize("parameters", CASES)
def test_no_prediction_is_wrong_and_looks_right(parameters):
    W, X = sweep(32 if isinstance(parameters, ckks.CKKSParameters) else 200)
    true = X @ W
    assert np.abs(true).max() > 1e4 and 0 < np.abs(true[true != 0]).min() < 0.4
    owner, model = model_of(parameters, W)
    found = owner.decrypt(User(model).predict(features_for(parameters, X)))[:, 0]
    right, unknown, wrong = judged(found, true)
    assert wrong == 0 and unknown == 0 and right == len(true)  # the announced bound holds, so all of them can be read


@pytest.mark.parametrize("rate", [0.01, 0.5])
@pytest.mark.parametrize("parameters", CASES)
def test_no_score_met_in_training_is_wrong_and_looks_right(parameters, rate):
    W, X = sweep(32 if isinstance(parameters, ckks.CKKSParameters) else 200)
    owner, start = model_of(parameters, W)
    tally = np.zeros(3, int)
    errors = 0
    for review in X[::9]:
        trainer, weights = Trainer(start.copy()), W[:, None].copy()
        plan = TrainingPlan(owner.sigmoid, rate, batch_size=2)
        pair = np.stack([review, X[2]])
        for _ in range(2):
            try:
                found = met(owner, trainer, features_for(parameters, pair), plan)
            except EncnnError:
                errors += 1
                break
            tally += judged(found, (pair @ weights)[:, 0])
            weights = np.array(owner.decrypt_network(trainer.model).W1)
    assert tally[2] == 0
    assert tally[0] > 0 or errors == len(X[::9])
    if isinstance(parameters, ClearParameters):
        assert errors == 0


def met(owner: Owner, trainer: Trainer, X: Any, plan: TrainingPlan) -> np.ndarray:
    """Train one mini-batch, the owner assisting where the scheme wants it; return the scores that the owner reads."""
    if owner.parameters not in (COMPACT_128, ADDITIVE_128):
        return owner.decrypt(trainer.train(X, np.array([0, 1]), plan))[:, 0]
    assistant = Assistant(owner.secret_key)
    trainer.train(X, np.array([0, 1]), plan, AssistedStep(DirectChannel(assistant)), keep_scores=False)
    return assistant.scores[:, 0]


@pytest.mark.parametrize("parameters, words", [(COMPACT, 200), (BOOTSTRAP_TOY, 100)], ids=["compact", "bootstrapped"])
def test_the_reported_cases_are_read_right(parameters, words):
    owner, model = model_of(parameters, np.full(words, 0.3))
    found = owner.decrypt(User(model).predict(csr_array(np.ones((1, words), int))))
    assert found[0, 0] == pytest.approx(0.3 * words, abs=1e-2)  # 60 was read as -4, 30 as -2


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_up_to_three_times_the_bound_nothing_is_misread(data):
    """What holds after training, when the bound is an assumption: unknown at worst."""
    owner, model = FALSE_BOUND
    W = owner.decrypt_network(model).W1[:, 0]
    assert np.abs(W).max() > 2.9 * model.network.weight_bound
    counts = st.integers(0, 40)
    X = np.array([[data.draw(counts) * data.draw(st.integers(0, 1)) for _ in W] for _ in range(3)])
    found = owner.decrypt(User(model).predict(csr_array(X)))[:, 0]
    assert judged(found, X @ W)[2] == 0


FALSE_BOUND = model_of(COMPACT, 0.74 * np.array([1, 1, 1, 1, -1, -1, -1, 0.5, 0.25, -0.1]))
FALSE_BOUND[1].network.weight_bound = WEIGHT_BOUND


def test_what_is_out_of_range_is_unknown_and_counted_neither_right_nor_wrong(tmp_path):
    owner, model = model_of(COMPACT, np.array([0.7, -0.7]))
    model.network.weight_bound = WEIGHT_BOUND  # which does not hold
    X, y = csr_array(np.array([[1, 0], [50, 0], [0, 1], [0, 50]])), np.array([1, 1, 0, 1])
    user, plan = User(model), TrainingPlan(EXACT)
    scores = user.predict(X)
    user.save_scores(scores, tmp_path / "scores")
    for z in (scores, owner.decrypt(scores), owner.load_scores(tmp_path / "scores")):
        evaluation = owner.evaluate(z, y, plan)
        assert np.isnan(evaluation.z[:, 0]).tolist() == np.isnan(evaluation.p[:, 0]).tolist() == [False, True, False, True]
        assert evaluation.out_of_range == 2 and evaluation.known.tolist() == [True, False, True, False]
        assert (evaluation.accuracy.correct, evaluation.accuracy.reviews) == (2, 2)
        assert evaluation.running_mean_accuracy.reviews == 2
        assert evaluation.range.max_z == pytest.approx(0.7, abs=1e-3)
        assert evaluation.range.share_out_of_range == 0.5
    with pytest.raises(DivergenceError, match="2 of 4 scores leave the scheme's range"):
        owner.watch(plan)(0, scores)
    assert owner.announce_bound(model) == 1.0
    known = owner.evaluate(user.predict(X), y, plan)
    np.testing.assert_allclose(known.z[:, 0], [0.7, 35, -0.7, -35], atol=1e-3)
    assert (known.accuracy.correct, known.accuracy.reviews, known.out_of_range) == (3, 4, 0)


def test_scores_none_of_which_is_known_have_no_accuracy():
    owner, model = model_of(COMPACT, np.array([0.7]))
    model.network.weight_bound = WEIGHT_BOUND
    evaluation = owner.evaluate(User(model).predict(csr_array([[50]])), np.array([1]), TrainingPlan(EXACT))
    assert evaluation.accuracy.reviews == 0 and np.isnan(evaluation.accuracy.percent)


# -- parts


def entries() -> Any:
    row = st.lists(st.integers(-9, 9), min_size=6, max_size=6)
    return st.lists(row, min_size=1, max_size=5)


@settings(max_examples=200, deadline=None)
@given(entries(), st.integers(1, 12), st.sampled_from(["sparse", "dense", "one"]))
def test_parts_add_up_to_the_rows_and_are_no_larger_than_allowed(rows, most, kind):
    X = np.array(rows)
    if kind == "one":
        X = (X[:1] > 0).astype(np.int64)
        batch: Any = OneReview(X[0].nonzero()[0])
    else:
        batch = DenseBatch(X) if kind == "dense" else next(batches(csr_array(X), len(X)))[1]
    parts, counts = split_rows(batch, most)
    eye = np.eye(X.shape[1], dtype=np.int64)
    pieces = parts.gather(eye)
    assert len(pieces) == len(parts) == counts.sum() and counts.min() >= 1 and len(counts) == len(X)
    assert (np.add.reduceat(pieces, np.cumsum(counts) - counts) == X).all()
    assert np.abs(pieces).sum(axis=1).max() <= most
    assert (counts == np.maximum(1, np.ceil(np.abs(X).sum(axis=1) / most))).all()
    assert parts.is_whole()


def test_where_one_part_is_enough_nothing_changes():
    owner, model = model_of(COMPACT, np.full(60, 0.1))
    most = int(FILLED * owner.evaluator.score_limit / WEIGHT_BOUND)
    X = csr_array((np.arange(60) < np.array([[most], [most + 1]])).astype(int))
    short, long = User(model).predict(X[:1]), User(model).predict(X)
    assert not isinstance(short, PartialScores) and short.shape == (1, 1)
    assert isinstance(long, PartialScores) and long.counts.tolist() == [1, 2]
    assert long.shape == (2, 1) and long.nbytes == 3 * short.nbytes
    np.testing.assert_allclose(owner.decrypt(joined(owner.evaluator, [short, long[1:]])), X @ np.full((60, 1), 0.1), atol=1e-3)


def test_schemes_that_are_right_or_raise_have_no_parts():
    for parameters in (ClearParameters(), PAPER, roomy(fv), roomy(yashe)):
        owner, model = model_of(parameters, np.full(3, 100.0 if parameters is PAPER else 0.3))
        assert np.isinf(owner.evaluator.score_limit) and np.isinf(owner.evaluator.activation_limit)
        assert not isinstance(User(model).predict(csr_array(np.full((1, 3), 100))), PartialScores)


@pytest.mark.parametrize("weight, bound", [(0.0, 0.25), (0.25, 0.25), (0.26, 0.5), (0.3, 0.5), (-3.0, 4.0), (4.0, 4.0)])
def test_the_announced_bound_tells_the_octave_and_of_small_weights_nothing(weight, bound, tmp_path):
    assert octave(Network(Architecture(2, hidden=0), np.array([[weight], [0.01]]), None)) == bound
    owner, model = model_of(COMPACT_128, np.array([weight, 0.01]))
    model.save(tmp_path / "model")
    assert EncryptedModel.load(tmp_path / "model").network.weight_bound == model.network.weight_bound == bound
    assert model.copy().network.weight_bound == bound


def test_schemes_without_a_limit_announce_nothing_of_the_weights():
    a = Architecture(3, hidden=4)
    networks = [Network(a, np.full((3, 4), w), np.full(4, w / 2)) for w in (0.1, 1.5)]
    for parameters in (PAPER, ckks.HIDDEN_128, HIDDEN_TOY):
        owner = Owner(a, taylor(1), parameters, insecure=True)
        models = [owner.encrypt(network) for network in networks]
        assert [model.network.weight_bound for model in models] == [WEIGHT_BOUND] * 2
        assert owner.announce_bound(models[1]) == WEIGHT_BOUND
    assert [octave(network) for network in networks] == [WEIGHT_BOUND, 2.0]


@pytest.mark.parametrize("bound", [0.0, -1.0, 0.2, float("inf"), float("nan"), "1", 1, True, None])
def test_a_file_with_another_kind_of_bound_is_refused(bound, tmp_path):
    _, model = model_of(COMPACT_128, np.array([0.1]))
    model.save(tmp_path / "model")
    header, _ = files.read(tmp_path / "model", MODEL)
    assert parse(ModelHeader, header).weight_bound == WEIGHT_BOUND
    with pytest.raises(FileError, match="weight_bound"):
        parse(ModelHeader, header | {"weight_bound": bound})


@pytest.mark.parametrize(
    "counts",
    [[1, 2], [1, 1, 1], [2.0], [[2]], [0, 2], [3, -1], [], None, [2**62, 2**62, 2**62, 2**62, 2], [True, True]],
)
def test_counts_that_do_not_fit_are_refused(counts):
    owner, model = model_of(COMPACT, np.array([0.1]))
    array = None if counts is None else np.array(counts)
    with pytest.raises(DataError, match="parts of scores do not fit"):
        check_counts(array, 2)
    if counts:
        scores = owner.secret_key.encrypt(np.zeros((2, 1)))
        with pytest.raises(DataError):
            Assistant(owner.secret_key).answer(Request(1, 0.1, scores, None, None, array))


def test_probabilities_of_scores_out_of_range_are_unknown():
    owner, model = model_of(BOOTSTRAP_TOY, np.full(100, 0.3))
    X = csr_array((np.arange(100) < np.array([[5], [20], [60], [100]])).astype(int))
    found = owner.decrypt(User(model).predict_probabilities(X))[:, 0]
    np.testing.assert_allclose(found[:2], EXACT([1.5, 6.0]), atol=0.05)
    assert np.isnan(found[2:]).all()  # z = 18 and 30: the table was read at -14 and -2


@pytest.mark.parametrize("parameters", [COMPACT, BOOTSTRAP_TOY], ids=lambda p: p.name)
def test_means_of_words_are_refused_as_ever_and_not_taken_for_sums(parameters):
    a = Architecture(200, hidden=0, pooling="mean")
    with pytest.raises(CapabilityError, match="multiplies by whole numbers only"):
        Owner(a, EXACT, parameters)
    total = replace(a, pooling="sum")
    user = User(Owner(total, EXACT, parameters).encrypt(Network(total, np.full((200, 1), 0.3), None)))
    user.model.network.architecture = a  # as a file from elsewhere may say
    with pytest.raises(CapabilityError, match="multiplies by whole numbers only"):
        user.predict(csr_array(np.ones((1, 200), int)))


def test_behind_a_hidden_layer_what_could_wrap_is_refused():
    a, small = Architecture(4, hidden=2, pooling="sum"), MODULUS_TOY.updated(scale=1 << 10, w_bits=30)
    owner = Owner(a, taylor(1), small)
    model = owner.encrypt(Network(a, np.full((4, 2), 0.25), np.array([1.0, -0.5])))
    assert model.network.weight_bound == 1.0  # of both layers
    user = User(model)
    np.testing.assert_allclose(owner.decrypt(user.predict(csr_array(np.full((1, 4), 400)))), 200, atol=2)
    with pytest.raises(CapabilityError, match="nobody could tell"):
        user.predict(csr_array(np.full((1, 4), 20_000)))  # 10,000 would be read as -6,384
    free = Owner(a, taylor(1), PAPER)
    wide = User(free.encrypt(Network(a, np.full((4, 2), 0.25), np.array([1.0, -0.5])))).predict(
        csr_array(np.full((1, 4), 20_000))
    )
    np.testing.assert_allclose(free.decrypt(wide), 10_000, rtol=1e-3)


# -- the owner assists


def test_an_assisting_owner_reads_scores_beyond_the_modulus_right():
    W = np.full(200, 0.3)
    owner, model = model_of(COMPACT, W)
    X, y = csr_array((RNG.random((30, 200)) < 0.8).astype(int)), RNG.integers(0, 2, 30)
    plan = TrainingPlan(EXACT, 0.002, batch_size=3)
    assistant, trainer = Assistant(owner.secret_key), Trainer(model)
    trainer.train(X, y, plan, AssistedStep(DirectChannel(assistant)))
    clear, twin = model_of(ClearParameters(), W, EXACT)
    z = Trainer(twin).train(X, y, plan)
    assert np.abs(z).max() > owner.evaluator.score_limit
    np.testing.assert_allclose(assistant.scores, z, atol=0.02)
    np.testing.assert_allclose(owner.decrypt_network(trainer.model).W1, twin.network.W1, atol=0.001)


def test_an_assisting_owner_notices_weights_beyond_their_bound():
    owner, model = model_of(COMPACT, np.full(200, 0.3))
    model.network.weight_bound = 0.14  # parts of 102 words, which reach 30
    assistant = Assistant(owner.secret_key)
    with pytest.raises(DivergenceError, match="weights have passed their announced bound"):
        X = csr_array(np.ones((2, 200), int))
        Trainer(model).train(X, np.array([0, 1]), TrainingPlan(EXACT, 0.0001), AssistedStep(DirectChannel(assistant)))
    assert assistant.closed and not len(assistant.scores)


def test_a_mini_batch_that_could_move_weights_out_of_range_is_refused_with_a_rate_that_works():
    owner, model = model_of(COMPACT_128, np.zeros(3))
    X, y = csr_array(np.full((2, 3), 100)), np.array([0, 1])
    assistant, trainer = Assistant(owner.secret_key), Trainer(model)
    step = AssistedStep(DirectChannel(assistant))
    with pytest.raises(ParameterError, match="one mini-batch could move a weight by 100.*below 0.08"):
        trainer.train(X, y, TrainingPlan(EXACT, 0.5, batch_size=2), step)
    trainer.train(X, y, TrainingPlan(EXACT, 0.0799, batch_size=2), step)
    assert trainer.model.network.weight_bound == pytest.approx(15.98)
    assert len(assistant.scores) == 2


@given(data=st.data(), dense=st.booleans(), size=st.integers(1, 5))
def test_the_largest_move_is_that_of_the_worst_mini_batch(data, dense, size):
    """All errors 1, whatever the labels: no weight moves further in any mini-batch, and one moves as far."""
    reviews, features = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 4))
    whole = st.integers(-3, 3)
    X = np.array(data.draw(st.lists(st.lists(whole, min_size=features, max_size=features), min_size=reviews, max_size=reviews)))
    m, s = np.ones(features, int), np.ones(reviews)
    features_given: Any = X.astype(np.int8) if dense else csr_array(X.astype(np.int8))
    if not dense and data.draw(st.booleans()):
        m = np.array(data.draw(st.lists(st.integers(1, 50), min_size=features, max_size=features)))
        s = np.array(data.draw(st.lists(st.sampled_from([0.4, 1.0, 2.5]), min_size=reviews, max_size=reviews)))
        features_given = Conditioned(features_given, m, s)
    moves = [(m * (np.abs(X) / s[:, None])[first : first + size].sum(axis=0)).max() for first in range(0, reviews, size)]
    assert partial_scores.largest_move(features_given, size) == pytest.approx(max(moves))


def test_the_largest_move_of_many_reviews_is_found_in_stretches_of_them(monkeypatch):
    X = csr_array(RNG.integers(0, 3, (50, 6)))
    whole = partial_scores.largest_move(X, 4)
    monkeypatch.setattr(partial_scores, "_TOGETHER", 10)
    assert partial_scores.largest_move(X, 4) == whole
    assert partial_scores.largest_move(X, 16) == max(X[first : first + 16].sum(axis=0).max() for first in range(0, 50, 16))


def test_weights_that_pass_their_bound_by_the_largest_move_are_noticed():
    """The first reading after a weight left its bound: a part is then far beyond the half that is believed, but not around."""
    move = 1.5
    for w in (2 * move, -2 * move):
        owner, model = model_of(COMPACT, np.full(40, w))
        model.network.weight_bound = move
        scores = User(model).predict(csr_array(np.ones((1, 40), int)))
        assert np.isnan(owner.decrypt(scores)).all()


def test_more_parts_than_a_request_holds_are_refused():
    owner, model = model_of(COMPACT, np.full(100, 0.3))
    X = csr_array(np.full((2, 100), 9))
    step = AssistedStep(DirectChannel(Assistant(owner.secret_key)))
    with pytest.raises(ParameterError, match="one review comes in 33 ciphertexts, but a request holds 32"):
        Trainer(model).train(X, np.array([0, 1]), TrainingPlan(EXACT, 0.001, batch_size=2), step)


def test_requests_in_parts_travel_as_files(tmp_path):
    owner, model = model_of(COMPACT, np.full(100, 0.3))
    scores = User(model).predict(csr_array(np.ones((2, 100), int)))
    request = Request(1, 0.1, scores.parts, None, None, scores.counts)
    write_request(tmp_path / "request", request)
    found = read_request(tmp_path / "request", owner.secret_key.context, 1)
    assert (found.reviews, found.parts.tolist()) == (2, scores.counts.tolist()) and request.nbytes > scores.parts.nbytes
    assistant = Assistant(owner.secret_key)
    assert assistant.answer(found).tops.shape == (2, 1)
    np.testing.assert_allclose(assistant.scores, 30, atol=0.01)


def test_a_network_that_is_passed_on_keeps_its_bound():
    owners = [model_of(COMPACT_128, np.full(3, w)) for w in (0.9, 0.0)]
    (owner, model), (other, _) = owners
    passed = pass_on(model, blank_model(other), reencryption_key(owner, recipient_key(other)))
    assert passed.network.weight_bound == 1.0


def test_the_limits_are_those_of_the_text():
    assert (WITHIN, WEIGHT_BOUND) == (0.5, 0.25) and FILLED < WITHIN
    owner, _ = model_of(COMPACT, np.zeros(1))
    assert owner.evaluator.score_limit == 32
    owner, _ = model_of(BOOTSTRAP_TOY, np.zeros(1))
    assert owner.evaluator.score_limit == owner.evaluator.activation_limit == 16
