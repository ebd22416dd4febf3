"""Attacks: each is shown to work where it should, and to fail where it should not."""

import math
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn.arithmetic.modular import centred
from encnn.arithmetic.sigmoid import taylor
from encnn.attacks import distinguish, elimination, lattice, oracle, public_keys, reading, training
from encnn.data.datasets import words_dataset
from encnn.data.reviews import load_reviews
from encnn.errors import ParameterError
from encnn.experiments import lattice as lattice_job
from encnn.network import Architecture, Network, TrainingPlan, predict
from encnn.parties import Owner, Trainer
from encnn.parties.acceptance import acceptance_test
from encnn.schemes.bilinear import elementwise, outer, vector_matrix, vector_transposed_matrix
from encnn.schemes.clear import ClearEvaluator
from encnn.schemes.integer_vector import (
    ADDITIVE_128,
    MODULUS_TOY,
    PAPER,
    PAPER_BITS,
    PRESETS,
    IntegerVectorParameters,
    make_keys,
)

SECURE = [p for p in PRESETS.values() if not p.insecure]
SMALL_MASKS = [PAPER, PAPER_BITS, PAPER.updated(d=3)]
LARGE_MASKS = PAPER.updated(name="paper-large-masks-INSECURE", A_high=1 << 20, w_bits=20)
NO_MODULUS = [*SMALL_MASKS, LARGE_MASKS]
UNIFORM = IntegerVectorParameters(
    name="uniform-INSECURE", w_bits=24, d=12, scale=1, q_bits=40, base_bits=20, T_low=-(1 << 39), T_high=1 << 39, sigma=3.2
)
SMALL_ADDITIVE = ADDITIVE_128.updated(d=64, name="additive-small-INSECURE")
FACTORS = [vector_matrix(4, 1), outer(4, 1), elementwise(4), vector_transposed_matrix(4, 1)]
every_product = pytest.mark.parametrize("f", FACTORS, ids=lambda f: f.name)
needs_fpylll = pytest.mark.skipif(not lattice.available(), reason="fpylll is not installed (pip install 'encnn[lattice]')")


def names(parameters):
    return f"{parameters.name},d={parameters.d}"


def keys(parameters, m, seed=0, products=()):
    rng = np.random.default_rng(seed)
    return *make_keys(parameters, [m], products, rng, public_widths=[m]), rng


# -- a network trained under the paper's parameters, on the toy corpus


@pytest.fixture(scope="module")
def data():
    return words_dataset(load_reviews("toy"), cutoff=None, min_count=5)


@pytest.fixture(scope="module")
def plan():
    return TrainingPlan(taylor(1), learning_rate=0.01, epochs=2)


@pytest.fixture(scope="module")
def start(data):
    return Network.initial(Architecture(data.X.shape[1], hidden=8), np.random.default_rng(1))


@pytest.fixture(scope="module")
def owner(start, plan):
    return Owner(start.architecture, plan.sigmoid, PAPER, rng=np.random.default_rng(2))


@pytest.fixture(scope="module")
def trained(owner, start, data, plan):
    """The encrypted model after training, and its encrypted scores."""
    trainer = Trainer(owner.encrypt(start))
    return trainer.model, trainer.train(data.X, data.y, plan)


@pytest.fixture(scope="module")
def logistic(data, plan):
    """A network without a hidden layer and its model under 128 bits."""
    network = Network.initial(Architecture(data.X.shape[1], hidden=0, pooling="sum"), np.random.default_rng(3))
    network = training.train_in_clear(network, data.X, data.y, plan)
    owner = Owner(network.architecture, plan.sigmoid, ADDITIVE_128)
    return owner, owner.encrypt(network), network


# -- reading


@pytest.mark.parametrize("parameters", SMALL_MASKS, ids=names)
@pytest.mark.parametrize("randomised", [False, True])
def test_fresh_ciphertexts_are_read_without_a_key(parameters, randomised):
    secret, evaluator, rng = keys(parameters, 8)
    v = rng.integers(-300, 301, (200, 8)) / 100
    encrypted = [secret.encrypt(v), evaluator.encrypt(v, rng) if randomised else evaluator.encrypt_deterministic(v)]
    for c in encrypted:
        assert np.array_equal(reading.read_integers(c), np.rint(v * parameters.scale))


