import pickle
import sys
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from secret_walker import reachable

from encnn.arithmetic.sigmoid import PolynomialSigmoid, least_squares
from encnn.data.batches import DenseBatch, batches
from encnn.errors import CapabilityError, FileError, KeyMismatchError, MissingKeyError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan, predict, train
from encnn.parties import EncryptedModel, Owner, Trainer
from encnn.parties.assistance.weights import step_levels
from encnn.schemes import ClearParameters, ckks, make_keys
from encnn.schemes.bilinear import elementwise, outer, scalar_vector, vector_matrix
from encnn.schemes.ckks import TOY, CKKSParameters, preset, storage
from encnn.schemes.ckks.packing import Packing
from encnn.schemes.ckks.seal import sealapi
from encnn.schemes.clear import ClearEvaluator
from encnn.security.promise import STANDARD_128

pytest.importorskip("tenseal.sealapi")

BCC24 = {2048: 53, 4096: 106, 8192: 214, 16384: 430, 32768: 868}
HIDDEN = 5
CUBIC = least_squares(3, 8)
SQUARE = PolynomialSigmoid("0.3 + z + z^2 / 4", (0.3, 1.0, 0.25), (-4.0, 4.0))


def logistic(features=30):
    return Architecture(features, hidden=0, pooling="sum")


def hidden(features=30, sigmoid=SQUARE):
    return Architecture(features, hidden=HIDDEN, pooling="sum", hidden_sigmoid=sigmoid)


def keys_for(architecture, parameters=TOY):
    return make_keys(parameters, architecture.widths(), architecture.products(CUBIC), features=architecture.features)


@pytest.fixture(scope="module")
def narrow():
    """One slot a row: (secret key, evaluator) for logistic regression."""
    return keys_for(logistic())


@pytest.fixture(scope="module")
def wide():
    """Eight slots per row, for a hidden layer of five."""
    return keys_for(hidden())


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def close(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


# -- parameters


def test_presets_of_128_bits_are_within_seal_s_table_the_guidelines_and_the_estimate():
    s = sealapi()
    for p in (ckks.LOGISTIC_128, ckks.HIDDEN_128, ckks.UNASSISTED_128):
        assert p.modulus_total_bits <= min(s.CoeffModulus.MaxBitCount(p.degree, s.SEC_LEVEL_TYPE.TC128), BCC24[p.degree])
        assert p.security.bits >= 128 and not p.insecure
        assert preset(p.name) is p


def test_the_table_of_the_standard_is_the_one_that_seal_has():
    s = sealapi()
    assert {n: s.CoeffModulus.MaxBitCount(n, s.SEC_LEVEL_TYPE.TC128) for n in STANDARD_128} == STANDARD_128


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"degree": 3000}, "degree"),
        ({"modulus_bits": (40,)}, "two or more primes"),
        ({"modulus_bits": (61, 40, 40)}, "20 to 60 bits"),
        ({"scale_bits": 46}, "scale_bits"),
        ({"scale_bits": 3}, "scale_bits"),
        ({"name": "as if it were secure"}, "INSECURE"),
    ],
)
def test_parameters_that_mean_nothing_or_promise_too_much_are_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        TOY.updated(**changes)


def test_parameters_name_their_protection():
    assert str(TOY).startswith("ckks-toy-INSECURE: INSECURE: ") and "modulus_bits=(46" in repr(TOY)
    assert "INSECURE" not in str(ckks.LOGISTIC_128)
    with pytest.raises(ParameterError, match="choose one of ckks-8192"):
        preset("unknown")


# -- packing, in the clear


def rotated(slots, steps):
    return np.roll(slots, -steps)


def sum_of_diagonals(slots, diagonals, packing):
    """The formulas of `packing` on plain slots: what the evaluator does to ciphertexts."""
    babies, total = packing.baby_steps, np.zeros_like(slots)
    for j, diagonal in enumerate(diagonals):
        term = diagonal * rotated(slots, j % babies * packing.stride)
        total += rotated(term, (j - j % babies) * packing.stride)
    return total


