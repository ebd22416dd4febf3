"""Training a network of rank one by codes: both layers encrypted, beside the same network in the clear."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.data.batches import Conditioned
from encnn.errors import CapabilityError, DataError, DataWarning, DivergenceError, FileError, ParameterError
from encnn.files import read, write
from encnn.network import Architecture, Network, TrainingPlan, predict, train
from encnn.network.rank_one import expanded, reduced
from encnn.parties import EncryptedModel, Owner, Trainer, User
from encnn.parties.model import SCORES
from encnn.schemes.bootstrapped import HIDDEN_128, HIDDEN_TOY, noise
from encnn.schemes.bootstrapped.codes import QUARTER
from encnn.schemes.bootstrapped.rank_one import (
    B_PHASE,
    LARGEST,
    LEAST,
    OCTAVES,
    QUARTERED,
    SIGNED,
    RankOneLayer,
    RankOneRanges,
    b_origin,
    error_tables,
    unbiased,
)
from encnn.schemes.bootstrapped.rank_one_ranges import (
    LARGEST_START,
    MOST_OFF,
    STARTS,
    ranges_for,
    rehearsed,
    update_noise,
)
from encnn.schemes.bootstrapped.simulation import SimulatedEvaluator
from encnn.schemes.bootstrapped.tables import from_zero, interleaved, to_torus
from encnn.schemes.bootstrapped.torus import EncryptedTorus
from encnn.schemes.clear import ClearEvaluator
from encnn.schemes.factored import FactoredScores

CLEAR = ClearEvaluator()
WORDS, HIDDEN = 40, 5
PLAN = TrainingPlan(ExactSigmoid(), 0.3, batch_size=8)


def reviews(rows: int, seed: int = 0) -> tuple[csr_array, np.ndarray]:
    """Return reviews of 3 to 12 words, some of which lean, and labels that most words agree with."""
    rng = np.random.default_rng(seed)
    leaning = rng.normal(0, 1, WORDS)
    X = np.zeros((rows, WORDS))
    for x in X:
        x[rng.choice(WORDS, rng.integers(3, 13), replace=False)] = 1
    return csr_array(X), (X @ leaning > 0).astype(int)


def start(seed: int = 1, pooling: str = "mean") -> Network:
    return Network.initial(Architecture(WORDS, HIDDEN, pooling=pooling), np.random.default_rng(seed))


def twin_of(network: Network, X, y, plan: TrainingPlan) -> tuple[Network, np.ndarray]:
    network = network.copy()
    return network, train(CLEAR, network, X, y, plan)


@pytest.fixture(scope="module")
def owner() -> Owner:
    return Owner(Architecture(WORDS, HIDDEN), ExactSigmoid(), HIDDEN_TOY)


# -- the step


@pytest.mark.parametrize("pooling", ["mean", "sum"])
@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        replace(PLAN, decay=0.5, epochs=2),
        replace(PLAN, divide_update=True, learning_rate=0.9),
        replace(PLAN, sigmoid=taylor(1), batch_size=1, learning_rate=0.1),
    ],
)
def test_without_noise_it_is_the_clear_network(plan: TrainingPlan, pooling: str) -> None:
    if pooling == "sum":
        plan = replace(plan, learning_rate=plan.learning_rate / 8)
    X, y = reviews(160)
    network = start(pooling=pooling)
    twin, z_twin = twin_of(network, X, y, plan)
    one, w = reduced(network)
    one.direction = w
    z = train(SimulatedEvaluator(HIDDEN_TOY, np.random.default_rng(0), scale=0.0), one, X, y, plan)
    assert np.std(z_twin) > 0.1
    assert np.std(z - z_twin) < 0.06 * np.std(z_twin)
    assert np.linalg.norm(one.W2) == pytest.approx(np.linalg.norm(twin.W2), rel=0.04)  # steps of tables are 3 % of z
    whole = expanded(one, w)
    assert np.corrcoef(whole.W1.ravel(), twin.W1.ravel())[0, 1] > 0.998


@pytest.mark.parametrize("labels", ["plain", "encrypted"])
def test_encrypted_training_follows_the_clear_twin(owner: Owner, labels: str) -> None:
    X, y = reviews(160)
    plan, network = replace(PLAN, decay=0.3), start()
    twin, z_twin = twin_of(network, X, y, plan)
    trainer = Trainer(owner.encrypt(network))
    shown = y if labels == "plain" else owner.encrypt_labels(y, insecure=True)
    z = owner.decrypt(trainer.train(X, shown, plan))
    assert trainer.model.architecture.hidden == 1 and np.std(z_twin) > 0.1
    assert np.std(z - z_twin) < 0.1 * np.std(z_twin)
    found = owner.decrypt_network(trainer.model)
    assert found.architecture == network.architecture
    assert np.corrcoef(found.W1.ravel(), twin.W1.ravel())[0, 1] > 0.995
    moved = np.linalg.norm(twin.W2) - np.linalg.norm(network.W2)
    assert np.linalg.norm(found.W2) - np.linalg.norm(network.W2) == pytest.approx(moved, rel=0.15)
    np.testing.assert_allclose(found.W2 / np.linalg.norm(found.W2), network.W2 / np.linalg.norm(network.W2), atol=1e-6)


def test_scores_and_probabilities_of_a_trained_model(owner: Owner) -> None:
    X, y = reviews(80)
    trainer = Trainer(owner.encrypt(start()))
    trainer.train(X, y, PLAN)
    found = owner.decrypt_network(trainer.model)
    z, user = predict(CLEAR, found, X), User(EncryptedModel(owner.evaluator, trainer.model.network, owner.sigmoid))
    # no rotation, so no noise of a table; that of packing is the same for all sums, and short reviews have small ones
    np.testing.assert_allclose(owner.decrypt(user.predict(X)), z, atol=1e-3)
    p = owner.decrypt(user.predict_probabilities(X))
    assert p.shape == z.shape and np.std(p) > 0.02
    assert np.abs(p - ExactSigmoid()(z)).max() < 0.05


def test_probabilities_that_noise_would_drown_are_refused_and_the_advice_works(owner: Owner) -> None:
    """A model from a file has no ranges, so nobody knows by how much the sums of short texts may be multiplied."""
    X, y = reviews(80)
    trainer = Trainer(owner.encrypt(start()))
    trainer.train(X, y, PLAN)
    trainer.model.network.ranges = None
    for times, refused in ((1, True), (20, False)):
        texts = times * X  # of so many times as many words, with the same means
        z = predict(CLEAR, owner.decrypt_network(trainer.model), texts)
        if refused:
            with pytest.raises(ParameterError, match=r"ask for scores \(User.predict\)"):
                trainer.predict_probabilities(texts)
            p = owner.evaluate(trainer.predict(texts), y, PLAN).p
        else:
            p = owner.decrypt(trainer.predict_probabilities(texts))
        assert np.abs(p - ExactSigmoid()(z)).max() < 0.15 and np.std(p) > 0.02


def test_scores_beyond_the_ranges_of_training_are_known(owner: Owner) -> None:
    """Training clips at the largest numbers that it expects; a user's reviews may have larger ones."""
    X, y = reviews(80)
    trainer = Trainer(owner.encrypt(start()))
    trainer.train(X, y, PLAN)
    narrow = trainer.model.network.ranges = replace(trainer.model.network.ranges, s=0.5)
    network = owner.decrypt_network(trainer.model)
    z = predict(CLEAR, network, X)
    assert np.abs(z).max() > 2 * narrow.s * np.linalg.norm(network.W2)
    np.testing.assert_allclose(owner.decrypt(trainer.predict(X)), z, atol=1e-3)
    assert trainer.model.network.ranges == narrow