def test_large_masks_hide_what_division_reads_but_not_the_key():
    secret, evaluator, rng = keys(LARGE_MASKS, 8)
    v = rng.integers(-300, 301, (200, 8)) / 100
    c = secret.encrypt(v)
    assert np.mean(reading.read_integers(c) == np.rint(v * LARGE_MASKS.scale)) < 0.05
    T = public_keys.T_from_regression(*public_keys.lwe_columns(LARGE_MASKS, evaluator.public_keys[8]))
    assert np.array_equal(np.rint((c.data[:, :8] + c.data[:, 8:] @ T.T) / c.unit * 100) / 100, v)


def test_trained_weights_and_predictions_are_read_without_a_key(owner, trained):
    model, scores = trained
    read, right = reading.read_network(model), owner.decrypt_network(model)
    error = np.concatenate([np.abs(read.W1 - right.W1).ravel(), np.abs(read.W2 - right.W2)])
    assert np.abs(right.W1).max() > 0.5 and (error < 1e-3).mean() >= 0.99
    assert np.abs(reading.read(scores) - owner.decrypt(scores)).max() < 1e-3


@pytest.mark.parametrize("parameters", SECURE, ids=names)
def test_ciphertexts_under_secure_parameters_show_nothing(parameters):
    secret, _ = make_keys(parameters, [8])
    v = np.random.default_rng(1).integers(-1, 2, (500, 8)).astype(float)
    read = reading.read(secret.encrypt(v))
    assert not np.array_equal(np.rint(read), v) and np.mean(np.rint(read) == v) < 0.25
    assert abs(np.corrcoef(read.ravel(), v.ravel())[0, 1]) < 5 / math.sqrt(v.size)


def test_a_model_under_secure_parameters_shows_other_weights(logistic):
    _, model, network = logistic
    read = reading.read_network(model)
    assert read.W2 is None and np.mean(np.abs(read.W1 - network.W1) < 1e-3) < 0.05


# -- T from public keys


@every_product
@pytest.mark.parametrize("parameters", NO_MODULUS, ids=names)
def test_t_follows_exactly_from_a_product_key_in_under_a_second(parameters, f):
    secret, evaluator, _ = keys(parameters, 4, products=[f])
    began = time.process_time()
    T1, T2 = public_keys.T_from_product(evaluator.products[f.name], f)
    assert time.process_time() - began < 1
    assert np.array_equal(T1, secret.T(f.left)) and np.array_equal(T2, secret.T(f.right))


@every_product
@pytest.mark.parametrize("parameters", [MODULUS_TOY, SMALL_ADDITIVE.updated(d=12)], ids=names)
def test_a_product_key_modulo_q_hides_t_until_one_t_is_known(parameters, f):
    secret, evaluator, _ = keys(parameters, 4, products=[f])
    key = evaluator.products[f.name]
    assert not np.array_equal(public_keys.T_from_product(key, f)[0], secret.T(f.left))
    T1, T2 = public_keys.T_from_product(key, f, secret.T(f.out))
    assert np.array_equal(T1, secret.T(f.left)) and np.array_equal(T2, secret.T(f.right))


@pytest.mark.parametrize("parameters", NO_MODULUS, ids=names)
def test_t_follows_exactly_from_the_public_key(parameters):
    secret, evaluator, _ = keys(parameters, 8)
    began = time.process_time()
    A, B = public_keys.lwe_columns(parameters, evaluator.public_keys[8])
    T = public_keys.T_from_regression(A, B)
    assert time.process_time() - began < 1
    assert np.array_equal(T, secret.T(8)) and public_keys.explains(parameters, T, A, B)


@pytest.mark.parametrize("parameters", [MODULUS_TOY, SMALL_ADDITIVE, *SECURE], ids=names)
def test_columns_modulo_q_are_lwe_samples_that_regression_does_not_solve(parameters):
    secret, evaluator = make_keys(parameters, [2], public_widths=[2])
    A, B = public_keys.lwe_columns(parameters, evaluator.public_keys[2])
    assert A.shape[1] >= parameters.d and public_keys.explains(parameters, secret.T(2), A, B)
    if A.shape[1] <= 2000:  # least squares of the larger ones takes a minute and finds no more
        T = public_keys.T_from_regression(A, B)
        assert not np.array_equal(T, secret.T(2)) and not public_keys.explains(parameters, T, A, B)


# -- the distinguishing game