@given(st.integers(1, 16), st.integers(1, 8), st.sampled_from([1, 2, 4]), st.integers(0, 2**32))
def test_diagonals_multiply_matrices(rows, columns, stride, seed):
    packing, rng = Packing(16 * stride, stride, 8), np.random.default_rng(seed)
    X, W, G = rng.normal(size=(rows, columns)), rng.normal(size=(columns, stride)), rng.normal(size=(rows, stride))
    forward = sum_of_diagonals(packing.pack(W), packing.forward_diagonals(X), packing)
    close(packing.unpack(forward, (rows, stride)), X @ W, 1e-12)
    backward = sum_of_diagonals(packing.pack(G), packing.backward_diagonals(X), packing)
    for fold in range(packing.features, packing.period(rows), packing.features):
        assert fold == packing.features  # 16 rows: one folding
        backward = backward + rotated(backward, fold * stride)
    close(packing.unpack(backward, (columns, stride)), X.T @ G, 1e-12)


@given(st.integers(1, 40), st.sampled_from([(1, 1), (3, 4), (1, 4)]))
def test_pack_and_unpack_undo_each_other(rows, widths):
    width, stride = widths
    packing = Packing(16 * stride, stride, 8)
    values = np.random.default_rng(rows).normal(size=(rows, width))
    cut = np.cumsum([0, *packing.blocks(rows)])
    parts = [packing.unpack(packing.pack(values[a:b]), (b - a, width)) for a, b in zip(cut[:-1], cut[1:], strict=True)]
    np.testing.assert_array_equal(np.concatenate(parts), values)


def test_weights_that_do_not_fit_one_ciphertext_are_refused():
    with pytest.raises(CapabilityError, match="into one ciphertext"):
        Packing(1024, 64, 32)


# -- arrays


@pytest.mark.parametrize("shape", [(30, 1), (3, 1), (1000, 1), (2500, 1), (7,), (1,)])
def test_decryption_returns_what_was_encrypted(narrow, rng, shape):
    secret, _ = narrow
    v = rng.normal(size=shape)
    a = secret.encrypt(v)
    close(secret.decrypt(a), v)
    assert a.shape == shape and len(a) == shape[0] and a.level == TOY.levels
    assert a.nbytes == len(a.blocks) * 2 * (TOY.levels + 1) * TOY.degree * 8
    assert "level=9" in repr(a) and str(v.flat[0])[:6] not in repr(a)


def test_sums_differences_and_plain_numbers(narrow, rng):
    secret, _ = narrow
    u, v = rng.normal(size=(2, 50, 1))
    a, b = secret.encrypt(u), secret.encrypt(v)
    for encrypted, plain in (
        (a + b, u + v),
        (a - b, u - v),
        (-a, -u),
        (a + v, u + v),
        (v + a, u + v),
        (a - v, u - v),
        (1 - a, 1 - u),
        (a * 0.001, u * 0.001),
        (-3 * a, -3 * u),
        (a + 0.0, u),
        (a * 0.3 + b, 0.3 * u + v),  # other scales: a level
        (a * 0.3 - b.lowered(5), 0.3 * u - v),
    ):
        close(secret.decrypt(encrypted), plain)
    close(secret.decrypt(a), u, 1e-5)  # none of them changed a


def test_plain_factors_cost_no_level_and_other_scales_cost_one(narrow):
    secret, _ = narrow
    a, b = secret.encrypt(np.ones((4, 1))), secret.encrypt(np.ones((4, 1)))
    assert (a * 0.3).level == TOY.levels and (a + b).level == TOY.levels
    assert (a * 0.3 + b).level == TOY.levels - 1
    assert (a * 0.3 + b.lowered(4)).level == 4


def test_the_smallest_message_holds_the_numbers(narrow):
    secret, _ = narrow
    a = secret.encrypt(np.full((4, 1), 60.0))
    assert a.smallest().level == 0 and a.smallest(largest_bits=12).level == 1
    close(secret.decrypt(a.smallest()), 60.0)


