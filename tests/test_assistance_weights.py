"""CKKS whose weights the owner renews; what the owner's and the trainer's side check, under any scheme."""

from dataclasses import replace

import numpy as np
import pytest
from secret_walker import reachable
from serving import secret_keys_from, serving

from encnn.arithmetic.sigmoid import ExactSigmoid, PolynomialSigmoid, least_squares
from encnn.errors import CapabilityError, DataError, DivergenceError, KeyMismatchError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan
from encnn.parties import Owner, Trainer
from encnn.parties.assistance.folders import FolderChannel
from encnn.parties.assistance.scores import DirectChannel
from encnn.parties.assistance.weights import (
    LevelRefresh,
    OwnerOfWeights,
    WeightRefresh,
    Weights,
    as_parts,
    check_interval,
    step_levels,
)
from encnn.schemes import ClearParameters, ckks
from encnn.schemes.ckks.seal import sealapi

pytest.importorskip("tenseal.sealapi")

CUBIC = least_squares(3, 8)
SQUARE = PolynomialSigmoid("square", (0.0, 1.0, 0.25), (-4.0, 4.0))
ARCHITECTURES = {
    "logistic": Architecture(20, hidden=0, pooling="sum"),
    "hidden": Architecture(20, hidden=4, pooling="sum", hidden_sigmoid=SQUARE),
}
PLAN = TrainingPlan(CUBIC, 0.003, batch_size=100, epochs=5)


def task(architecture, reviews=100):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(reviews, 20))
    return X, (X @ rng.normal(size=20) > 0).astype(int), Network.initial(architecture, rng, 0.1)


def sides(owner, model):
    """Return the owner's side, and the trainer's in the same process."""
    side = OwnerOfWeights(owner.secret_key, model)
    return side, LevelRefresh(model, DirectChannel(side))


@pytest.mark.parametrize(("name", "trips"), [("logistic", 2), ("hidden", 4)])
def test_refreshed_training_follows_the_clear_twin(name, trips):
    architecture = ARCHITECTURES[name]
    X, y, start = task(architecture)
    owner, clear = (Owner(architecture, CUBIC, p) for p in (ckks.TOY, ClearParameters()))
    model, twin = owner.encrypt(start), clear.encrypt(start)
    side, refresh = sides(owner, model)
    Trainer(model).train(X, y, PLAN, on_scores=side.watch(PLAN), help=refresh)
    Trainer(twin).train(X, y, PLAN)
    trained, tally = owner.decrypt_network(model), side.tally
    change = np.linalg.norm(twin.network.W1 - start.W1)
    assert np.linalg.norm(trained.W1 - twin.network.W1) < 0.02 * change
    assert tally.trips == trips  # nine levels are two steps of four, or one of nine
    assert tally.bytes_down > tally.bytes_up > 0 and tally.score_bytes_up > 0 and tally.cpu_seconds > 0
    assert refresh.trips == trips


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_last_mini_batch_of_one_review_trains_as_its_clear_twin_does(name):
    architecture, plan = ARCHITECTURES[name], replace(PLAN, batch_size=5, epochs=1)
    X, y, start = task(architecture, 6)
    owner, clear = (Owner(architecture, CUBIC, p) for p in (ckks.TOY, ClearParameters()))
    model, twin = owner.encrypt(start), clear.encrypt(start)
    Trainer(model).train(X, y, plan, help=sides(owner, model)[1])
    Trainer(twin).train(X, y, plan)
    change = np.linalg.norm(twin.network.W1 - start.W1)
    assert np.linalg.norm(owner.decrypt_network(model).W1 - twin.network.W1) < 0.03 * change


