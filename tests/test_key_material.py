"""Key material: what the owner's MAC notices, what is never shown or written, and where randomness comes from."""

import copy
import os
import pickle
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encnn import files
from encnn.arithmetic import sampling
from encnn.arithmetic.sampling import Randomness
from encnn.arithmetic.sigmoid import taylor
from encnn.errors import FileError, KeyMismatchError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan
from encnn.parties import EncryptedModel, Owner, Trainer, User
from encnn.parties.assistance import folders as channels
from encnn.parties.assistance import scores as protocol
from encnn.parties.model import MODEL, SECRET
from encnn.parties.owner import MAC_KEY_BYTES
from encnn.schemes import ClearParameters
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, MODULUS_TOY, PAPER, storage
from encnn.schemes.integer_vector.keys import IntegerVectorSecretKey

ARCHITECTURE = Architecture(5, hidden=1)  # with one hidden unit all three evaluation keys have one shape
LINEAR = Architecture(5, hidden=0, pooling="sum")
X, Y = np.eye(5, dtype=np.int64), np.array([0, 1, 0, 1, 1])


def start(architecture: Architecture) -> Network:
    return Network.initial(architecture, np.random.default_rng(1), first_layer_sd=0.5)


@pytest.fixture(scope="module")
def owner() -> Owner:
    return Owner(ARCHITECTURE, taylor(1), PAPER)


@pytest.fixture
def handed_out(owner: Owner, tmp_path: Path) -> Path:
    owner.save_model(owner.encrypt(start(ARCHITECTURE)), tmp_path / "model")
    return tmp_path / "model"


# The owner's MAC


def test_the_owner_knows_its_own_file_again_and_a_trainer_needs_no_key(owner: Owner, handed_out: Path) -> None:
    assert files.inspect(handed_out).has_mac
    assert owner.is_own(handed_out)
    for model in (owner.load_own_model(handed_out), EncryptedModel.load(handed_out), User.load(handed_out).model):
        np.testing.assert_allclose(owner.decrypt_network(model).W1, start(ARCHITECTURE).W1, atol=1e-8)


def test_swapped_evaluation_keys_pass_the_digest_but_not_the_mac(owner: Owner, handed_out: Path, tmp_path: Path) -> None:
    header, arrays = files.read(handed_out, MODEL)
    assert arrays["product_0"].shape == arrays["product_1"].shape
    arrays["product_0"], arrays["product_1"] = arrays["product_1"], arrays["product_0"]
    files.write(tmp_path / "swapped", MODEL, header, arrays)
    EncryptedModel.load(tmp_path / "swapped")  # nothing to complain of
    assert not owner.is_own(tmp_path / "swapped")
    with pytest.raises(FileError, match="has no MAC"):
        owner.load_own_model(tmp_path / "swapped")
    files.write(tmp_path / "swapped", MODEL, header, arrays, mac_key=b"a key of the attacker's own .....")
    assert not owner.is_own(tmp_path / "swapped")
    with pytest.raises(FileError, match="wrong MAC"):
        owner.load_own_model(tmp_path / "swapped")


def test_what_a_trainer_returns_is_not_the_owners_own(owner: Owner, handed_out: Path, tmp_path: Path) -> None:
    trainer = Trainer.load(handed_out)
    trainer.model.save(tmp_path / "untouched")
    trainer.train(X, Y, TrainingPlan(taylor(1), 0.1))
    trainer.model.save(tmp_path / "trained")
    for name in ("untouched", "trained"):
        assert not owner.is_own(tmp_path / name)
        owner.decrypt_network(EncryptedModel.load(tmp_path / name))  # accepted by its digest, to be judged by its answers


def test_the_mac_key_survives_in_the_secret_file_only(owner: Owner, handed_out: Path, tmp_path: Path) -> None:
    owner.save_secret(tmp_path / "secret")
    assert Owner.load(tmp_path / "secret").is_own(handed_out)
    key = files.read(tmp_path / "secret", SECRET)[1]["mac_key"].tobytes()
    assert len(key) == MAC_KEY_BYTES and key in (tmp_path / "secret").read_bytes()
    assert key not in handed_out.read_bytes()


def test_an_old_file_is_still_the_owners_own(owner: Owner, handed_out: Path, tmp_path: Path) -> None:
    owner.save_model(owner.encrypt(start(ARCHITECTURE)), tmp_path / "newer")
    assert owner.is_own(handed_out) and owner.is_own(tmp_path / "newer")