def test_slices_are_whole_ciphertexts(narrow, rng):
    secret, _ = narrow
    v = rng.normal(size=(2500, 1))
    a = secret.encrypt(v)
    assert a.rows == (1024, 1024, 452)
    close(secret.decrypt(a[1024:2500]), v[1024:])
    for cut in (slice(0, 1000), slice(1, 1024), slice(0, 2048, 2), 3):
        with pytest.raises(CapabilityError, match="between ciphertexts only"):
            a[cut]


def test_concatenation_joins_rows(narrow, rng):
    secret, evaluator = narrow
    u, v = rng.normal(size=(20, 1)), rng.normal(size=(40, 1))
    a, b = secret.encrypt(u), secret.encrypt(v)
    joined = evaluator.concatenate([a, b])
    close(secret.decrypt(joined), np.concatenate([u, v]))
    close(secret.decrypt(joined[20:60]), v)
    assert len(joined.messages) == 2 and evaluator.concatenate([a, b * 2.0]).messages == ()
    with pytest.raises(ParameterError, match="not rows of one width"):
        evaluator.concatenate([a, secret.encrypt(np.ones(3))])


def test_arrays_that_do_not_fit_together_are_refused(narrow, wide):
    secret, evaluator = narrow
    a = secret.encrypt(np.ones((30, 1)))
    stranger = wide[0].encrypt(np.ones((30, 1)))
    for combine in (lambda: a + stranger, lambda: evaluator.multiply(a, stranger), lambda: wide[0].decrypt(a)):
        with pytest.raises(KeyMismatchError, match="key"):
            combine()
    with pytest.raises(ParameterError, match="do not add up"):
        a + secret.encrypt(np.ones((31, 1)))
    with pytest.raises(ParameterError, match="known zero"):
        a - a
    with pytest.raises(ParameterError, match="cannot replace"):
        a.replace(secret.encrypt(np.ones((31, 1))))
    with pytest.raises(CapabilityError, match="evaluator.multiply"):
        a * a
    with pytest.raises(CapabilityError, match="does not multiply by 0"):
        a * 0.0
    with pytest.raises(ParameterError, match="must be finite"):
        secret.encrypt(np.array([[np.nan]]))
    for shape in ((3, 2), (2, 2, 2), (5000,), (0, 1)):
        with pytest.raises(ParameterError, match="is not packed"):
            secret.encrypt(np.ones(shape))


# -- evaluator


@pytest.mark.parametrize("rows", [1, 30, 100, 1024, 1500])
def test_products_with_features(narrow, rng, rows):
    secret, evaluator = narrow
    X, W, G = rng.normal(size=(rows, 30)), rng.normal(size=(30, 1)), rng.normal(size=(rows, 1)) / rows
    encrypted = secret.encrypt(W)
    close(secret.decrypt(evaluator.gather(DenseBatch(X), encrypted)), X @ W, 1e-4)
    evaluator.scatter_subtract(encrypted, DenseBatch(X), secret.encrypt(G))
    close(secret.decrypt(encrypted), W - X.T @ G, 1e-4)
    assert encrypted.level == TOY.levels - 1


@pytest.mark.parametrize(("features", "diagonals"), [(1, 1), (9, 16), (16, 16), (200, 256)])
def test_a_product_takes_as_many_diagonals_as_the_features_need(features, diagonals, rng, monkeypatch):
    secret, evaluator = keys_for(logistic(features))
    X, W, G = rng.normal(size=(20, features)), rng.normal(size=(features, 1)), rng.normal(size=(20, 1)) / 20
    ring, products, rotations = secret.context.ring, [], []
    add_product, rotated_by = ring.add_product, ring.rotated
    monkeypatch.setattr(ring, "add_product", lambda *a: products.append(1) or add_product(*a))
    monkeypatch.setattr(ring, "rotated", lambda *a: rotations.append(1) or rotated_by(*a))
    encrypted = secret.encrypt(W)
    close(secret.decrypt(evaluator.gather(DenseBatch(X), encrypted)), X @ W, 1e-4)
    assert len(products) == diagonals and len(rotations) <= 2 * np.ceil(np.sqrt(diagonals))
    evaluator.scatter_subtract(encrypted, DenseBatch(X), secret.encrypt(G))
    close(secret.decrypt(encrypted), W - X.T @ G, 1e-4)