@pytest.mark.parametrize(("name", "trips"), [("logistic", 2), ("hidden", 4)])
def test_files_change_nothing_and_no_secret_crosses(name, trips, tmp_path):
    architecture = ARCHITECTURES[name]
    X, y, start = task(architecture)
    owner = Owner(architecture, CUBIC, ckks.TOY)
    trainer, here = Trainer(owner.encrypt(start)), owner.encrypt(start)
    side, joined = sides(owner, here)
    Trainer(here).train(X, y, PLAN, help=joined)
    elsewhere = OwnerOfWeights(owner.secret_key, trainer.model)
    with serving(elsewhere, tmp_path) as errors:
        channel = FolderChannel(tmp_path, trainer.model.evaluator.context)
        refresh = LevelRefresh(trainer.model, channel)
        scores = trainer.train(X, y, PLAN, help=refresh)
        channel.close()
    assert not errors and elsewhere.tally.trips == side.tally.trips == trips
    W = owner.decrypt_network(here).W1
    np.testing.assert_allclose(owner.decrypt_network(trainer.model).W1, W, atol=0.01 * np.abs(W - start.W1).max())

    s = sealapi()
    kinds = (s.SecretKey, s.KeyGenerator, s.Encryptor, s.Decryptor)
    assert not secret_keys_from(trainer, refresh, channel, scores, Trainer(here), also=kinds)
    for leads in (joined, DirectChannel(side)):
        assert {type(found) for found in secret_keys_from(leads, also=kinds)} >= {ckks.CKKSSecretKey, s.Decryptor}


def test_without_refresh_the_levels_end_and_the_error_says_so():
    architecture = ARCHITECTURES["logistic"]
    X, y, start = task(architecture)
    model = Owner(architecture, CUBIC, ckks.TOY).encrypt(start)
    with pytest.raises(CapabilityError, match="no level left"):
        Trainer(model).train(X, y, PLAN)


def test_the_owner_sends_fresh_ciphertexts_and_nothing_decrypted():
    architecture = ARCHITECTURES["hidden"]
    _, _, start = task(architecture)
    owner = Owner(architecture, CUBIC, ckks.TOY)
    model = owner.encrypt(start)
    side, refresh = sides(owner, model)
    before = model.network.W1.blocks
    assert not refresh.due() and side.tally.trips == 0 and model.network.W1.blocks is before
    refresh.now()
    assert side.tally.trips == 1 and model.network.W1.blocks is not before
    np.testing.assert_allclose(owner.decrypt_network(model).W1, start.W1, atol=1e-5)
    s = sealapi()
    parts = as_parts(owner.evaluator, [model.network.W1, model.network.W2])
    sent = side.answer(Weights(2, owner.evaluator.context.key_id, parts))
    assert not [x for x in reachable(sent, owner.evaluator) if isinstance(x, s.SecretKey | s.Decryptor | ckks.CKKSSecretKey)]
    assert [array.dtype for _, array, _ in sent.parts] == [np.uint8] * 2


def test_scores_beyond_the_range_end_the_run():
    architecture = ARCHITECTURES["logistic"]
    X, y, start = task(architecture)
    owner = Owner(architecture, CUBIC, ckks.TOY)
    model = owner.encrypt(start)
    side, refresh = sides(owner, model)
    plan = TrainingPlan(CUBIC, 0.3, batch_size=100, epochs=5)
    with pytest.raises(DivergenceError, match="z left the range of the sigmoid: from review 100 on"):
        Trainer(model).train(X, y, plan, on_scores=side.watch(plan), help=refresh)


def test_a_few_scores_beyond_the_range_do_no_harm():
    z = np.zeros((1000, 1))
    z[:10] = 9.0
    check_interval(PLAN, z)
    z[10] = np.nan
    with pytest.raises(DivergenceError, match="11 of 1000 scores"):
        check_interval(PLAN, z)


def test_weights_beyond_the_limit_end_the_run_for_good():
    architecture = ARCHITECTURES["logistic"]
    owner = Owner(architecture, CUBIC, ckks.TOY)
    side, refresh = sides(owner, owner.encrypt(Network(architecture, np.full((20, 1), 17.0), None)))
    with pytest.raises(DivergenceError, match="a weight reached 17"):
        refresh.now()
    with pytest.raises(DataError, match="answers no more"):
        refresh.now()
    assert side.tally.trips == 0


