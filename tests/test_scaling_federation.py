"""Key switching from A to B by B's public key alone: exact at zero noise, noise as predicted, nobody with two secrets."""

import os
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn import files
from encnn.arithmetic.modular import centred
from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.attacks.collusion import secret_of_sender
from encnn.errors import FileError, KeyMismatchError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan
from encnn.parties import EncryptedModel, Owner, Trainer
from encnn.parties.assistance.scores import Assistant, AssistedStep, DirectChannel
from encnn.scaling import federation
from encnn.scaling.federation import Organisation, blank_model, in_turn, pass_on, recipient_key, reencryption_key
from encnn.schemes import ClearParameters
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, ONE_LEVEL_128, TWO_LEVEL_128
from encnn.schemes.integer_vector import (
    ADDITIVE_128,
    COMPACT_128,
    MODULUS_TOY,
    PAPER,
    CiphertextArray,
    IntegerVectorParameters,
    IntegerVectorSecretKey,
)
from encnn.schemes.integer_vector import reencryption as r
from tests.secret_walker import arrays_from, arrays_in_file, reachable, shows

RING = [COMPACT_128, ADDITIVE_128, MODULUS_TOY, BOOTSTRAP_TOY]
ALL = [PAPER, *RING, ONE_LEVEL_128]
NAME = {"ids": lambda p: p.name}


def keys(
    p: IntegerVectorParameters, m: int = 1, base_bits: int | None = None, seed: int = 0
) -> tuple[IntegerVectorSecretKey, IntegerVectorSecretKey, Any]:
    rng = np.random.default_rng(seed)
    A, B = IntegerVectorSecretKey(p, [m], rng), IntegerVectorSecretKey(p, [m], rng)
    return A, B, r.make_reencryption_key(A, r.make_recipient_key(B, rng), base_bits, rng)


def added(A: IntegerVectorSecretKey, B: IntegerVectorSecretKey, c: CiphertextArray, switched: CiphertextArray) -> np.ndarray:
    """Return what the switch added to the phases."""
    x = B.phase(switched) - A.phase(c)
    p = c.parameters
    return x if p.q_bits is None else centred(x, p.q_bits)


# -- arithmetic


@pytest.mark.parametrize("p", ALL, **NAME)
@given(st.data())
def test_signed_digits_are_digits(p: IntegerVectorParameters, data: Any) -> None:
    """They sum up to the number, modulo q; digits of -a are minus the digits of a; none exceeds B / 2."""
    base_bits = data.draw(st.sampled_from(r._bases(p)))
    top = (1 << (p.q_bits - 1)) - 1 if p.q_bits else p.entry_limit - 1
    a = np.array(data.draw(st.lists(st.integers(-top, top), min_size=1, max_size=4)), dtype=np.int64)[None]
    if p.q_bits is None:
        base_bits = p.base_bits
    x = r.signed_digits(a, base_bits, p)
    total = sum(x[:, i] << np.int64(base_bits * i) for i in range(x.shape[1]))
    np.testing.assert_array_equal(total if p.q_bits is None else centred(total, p.q_bits), a)
    np.testing.assert_array_equal(r.signed_digits(-a, base_bits, p), -x)
    assert np.abs(x).max() <= 1 << (base_bits - 1)