def test_copies_are_trained_apart(narrow, rng):
    secret, evaluator = narrow
    W = secret.encrypt(np.ones((30, 1)))
    copied = W.copy()
    evaluator.scatter_subtract(copied, DenseBatch(np.ones((2, 30))), secret.encrypt(np.ones((2, 1))))
    close(secret.decrypt(W), 1.0)
    close(secret.decrypt(copied), -1.0, 1e-4)


def test_features_that_are_all_zero_score_zero_and_update_nothing(narrow):
    secret, evaluator = narrow
    X, W = DenseBatch(np.zeros((3, 30))), secret.encrypt(np.full((30, 1), 5.0))
    z = evaluator.gather(X, W)
    assert z.level == W.level - 1
    close(secret.decrypt(z), np.zeros((3, 1)))
    before = secret.decrypt(W)
    evaluator.scatter_subtract(W, X, z)
    assert np.array_equal(secret.decrypt(W), before)


def test_products_of_a_hidden_layer(wide, rng):
    secret, evaluator = wide
    d, h, w = rng.normal(size=(150, 1)), rng.normal(size=(150, HIDDEN)), rng.normal(size=HIDDEN)  # two ciphertexts
    D, H, W = (secret.encrypt(v) for v in (d, h, w))
    close(secret.decrypt(evaluator.multiply(H, H)), h * h)
    close(secret.decrypt(evaluator.bilinear(elementwise(HIDDEN), H, H, gain=-2.0)), -2 * h * h)
    close(secret.decrypt(evaluator.bilinear(scalar_vector(HIDDEN), D, W, gain=0.1)), 0.1 * d * w)
    close(secret.decrypt(evaluator.bilinear(scalar_vector(HIDDEN), D, H, total=True)), (d * h).sum(axis=0), 1e-4)
    close(secret.decrypt(evaluator.bilinear(vector_matrix(HIDDEN, 1), H, W)), (h @ w)[:, None])
    with pytest.raises(CapabilityError, match="use outputs=1"):
        evaluator.bilinear(outer(HIDDEN, 2), H, D)
    with pytest.raises(ParameterError, match="no product by entries"):
        evaluator.multiply(D, H)
    with pytest.raises(ParameterError, match="packed differently"):
        evaluator.bilinear(scalar_vector(HIDDEN), secret.encrypt(d[:30]), H)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, -0.25, 1.0]), min_size=2, max_size=6).filter(lambda c: any(c[1:])))
def test_polynomials_and_the_levels_they_take(narrow, coefficients):
    secret, evaluator = narrow
    z = np.linspace(-1.5, 1.5, 40)[:, None]
    result = evaluator.polynomial(secret.encrypt(z), coefficients)
    close(secret.decrypt(result), np.polynomial.polynomial.polyval(z, coefficients), 1e-4)
    assert TOY.levels - result.level == ckks.polynomial_depth(coefficients)


def test_factors_for_each_row(narrow, rng):
    secret, evaluator = narrow
    v, f = rng.normal(size=(2, 40, 1))
    close(secret.decrypt(evaluator.multiply_plain(secret.encrypt(v), f)), f * v)


def test_exhausted_levels_and_room_are_named(narrow):
    secret, evaluator = narrow
    a = secret.encrypt(np.ones((4, 1)))
    with pytest.raises(CapabilityError, match="no level left"):
        evaluator.multiply(a, a.lowered(0))
    with pytest.raises(CapabilityError, match="does not fit the modulus"):
        a.lowered(0) * 1e-6