class Changed(DirectChannel):
    """A channel whose answers are changed on their way."""

    def __init__(self, side, change):
        super().__init__(side)
        self.change = change

    def ask(self, request):
        return self.change(super().ask(request))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda answer: replace(answer, parts=[*answer.parts] * 2), "has other arrays or another key"),
        (lambda answer: replace(answer, parts=[]), "has other arrays or another key"),
        (lambda answer: replace(answer, key_id="0" * 32), "or another key"),
        (lambda answer: replace(answer, trip=2), "the answer is to request 2, not to 1"),
    ],
)
def test_answers_to_other_messages_are_refused(change, error):
    architecture = ARCHITECTURES["logistic"]
    owner = Owner(architecture, CUBIC, ckks.TOY)
    model = owner.encrypt(task(architecture)[2])
    before = model.network.W1.blocks
    refresh = WeightRefresh(model, Changed(OwnerOfWeights(owner.secret_key, model), change))
    with pytest.raises(DataError, match=error):
        refresh.now()
    assert model.network.W1.blocks is before


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"trip": 2}, DataError, "request 2 came, but 1 is the next"),
        ({"trip": 0}, DataError, "request 0 came, but 1 is the next"),
        ({"key_id": "0" * 32}, KeyMismatchError, "ask their own owner"),
        ({"parts": []}, DataError, "send all of those"),
    ],
)
def test_messages_out_of_turn_of_other_keys_and_other_arrays_are_refused(change, error, match):
    architecture = ARCHITECTURES["logistic"]
    owner = Owner(architecture, CUBIC, ckks.TOY)
    model = owner.encrypt(task(architecture)[2])
    side = OwnerOfWeights(owner.secret_key, model)
    message = Weights(1, model.evaluator.context.key_id, as_parts(model.evaluator, [model.network.W1]))
    with pytest.raises(error, match=match):
        side.answer(replace(message, **change))
    assert side.answer(message).trip == 1
    with pytest.raises(DataError, match="request 1 came, but 2 is the next"):
        side.answer(message)


def test_another_owner_is_told_before_training():
    architecture = ARCHITECTURES["logistic"]
    one, other = (Owner(architecture, CUBIC, ckks.TOY) for _ in range(2))
    side = OwnerOfWeights(other.secret_key, other.encrypt(task(architecture)[2]))
    with pytest.raises(KeyMismatchError, match="ask its own owner"):
        LevelRefresh(one.encrypt(task(architecture)[2]), DirectChannel(side))


def test_a_refresh_serves_its_own_model():
    architecture = ARCHITECTURES["logistic"]
    X, y, start = task(architecture)
    owner = Owner(architecture, CUBIC, ckks.TOY)
    model = owner.encrypt(start)
    _, refresh = sides(owner, model)
    with pytest.raises(ParameterError, match="made for another model"):
        Trainer(model.copy()).train(X, y, PLAN, help=refresh)


def test_schemes_without_levels_are_refused():
    owner = Owner(ARCHITECTURES["logistic"], CUBIC, ClearParameters())
    X, y, start = task(ARCHITECTURES["logistic"])
    model = owner.encrypt(start)
    with pytest.raises(CapabilityError, match="no weights that an owner must renew"):
        LevelRefresh(model, None)
    with pytest.raises(CapabilityError, match="no weights that an owner must renew"):
        WeightRefresh(model, None)
    with pytest.raises(ParameterError, match="help is of type builtin_function_or_method; pass Workers"):
        Trainer(model).train(X, y, PLAN, help=print)


def test_parameters_too_shallow_for_a_step_are_refused():
    shallow = ckks.TOY.updated(modulus_bits=(46, *8 * (37,), 46))
    owner = Owner(ARCHITECTURES["hidden"], CUBIC, shallow)
    with pytest.raises(CapabilityError, match="spends 9 levels of 'ckks', but 'ckks-toy-INSECURE' has 8"):
        sides(owner, owner.encrypt(task(ARCHITECTURES["hidden"])[2]))


def test_the_owners_side_prints_no_secret():
    owner = Owner(ARCHITECTURES["logistic"], CUBIC, ckks.TOY)
    side = OwnerOfWeights(owner.secret_key, owner.encrypt(task(ARCHITECTURES["logistic"])[2]))
    assert repr(side) == f"OwnerOfWeights(key_id={side.context.key_id}, limit=16, trips=0)"


def test_levels_of_a_step():
    assert step_levels(ARCHITECTURES["logistic"], CUBIC) == 4
    assert step_levels(ARCHITECTURES["hidden"], CUBIC) == 9
    assert step_levels(ARCHITECTURES["logistic"], ExactSigmoid()) == 2