X0, X1 = np.array([1.0, 2, 3, 4]), np.array([4.0, 3, 2, 1])


def advantages(parameters, games, seed=0):
    """Return the advantage of "is it equal" and "is it near" against the three kinds of public encryption."""
    _, evaluator, rng = keys(parameters, 4, seed)
    kinds = [
        evaluator.encrypt_deterministic,
        lambda v: distinguish.encrypt_with_noise_only(evaluator, v, rng),
        lambda v: evaluator.encrypt(v, rng),
    ]
    tests = [distinguish.near(evaluator, X0, distance) for distance in (0, parameters.noise_bound)]
    return [[distinguish.advantage(encrypt, test, X0, X1, games, rng) for test in tests] for encrypt in kinds]


@pytest.mark.parametrize("parameters", [MODULUS_TOY, SMALL_ADDITIVE, PAPER.updated(d=3)], ids=names)
def test_only_an_encryption_of_zero_stops_the_distinguishers(parameters):
    deterministic, noise_only, randomised = advantages(parameters, games=2000)
    assert deterministic == [1, 1]
    assert noise_only[0] < 0.01 and noise_only[1] == 1
    assert max(randomised) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("parameters", SECURE, ids=names)
def test_distinguishers_of_deterministic_encryption_under_secure_parameters(parameters):
    deterministic, noise_only, randomised = advantages(parameters, games=10)
    assert deterministic == [1, 1] and noise_only[1] == 1 and max(randomised) == 0


@pytest.mark.parametrize(("parameters", "expected"), [(PAPER, 1), (MODULUS_TOY, 0), (SMALL_ADDITIVE, 0)], ids=str)
def test_randomising_does_not_help_where_ciphertexts_can_be_read(parameters, expected):
    _, evaluator, rng = keys(parameters, 4)
    measured = distinguish.advantage(lambda v: evaluator.encrypt(v, rng), distinguish.reads(X0), X0, X1, 500, rng)
    assert measured == expected


def test_noise_only_still_decrypts():
    secret, evaluator, rng = keys(MODULUS_TOY, 4)
    c = distinguish.encrypt_with_noise_only(evaluator, X0, rng)
    assert np.array_equal(secret.decrypt_integers(c), X0)
    assert np.abs(secret.measure_noise(c, X0)).max() <= c.noise


# -- elimination


@pytest.mark.parametrize(("parameters", "m"), [(MODULUS_TOY.updated(d=40), 4), (MODULUS_TOY.updated(d=200), 8)], ids=str)
def test_one_deterministic_ciphertext_gives_the_message(parameters, m):
    _, evaluator, rng = keys(parameters, m)
    x = rng.integers(-1000, 1001, m)
    public = evaluator.public_keys[m]
    assert np.array_equal(elimination.message([public], [evaluator.encrypt_deterministic(x)]), x)
    assert elimination.message([public], [evaluator.encrypt(x, rng)]) is None
    assert elimination.message([public], [distinguish.encrypt_with_noise_only(evaluator, x, rng)]) is None


@pytest.mark.parametrize("parameters", SECURE, ids=names)
def test_secure_dimensions_do_not_save_deterministic_encryption_but_randomising_does(parameters):
    _, evaluator = make_keys(parameters, [8], public_widths=[8])
    v = np.random.default_rng(1).integers(-5, 6, 8).astype(float)
    public = evaluator.public_keys[8]
    found = elimination.message([public], [evaluator.encrypt_deterministic(v)])
    assert np.array_equal(found, v * parameters.scale)
    assert elimination.message([public], [evaluator.encrypt(v)]) is None


def test_raising_d_makes_elimination_possible():
    found = []
    for d in (4, 16, 40):
        _, evaluator, _ = keys(MODULUS_TOY.updated(d=d), 8)
        x = np.arange(8)
        found.append(elimination.message([evaluator.public_keys[8]], [evaluator.encrypt_deterministic(x)]) is not None)
        assert (8 + d >= elimination.unknown_digits(MODULUS_TOY, 8)) == found[-1]
    assert found == [False, False, True]