@pytest.mark.parametrize("p", ALL, **NAME)
@pytest.mark.parametrize("m", [1, 3])
def test_a_switch_without_noise_is_exact(p: IntegerVectorParameters, m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All products of polynomials are checked by this: one wrong coefficient, and phases differ."""
    for name in ("gaussian", "small_gaussian"):
        monkeypatch.setattr(r.Randomness, name, lambda self, sigma, shape: np.zeros(shape, np.int64))
    if p.q_bits is None:
        p = p.updated(E_bound=0)
    A, B, key = keys(p, m)
    c = A.encrypt(np.random.default_rng(1).uniform(-1, 1, (70, m)))
    switched = r.reencrypt(c, key)
    np.testing.assert_array_equal(added(A, B, c, switched), 0)
    assert switched.context == B.context and switched.scale == c.scale
    assert switched.shape == c.shape and switched.data.dtype == c.data.dtype
    assert (switched.data[:, m:] != c.data[:, m:]).mean() > 0.9  # the masks are B's


def test_the_phase_of_the_published_blocks_is_the_key() -> None:
    """S_B P_i = B^i T_A + E_i, equation (7) for the digits of T_A."""
    A, B, key = keys(COMPACT_128.updated(d=16, name="small-INSECURE"), 2)
    from encnn.schemes.integer_vector.ring import Rows

    for i, block in enumerate(key.blocks[2]):
        columns = np.concatenate([block[:2].T, Rows(block[2], A.parameters)[0:16]], axis=1)
        phase = centred(columns @ B.S(2).T, 26).T
        E = centred(phase - (A.T(2) << np.int64(i * key.base_bits)), 26)
        assert np.abs(E).max() <= 2 * A.parameters.noise_bound * 16 and E.any()


@pytest.mark.parametrize("p", RING + [ONE_LEVEL_128], **NAME)
def test_noise_is_as_predicted(p: IntegerVectorParameters) -> None:
    A, B, key = keys(p, 1)
    c = A.encrypt(np.zeros((400, 1)))
    noise = added(A, B, c, r.reencrypt(c, key)).astype(float)
    assert key.deviation * 0.83 < noise.std() < key.deviation * 1.2
    assert abs(noise.mean()) < 5 * key.deviation / 20  # nothing moves all weights together
    assert np.abs(noise).max() <= key.noise


@pytest.mark.parametrize("base_bits", [2, 3, 5, 8])
def test_noise_grows_with_the_digits_as_predicted(base_bits: int) -> None:
    A, B, key = keys(COMPACT_128, 1, base_bits)
    c = A.encrypt(np.zeros((300, 1)))
    assert added(A, B, c, r.reencrypt(c, key)).std() == pytest.approx(key.deviation, rel=0.17)


def test_toy_noise_stays_below_its_bound() -> None:
    """And reaches more than a hundredth of it, so that the bound says something."""
    for seed in range(5):
        A, B, key = keys(PAPER, 4, seed=seed)
        c = A.encrypt(np.random.default_rng(1).uniform(-1, 1, (200, 4))) * 0.3
        switched = r.reencrypt(c, key)
        largest = np.abs(added(A, B, c, switched)).max()
        assert key.noise / 200 < largest <= key.noise
        assert np.abs(switched.data).max() <= switched.bound


def test_what_is_switched_is_computed_with_and_switched_again() -> None:
    """A to B to C; sums and noise bounds go on as for any ciphertext, and single ciphertexts are switched too."""
    rng = np.random.default_rng(0)
    A, B, C = (IntegerVectorSecretKey(ADDITIVE_128, [2], rng) for _ in range(3))
    to_b, to_c = (r.make_reencryption_key(x, r.make_recipient_key(y, rng), 9, rng) for x, y in ((A, B), (B, C)))
    v = rng.uniform(-1, 1, (5, 2))
    b = r.reencrypt(A.encrypt(v), to_b)
    np.testing.assert_allclose(C.decrypt(r.reencrypt(b + B.encrypt(v), to_c)), 2 * v, atol=10 * (to_b.error + to_c.error))
    np.testing.assert_allclose(B.decrypt(r.reencrypt(A.encrypt(v)[0], to_b)), v[0], atol=10 * to_b.error)


def test_default_digits_meet_the_precision_or_are_the_smallest() -> None:
    assert r.deviation(ADDITIVE_128, r.default_base_bits(ADDITIVE_128)) <= r.PRECISION * ADDITIVE_128.unit
    assert r.deviation(ADDITIVE_128, r.default_base_bits(ADDITIVE_128) + 1) > r.PRECISION * ADDITIVE_128.unit
    assert r.default_base_bits(COMPACT_128) == 2
    assert r.default_base_bits(PAPER) == PAPER.base_bits


# -- who could do what


@pytest.mark.parametrize("p", ALL, **NAME)
def test_the_proxy_and_b_together_have_the_key_of_a(p: IntegerVectorParameters) -> None:
    """What the docstring and the threat model warn of; A's own key, or the public one, gives nothing of B's."""
    A, B, key = keys(p, 2)
    np.testing.assert_array_equal(secret_of_sender(key, B, 2), A.T(2))
    if p.q_bits is not None:
        assert all((secret_of_sender(key, A, 2) == T).mean() < 0.7 for T in (A.T(2), B.T(2)))


@pytest.mark.parametrize("p", [COMPACT_128, ADDITIVE_128, ONE_LEVEL_128], **NAME)
def test_nobody_reaches_the_secret_of_another(p: IntegerVectorParameters) -> None:
    A, B = IntegerVectorSecretKey(p, [1]), IntegerVectorSecretKey(p, [1])
    recipient = r.make_recipient_key(B)
    key = r.make_reencryption_key(A, recipient)
    switched = r.reencrypt(A.encrypt(np.zeros((3, 1))), key)
    for seen, who in (((recipient,), B), ((key, recipient, switched), A), ((key, recipient, switched), B)):
        assert not any(isinstance(thing, IntegerVectorSecretKey) for thing in reachable(*seen))
        assert not shows(arrays_from(*seen), who.T(1))


# -- refusals


def test_unequal_keys_are_refused() -> None:
    A, B, key = keys(COMPACT_128)
    with pytest.raises(KeyMismatchError, match="switches from key"):
        r.reencrypt(B.encrypt(np.zeros((1, 1))), key)
    other = IntegerVectorSecretKey(ADDITIVE_128, [1])
    with pytest.raises(ParameterError, match="make both keys with the same"):
        r.make_reencryption_key(A, r.make_recipient_key(other))
    wide = IntegerVectorSecretKey(COMPACT_128, [1, 2])
    with pytest.raises(KeyMismatchError, match=r"also for \[2\]"):
        r.make_reencryption_key(wide, r.make_recipient_key(IntegerVectorSecretKey(COMPACT_128, [1])))
    narrow = r.make_reencryption_key(
        IntegerVectorSecretKey.from_matrices(wide.context, {1: wide.T(1)}), r.make_recipient_key(wide)
    )
    with pytest.raises(KeyMismatchError, match=r"widths \[1\], not 2"):
        r.reencrypt(wide.encrypt(np.zeros((1, 2))), narrow)


@pytest.mark.parametrize("base_bits", [0, 1, 11, 33])
def test_digits_that_do_not_fit_are_refused(base_bits: int) -> None:
    with pytest.raises(ParameterError, match="base_bits is"):
        keys(MODULUS_TOY, 1, base_bits)


def test_real_keys_refuse_masks_that_repeat() -> None:
    A = IntegerVectorSecretKey(COMPACT_128, [1])
    with pytest.raises(ParameterError, match="leave out rng"):
        r.make_recipient_key(A, np.random.default_rng(0))
    B = IntegerVectorSecretKey(COMPACT_128, [1])
    with pytest.raises(ParameterError, match="leave out rng"):
        r.reencrypt(A.encrypt(np.zeros((1, 1))), r.make_reencryption_key(A, r.make_recipient_key(B)), np.random.default_rng(0))


def test_experimental_switches_repeat() -> None:
    A, _, key = keys(COMPACT_128)
    c = A.encrypt(np.zeros((3, 1)))
    first, second, other = (r.reencrypt(c, key, np.random.default_rng(k)).data for k in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first[:, 1:] != other[:, 1:]).mean() > 0.99


def test_parameters_without_ring_or_modulus() -> None:
    with pytest.raises(ParameterError, match="for d = 1 only"):
        r.make_recipient_key(IntegerVectorSecretKey(PAPER.updated(d=2, name="two-INSECURE"), [1]))
    with pytest.raises(ParameterError, match="no ring masks"):
        r.make_recipient_key(IntegerVectorSecretKey(MODULUS_TOY.updated(d=12, name="twelve-INSECURE"), [1]))
    with pytest.raises(ParameterError, match="integer-vector scheme"):
        recipient_key(Owner(Architecture(2, 0), taylor(1), ClearParameters()))


# -- organisations

FEATURES = 12
RNG = np.random.default_rng(2)
X = (RNG.random((40, FEATURES)) < 0.4).astype(np.int64)
Y = (X[:, :6].sum(axis=1) > X[:, 6:].sum(axis=1)).astype(int)
HIDDEN, LINEAR = Architecture(FEATURES, 2), Architecture(FEATURES, 0, pooling="sum")


def assisting(owner: Owner) -> AssistedStep:
    return AssistedStep(DirectChannel(Assistant(owner.secret_key)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parameters", "a", "plan", "step", "digits"),
    [
        (PAPER, HIDDEN, TrainingPlan(taylor(5), 0.05), None, 1e-3),
        (COMPACT_128, LINEAR, TrainingPlan(ExactSigmoid(), 0.05), assisting, 0.2),
        (ADDITIVE_128, LINEAR, TrainingPlan(ExactSigmoid(), 0.05), assisting, 0.02),
        (TWO_LEVEL_128.updated(name="two-level-INSECURE", n=20), LINEAR, TrainingPlan(ExactSigmoid(), 0.05), None, 0.02),
    ],
    ids=["paper", "compact", "additive", "bootstrapped"],
)
def test_training_in_turn_follows_the_clear_twin(parameters: Any, a: Any, plan: Any, step: Any, digits: float) -> None:
    start = Network.initial(a, np.random.default_rng(0))
    organisations = [
        Organisation(name, Owner(a, plan.sigmoid, parameters), X[k::3], Y[k::3], step) for k, name in enumerate("ABC")
    ]
    turns = list(in_turn(organisations, start, plan))
    clear = Trainer(Owner(a, plan.sigmoid, ClearParameters()).encrypt(start))
    for k, turn in enumerate(turns):
        clear.train(X[k::3], Y[k::3], plan)
        found = turn.organisation.owner.decrypt_network(turn.model)
        np.testing.assert_allclose(found.W1, clear.model.network.W1, atol=digits)
        assert (turn.key is None) == (k == 0)
        for other in organisations[:k] + organisations[k + 1 :]:
            with pytest.raises(KeyMismatchError):
                other.owner.decrypt_network(turn.model)


def test_models_and_keys_that_do_not_belong_together() -> None:
    A, B = (Owner(LINEAR, taylor(1), COMPACT_128) for _ in range(2))
    C = Owner(replace(LINEAR, features=LINEAR.features + 1), taylor(1), COMPACT_128)
    key = reencryption_key(A, recipient_key(B))
    with pytest.raises(KeyMismatchError, match="made for these two"):
        pass_on(blank_model(B), blank_model(B), key)
    with pytest.raises(KeyMismatchError, match="made for these two"):
        pass_on(blank_model(A), blank_model(A), key)
    with pytest.raises(ParameterError, match="agree on one network"):
        pass_on(blank_model(A), blank_model(C), reencryption_key(A, recipient_key(C)))


# -- files, and processes of their own


@pytest.mark.parametrize("p", [PAPER, COMPACT_128], **NAME)
def test_keys_come_back_from_files(p: IntegerVectorParameters, tmp_path: Path) -> None:
    A, B = IntegerVectorSecretKey(p, [1, 2]), IntegerVectorSecretKey(p, [1, 2])
    federation.write_recipient_key(tmp_path / "b", r.make_recipient_key(B))
    recipient = federation.read_recipient_key(tmp_path / "b")
    federation.write_reencryption_key(tmp_path / "ab", r.make_reencryption_key(A, recipient))
    assert os.stat(tmp_path / "ab").st_mode & 0o777 == 0o600
    key = federation.read_reencryption_key(tmp_path / "ab")
    v = np.array([[0.25, -0.5]])
    np.testing.assert_allclose(B.decrypt(r.reencrypt(A.encrypt(v), key)), v, atol=0.2)
    if p is COMPACT_128:
        for T in (A.T(1), A.T(2), B.T(1), B.T(2)):
            assert not shows([a for name in ("b", "ab") for a in arrays_in_file(tmp_path / name)], T)


def test_experimental_keys_are_not_written(tmp_path: Path) -> None:
    A, B, key = keys(COMPACT_128)
    for write, what in (
        (federation.write_recipient_key, r.make_recipient_key(B)),
        (federation.write_reencryption_key, key),
        (federation.write_reencryption_key, replace(key, source=IntegerVectorSecretKey(COMPACT_128, [1]).context)),
    ):
        with pytest.raises(ParameterError, match="made from a passed rng"):
            write(tmp_path / "file", what)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def damaged(header: dict, arrays: dict, how: str) -> None:
    if how == "widths":
        header["widths"] = [1, 2]
    elif how == "no widths":
        header["widths"] = "1"
    elif how == "shape":
        name = next(iter(arrays))
        arrays[name] = arrays[name][..., :-1].copy()
    elif how == "seeds":
        header["seeds"] = {}
    elif how == "seed":
        header["seeds"] = {"1": "xyz"}
    elif how == "ring":
        header["parameters"] = {**header["parameters"], "name": "INSECURE", "d": 12}
        arrays["zeros_1"] = arrays["zeros_1"][:, :12].copy()
    elif how == "base":
        header["base_bits"] = 1
    elif how == "source":
        header["source"] = None
    elif how == "target":
        header["target"]["parameters"]["scale"] = 2


@pytest.mark.parametrize("how", ["widths", "no widths", "shape", "seeds", "seed", "ring"])
def test_damaged_recipient_keys_are_refused(how: str, tmp_path: Path) -> None:
    header, arrays = r.make_recipient_key(IntegerVectorSecretKey(COMPACT_128, [1])).export()
    damaged(header, arrays, how)
    files.write(tmp_path / "file", federation.RECIPIENT, header, arrays)
    with pytest.raises(FileError):
        federation.read_recipient_key(tmp_path / "file")


@pytest.mark.parametrize("how", ["widths", "no widths", "shape", "base", "source", "target"])
def test_damaged_reencryption_keys_are_refused(how: str, tmp_path: Path) -> None:
    B = IntegerVectorSecretKey(COMPACT_128, [1])
    header, arrays = r.make_reencryption_key(IntegerVectorSecretKey(COMPACT_128, [1]), r.make_recipient_key(B)).export()
    damaged(header, arrays, how)
    files.write(tmp_path / "file", federation.REENCRYPTION, header, arrays)
    with pytest.raises(FileError):
        federation.read_reencryption_key(tmp_path / "file")


def _publish(folder: Path) -> None:
    """B's process: keys, and what others need of them."""
    owner = Owner(LINEAR, taylor(1), COMPACT_128)
    owner.save_secret(folder / "secret-b")
    owner.save_model(blank_model(owner), folder / "blank-b")
    federation.write_recipient_key(folder / "recipient-b", recipient_key(owner))


def _encrypt(folder: Path) -> None:
    """A's process: it sees B's public files only."""
    owner = Owner(LINEAR, taylor(1), COMPACT_128)
    start = Network(LINEAR, np.arange(FEATURES)[:, None] / FEATURES, None)
    owner.save_model(owner.encrypt(start), folder / "model-a")
    key = reencryption_key(owner, federation.read_recipient_key(folder / "recipient-b"))
    federation.write_reencryption_key(folder / "key-ab", key)


def _switch(folder: Path) -> None:
    """The proxy's process: no secret."""
    model, blank = EncryptedModel.load(folder / "model-a"), EncryptedModel.load(folder / "blank-b")
    key = federation.read_reencryption_key(folder / "key-ab")
    assert not any(isinstance(thing, IntegerVectorSecretKey | Owner) for thing in reachable(model, blank, key))
    pass_on(model, blank, key).save(folder / "model-b")


@pytest.mark.slow
def test_three_processes_exchange_files(tmp_path: Path) -> None:
    """Each secret is in one process only, and in no file that travels."""
    context = get_context("spawn")
    for work in (_publish, _encrypt, _switch):
        process = context.Process(target=work, args=(tmp_path,))
        process.start()
        process.join(60)
        assert process.exitcode == 0
    B = Owner.load(tmp_path / "secret-b")
    found = B.decrypt_network(EncryptedModel.load(tmp_path / "model-b"))
    np.testing.assert_allclose(found.W1[:, 0], np.arange(FEATURES) / FEATURES, atol=0.1)
    travelling = [path for path in tmp_path.iterdir() if path.name != "secret-b"]
    assert not shows([a for path in travelling for a in arrays_in_file(path)], B.secret_key.T(1))  # type: ignore[attr-defined]
