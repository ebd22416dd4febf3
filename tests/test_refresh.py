import numpy as np
import pytest
from secret_walker import reachable

from encnn.errors import CapabilityError, DivergenceError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan
from encnn.refresh import OwnerOfWeights, WeightRefresh, assisted, check_interval, step_levels
from encnn.roles import Owner, Trainer
from encnn.schemes import ClearParameters, ckks
from encnn.schemes.ckks.seal import sealapi
from encnn.sigmoid import ExactSigmoid, PolynomialSigmoid, least_squares

pytest.importorskip("tenseal.sealapi")

CUBIC = least_squares(3, 8)
SQUARE = PolynomialSigmoid("square", (0.0, 1.0, 0.25), (-4.0, 4.0))
ARCHITECTURES = {
    "logistic": Architecture(20, hidden=0, pooling="sum"),
    "hidden": Architecture(20, hidden=4, pooling="sum", hidden_sigmoid=SQUARE),
}
PLAN = TrainingPlan(CUBIC, 0.003, batch_size=100, epochs=5)


def task(architecture):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(100, 20))
    return X, (X @ rng.normal(size=20) > 0).astype(int), Network.initial(architecture, rng, 0.1)


@pytest.mark.parametrize(("name", "trips"), [("logistic", 2), ("hidden", 4)])
def test_refreshed_training_follows_the_clear_twin(name, trips):
    architecture = ARCHITECTURES[name]
    X, y, start = task(architecture)
    owner, clear = (Owner(architecture, CUBIC, p) for p in (ckks.TOY, ClearParameters()))
    given, twin = owner.encrypt(start), clear.encrypt(start)
    model, side = assisted(owner, given)
    Trainer(model).train(X, y, PLAN, on_scores=side.watch(PLAN))
    Trainer(twin).train(X, y, PLAN)
    trained, tally = owner.decrypt_network(model), side.tally
    change = np.linalg.norm(twin.network.W1 - start.W1)
    assert np.linalg.norm(trained.W1 - twin.network.W1) < 0.02 * change
    assert tally.trips == trips  # nine levels are two steps of four, or one of nine
    assert tally.bytes_down > tally.bytes_up > 0 and tally.score_bytes_up > 0 and tally.cpu_seconds > 0
    assert given.network is model.network and given.evaluator is not model.evaluator


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
    model, side = assisted(owner, owner.encrypt(start))
    before = model.network.W1.blocks
    refresh = WeightRefresh(model.network, side, owner.evaluator, 9)
    refresh(model.network.W1)
    assert side.tally.trips == 0 and model.network.W1.blocks is before
    refresh.now()
    assert side.tally.trips == 1 and model.network.W1.blocks is not before
    np.testing.assert_allclose(owner.decrypt_network(model).W1, start.W1, atol=1e-5)
    s = sealapi()
    sent = side.refresh([(*owner.evaluator.export_array(model.network.W1), model.network.W1.shape)])
    assert not [x for x in reachable(sent, owner.evaluator) if isinstance(x, s.SecretKey | s.Decryptor | ckks.SecretKey)]
    assert [kind.dtype for _, kind, _ in sent] == [np.uint8]


def test_scores_beyond_the_range_end_the_run():
    architecture = ARCHITECTURES["logistic"]
    X, y, start = task(architecture)
    owner = Owner(architecture, CUBIC, ckks.TOY)
    model, side = assisted(owner, owner.encrypt(start))
    plan = TrainingPlan(CUBIC, 0.3, batch_size=100, epochs=5)
    with pytest.raises(DivergenceError, match="z left the range of the sigmoid: from review 100 on"):
        Trainer(model).train(X, y, plan, on_scores=side.watch(plan))


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
    large = owner.encrypt(Network(architecture, np.full((20, 1), 17.0), None))
    model, side = assisted(owner, large)
    refresh = WeightRefresh(model.network, side, owner.evaluator, 4)
    with pytest.raises(DivergenceError, match="a weight reached 17"):
        refresh.now()
    with pytest.raises(DivergenceError, match="answers no more"):
        refresh.now()
    assert side.tally.trips == 0


def test_answers_to_other_messages_are_refused():
    architecture = ARCHITECTURES["logistic"]
    owner = Owner(architecture, CUBIC, ckks.TOY)
    model = owner.encrypt(task(architecture)[2])

    class Confused(OwnerOfWeights):
        def refresh(self, message):
            return super().refresh(message) * 2

    refresh = WeightRefresh(model.network, Confused(owner.secret_key, owner.evaluator), owner.evaluator, 4)
    with pytest.raises(ParameterError, match="other arrays than were sent"):
        refresh.now()


def test_schemes_without_levels_are_refused():
    owner = Owner(ARCHITECTURES["logistic"], CUBIC, ClearParameters())
    with pytest.raises(CapabilityError, match="no levels to refresh"):
        assisted(owner, owner.encrypt(task(ARCHITECTURES["logistic"])[2]))


def test_parameters_too_shallow_for_a_step_are_refused():
    shallow = ckks.TOY.updated(modulus_bits=(46, *8 * (37,), 46))
    owner = Owner(ARCHITECTURES["hidden"], CUBIC, shallow)
    with pytest.raises(CapabilityError, match="spends 9 levels of 'ckks', 'ckks-toy-INSECURE' have 8"):
        assisted(owner, owner.encrypt(task(ARCHITECTURES["hidden"])[2]))


def test_levels_of_a_step():
    assert step_levels(ARCHITECTURES["logistic"], CUBIC) == 4
    assert step_levels(ARCHITECTURES["hidden"], CUBIC) == 9
    assert step_levels(ARCHITECTURES["logistic"], ExactSigmoid()) == 2
    assert "secret=" not in repr(OwnerOfWeights(None, None))
