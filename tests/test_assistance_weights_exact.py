"""FV and YASHE whose weights the owner renews: in one process, through files, and with the two sides kept apart."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ring_schemes import MODULES, WORDS, for_hidden_layers, fractional, roomy, task
from secret_walker import arrays_from, arrays_in_file, shows
from serving import secret_keys_from, serving

from encnn.arithmetic.sigmoid import taylor
from encnn.errors import CapabilityError, CiphertextOverflowError
from encnn.network import Architecture, Network, TrainingPlan
from encnn.parties import EncryptedModel, Owner, Trainer
from encnn.parties.assistance.folders import FolderChannel
from encnn.parties.assistance.scores import DirectChannel
from encnn.parties.assistance.weights import BudgetRefresh, LevelRefresh, OwnerOfWeights, refresh_for, step_bits
from encnn.schemes import ClearParameters, fv

ARCHITECTURE = Architecture(WORDS, 0, pooling="sum")
PLAN = TrainingPlan(taylor(1), 2.0**-5, batch_size=20, epochs=5)
PLAN_ONCE = replace(PLAN, epochs=1)
X, Y = task()
START = Network(ARCHITECTURE, np.zeros((WORDS, 1)), None)

EVERY = pytest.mark.parametrize(
    ("scheme", "encoding"), [(scheme, encoding) for scheme in MODULES for encoding in ("coefficients", "fractional")]
)


def owner_of(scheme: str, encoding: str) -> Owner:
    """Return an owner with a real key, on a toy ring."""
    if encoding == "fractional":
        return Owner(ARCHITECTURE, PLAN.sigmoid, fractional(scheme)[0].parameters)
    return Owner(
        ARCHITECTURE, PLAN.sigmoid, MODULES[scheme].TOY.updated(name="roomy-INSECURE", **roomy(scheme, encoding, scale=1 << 10))
    )


def trained(owner: Owner, model: EncryptedModel) -> tuple[OwnerOfWeights, Any]:
    """Train in one process; return the owner's side and what joins it to the trainer's."""
    side = OwnerOfWeights(owner.secret_key, model)
    refresh = BudgetRefresh(model, DirectChannel(side), PLAN, X)
    Trainer(model).train(X, Y, PLAN, help=refresh)
    return side, refresh


@EVERY
def test_owner_refreshes_when_budgets_run_low(scheme: str, encoding: str) -> None:
    owner, clear = owner_of(scheme, encoding), Owner(ARCHITECTURE, PLAN.sigmoid, ClearParameters())
    model, twin = owner.encrypt(START), Trainer(clear.encrypt(START))
    side, _ = trained(owner, model)
    twin.train(X, Y, PLAN)
    W, wanted = owner.decrypt(model.network.W1), twin.model.network.W1
    assert np.linalg.norm(W - wanted) < 0.02 * np.linalg.norm(wanted)
    assert 1 <= side.tally.trips < 10 and side.tally.bytes_up > 0
    with pytest.raises(CiphertextOverflowError):
        Trainer(owner.encrypt(START)).train(X, Y, PLAN)


@pytest.mark.parametrize("scheme", MODULES)
def test_behind_a_hidden_layer_every_step_is_refreshed(scheme: str) -> None:
    p = for_hidden_layers(scheme)
    a, plan = Architecture(WORDS, 2, pooling="sum"), TrainingPlan(taylor(1), 0.125, batch_size=4)
    start = Network(a, np.zeros((WORDS, 2)), np.array([1.25, -0.75]))
    owner, clear = Owner(a, plan.sigmoid, p, insecure=True), Trainer(Owner(a, plan.sigmoid, ClearParameters()).encrypt(start))
    model = owner.encrypt(start)
    side = owner.refresher(model)
    Trainer(model).train(X[:12], Y[:12], plan, help=refresh_for(model, DirectChannel(side), plan, X))
    clear.train(X[:12], Y[:12], plan)
    found, twin = owner.decrypt_network(model), clear.model.network
    assert side.tally.trips == 3
    assert np.linalg.norm(found.W1 - twin.W1) < 0.05 * np.linalg.norm(twin.W1)
    with pytest.raises(CiphertextOverflowError):
        Trainer(owner.encrypt(start)).train(X[:12], Y[:12], plan)


@EVERY
def test_weights_are_the_same_when_nobody_wants_the_scores(scheme: str, encoding: str) -> None:
    owner, y = owner_of(scheme, encoding), Y[:20]
    model = owner.encrypt(START)
    other, evaluator = model.copy(), owner.evaluator
    scores = Trainer(model).train(X[:20], y, PLAN_ONCE)
    assert Trainer(other).train(X[:20], y, PLAN_ONCE, keep_scores=False) is None
    assert np.array_equal(*(evaluator.export_array(m.network.W1)[1] for m in (model, other)))
    assert model.network.W1.bounds == other.network.W1.bounds
    assert np.allclose(owner.decrypt(scores), 0, atol=1e-3) and np.abs(owner.decrypt(model.network.W1)).max() > 0.01


@EVERY
def test_files_change_nothing_and_no_secret_crosses(scheme: str, encoding: str, tmp_path: Path) -> None:
    owner = owner_of(scheme, encoding)
    model, here = owner.encrypt(START), owner.encrypt(START)
    side, joined = trained(owner, here)
    trainer, elsewhere = Trainer(model), OwnerOfWeights(owner.secret_key, model)
    folder = tmp_path / "run"
    folder.mkdir()
    with serving(elsewhere, folder) as errors:
        channel = FolderChannel(folder, model.evaluator.context)
        refresh = BudgetRefresh(model, channel, PLAN, X)
        scores = trainer.train(X, Y, PLAN, help=refresh)
        channel.close()
    assert not errors
    assert np.array_equal(owner.decrypt(model.network.W1), owner.decrypt(here.network.W1))
    counted = [(t.trips, t.bytes_up, t.bytes_down) for t in (elsewhere.tally, side.tally)]
    assert counted[0] == counted[1] and channel.bytes_up > counted[0][1]  # files say the same, in a few more words

    secrets = [T[None].astype(np.int64) for T in owner.secret_key.export()[1].values()]
    owner.save_secret(tmp_path / "secret")
    theirs = arrays_from(trainer, refresh, channel, scores, Trainer(here))
    for T in secrets:
        assert not shows(theirs, T)
        assert shows(arrays_from(joined), T) and shows(arrays_in_file(tmp_path / "secret"), T)
    assert not secret_keys_from(trainer, refresh, channel, scores, Trainer(here))
    assert secret_keys_from(joined) and secret_keys_from(DirectChannel(side))


@EVERY
def test_while_it_trains_the_trainer_leads_to_no_secret(scheme: str, encoding: str) -> None:
    owner = owner_of(scheme, encoding)
    trainer = Trainer(owner.encrypt(START))
    side = OwnerOfWeights(owner.secret_key, trainer.model)
    met = []

    def look(_: int, scores: Any) -> None:
        met.extend(secret_keys_from(trainer, scores))

    trainer.train(X, Y, PLAN, on_scores=look, help=BudgetRefresh(trainer.model, DirectChannel(side), PLAN, X))
    assert side.tally.trips and not met


def test_refresh_is_for_plans_and_schemes_it_can_count() -> None:
    with pytest.raises(CapabilityError, match="sigmoid of degree 1"):
        step_bits(fv.TOY, TrainingPlan(taylor(3), 0.1), X)
    owner = owner_of("fv", "coefficients")
    channel = DirectChannel(OwnerOfWeights(owner.secret_key, owner.encrypt(START)))
    with pytest.raises(CapabilityError, match="no weights that an owner must renew"):
        BudgetRefresh(Owner(ARCHITECTURE, taylor(1), ClearParameters()).encrypt(START), channel, PLAN, X)
    with pytest.raises(CapabilityError, match="no levels to refresh"):
        LevelRefresh(owner.encrypt(START), channel)