def test_what_ckks_cannot_pack_is_named(narrow):
    secret, evaluator = narrow
    W = secret.encrypt(np.ones((30, 1)))
    bag = next(batches(sparse.csr_array(np.eye(2, 30)), 2))[1]
    with pytest.raises(CapabilityError, match="word2vec"):
        evaluator.gather(bag, W)
    with pytest.raises(ParameterError, match="must agree"):
        evaluator.gather(DenseBatch(np.ones((3, 29))), W)
    with pytest.raises(ParameterError, match="must agree"):
        evaluator.gather(DenseBatch(np.ones((3, 40))), secret.encrypt(np.ones((40, 1))))


def test_missing_keys_are_named():
    secret, evaluator = make_keys(TOY, {1}, features=30)
    a = secret.encrypt(np.ones((4, 1)))
    assert evaluator.relinearisation is None and "rotations=[1, 8" in repr(evaluator)
    with pytest.raises(MissingKeyError, match="products of ciphertexts"):
        evaluator.multiply(a, a)
    with pytest.raises(MissingKeyError, match="rotations by 2 slots"):
        evaluator.matrix_times(np.ones((1, 4)), secret.encrypt(np.ones(4)))
    with pytest.raises(CapabilityError, match="from a passed rng"):
        make_keys(TOY, {1}, rng=np.random.default_rng(0))
    with pytest.raises(CapabilityError, match="no public keys"):
        make_keys(TOY, {1}, public_widths=[1])


def test_key_bytes_are_those_that_seal_writes_without_compression():
    secret, evaluator = make_keys(TOY, {1}, [elementwise(1)], features=2)
    written = sum(len(array) for array in evaluator.export()[1].values())
    assert 0.5 < written / evaluator.nbytes < 0.8  # primes of 37 to 46 bits of 64


# -- training


@pytest.mark.parametrize("architecture", [logistic(), hidden(), hidden(sigmoid=None)], ids=["logistic", "square", "linear"])
def test_training_follows_the_clear_twin(architecture, rng):
    X = rng.normal(size=(100, 30))
    y = (X @ rng.normal(size=30) > 0).astype(int)
    start = Network.initial(architecture, rng, 0.1)
    plan = TrainingPlan(CUBIC, 0.005, batch_size=100)
    owner, clear = (Owner(architecture, CUBIC, p) for p in (TOY, ClearParameters()))
    model, twin = owner.encrypt(start), clear.encrypt(start)
    scores, expected = (Trainer(m).train(X, y, plan) for m in (model, twin))
    close(owner.decrypt(scores), expected, 1e-4)
    trained = owner.decrypt_network(model)
    close(trained.W1, twin.network.W1, 1e-4)
    assert np.abs(twin.network.W1 - start.W1).max() > 0.01
    if architecture.hidden:
        close(trained.W2, twin.network.W2, 1e-4)
    spent = TOY.levels - model.network.W1.level
    assert spent == step_levels(architecture, CUBIC)


def test_encrypted_labels_train_as_plain_ones_do(rng):
    X = rng.normal(size=(1300, 30))
    y = (X[:, 0] > 0).astype(int)
    owner = Owner(logistic(), CUBIC, TOY)
    with pytest.raises(CapabilityError, match="read without a key"):
        owner.encrypt_labels(y)
    labels = owner.encrypt_labels(y, insecure=True)
    plan = TrainingPlan(CUBIC, 0.001, batch_size=owner.evaluator.batch_rows)
    weights = []
    for targets in (y, labels):
        model = owner.encrypt(Network.initial(logistic(), rng))
        Trainer(model).train(X, targets, plan)
        weights.append(owner.decrypt_network(model).W1)
    close(weights[0], weights[1], 1e-5)
    assert np.abs(weights[0]).max() > 0.1


def test_encrypted_prediction(narrow, rng):
    secret, evaluator = narrow
    X, W = rng.normal(size=(40, 30)), rng.normal(size=(30, 1))
    z = predict(evaluator, Network(logistic(), secret.encrypt(W), None), X, batch_size=16)
    close(secret.decrypt(z), X @ W, 1e-4)