def test_several_mini_batches_share_no_factor(owner: Owner) -> None:
    X, y = reviews(40)
    scores = Trainer(owner.encrypt(start())).train(X, y, PLAN)
    assert isinstance(scores, FactoredScores) and list(scores.counts) == [8] * 5
    z = owner.decrypt(scores)
    for part in (slice(3, 21), slice(0, 8), slice(17, 40)):
        np.testing.assert_array_equal(owner.decrypt(scores[part]), z[part])


# -- files


def test_models_and_scores_survive_files(tmp_path) -> None:
    X, y = reviews(40)
    owner = Owner(Architecture(WORDS, HIDDEN), ExactSigmoid(), HIDDEN_TOY)
    owner.save_secret(tmp_path / "secret")
    owner.encrypt(start()).save(tmp_path / "model")
    trainer = Trainer.load(tmp_path / "model")
    scores = trainer.train(X, y, PLAN)
    trainer.model.save(tmp_path / "trained")
    trainer.save_scores(scores, tmp_path / "scores")
    again = Owner.load(tmp_path / "secret")
    back = again.decrypt_network(EncryptedModel.load(tmp_path / "trained"))
    here = owner.decrypt_network(trainer.model)
    np.testing.assert_array_equal(back.W1, here.W1)
    np.testing.assert_array_equal(back.W2, here.W2)
    assert back.W1.shape == (WORDS, HIDDEN) and np.ptp(back.W1) > 0
    np.testing.assert_array_equal(again.load_scores(tmp_path / "scores"), owner.decrypt(scores))


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("counts", lambda a: a + 1, "do not fit the counts"),
        ("counts", lambda a: a.astype(np.int32), "no vector of int64"),
        ("gains", lambda a: -a, "do not fit the gains"),
        ("gains", lambda a: a * np.nan, "do not fit the gains"),
        ("gains", lambda a: a[1:], "do not fit the gains"),
    ],
)
def test_scores_with_false_parts_are_refused(name, change, told, tmp_path) -> None:
    X, _ = reviews(10)
    owner = Owner(Architecture(WORDS, HIDDEN), ExactSigmoid(), HIDDEN_TOY)
    user = User(owner.encrypt(start()))
    user.save_scores(user.predict(X), tmp_path / "scores")
    header, arrays = read(tmp_path / "scores", SCORES)
    write(tmp_path / "forged", SCORES, header, arrays | {name: change(arrays[name])})
    with pytest.raises((FileError, DataError), match=told):
        owner.load_scores(tmp_path / "forged")


