"""Packed scores: right values, noise as predicted, small files, and hostile files that are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from encnn import files
from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.errors import FileError, KeyMismatchError
from encnn.network import Architecture, Network
from encnn.network.partial_scores import PartialScores
from encnn.parties import EncryptedModel, Owner, User
from encnn.parties.model import MODEL, SCORES
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY
from encnn.schemes.bootstrapped.blocks import BlockArray
from encnn.schemes.bootstrapped.factory import make_keys as make_bootstrapped_keys
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, MODULUS_TOY, PAPER, factory, make_keys, packing
from encnn.security import estimate

SMALL = COMPACT_128.updated(d=16, name="small-INSECURE")
SECURE = [COMPACT_128, ADDITIVE_128]


def packed(p: Any, v: np.ndarray, rng: np.random.Generator | None = None) -> tuple[Any, Any, Any]:
    secret, evaluator = make_keys(p, [v.shape[1]], rng=rng)
    c = secret.encrypt(v)
    return secret, c, evaluator.condense(c)


# -- values and noise


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (2048, 1), (2050, 1), (700, 3), (300, 7)])
def test_every_number_is_read_where_it_stood(shape):
    v = np.random.default_rng(1).uniform(-30, 30, shape)
    secret, c, found = packed(SMALL, v)
    assert isinstance(found, packing.PackedScores) and found.shape == shape
    tolerance = 10 * packing.deviation(SMALL)
    np.testing.assert_allclose(secret.decrypt(found), secret.decrypt(c), atol=tolerance)
    assert np.abs(secret.decrypt(found) - v).max() < tolerance + 1e-3


@pytest.mark.parametrize("p", SECURE, ids=lambda p: p.name)
def test_the_measured_noise_is_the_predicted_one(p):
    secret, c, found = packed(p, np.random.default_rng(2).uniform(-25, 25, (1500, 1)))
    e = secret.decrypt(found) - secret.decrypt(c)
    # compact: the weight of the rounding of transforms, for which the prediction is the worst case, makes it smaller
    assert 0.6 * packing.deviation(p) < e.std() < 1.1 * packing.deviation(p) <= 1.1 * packing.LARGEST_DEVIATION
    assert abs(e.mean()) < 5 * e.std() / np.sqrt(len(e))


def test_numbers_at_the_ends_of_the_range_wrap_as_they_did_before():
    v = np.array([[31.9], [-31.9], [33.0], [-40.0]])
    secret, _ = make_keys(SMALL, [1])
    one = secret.encrypt(np.sign(v))
    c = one * 31 + secret.encrypt(v - 31 * np.sign(v))
    _, evaluator = secret, factory.IntegerVectorEvaluator(secret.context, packing_key=secret.packing_key())
    np.testing.assert_allclose(secret.decrypt(evaluator.condense(c)), secret.decrypt(c), atol=0.05)


def test_without_the_key_nothing_is_read():
    v = np.full((1000, 1), 5.0)
    (_, _, found), (other, _, _) = packed(SMALL, v), packed(SMALL, v)
    with pytest.raises(KeyMismatchError):
        other.decrypt(found)
    wrong = packing.opened(other._T, found)
    assert np.abs(wrong).max() > 20 and wrong.std() > 15  # uniform on the range: 64 / sqrt(12)


# -- keys


def test_the_ring_holds_128_bits_and_its_key_follows_from_the_secret():
    bits = estimate(packing.N, packing.Q_BITS, packing.SIGMA, "ternary").bits
    assert all(bits >= p.security.bits >= 128 for p in SECURE)
    secret, evaluator = make_keys(SMALL, [1, 2])
    again = factory.restore_secret_key(*secret.export()).packing_key()
    for m in (0, 1, 2):
        assert np.array_equal(again.bodies[m], evaluator.packing_key.bodies[m])
    other = make_keys(SMALL, [1, 2])[1].packing_key
    assert other.seed != again.seed and not np.array_equal(other.bodies[1], again.bodies[1])


def test_the_key_for_packing_changes_no_seeded_ciphertext():
    rng = np.random.default_rng(5)
    secret, evaluator = make_keys(SMALL, [1], rng=rng)
    after = rng.integers(0, 1 << 60)
    rng = np.random.default_rng(5)
    alone = factory.IntegerVectorSecretKey(SMALL, [1], rng)
    assert rng.integers(0, 1 << 60) == after and np.array_equal(alone.T(1), secret.T(1))


def test_bodies_look_uniform_and_are_not_the_messages():
    secret, evaluator = make_keys(SMALL, [1])
    bodies = np.concatenate([b.ravel() for b in evaluator.packing_key.bodies.values()]) * 2.0**-packing.Q_BITS
    assert abs(bodies.mean()) < 0.01 and bodies.std() == pytest.approx(1 / np.sqrt(12), rel=0.02)


@pytest.mark.parametrize("p", [PAPER, MODULUS_TOY], ids=lambda p: p.name)
def test_other_parameters_have_no_such_key_and_keep_their_scores(p):
    secret, evaluator = make_keys(p, [1])
    c = secret.encrypt(np.ones((3, 1)))
    assert evaluator.packing_key is None and evaluator.condense(c) is c


def test_the_bootstrapped_scheme_packs_in_its_own_way():
    secret, evaluator = make_bootstrapped_keys(BOOTSTRAP_TOY)
    c = secret.encrypt(np.array([[1.0], [-1.5], [0.5]]))
    found = evaluator.condense(c)
    assert isinstance(found, BlockArray) and found.nbytes < c.nbytes and evaluator.packing_key is None
    np.testing.assert_allclose(secret.decrypt(found), secret.decrypt(c), atol=0.05)


def test_vectors_too_wide_to_be_scores_get_no_key():
    wide = packing.MOST_OUTPUTS + 1
    secret, evaluator = make_keys(SMALL, [1, wide])
    assert set(evaluator.packing_key.bodies) == {0, 1} and make_keys(SMALL, [wide])[1].packing_key is None
    assert (c := secret.encrypt(np.ones((2, wide)))) is evaluator.condense(c)


def test_products_and_vectors_without_a_key_stay_as_they_are():
    secret, evaluator = make_keys(SMALL, [1])
    wide = make_keys(SMALL, [2])[0].encrypt(np.ones((3, 2)))
    single = secret.encrypt(np.ones(1))
    assert evaluator.condense(wide) is wide and evaluator.condense(single) is single


# -- files


def files_of(folder: Path, p: Any, reviews: int, words: int = 100) -> tuple[Owner, User, np.ndarray, int]:
    """Write a secret, a model and scores in parts; return who reads them, the true scores, and the bytes of the scores."""
    rng = np.random.default_rng(3)
    W, X = rng.uniform(-0.2, 0.2, (words, 1)), csr_array((rng.random((reviews, words)) < 0.9).astype(np.int64))
    owner = Owner(Architecture(words, hidden=0, pooling="sum"), ExactSigmoid(), p)
    owner.encrypt(Network(owner.architecture, W, None)).save(folder / "model")
    owner.save_secret(folder / "secret")
    user = User(EncryptedModel.load(folder / "model"))
    return Owner.load(folder / "secret"), user, X @ W, user.save_scores(user.predict(X), folder / "scores")


@pytest.mark.parametrize("p, before, after", [(COMPACT_128, 8200, 18), (ADDITIVE_128, 16392, 9)], ids=["compact", "additive"])
def test_files_of_scores_are_small_and_read_right(tmp_path, p, before, after):
    owner, user, true, size = files_of(tmp_path, p, 2000)
    z = owner.load_scores(tmp_path / "scores")
    np.testing.assert_allclose(z, true, atol=8 * packing.deviation(p) + 0.001)
    assert size / 2000 < after
    plain = user.predict(csr_array(np.ones((2, 100), np.int64)))
    assert plain.nbytes / 2 == pytest.approx(before, rel=0.01) and isinstance(plain, PartialScores) == (p is COMPACT_128)


def test_scores_beyond_the_range_are_still_noticed(tmp_path):
    """A bound that does not hold: parts are read beyond half of the range, and their scores are unknown."""
    owner = Owner(Architecture(57, hidden=0, pooling="sum"), ExactSigmoid(), COMPACT_128)
    model = owner.encrypt(Network(owner.architecture, np.full((57, 1), 0.35), None))
    model.network.weight_bound = 0.25
    user = User(model)
    user.save_scores(user.predict(csr_array(np.tri(3, 57, 54, dtype=np.int64) * [[1], [0], [1]])), tmp_path / "scores")
    z = owner.load_scores(tmp_path / "scores")
    assert np.isnan(z[[0, 2]]).all() and abs(z[1]) < 0.05


def test_changed_files_are_refused(tmp_path):
    owner, user, _, _ = files_of(tmp_path, SMALL, 20)
    header, arrays = files.read(tmp_path / "scores", SCORES)
    data = arrays["scores"]
    changes: list[tuple[dict, dict]] = [
        ({"scores": {"packed_bytes": 2}}, {}),
        ({"scores": {"packed_bytes": 7}}, {}),
        ({"scores": {"packed_bytes": 3, "scale": 1.0}}, {}),
        ({}, {"scores": data[:-1]}),
        ({}, {"scores": data[:, :2]}),
        ({}, {"scores": data.astype(np.int16)}),
        ({}, {"parts": arrays["parts"].astype(np.int64)}),
        ({"shape": [1 << 40, 1]}, {}),
        ({"shape": [header["shape"][0], 2]}, {}),
    ]
    for i, (other, others) in enumerate(changes):
        files.write(tmp_path / f"{i}", SCORES, header | other, arrays | others)
        with pytest.raises(FileError):
            owner.load_scores(tmp_path / f"{i}")
    random = np.random.default_rng(0).integers(0, 256, data.shape, dtype=np.uint8)
    files.write(tmp_path / "random", SCORES, header, arrays | {"scores": random})
    assert owner.load_scores(tmp_path / "random").shape == (
        20,
        1,
    )  # numbers are numbers: nothing else shows that these are no scores


@pytest.mark.parametrize("change", ["seed", "widths", "more widths", "shape", "type", "missing", "entries", "descending"])
def test_changed_packing_keys_are_refused(tmp_path, change):
    files_of(tmp_path, SMALL, 2)
    header, arrays = files.read(tmp_path / "model", MODEL)
    keys, body = header["keys"], arrays["packing_1"]
    keys |= {
        "seed": {"packing_seed": None},
        "widths": {"packing_widths": []},
        "more widths": {"packing_widths": [1, 2]},
        "descending": {"packing_widths": [1, 1]},
    }.get(change, {})
    arrays |= {
        "shape": {"packing_1": body[:, 1:]},
        "type": {"packing_1": body.astype(np.int32)},
        "entries": {"packing_1": body + (1 << packing.Q_BITS)},
    }.get(change, {})
    if change == "missing":
        del arrays["packing_0"]
    files.write(tmp_path / "changed", MODEL, header, arrays)
    with pytest.raises(FileError):
        EncryptedModel.load(tmp_path / "changed")


def test_a_packing_key_for_parameters_that_have_none_is_refused(tmp_path):
    secret, evaluator = make_keys(MODULUS_TOY, [1])
    header, arrays = evaluator.export()
    own = make_keys(SMALL, [1])[1].export()
    with pytest.raises(FileError, match="does not fit"):
        factory.restore_evaluator(header | {"packing_seed": own[0]["packing_seed"], "packing_widths": [1]}, arrays | own[1], [])
