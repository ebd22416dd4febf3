"""Plans whose scores or noise the bootstrapped scheme could not work with are refused before anything is trained."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from encnn.arithmetic.sigmoid import BEYOND, ExactSigmoid, check_reach, error_over
from encnn.errors import DivergenceError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan
from encnn.network.rehearsal import check_rehearsal, from_typical
from encnn.parties import Owner, Trainer
from encnn.schemes import ClearParameters
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, ONE_LEVEL_128, TWO_LEVEL_128, noise
from encnn.schemes.integer_vector import ADDITIVE_128

EXACT = ExactSigmoid()
REVIEWS, FEATURES = 240, 40
RNG = np.random.default_rng(0)
X = RNG.integers(0, 4, (REVIEWS, FEATURES))
Y = ((X - 1.5) @ RNG.normal(0, 1, FEATURES) > 0).astype(int)
WILD = TrainingPlan(EXACT, 0.05, batch_size=8, epochs=2)


def trainer_for(parameters: Any) -> tuple[Owner, Trainer]:
    a = Architecture(FEATURES, hidden=0, pooling="sum")
    owner = Owner(a, EXACT, parameters, rng=np.random.default_rng(1))
    return owner, Trainer(owner.encrypt(Network(a, np.zeros((FEATURES, 1)), None)))


def test_a_plan_whose_scores_wrap_is_refused_and_the_advised_rate_trains():
    clear, twin = trainer_for(ClearParameters())
    z = twin.train(X, Y, WILD)
    assert (np.abs(z) >= 16).mean() > BEYOND  # in the clear they are what they are
    owner, trainer = trainer_for(BOOTSTRAP_TOY)
    before = trainer.model.network.W1.data.copy()
    with pytest.raises(DivergenceError, match=r"in a rehearsal in the clear.*range of \+-16.*keeps them in range") as told:
        trainer.train(X, Y, WILD)
    np.testing.assert_array_equal(trainer.model.network.W1.data, before)
    calm = replace(WILD, learning_rate=float(re.search(r"learning_rate=(\S+) keeps", str(told.value))[1]))
    assert calm.learning_rate < WILD.learning_rate
    met = owner.evaluate(trainer.train(X, Y, calm, on_scores=owner.watch(calm)), Y, calm)
    expected = clear.evaluate(trainer_for(ClearParameters())[1].train(X, Y, calm), Y, calm)
    assert met.range.share_out_of_range <= BEYOND and met.out_of_range == 0
    assert met.accuracy.percent == pytest.approx(expected.accuracy.percent, abs=3)


def test_a_dry_run_says_what_the_scheme_would_do_and_not_what_the_clear_does():
    rng = np.random.default_rng(2)
    _, trainer = trainer_for(BOOTSTRAP_TOY)
    with pytest.raises(DivergenceError, match="leave the scheme's range"):
        trainer.dry_run(X, Y, WILD, rng)
    report = trainer.dry_run(X, Y, replace(WILD, learning_rate=0.01), rng)
    assert report.share_out_of_range == 0 and 1 < report.max_z < 16
    for wide in (ADDITIVE_128, ClearParameters()):
        report = trainer_for(wide)[1].dry_run(X, Y, WILD, rng)
        assert report.share_out_of_range == 0 and report.max_z > 16


def test_a_watching_owner_sees_a_run_leave_the_range():
    """With encrypted labels nothing can be rehearsed, so the owner's reading of the scores has to tell."""
    owner, trainer = trainer_for(BOOTSTRAP_TOY)
    labels = owner.encrypt_labels(Y, WILD.learning_rate, insecure=True)
    with pytest.raises(DivergenceError, match="scores leave the scheme's range"):
        trainer.train(X, labels, WILD, on_scores=owner.watch(WILD))


def test_a_run_that_goes_on_is_not_rehearsed_again(monkeypatch):
    owner, trainer = trainer_for(BOOTSTRAP_TOY)
    plan = replace(WILD, learning_rate=0.005, epochs=1)
    trainer.train(X, Y, plan)
    monkeypatch.setattr("encnn.parties.trainer.typical_start", None)
    trainer.train(X, Y, plan, first=REVIEWS - 8)
    with pytest.raises(TypeError):
        trainer.train(X, Y, plan)


def test_scores_that_no_lower_rate_keeps_in_range_are_told():
    a = Architecture(FEATURES, hidden=0, pooling="sum")
    z = from_typical(a, X, Y, WILD)
    assert z.shape == (2 * REVIEWS, 1)
    with pytest.raises(DivergenceError, match="scale the features down, since no lower learning rate keeps them in range"):
        check_rehearsal(z, 1e-9, a, X, Y, WILD)


def test_the_share_that_is_allowed_is_a_limit():
    z = np.zeros(1000)
    z[:10] = [16.0, -16.0, np.nan, np.inf, *6 * [20.0]]
    check_reach(z, 16.0)
    assert error_over(EXACT, z, 16.0).share_out_of_range == 0.01
    z[10] = -17
    with pytest.raises(DivergenceError, match=r"from review 500 on, 11 of 1000 scores leave the scheme's range of \+-16"):
        check_reach(z, 16.0, 500)


def test_reports_leave_unknown_scores_out():
    z = np.array([1.0, -2.0, np.nan])
    report = error_over(EXACT, z)
    assert (report.min_z, report.max_z) == (-2, 1)
    assert report.share_outside == report.share_out_of_range == pytest.approx(1 / 3)
    assert np.isnan(error_over(EXACT, z[2:]).max_z)


# -- noise


@pytest.mark.parametrize("p, rate", [(ONE_LEVEL_128, 0.001), (BOOTSTRAP_TOY, 0.0005), (TWO_LEVEL_128, 1e-5)])
def test_a_rate_that_noise_would_drown_is_refused_with_advice_that_works(p, rate):
    deviation = noise.output_deviation(p) / rate
    assert deviation > noise.ERROR_NOISE
    with pytest.raises(ParameterError, match=f"adds noise of {deviation:.2g} to sigmoid - y") as told:
        noise.check_rate(p, rate)
    advised = float(re.search(r"take a learning rate of (\S+) or more", str(told.value))[1])
    assert rate < advised < 5 * deviation * rate
    noise.check_rate(p, advised)
    digits = re.search(r"rotation_levels=(\d+) with rotation_bits=(\d+)", str(told.value))
    assert (digits is not None) == (p is not TWO_LEVEL_128)
    if digits is not None:
        finer = p.updated(rotation_levels=int(digits[1]), rotation_bits=int(digits[2]))
        noise.check_rate(finer, rate)
    if p is ONE_LEVEL_128:
        assert (finer.rotation_levels, finer.rotation_bits) == (TWO_LEVEL_128.rotation_levels, TWO_LEVEL_128.rotation_bits)


def test_training_checks_noise_before_it_rehearses(monkeypatch):
    monkeypatch.setattr("encnn.parties.trainer.typical_start", None)
    _, trainer = trainer_for(BOOTSTRAP_TOY)
    with pytest.raises(ParameterError, match="epochs would leave noise"):
        trainer.train(X, Y, replace(WILD, epochs=10**6))
    with pytest.raises(ParameterError, match="adds noise of 0.4 to sigmoid - y"):
        trainer.train(X, Y, TrainingPlan(EXACT, 0.0005))
