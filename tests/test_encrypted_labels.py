"""Encrypted labels: an option of the one training loop, refused where labels would only look hidden."""

import numpy as np
import pytest

from encnn import Architecture, ClearParameters, ExactSigmoid, Network, Owner, Trainer, TrainingPlan, taylor
from encnn.errors import CapabilityError, DataError
from encnn.parties.assistance.scores import Assistant, AssistedStep, DirectChannel
from encnn.schemes.integer_vector import COMPACT_128, MODULUS_TOY, PAPER, PRESETS, CiphertextArray

FEATURES, REVIEWS = 12, 60
RNG = np.random.default_rng(4)
X = (RNG.random((REVIEWS, FEATURES)) < 0.4).astype(np.int64)
Y = (X[:, :6].sum(axis=1) > X[:, 6:].sum(axis=1)).astype(int)


def clear_run(architecture: Architecture, start: Network, plan: TrainingPlan, y: np.ndarray) -> Network:
    owner = Owner(architecture, plan.sigmoid, ClearParameters())
    trainer = Trainer(owner.encrypt(start))
    trainer.train(X, y, plan)
    return trainer.model.network


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("hidden", [0, 4])
def test_training_on_encrypted_labels_follows_the_clear_twin(hidden, outputs):
    architecture = Architecture(FEATURES, hidden=hidden, outputs=outputs)
    plan = TrainingPlan(taylor(3), 0.05, batch_size=4)
    start = Network.initial(architecture, np.random.default_rng(1))
    y = Y if outputs == 1 else X[:, :4].sum(axis=1) % 3
    owner = Owner(architecture, plan.sigmoid, PAPER)
    trainer = Trainer(owner.encrypt(start))
    trainer.train(X, owner.encrypt_labels(y, insecure=True), plan)
    trained, twin = owner.decrypt_network(trainer.model), clear_run(architecture, start, plan, y)
    assert np.abs(twin.W1).max() > 0.01
    assert np.allclose(trained.W1, twin.W1, atol=1e-4)


def test_under_128_bits_the_owner_assists_and_the_trainer_has_no_label():
    architecture, plan = Architecture(FEATURES, hidden=0, pooling="sum"), TrainingPlan(ExactSigmoid(), 0.05)
    start = Network.initial(architecture, np.random.default_rng(1))
    owner = Owner(architecture, plan.sigmoid, COMPACT_128)
    trainer, assistant = Trainer(owner.encrypt(start)), Assistant(owner.secret_key)
    labels = owner.encrypt_labels(Y, rate=plan.learning_rate)
    assert isinstance(labels, CiphertextArray)
    trainer.train(X, labels, plan, help=AssistedStep(DirectChannel(assistant)))
    twin = clear_run(architecture, start, plan, Y)
    assert np.allclose(owner.decrypt(trainer.model.network.W1), twin.W1, atol=1e-3)


def test_equal_labels_have_unrelated_ciphertexts():
    owner = Owner(Architecture(FEATURES, hidden=0, pooling="sum"), ExactSigmoid(), COMPACT_128)
    labels = owner.encrypt_labels(np.ones(40, int))
    assert len(np.unique(labels.data[:, 0])) == len(np.unique(labels.data[:, 1])) == 40
    assert np.allclose(owner.decrypt(labels), 1.0, atol=1e-4)
    # entries fill the modulus evenly: 41,000 uniform numbers have this mean and this deviation within six deviations
    share = labels.data / COMPACT_128.q
    assert abs(share.mean()) < 6 / np.sqrt(12 * share.size)
    assert abs(share.std() - np.sqrt(1 / 12)) < 6 / np.sqrt(180 * share.size)


@pytest.mark.parametrize("name", [name for name, p in PRESETS.items() if p.insecure])
def test_parameters_that_protect_nothing_are_refused(name):
    owner = Owner(Architecture(FEATURES, hidden=0, pooling="sum"), taylor(1), PRESETS[name])
    with pytest.raises(CapabilityError, match="can be read without a key"):
        owner.encrypt_labels(Y)
    assert np.allclose(owner.decrypt(owner.encrypt_labels(Y, insecure=True))[:, 0], Y)


def test_every_set_with_deterministic_or_broken_encryption_is_marked_insecure():
    assert PAPER.insecure and MODULUS_TOY.insecure
    assert all(p.insecure == p.security.insecure for p in PRESETS.values())


def test_in_the_clear_there_is_nothing_to_encrypt():
    owner = Owner(Architecture(FEATURES, hidden=0, pooling="sum"), taylor(1), ClearParameters())
    assert owner.encrypt_labels(Y).tolist() == Y.tolist()


def test_labels_are_checked_before_they_are_encrypted():
    owner = Owner(Architecture(FEATURES, hidden=0, pooling="sum"), ExactSigmoid(), COMPACT_128)
    with pytest.raises(DataError, match="labels must be whole numbers"):
        owner.encrypt_labels(np.array([0, 2]))