# -- ranges and noise


def test_a_rehearsal_is_the_training_of_the_clear_network() -> None:
    X, y = reviews(64)
    plan = replace(PLAN, epochs=2, decay=0.2)
    one, _ = reduced(start())
    b = float(one.W2[0])
    z = train(CLEAR, one, X, y, plan)
    met = rehearsed(X, y, plan, True, b)
    assert met.b == pytest.approx(float(one.W2[0])) and met.b > b
    assert met.ranges.s * b <= np.abs(z).max() <= met.ranges.s * met.b * (1 + 1e-12)


def test_a_plan_that_leaves_the_codes_is_refused_and_the_advice_works() -> None:
    X, y = reviews(160)
    with pytest.raises(DivergenceError, match="lower learning rate than 20"):
        ranges_for(HIDDEN_128, X, y, replace(PLAN, learning_rate=20.0), True, HIDDEN)
    with pytest.raises(DivergenceError, match=r"\|W2\| goes from -0\.\d+ to 3\."):  # it never grows large, and nears zero
        ranges_for(HIDDEN_128, X, y, replace(PLAN, learning_rate=0.7), True, HIDDEN)
    with pytest.raises(ParameterError, match=r"fits a scale of (\d+)") as error:
        ranges_for(HIDDEN_128.updated(name="large", scale=1 << 28), X, y, PLAN, True, HIDDEN)
    scale = int(str(error.value).split("scale=")[1].split(")")[0])
    assert isinstance(ranges_for(HIDDEN_128.updated(name="fits", scale=scale), X, y, PLAN, True, HIDDEN), RankOneRanges)