def test_a_network_without_scale_to_train_on_says_so(narrow, rng):
    secret, evaluator = narrow
    network = Network(logistic(), secret.encrypt(np.zeros((30, 1))), None)
    with pytest.raises(CapabilityError, match="does not fit the modulus"):
        train(evaluator, network, rng.normal(size=(4, 30)), np.ones(4, int), TrainingPlan(CUBIC, 1e-150, batch_size=4))


# -- secrets


def test_no_secret_is_reachable_from_what_leaves_the_owner(rng):
    owner = Owner(logistic(), CUBIC, TOY)
    model = owner.encrypt(Network.initial(logistic(), rng))
    scores = Trainer(model).train(rng.normal(size=(20, 30)), np.ones(20, int), TrainingPlan(CUBIC, 0.01, batch_size=20))
    s = sealapi()
    secret_kinds = (s.SecretKey, s.KeyGenerator, s.Encryptor, s.Decryptor, ckks.CKKSSecretKey)
    assert not [x for x in reachable(model, scores) if isinstance(x, secret_kinds)]
    assert [x for x in reachable(owner) if isinstance(x, secret_kinds)]


def test_secret_keys_are_not_pickled(narrow):
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(narrow[0])


def test_an_owner_comes_back_from_its_file(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryDirectory", None)  # the secret passes through memory, not through a disk
    owner, start = Owner(logistic(), CUBIC, TOY), Network.initial(logistic(), rng, first_layer_sd=0.5)
    model = owner.encrypt(start)
    owner.save_secret(tmp_path / "secret")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    again = Owner.load(tmp_path / "secret")
    close(again.decrypt_network(model).W1, start.W1)
    close(owner.decrypt_network(again.encrypt(start)).W1, start.W1)
    assert again.secret_key.context == owner.secret_key.context


def test_a_secret_of_strange_bytes_is_refused():
    header, arrays = Owner(logistic(), CUBIC, TOY).secret_key.export()
    spoiled = arrays["T_seal"].copy()
    spoiled[len(spoiled) // 2 :] = 0
    for strange in ({}, {"T_seal": spoiled}, {"T_seal": arrays["T_seal"][:50]}, arrays | {"T_1": arrays["T_seal"]}):
        with pytest.raises(FileError):
            ckks.factory.restore_secret_key(header, strange)


def test_encryption_is_randomised(narrow):
    secret, _ = narrow
    a, b = (secret.encrypt(np.ones((4, 1))) for _ in range(2))
    assert a.messages != b.messages


def test_without_tenseal_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tenseal.sealapi", None)
    with pytest.raises(CapabilityError, match=r"pip install 'encnn\[seal\]'"):
        sealapi()


# -- files


@pytest.mark.slow
def test_models_and_scores_survive_files(tmp_path, rng):
    owner = Owner(hidden(), CUBIC, TOY)
    start = Network.initial(hidden(), rng, 0.1)
    owner.save_model(owner.encrypt(start), tmp_path / "model")
    trainer = Trainer.load(tmp_path / "model")
    X = rng.normal(size=(60, 30))
    scores = trainer.train(X, np.ones(60, int), TrainingPlan(CUBIC, 0.01, batch_size=60))
    trainer.save_scores(scores, tmp_path / "scores")
    trainer.model.save(tmp_path / "trained")
    close(owner.load_scores(tmp_path / "scores"), predict(ClearEvaluator(), start, X), 1e-4)
    returned = owner.decrypt_network(EncryptedModel.load(tmp_path / "trained"))
    close(returned.W1, owner.decrypt(trainer.model.network.W1), 1e-6)
    assert owner.is_own(tmp_path / "model") and not owner.is_own(tmp_path / "trained")


def test_fresh_ciphertexts_are_sent_as_seeds(narrow):
    secret, evaluator = narrow
    fresh = secret.encrypt(np.ones((4, 1)))
    sizes = [len(evaluator.export_array(a)[1]) for a in (fresh, fresh.with_blocks(fresh.blocks))]
    assert sizes[0] < 0.55 * sizes[1]


def spoiled(header, **changes):
    return {**header, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": [29]}, "cannot be in ciphertexts"),
        ({"rows": [15, 15]}, "cannot be in ciphertexts"),
        ({"rows": "all"}, "expected a list"),
        ({"bytes": [12]}, "expected 12 bytes"),
        ({"bytes": [True]}, "expected a whole number"),
    ],
)
def test_headers_of_arrays_that_lie_are_refused(narrow, changes, message):
    secret, evaluator = narrow
    header, array = evaluator.export_array(secret.encrypt(np.ones((30, 1))))
    with pytest.raises(FileError, match=message):
        evaluator.restore_array(spoiled(header, **changes), array, (30, 1))


def test_damaged_bytes_and_strange_keys_are_refused(narrow, wide):
    secret, evaluator = narrow
    header, array = evaluator.export_array(secret.encrypt(np.ones((30, 1))))
    with pytest.raises(FileError, match="SEAL does not take"):
        evaluator.restore_array(header, np.zeros_like(array), (30, 1))
    with pytest.raises(FileError, match=r"expected \d+ bytes"):
        evaluator.restore_array(header, array.astype(np.int64), (30, 1))
    longer = np.concatenate([array, array[:8]])
    with pytest.raises(FileError, match="they say another size"):
        evaluator.restore_array(spoiled(header, bytes=[len(longer)]), longer, (30, 1))
    described, keys = evaluator.export()
    with pytest.raises(FileError, match="they say another size"):
        storage.restore_keys(described, {**keys, "rotations": np.concatenate([keys["rotations"], keys["rotations"]])})
    with pytest.raises(KeyMismatchError, match="is under the key"):
        wide[1].restore_array(header, array, (30, 1))


def test_a_ciphertext_of_three_polynomials_is_refused(narrow):
    secret, evaluator = narrow
    ring, c = secret.context.ring, secret.encrypt(np.ones((4, 1))).blocks[0]
    square = ring.seal.Ciphertext()
    ring.evaluator.multiply(c, c, square)
    with pytest.raises(FileError, match="two polynomials"):
        ring.ciphertext(ring.to_bytes(square))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key_id": "../../secret"}, "32 hexadecimal digits"),
        ({"stride": 3}, "expected powers of two"),
        ({"features": 30}, "expected powers of two"),
        ({"features": 2048}, "do not fit these parameters"),
        ({"stride": 4.0}, "expected a whole number"),
        ({"stride": 1024}, "do not fit these parameters"),
        ({"parameters": {"name": "x"}}, "parameters lacks degree"),
        ({"parameters": None}, "expected an object"),
        ({"steps": [1, 3]}, "lacks the keys of rotations by"),
        ({"steps": [1.5]}, "expected a whole number"),
        ({"steps": [1, 1]}, "not rotations of"),
        ({"relinearisation": False}, "has 'relinearisation'"),
        ({"relinearisation": 1}, "expected true or false"),
    ],
)
def test_headers_of_keys_that_lie_are_refused(narrow, changes, message):
    header, arrays = narrow[1].export()
    with pytest.raises(FileError, match=message):
        storage.restore_keys(spoiled(header, **changes), arrays)


def test_keys_restored_from_their_export_compute(narrow, rng):
    secret, evaluator = narrow
    restored = ckks.factory.restore_evaluator(*evaluator.export(), [])
    v = rng.normal(size=(10, 1))
    a = secret.encrypt(v)
    close(secret.decrypt(restored.multiply(a, a)), v * v)
    assert restored.steps == evaluator.steps and restored.nbytes == evaluator.nbytes


def test_parameters_are_looked_up_by_type():
    secret, evaluator = make_keys(TOY, {1})
    assert isinstance(secret, ckks.CKKSSecretKey) and evaluator.scheme == "ckks" and evaluator.parameters is TOY
    assert secret.parameters is TOY and isinstance(TOY, CKKSParameters)