def test_every_owner_has_a_mac_key_of_its_own(owner: Owner, handed_out: Path) -> None:
    same_rng = [Owner(ARCHITECTURE, taylor(1), PAPER, rng=np.random.default_rng(0)) for _ in range(2)]
    assert (same_rng[0].secret_key.T(1) == same_rng[1].secret_key.T(1)).all()
    assert len({o._mac_key for o in [owner, *same_rng]}) == 3
    assert not same_rng[0].is_own(handed_out)


def test_an_owner_vouches_for_its_own_models_only(owner: Owner, handed_out: Path, tmp_path: Path) -> None:
    stranger = Owner(ARCHITECTURE, taylor(1), PAPER)
    for model in (stranger.encrypt(start(ARCHITECTURE)), EncryptedModel.load(handed_out)):
        with pytest.raises(KeyMismatchError, match="own models only"):
            owner.save_model(model, tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_a_missing_file_is_no_answer(owner: Owner, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        owner.is_own(tmp_path / "nothing")


@pytest.mark.parametrize("key", [np.zeros(31, np.uint8), np.zeros(32, np.int8), np.zeros((1, 32), np.uint8)])
def test_a_secret_without_its_mac_key_is_refused(owner: Owner, tmp_path: Path, key: np.ndarray) -> None:
    owner.save_secret(tmp_path / "secret")
    header, arrays = files.read(tmp_path / "secret", SECRET)
    files.write(tmp_path / "secret", SECRET, header, arrays | {"mac_key": key})
    with pytest.raises(FileError, match=r"the MAC key: found .*, expected uint8 of shape \(32,\)"):
        Owner.load(tmp_path / "secret")
    del arrays["mac_key"]
    files.write(tmp_path / "secret", SECRET, header, arrays)
    with pytest.raises(FileError, match="mac_key"):
        Owner.load(tmp_path / "secret")


def test_a_secret_for_another_network_is_refused(owner: Owner, tmp_path: Path) -> None:
    owner.save_secret(tmp_path / "secret")
    header, arrays = files.read(tmp_path / "secret", SECRET)
    header["architecture"]["hidden"] = 3
    files.write(tmp_path / "secret", SECRET, header, arrays)
    with pytest.raises(FileError, match="the secret lacks T_3 for Architecture"):
        Owner.load(tmp_path / "secret")


# What is never written


def experimental() -> tuple[Owner, EncryptedModel]:
    owner = Owner(LINEAR, taylor(1), COMPACT_128, rng=np.random.default_rng(0))
    return owner, owner.encrypt(start(LINEAR))


WRITERS: dict[str, Callable[[Owner, EncryptedModel, Path], Any]] = {
    "model": lambda owner, model, path: model.save(path),
    "own model": lambda owner, model, path: owner.save_model(model, path),
    "secret": lambda owner, model, path: owner.save_secret(path),
    "scores": lambda owner, model, path: User(model).save_scores(User(model).predict(X), path),
    "opening": lambda owner, model, path: channels.write_opening(
        path, protocol.Assistant(owner.secret_key).opening(), model.evaluator.context
    ),
    "request": lambda owner, model, path: channels.write_request(
        path, protocol.Request(1, 0.1, User(model).predict(X), Y[:, None].astype(np.int8))
    ),
    "served folder": lambda owner, model, path: channels.serve(protocol.Assistant(owner.secret_key), path.parent, 0.1),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_experimental_keys_are_not_written(writer: str, tmp_path: Path) -> None:
    owner, model = experimental()
    with pytest.raises(ParameterError, match="made from a passed rng"):
        WRITERS[writer](owner, model, tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_real_keys_refuse_masks_that_repeat() -> None:
    """A pad that is used twice shows the difference of two messages, and pads from a known rng show the key."""
    owner = Owner(LINEAR, taylor(1), COMPACT_128)
    with pytest.raises(ParameterError, match="leave out rng"):
        protocol.Assistant(owner.secret_key, rng=np.random.default_rng(0))


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_a_secret_is_private_whatever_stood_there(owner: Owner, tmp_path: Path, umask: int) -> None:
    path = tmp_path / "secret"
    path.write_text("an older file")
    path.chmod(0o666)
    old = os.umask(umask)
    try:
        owner.save_secret(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]


# What no representation shows


def holders_of_secrets() -> list[Any]:
    owner = Owner(LINEAR, taylor(1), COMPACT_128)
    return [owner, owner.secret_key, protocol.Assistant(owner.secret_key), Owner(ARCHITECTURE, taylor(1), ClearParameters())]


@pytest.mark.parametrize("show", [repr, str, format, "{}".format, "%s".__mod__, "%r".__mod__, ascii])
def test_nothing_secret_is_printed(show: Callable[[Any], str]) -> None:
    owner, key, assistant, _ = holders_of_secrets()
    T = re.compile(r"\W+".join(re.escape(str(t)) for t in owner.secret_key.T(1).ravel()[:8].tolist()))
    assert T.search(str(owner.secret_key.T(1).ravel()[:8].tolist()))
    for holder in (owner, key, assistant):
        shown = show(holder)
        assert len(shown) < 1000 and "array" not in shown and not T.search(shown)
        assert owner._mac_key.hex() not in shown and repr(owner._mac_key) not in shown


@pytest.mark.parametrize("holder", range(4))
def test_nothing_secret_is_pickled_or_copied(holder: int) -> None:
    secret = holders_of_secrets()[holder]
    spreading: list[Callable[[Any], Any]] = [copy.deepcopy, lambda s: copy.deepcopy({"in": [s]})]
    spreading += [lambda s, v=v: pickle.dumps(s, v) for v in range(pickle.HIGHEST_PROTOCOL + 1)]
    for spread in spreading:
        with pytest.raises(TypeError, match="not pickled or copied; write it"):
            spread(secret)


@pytest.mark.parametrize("parameters", [ADDITIVE_128, COMPACT_128, MODULUS_TOY], ids=lambda p: p.name)
def test_what_travels_beside_a_ciphertext_does_not_tell_the_plaintext(parameters: Any) -> None:
    """Bounds on values, noise and entries go into files: they are the same whatever is encrypted."""
    owner = Owner(LINEAR, taylor(1), parameters.updated(d=4, name="small-INSECURE"), public=True)
    for encrypt in (owner.secret_key.encrypt, owner.evaluator.encrypt):
        described = [owner.evaluator.export_array(encrypt(np.full((2, 1), v)))[0] for v in (0.0, 1.0, -7.0)]
        for header in described:
            header.pop("seed", None)
        assert described[0] == described[1] == described[2]


# Where randomness comes from


class Entropy:
    """The operating system's entropy, with a record of what was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.drawn: list[bytes] = []
        self._urandom = os.urandom
        monkeypatch.setattr(sampling.os, "urandom", self)

    def __call__(self, count: int) -> bytes:
        self.drawn.append(self._urandom(count))
        return self.drawn[-1]


@pytest.mark.parametrize("parameters", [ADDITIVE_128, COMPACT_128], ids=lambda p: p.name)
def test_public_seeds_share_no_entropy_with_secrets_or_noise(parameters: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seed is entropy of its own: what SHAKE expands is public, and tells nothing of keys and noise."""
    entropy = Entropy(monkeypatch)
    key = IntegerVectorSecretKey(parameters, [1])
    for_key = b"".join(entropy.drawn)
    entropy.drawn.clear()
    c = key.encrypt(np.zeros((3, 1)))
    assert c.seed in entropy.drawn  # one draw, all of it the seed
    others = for_key + b"".join(d for d in entropy.drawn if d != c.seed)
    assert len(others) >= 8 * (parameters.d + 3)  # T and the noise
    assert not any(c.seed[i : i + 8] in others for i in range(9))
    entropy.drawn.clear()
    masks = storage.expand_masks(c.seed, (3,), parameters)
    assert not entropy.drawn  # masks come from the seed alone
    np.testing.assert_array_equal(c.data[:, 1:], masks)


def test_equal_seeds_give_equal_masks_under_unequal_keys() -> None:
    one, other = (IntegerVectorSecretKey(COMPACT_128, [1]) for _ in range(2))
    assert (one.T(1) != other.T(1)).any()
    first = one.encrypt(np.zeros((2, 1)))
    np.testing.assert_array_equal(first.data[:, 1:], storage.expand_masks(first.seed, (2,), COMPACT_128))
    assert other.encrypt(np.zeros((2, 1))).seed != first.seed != one.encrypt(np.zeros((2, 1))).seed


def test_public_streams_repeat_and_secret_streams_do_not() -> None:
    public = [Randomness.from_public_seed(b"seed").words((9,)).tolist() for _ in range(2)]
    secret = [Randomness().words((9,)).tolist() for _ in range(2)]
    assert public[0] == public[1]
    assert secret[0] != secret[1]


def test_toy_keys_have_no_seeds() -> None:
    assert IntegerVectorSecretKey(PAPER, [1]).encrypt(np.zeros((3, 1))).seed is None