@pytest.mark.parametrize(("rate", "seed", "refused"), [(0.5, 0, False), (0.6, 2, True)])
def test_a_second_layer_below_its_codes_is_refused_if_it_trains_another_network(rate: float, seed: int, refused: bool) -> None:
    """Both runs fall below |W2| = 1, where codes end, and stay above 0; in one of them this does no harm."""
    X, y = reviews(160, seed)
    plan, network = replace(PLAN, learning_rate=rate), start()
    network.W2 *= (np.sqrt(HIDDEN) + STARTS[-1]) / np.linalg.norm(network.W2)
    one, w = reduced(network)
    one.direction = w
    free, clipped = (rehearsed(X, y, plan, True, float(one.W2[0]), clipped) for clipped in (False, True))
    assert 0 < free.least_b < LEAST
    evaluator = SimulatedEvaluator(HIDDEN_TOY, np.random.default_rng(0), scale=0.0)
    evaluator.ranges_of = lambda *_: RankOneRanges(1.1 * free.ranges.s, 1.1 * free.ranges.q, free.ranges.b)  # asks nothing
    z = train(evaluator, one, X, y, plan)[:, 0]
    with_codes, without = (np.linalg.norm(a - free.z) / np.linalg.norm(free.z) for a in (z, clipped.z))
    assert (with_codes > MOST_OFF) == (without > MOST_OFF) == refused
    with pytest.raises(DivergenceError, match=rf"take a lower learning rate than {rate}") if refused else nullcontext():
        ranges_for(HIDDEN_128, X, y, plan, True, HIDDEN)


def test_a_drowned_rate_is_refused_and_both_advices_work() -> None:
    X, y = reviews(160)
    slow = replace(PLAN, learning_rate=1e-5)
    with pytest.raises(ParameterError, match="larger scale") as error:
        ranges_for(HIDDEN_128, X, y, slow, True, HIDDEN)
    scale = int(str(error.value).split("scale=")[1].split(")")[0])
    ranges_for(HIDDEN_128.updated(name="fits", scale=scale), X, y, slow, True, HIDDEN)
    slowest = replace(PLAN, learning_rate=1e-9)
    largest = HIDDEN_128.updated(name="largest", scale=1 << 29)
    with pytest.raises(ParameterError, match="take a rate of") as error:
        ranges_for(largest, X, y, slowest, True, HIDDEN)
    rate = float(str(error.value).split("take a rate of ")[1].split(" ")[0])
    ranges_for(largest, X, y, replace(PLAN, learning_rate=rate), True, HIDDEN)


@pytest.mark.parametrize("size", [0.9 * LEAST, 1.1 * LARGEST_START])
def test_a_start_beyond_the_codes_is_refused_and_the_advice_works(owner: Owner, size: float) -> None:
    network = start()
    network.W2 *= size / np.linalg.norm(network.W2)
    with pytest.raises(ParameterError, match="multiply W2 by") as error:
        owner.encrypt(network)
    network.W2 *= float(str(error.value).split("multiply W2 by ")[1])
    owner.encrypt(network)


def test_what_rank_one_cannot_do_says_so(owner: Owner) -> None:
    X, y = reviews(16)
    trainer = Trainer(owner.encrypt(start()))
    with pytest.raises(CapabilityError, match="shrink=1"):
        trainer.train(X, y, replace(PLAN, shrink=0.9))
    with pytest.raises(CapabilityError, match="leave `widths` out of Conditioned"):
        trainer.train(Conditioned(X, widths=np.full(16, 2.0)), y, PLAN)


def test_a_run_of_one_mini_batch_meets_only_zeros_and_trains(owner: Owner) -> None:
    X, y = reviews(16)
    network, plan = start(), replace(PLAN, batch_size=16)
    twin, _ = twin_of(network, X, y, plan)
    model = owner.encrypt(network)
    Trainer(model).train(X, y, plan)
    assert np.corrcoef(owner.decrypt_network(model).W1.ravel(), twin.W1.ravel())[0, 1] > 0.98


def test_sums_that_leave_their_range_are_unknown_and_counted(owner: Owner) -> None:
    X, y = reviews(16)
    one, w = reduced(start())
    secret = owner.secret_key
    far = 1.3 * QUARTER * 2.0**32 / HIDDEN_TOY.scale / 12
    U = np.full((WORDS, 1), far)  # a review of 12 words adds up to more than a quarter of the torus, shorter ones do not
    network = Network(one.architecture, secret.encrypt_many(U), secret.encrypt(one.W2), direction=secret.encrypt(w))
    z = owner.decrypt(User(EncryptedModel(owner.evaluator, network, owner.sigmoid)).predict(X))
    beyond = X.sum(axis=1) * far * HIDDEN_TOY.scale / 2.0**32 > QUARTER
    assert 0 < beyond.sum() < len(y)
    np.testing.assert_array_equal(np.isnan(z[:, 0]), beyond)
    assert owner.evaluate(z, y, PLAN).out_of_range == beyond.sum()


