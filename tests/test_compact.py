"""Parameters with their estimates, ciphertexts in int32, and files that hold seeds instead of masks."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from encnn.data.batches import batches
from encnn.errors import FileError, ParameterError
from encnn.files.schema import parse
from encnn.schemes.bilinear import elementwise
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, MODULUS_TOY, PAPER, PRESETS, make_keys, storage
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters
from encnn.security import estimate

# Largest log2 q for 128 bits with ternary keys: Homomorphic Encryption Standard 2018, and the guidelines of 2024.
PUBLISHED = {1024: (27, 26), 2048: (54, 53)}
SMALL = COMPACT_128.updated(d=16, name="small-INSECURE")
FULL = MODULUS_TOY.updated(q_bits=32, w_bits=12, d=8)


# Estimates


@pytest.mark.parametrize("p", PRESETS.values(), ids=PRESETS)
def test_every_preset_shows_its_estimate_and_says_insecure_if_it_is(p):
    for shown in (str(p), repr(p)):
        assert "bits" in shown and p.name in shown
        assert ("INSECURE: " in shown) == (p.security.bits < 80) == p.insecure
    if p.q_bits is not None:
        best = p.security.best()
        assert f"{p.security.bits:.1f} bits ({best.attack}, {best.model})" in str(p)


@pytest.mark.parametrize("p", [COMPACT_128, ADDITIVE_128], ids=lambda p: p.name)
def test_secure_presets_hold_by_the_estimate_and_by_published_tables(p):
    assert p.security == estimate(p.d, p.q_bits, 3.2, "ternary")
    assert p.security.bits >= 128
    assert p.q_bits <= min(PUBLISHED[p.d]) and p.sigma >= 3.19 and (p.T_low, p.T_high) == (-1, 2)


def test_a_weak_set_must_say_so():
    with pytest.raises(ParameterError, match="put INSECURE into its name"):
        COMPACT_128.updated(d=512)
    with pytest.raises(ParameterError, match="put INSECURE into its name"):
        ADDITIVE_128.updated(sigma=0.0)
    assert COMPACT_128.updated(d=512, name="weak-INSECURE").security.bits < 80
    with pytest.raises(ParameterError, match="'middling-102-bits' would do"):
        COMPACT_128.updated(d=800, name="middling")
    assert COMPACT_128.updated(d=800, name="middling-102-bits").security.bits >= 102


@pytest.mark.parametrize(
    "changes, secret",
    [
        ({"T_low": 0, "T_high": 2}, "binary"),
        ({"T_low": 0, "T_high": 10}, f"gaussian({math.sqrt(99 / 12):.6g})"),
        ({"sigma": None, "E_bound": 5}, "ternary"),
    ],
)
def test_the_estimate_is_of_this_key_and_this_noise(changes, secret):
    p = COMPACT_128.updated(name="another-key-INSECURE", **changes)
    sigma = 3.2 if "sigma" not in changes else math.sqrt(10)
    assert p.security == estimate(1024, 26, sigma, secret)


def test_a_known_key_and_a_missing_modulus_have_no_bits():
    assert MODULUS_TOY.updated(T_low=1, T_high=2).security.bits == PAPER.security.bits == 0


def test_a_file_of_a_weak_set_with_a_strong_name_is_refused():
    secret, _ = make_keys(SMALL, [1])
    header = storage.export_context(secret.context)
    header["parameters"]["name"] = "compact-128"
    with pytest.raises(FileError, match="put INSECURE into its name"):
        parse(storage.IntegerVectorKeyHeader, header)


# Ciphertexts in int32


@pytest.mark.parametrize("p, dtype", [(PAPER, "int64"), (ADDITIVE_128, "int64"), (COMPACT_128, "int32"), (FULL, "int32")])
def test_the_type_follows_the_modulus(p: IntegerVectorParameters, dtype: str):
    assert p.dtype == dtype


@pytest.mark.parametrize("p", [SMALL, FULL, SMALL.updated(q_bits=31)], ids=str)
def test_every_operation_stays_in_the_type_and_decrypts_rightly(p):
    secret, evaluator = make_keys(
        p.updated(scale=1, w_bits=18 if p.q_bits > 20 else 10), [2], [elementwise(2)], public_widths=[2]
    )
    v, u = np.array([[3.0, -2.0], [1.0, 5.0]]), np.array([[1.0, 4.0], [2.0, 2.0]])
    a, b = secret.encrypt(v), secret.encrypt(u)
    results = {
        "add": (a + b, v + u),
        "subtract": (a - b, v - u),
        "negative": (-a, -v),
        "plain": (a + u, v + u),
        "from plain": (1 - a, 1 - v),
        "times": (a * 3, v * 3),
        "sum": (a.sum(), v.sum(axis=0)),
        "public": (evaluator.encrypt(v), v),
        "deterministic": (evaluator.encrypt_deterministic(v), v),
        "joined": (evaluator.concatenate([a, b]), np.concatenate([v, u])),
    }
    for name, (c, expected) in results.items():
        assert c.data.dtype == p.dtype, name
        assert np.array_equal(secret.decrypt_integers(c), expected.astype(int)), name
    assert evaluator.multiply(a[0], b[0]).data.dtype == p.dtype


@pytest.mark.parametrize("values", [None, np.array([2, 1, 3, 1])], ids=["ones", "counts"])
@pytest.mark.parametrize("size", [1, 2])
def test_batches_work_on_int32(values, size):
    X = csr_array(np.array([[1, 1, 0], [0, 1, 1]]))
    X.data = X.data if values is None else values
    secret, evaluator = make_keys(SMALL, [1])
    v, g = np.array([[1.0], [2.0], [-0.5]]), np.array([[0.25], [-1.0]])
    W = secret.encrypt(v)
    for features in (X, X.toarray()):
        for rows, batch in batches(features, size):
            z = evaluator.gather(batch, W)
            assert z.data.dtype == np.int32
            assert np.allclose(secret.decrypt(z), X.toarray()[rows] @ secret.decrypt(W), atol=1e-3)
            before = secret.decrypt(W)
            evaluator.scatter_subtract(W, batch, secret.encrypt(g[rows]))
            assert np.allclose(secret.decrypt(W), before - X.toarray()[rows].T @ g[rows], atol=1e-3)
    assert W.data.dtype == np.int32


# Seeds in files


def test_a_seed_stands_for_the_masks_of_fresh_ciphertexts_only():
    secret, evaluator = make_keys(SMALL, [3])
    c = secret.encrypt(np.ones((4, 3)))
    header, stored = storage.export_array(c)
    assert stored.shape == (4, 3) and len(bytes.fromhex(header["seed"])) == 16
    again = storage.restore_array(secret.context, header, stored, (4, 3))
    assert np.array_equal(again.data, c.data) and again.seed == c.seed
    for computed in (c + c, c + 1.0, c[:2], c.copy(), -c, c * 2):
        assert computed.seed is None
        header, stored = storage.export_array(computed)
        assert header["seed"] is None and stored.shape[-1] == 3 + SMALL.d
    _, batch = next(batches(np.ones((1, 4), np.int64), 1))
    evaluator.scatter_subtract(c, batch, secret.encrypt(np.ones((1, 3))))
    assert c.seed is None


def test_seeds_are_fresh_and_masks_are_long():
    secret, _ = make_keys(SMALL, [1])
    seeds = {secret.encrypt(np.zeros((2, 1))).seed for _ in range(20)}
    assert len(seeds) == 20
    masks = storage.expand_masks(b"seed", (600,), SMALL)
    assert len(np.unique(masks, axis=0)) == 600
    assert np.array_equal(masks[:300], storage.expand_masks(b"seed", (300,), SMALL))


@pytest.mark.parametrize("seed", [None, 7, "", "00" * 15, "00" * 17, "G0" * 16, ["00" * 16]])
def test_seeds_that_are_none_are_file_errors(seed):
    secret, _ = make_keys(SMALL, [1])
    header, stored = storage.export_array(secret.encrypt(np.ones((4, 1))))
    with pytest.raises(FileError, match="ciphertexts.seed is|expected int32 of shape"):
        storage.restore_array(secret.context, header | {"seed": seed}, stored, (4, 1))


def test_a_small_file_does_not_fill_the_memory(monkeypatch):
    secret, _ = make_keys(SMALL, [1])
    header, stored = storage.export_array(secret.encrypt(np.ones((4, 1))))
    monkeypatch.setattr(storage, "MAX_EXPANDED_BYTES", 4 * 4 * 17 - 1)
    with pytest.raises(FileError, match="would expand to more"):
        storage.restore_array(secret.context, header, stored, (4, 1))


def test_seeded_ciphertexts_of_another_type_or_shape_are_file_errors():
    secret, _ = make_keys(SMALL, [1])
    header, stored = storage.export_array(secret.encrypt(np.ones((4, 1))))
    for wrong in (stored.astype(np.int64), stored[:3], np.zeros((4, 17), np.int32)):
        with pytest.raises(FileError, match="expected int32"):
            storage.restore_array(secret.context, header, wrong, (4, 1))


def test_without_a_modulus_masks_are_stored():
    secret, _ = make_keys(PAPER, [1])
    header, stored = storage.export_array(secret.encrypt(np.ones((4, 1))))
    assert header["seed"] is None and stored.shape == (4, 2)
    with pytest.raises(ParameterError, match="without a modulus"):
        storage.expand_masks(b"seed", (4,), PAPER)
    with pytest.raises(FileError, match="seed of masks"):
        storage.restore_array(secret.context, header | {"seed": "00" * 16}, stored[:, :1], (4, 1))


# The stored run over all reviews


def test_the_stored_figures_are_reached():
    path = Path(__file__).parent.parent / "figures" / "assisted.csv"
    if not path.exists() or (table := pd.read_csv(path))["reviews"].max() < 25000:
        pytest.skip("no run over all reviews is stored")
    means = table.groupby(["parameters", "labels"]).mean(numeric_only=True)
    assert (table.groupby(["parameters", "labels"]).size() >= 3).all()
    assert ((means["correct"] - means["clear twin correct"]).abs() <= 5).all()
    assert (means["running accuracy percent"] >= 85).all() and (means["test accuracy percent"] >= 86).all()
    assert (means.loc["compact-128", "trainer / clear"] <= 12).all()