@pytest.mark.parametrize(("parameters", "m"), [(PAPER, 4), (PAPER_BITS, 2), (MODULUS_TOY, 8)], ids=str)
def test_broadcast_of_one_message_under_enough_keys(parameters, m):
    needed = elimination.keys_needed(parameters, m)
    evaluators = [keys(parameters, m, seed)[1] for seed in range(needed)]
    publics = [evaluator.public_keys[m] for evaluator in evaluators]
    v, rng = np.arange(m) - 1.0, np.random.default_rng(5)
    sent = [evaluator.encrypt_deterministic(v) for evaluator in evaluators]
    assert needed > 1
    assert np.array_equal(elimination.message(publics, sent), v * parameters.scale)
    assert elimination.message(publics[: needed // 2], sent[: needed // 2]) is None
    assert elimination.message(publics, [evaluator.encrypt(v, rng) for evaluator in evaluators]) is None


def test_elimination_needs_a_key_for_each_ciphertext():
    with pytest.raises(ParameterError, match="one of each"):
        elimination.message([], [])


@given(seed=st.integers(0, 2**32), unknowns=st.integers(1, 8), q_bits=st.integers(1, 64))
def test_solve_modulo_finds_what_was_multiplied(seed, unknowns, q_bits):
    rng = np.random.default_rng(seed)
    M = rng.integers(-(1 << 62), 1 << 62, (unknowns + 40, unknowns))
    x = centred(rng.integers(-(1 << 62), 1 << 62, unknowns), q_bits)
    c = M @ x
    assert np.array_equal(elimination.solve_modulo(M, c, q_bits), x)
    c[int(np.flatnonzero((M & 1).any(axis=1))[-1])] += 1
    assert elimination.solve_modulo(M, c, q_bits) is None
    assert elimination.solve_modulo(2 * M, c, q_bits) is None


# -- decryption oracles


def queries(parameters, m, attack, kind):
    """Return the queries that recovered T, or None if it came out wrong."""
    secret, evaluator = make_keys(parameters, [m], rng=np.random.default_rng(6))
    asked = oracle.DecryptionOracle(secret)
    T = attack(getattr(asked, kind), evaluator.context, m)
    return asked.queries if np.array_equal(T, secret.T(m)) else None


@pytest.mark.parametrize("parameters", [PAPER, PAPER.updated(d=5), MODULUS_TOY, *SECURE], ids=names)
@pytest.mark.parametrize("m", [1, 8])
def test_full_answers_give_small_t_in_few_queries(parameters, m):
    p = parameters
    room = 62 - 1 if p.q_bits is None else p.q_bits
    columns_a_query = math.floor((room - p.w_bits) / math.log2(p.T_high - p.T_low))
    assert queries(p, m, oracle.T_from_integers, "integers") == math.ceil(p.d / columns_a_query)


def test_full_answers_give_uniform_t_in_log_q_over_log_p_queries_a_column():
    assert queries(UNIFORM, 8, oracle.T_from_integers, "integers") == UNIFORM.d * math.ceil(40 / 16)
    odd = UNIFORM.updated(w_bits=25)  # 15 bits an answer, 10 in the last
    assert queries(odd, 8, oracle.T_from_integers, "integers") == UNIFORM.d * 3


@pytest.mark.parametrize("parameters", [MODULUS_TOY, UNIFORM, *SECURE], ids=names)
@pytest.mark.parametrize("m", [1, 8])
def test_signs_give_t_in_its_number_of_bits(parameters, m):
    bits = (parameters.T_high - parameters.T_low - 1).bit_length()
    assert queries(parameters, m, oracle.T_from_signs, "signs") == parameters.d * bits


def test_signs_without_modulus_give_t_by_bisection():
    assert queries(PAPER.updated(d=6), 8, oracle.T_from_signs, "signs") <= 6 * math.ceil(math.log2(10))


def test_an_owner_who_answers_something_else_gives_no_key():
    """Half of the answers wrong, at random: what is read is not T."""
    secret, evaluator, rng = keys(MODULUS_TOY, 8)
    T = oracle.T_from_signs(lambda c: rng.random(c.shape) < 0.5, evaluator.context, 8)
    assert not np.array_equal(T, secret.T(8))
    with pytest.raises(ParameterError, match="m >= 1"):
        oracle.T_from_integers(lambda c: c.data, evaluator.context, 0)


def test_one_oracle_opens_every_key_that_leads_to_it():
    """Scores have width 1; their T and a product key give the T of the weights, which no query asked for."""
    f = vector_matrix(4, 1)
    secret, evaluator, _ = keys(MODULUS_TOY, 4, products=[f])
    T = oracle.T_from_signs(oracle.DecryptionOracle(secret).signs, evaluator.context, 1)
    T1, _ = public_keys.T_from_product(evaluator.products[f.name], f, T)
    assert np.array_equal(T1, secret.T(4))


def test_scores_of_single_words_are_the_linear_model(owner, trained, data):
    model, _ = trained
    stolen = oracle.linear_model(lambda X: owner.decrypt(Trainer(model).predict(X)), model.architecture)
    network = owner.decrypt_network(model)
    z, z_stolen = (predict(ClearEvaluator(), each, data.X_test) for each in (network, stolen))
    np.testing.assert_allclose(z_stolen, z, atol=1e-5)


def test_scores_of_single_words_are_not_a_model_with_a_hidden_sigmoid():
    architecture = Architecture(6, hidden=4, pooling="sum", hidden_sigmoid=taylor(3))
    network = Network.initial(architecture, np.random.default_rng(7), first_layer_sd=1.0)
    stolen = oracle.linear_model(lambda X: predict(ClearEvaluator(), network, X), architecture)
    X = np.ones((1, 6))
    assert np.abs(predict(ClearEvaluator(), stolen, X) - predict(ClearEvaluator(), network, X)).max() > 0.1


# -- lattice reduction


@needs_fpylll
@pytest.mark.parametrize(
    ("parameters", "m"),
    [
        (lattice.LATTICE_TOY.updated(d=20), 3),
        (lattice.LATTICE_TOY, 1),
        (lattice.NARROW_TOY.updated(d=20), 2),
        (PAPER.updated(name="paper-with-modulus-INSECURE", q_bits=62, sigma=3.2), 8),
        (lattice.ONE_DIMENSION, 8),
    ],
    ids=str,
)
def test_lattice_reduction_recovers_t_in_small_dimension(parameters, m):
    secret, evaluator, _ = keys(parameters, m)
    assert np.array_equal(lattice.T_from_lattice(parameters, evaluator.public_keys[m]), secret.T(m))


@needs_fpylll
def test_bkz_finds_what_lll_does_not():
    parameters = lattice.NARROW_TOY.updated(d=70)
    secret, evaluator, _ = keys(parameters, 1, seed=[0, 70])
    A, B = public_keys.lwe_columns(parameters, evaluator.public_keys[1])
    assert lattice.recover_row(parameters, A, B[0], block_sizes=()).row is None
    found = lattice.recover_row(parameters, A, B[0])
    assert np.array_equal(found.row, secret.T(1)[0]) and found.block_size > 2 and found.cpu_s > 0


@needs_fpylll
def test_lll_fails_where_the_estimate_asks_for_larger_blocks():
    """The largest dimension that LLL takes here in seconds, at a modulus so small that the estimate asks for block size 23."""
    parameters = lattice.NARROW_TOY.updated(d=100)
    _, evaluator, _ = keys(parameters, 1)
    assert lattice.predicted(parameters).block_size > 20
    assert lattice.T_from_lattice(parameters, evaluator.public_keys[1], block_sizes=()) is None


@pytest.mark.parametrize("parameters", SECURE, ids=names)
def test_secure_dimensions_need_blocks_out_of_reach(parameters):
    assert lattice.predicted(parameters).block_size > 300 > 5 * max(lattice.BLOCK_SIZES)


@needs_fpylll
def test_measurement_is_written_as_a_table(tmp_path, capsys):
    sweep = [(lattice.LATTICE_TOY, (2, 10)), (lattice.NARROW_TOY, (10,))]
    assert lattice_job.main(["--folder", str(tmp_path / "new")], sweep) == 0
    table = pd.read_csv(tmp_path / "new" / "lattice_attack.csv")
    assert table.d.tolist() == [2, 10, 10] and table.q_bits.tolist() == [32, 32, 12] and table.found.all()
    assert "predicted_block_size" in capsys.readouterr().out


def test_extrapolation_goes_through_its_anchor_and_rises():
    table = lattice.extrapolate(32, [100, 150, 600, 1200], anchor_d=150, anchor_s=8.0)
    assert table.log2_seconds[1] == 3 and (np.diff(table.log2_seconds) > 0).all()
    np.testing.assert_allclose(np.diff(table.log2_seconds), np.diff(table.bits))


def test_lattice_attack_is_about_lwe():
    with pytest.raises(ParameterError, match="no modulus"):
        lattice.predicted(PAPER)


def test_missing_fpylll_is_said(monkeypatch):
    monkeypatch.setattr(lattice, "available", lambda: False)
    _, evaluator, _ = keys(lattice.LATTICE_TOY, 1)
    with pytest.raises(ParameterError, match=r"encnn\[lattice\]"):
        lattice.T_from_lattice(lattice.LATTICE_TOY, evaluator.public_keys[1])


# -- without cryptanalysis


def test_a_copy_trained_by_the_trainer_agrees_with_the_owners_network(owner, trained, data, plan):
    theirs = owner.decrypt_network(trained[0])
    own_start = Network.initial(theirs.architecture, np.random.default_rng(8))
    shuffled = np.random.default_rng(9).permutation(len(data.y))
    same_order = training.train_in_clear(own_start, data.X, data.y, plan)
    other_order = training.train_in_clear(own_start, data.X[shuffled], data.y[shuffled], plan)
    guessed = training.train_in_clear(own_start, data.X, np.random.default_rng(10).integers(0, 2, len(data.y)), plan)
    assert training.agreement(theirs, same_order, data.X_test) >= 0.97
    assert training.agreement(theirs, other_order, data.X_test) >= 0.95
    assert training.agreement(theirs, guessed, data.X_test) < 0.8, "without labels there is nothing to copy"
    assert np.abs(same_order.W1 - theirs.W1).max() > 0.1, "the weights stay secret"


def test_a_known_start_replays_the_training(owner, trained, start, data, plan):
    theirs = owner.decrypt_network(trained[0])
    replay = training.train_in_clear(start, data.X, data.y, plan)
    assert max(np.abs(replay.W1 - theirs.W1).max(), np.abs(replay.W2 - theirs.W2).max()) < 1e-3
    assert training.agreement(theirs, replay, data.X_test) == 1
    assert not start.W1.any(), "the start is not changed"


def test_acceptance_test_catches_flipped_poisoned_and_substituted_models(owner, trained, start, data, plan):
    model, _ = trained

    def verdict(candidate):
        return acceptance_test(owner, candidate, data.X_test, data.y_test, minimum=0.9)

    assert verdict(model).accepted
    other = Network.initial(model.architecture, np.random.default_rng(11), first_layer_sd=0.1)
    poisoned = training.poison(owner.encrypt(start), data.X, data.y, plan)
    for bad in (training.flip_sign(model), poisoned, training.substitute(model, other)):
        assert not verdict(bad).accepted
    flipped = verdict(training.flip_sign(model)).accuracy.correct
    assert abs(flipped + verdict(model).accuracy.correct - len(data.y_test)) <= 5, "right and wrong change places"


def test_tampering_needs_no_key_under_secure_parameters_either(logistic, data):
    owner, model, network = logistic
    z = predict(ClearEvaluator(), network, data.X_test)
    flipped = owner.decrypt_network(training.flip_sign(model))
    np.testing.assert_allclose(predict(ClearEvaluator(), flipped, data.X_test), -z, atol=1e-6)
    other = Network(network.architecture, np.ones_like(network.W1), None)
    np.testing.assert_allclose(owner.decrypt_network(training.substitute(model, other)).W1, 1, atol=1e-6)
    assert acceptance_test(owner, model, data.X_test, data.y_test, 0.9).accepted
    assert not acceptance_test(owner, training.flip_sign(model), data.X_test, data.y_test, 0.9).accepted


@pytest.mark.parametrize("name", ["paper", "secure"])
def test_a_back_door_passes_the_acceptance_test(name, owner, trained, logistic, data):
    owner, model = (owner, trained[0]) if name == "paper" else logistic[:2]
    trigger = int(np.asarray(data.X.sum(axis=0)).argmin())
    lean = np.asarray(data.X[data.y == 1].sum(axis=0) - data.X[data.y == 0].sum(axis=0)).ravel()
    planted = training.back_door(model, trigger, np.argsort(-lean, kind="stable")[:5].tolist(), times=10)
    assert acceptance_test(owner, planted, data.X_test, data.y_test, 0.9).accepted
    negative = training.add_word(data.X_test[data.y_test == 0], trigger, np.ones(250, dtype=bool))
    before, after = (predict(ClearEvaluator(), owner.decrypt_network(each), negative) >= 0 for each in (model, planted))
    assert before.mean() < 0.1 and after.mean() > 0.9