def handed_out(owner: Owner, U: float, b: float) -> EncryptedModel:
    """Return a model in the midst of training: U the same for all words, and |W2| = b."""
    one, w = reduced(start())
    secret = owner.secret_key
    parts = secret.encrypt_many(np.full((WORDS, 1), U)), secret.encrypt(np.array([b]))
    return EncryptedModel(owner.evaluator, Network(one.architecture, *parts, direction=secret.encrypt(w)), owner.sigmoid)


def test_a_second_layer_that_grows_beyond_its_codes_under_encrypted_labels_is_counted_and_told(owner: Owner) -> None:
    """Nothing can be rehearsed there.  Every review is a word of its own, so |W2| moves by what all of them ask for."""
    X, y = csr_array(np.eye(WORDS)), np.ones(WORDS, int)
    plan, b = TrainingPlan(ExactSigmoid(), 0.3, batch_size=WORDS, epochs=2), LARGEST - 0.1
    twin = Network(replace(start().architecture, hidden=1), np.full((WORDS, 1), 0.2), np.array([b]))
    train(CLEAR, twin, X, y, replace(plan, epochs=1))
    assert twin.W2[0] > LARGEST + 0.1
    model = handed_out(owner, 0.2, b)
    scores = Trainer(model).train(X, owner.encrypt_labels(y, insecure=True), plan)
    with pytest.warns(DataWarning, match="1 of 2 weights of the second layer .* from 1 to 8 .* lower learning rate"):
        found = owner.evaluate(scores, y, plan)
    assert found.known.tolist() == [True] * WORDS + [False] * WORDS  # before and after the first step
    assert found.out_of_range == WORDS
    with pytest.warns(DataWarning, match="1 of 1 weights"):
        assert np.linalg.norm(owner.decrypt_network(model).W2) > LARGEST


def test_a_second_layer_below_its_codes_counts_as_the_smallest_and_is_told(owner: Owner) -> None:
    X, _ = reviews(8)
    for b, known in ((0.9 * LEAST, True), (-0.5, False)):
        model = handed_out(owner, 0.2, b)
        with pytest.warns(DataWarning, match="1 of 1 weights"):
            assert np.isfinite(owner.decrypt(User(model).predict(X))).all() == known
        with pytest.warns(DataWarning, match="1 of 1 weights"):
            owner.decrypt_network(model)


@pytest.fixture(scope="module")
def torus(owner: Owner) -> EncryptedTorus:
    return EncryptedTorus(owner.evaluator.context, owner.evaluator.key)


def test_the_noise_of_an_update_is_as_predicted(owner: Owner, torus: EncryptedTorus) -> None:
    """Relative noise of the read of both codes together, and the absolute noise of the fine rotation."""
    layer = RankOneLayer(torus, True, RankOneRanges(1.0, 16.0, 3.0))
    count, b, rate = 400, 3.0, 0.5
    W2 = owner.secret_key.encrypt(np.array([b]))
    d = np.random.default_rng(0).uniform(0.1, 0.9, count) * np.where(np.arange(count) % 2, 1, -1)
    data = np.zeros((count, 2, 1 + HIDDEN_TOY.d), np.int32)
    blank = torus.numbers(owner.secret_key.encrypt_many(np.zeros((count, 1))), layer.row_phase)[:, 0]
    data[:, 0] = blank
    data[:, 0, 0] += to_torus(SIGNED.kappa * np.log2(np.abs(d)) + SIGNED.turn * (d < 0))
    G = layer.first_layer_errors(W2, torus.array(data, QUARTER), None, rate, np.ones(count))
    found = owner.secret_key.torus_phase(G.data[:, 0]) / layer.row_phase
    relative = found / (rate * d * b) - 1
    predicted = SIGNED.product_deviation(HIDDEN_TOY, QUARTER, QUARTER)
    assert (found * d > 0).all()
    # all share one read of b, so that its error is the mean, and the deviation is that of the other read
    assert np.std(relative) == pytest.approx(np.log(2) / SIGNED.kappa * np.sqrt(noise.table_input(HIDDEN_TOY)), rel=0.1)
    assert np.std(relative) == pytest.approx(predicted, rel=0.15)
    assert update_noise(HIDDEN_TOY, rate, b) < 1e-3


def test_the_noise_of_a_score_is_as_predicted(owner: Owner, torus: EncryptedTorus) -> None:
    """z by codes whose sign is a quarter turn: the reads of s and of the sum of codes, two results at a place."""
    s = np.random.default_rng(2).uniform(0.3, 1, 400) * np.where(np.arange(400) % 2, 1, -1)
    S = torus.numbers(owner.secret_key.encrypt_many(s[:, None] * HIDDEN_TOY.z_half), HIDDEN_TOY.scale * 2.0**-32)
    code = torus.read(S, QUARTERED.number_table(HIDDEN_TOY.N, OCTAVES))[0]
    code[..., 0] += to_torus(QUARTERED.shift(QUARTERED.number_origin(QUARTER), 1.0))
    sizes = QUARTERED.sizes(HIDDEN_TOY.N // 2, 1.0)
    table = interleaved([from_zero(len(sizes), lambda _: sizes * QUARTER)] * 2)
    z = owner.secret_key.torus_phase(torus.read(code, table, outputs=2)[0][:, 0]) / QUARTER
    predicted = QUARTERED.product_deviation(HIDDEN_TOY, QUARTER * s, outputs=2)
    assert (z * s > 0).all()
    inside = np.abs(s) < 0.85  # beyond, a size may be clipped to the largest
    assert np.std(((z / s - 1) / predicted)[inside]) == pytest.approx(1, rel=0.12)


def test_noise_does_not_move_the_mean_of_d_z() -> None:
    """The table of d z, read at noisy places, is d z on average; the plain function would be off to one side."""
    ranges = RankOneRanges(3.5, 20.0, 5.0)
    rng = np.random.default_rng(1)
    z, q = np.linspace(-6, 6, 25), lambda z: (ExactSigmoid()(z) - 1) * z
    additive = np.sqrt(noise.table_input(HIDDEN_128)) * ranges.s * ranges.b / QUARTER
    relative = np.sqrt(noise.table_input(HIDDEN_128, 2)) * np.log(2) / (0.215 / 11)
    moved = (z + rng.normal(0, additive, (40_000, 25))) * np.exp(rng.normal(0, relative, (40_000, 25)))
    plain = np.abs(q(moved).mean(axis=0) - q(z)).max()
    corrected = np.abs(unbiased(HIDDEN_128, ranges, q, moved).mean(axis=0) - q(z)).max()
    assert plain > 0.01 and corrected < plain / 3


def test_one_review_may_make_up_the_largest_sum() -> None:
    """A review that is wrong by a large score counts in full; if it were clipped, b would grow too fast."""
    ranges = RankOneRanges(5.0, 10.0, 4.0)
    tables = error_tables(HIDDEN_128, ranges, ExactSigmoid(), plain=True)
    z = QUARTERED.sizes(HIDDEN_128.N // 2, ranges.z)
    for label, side in ((0, 1), (1, -1)):
        wrong = (side * z > 5) & (side * z < 9.5)
        q = tables[label, 1::2] * 2.0**-32 / ranges.q_phase
        assert wrong.sum() > 10
        np.testing.assert_allclose(q[wrong], np.abs(z[wrong]), rtol=0.02)


def test_codes_of_s_and_b_fit_their_window() -> None:
    assert SIGNED.octaves >= OCTAVES + np.log2(8 / LEAST) - 1e-9
    assert b_origin(SIGNED) == pytest.approx(-1.5 * SIGNED.kappa) and pytest.approx(2**-5) == B_PHASE
