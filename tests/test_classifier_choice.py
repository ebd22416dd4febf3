"""The choice of settings: admissible ones only, the cheapest of the good ones, and no more epochs than one can wait for."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

pytest.importorskip("sklearn")

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from encnn.classifier import choice
from encnn.classifier.choice import Choices, LabelledRows, RunSetting, check_setting, chosen, epochs_in_the_clear
from encnn.errors import DivergenceError, ParameterError
from encnn.network import Network
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, ONE_LEVEL_128, TWO_LEVEL_128
from encnn.schemes.integer_vector import COMPACT_128

FEW = Choices((BOOTSTRAP_TOY,), bits=(4,), widths=(1.0,), epochs=(1, 2))


def rows_of(count: int = 90, classes: int = 2) -> LabelledRows:
    rng = np.random.default_rng(0)
    y = np.arange(count) % classes
    return LabelledRows(rng.normal(2.0 * y[:, None] * [1.0, -1.0, 0.0], 1.0), y, classes, 8)


def test_a_choice_is_admissible_and_good() -> None:
    setting, tried = chosen(rows_of(), FEW)
    assert len(tried) == 2 * len(choice.GAINS) and (tried["log loss"].diff().dropna() >= 0).all()
    own = tried[(tried["learning_rate"] == setting.learning_rate) & (tried["epochs"] == setting.epochs)].iloc[0]
    assert own["out of range percent"] <= 1 and own["log loss"] <= 1.1 * tried["log loss"].iloc[0]
    assert own["held-out percent"] > 80 and chosen(rows_of(), FEW)[0] == setting


def test_the_noise_decides_between_parameter_sets() -> None:
    """With one level the noise drowns features of eight bits; the choice falls on two levels, whatever they cost."""
    both = Choices((ONE_LEVEL_128, TWO_LEVEL_128), bits=(8,), widths=(1.0,), epochs=(1,))
    assert chosen(rows_of(), both)[0].parameters is TWO_LEVEL_128
    assert chosen(rows_of(), replace(both, bits=(3,)))[0].parameters is ONE_LEVEL_128


def test_counts_are_tried_once_whatever_the_bits() -> None:
    rows = rows_of()
    counts = replace(rows, X=csr_array((rows.X > 1).astype(np.int64)))
    _, tried = chosen(counts, replace(FEW, bits=(4, 6)))
    assert len(tried) == 2 * len(choice.GAINS) and set(tried["bits"]) == {4}


def test_more_epochs_than_one_can_wait_for_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "MOST_ERRORS", 300)
    assert set(chosen(rows_of(), FEW)[1]["epochs"]) == {1, 2}
    assert set(chosen(rows_of(classes=3), FEW)[1]["epochs"]) == {1}
    assert set(chosen(rows_of(200, classes=3), FEW)[1]["epochs"]) == {1}, "one is tried in any case"


def test_epochs_follow_each_other_as_in_one_run() -> None:
    rows, setting = rows_of().whole(4), RunSetting(COMPACT_128, 4, 1.0, 0.01, 3)
    one, other = (Network.zeros(rows.architecture) for _ in range(2))
    scores = list(epochs_in_the_clear(one, rows, setting))
    list(epochs_in_the_clear(other, rows, replace(setting, epochs=2)))
    assert [z.shape for z in scores] == [(90, 1)] * 3 and not np.allclose(one.W1, other.W1)
    short = list(epochs_in_the_clear(Network.zeros(rows.architecture), rows, replace(setting, epochs=2)))
    np.testing.assert_array_equal(np.concatenate(scores[:2]), np.concatenate(short))


def test_scores_beyond_the_torus_are_not_admitted() -> None:
    far = replace(FEW, learning_rate=0.02, epochs=(2,))
    rows = rows_of()
    with pytest.raises(DivergenceError, match="range of the scheme"):
        chosen(replace(rows, X=rows.X @ np.ones((3, 400))), far)


def test_a_run_that_noise_would_lead_out_of_range_is_not_chosen() -> None:
    """The scores of a run without noise reach the end of the range, and stay; with noise some are read with the wrong sign."""
    X, _, y, _ = train_test_split(
        *load_breast_cancer(return_X_y=True), test_size=0.5, stratify=load_breast_cancer().target, random_state=4
    )
    order = np.random.RandomState(4).permutation(len(y))
    rows, setting = LabelledRows(X[order], y[order], 2, 16).whole(4), RunSetting(TWO_LEVEL_128, 4, 0.5, 0.00657, 2)
    *_, last = epochs_in_the_clear(Network.zeros(rows.architecture), rows, setting)
    assert np.mean(np.abs(last) > 2 * TWO_LEVEL_128.z_half) < 0.01
    with pytest.raises(DivergenceError, match="range"):
        choice._check_run(setting, rows)
    choice._check_run(replace(setting, learning_rate=0.003), rows)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (RunSetting(ONE_LEVEL_128, 4, 1.0, 1e-4, 1), "take a learning rate of 0.0031"),
        (RunSetting(ONE_LEVEL_128, 4, 1.0, 0.01, 10**6), "epochs would leave noise"),
        (RunSetting(ONE_LEVEL_128, 4, 1.0, 1.0, 1), "one mini-batch could move a weight"),
        (RunSetting(COMPACT_128, 4, 1.0, 1.0, 1), "one mini-batch could move a weight"),
    ],
)
def test_settings_that_cannot_work_are_refused(setting: RunSetting, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        check_setting(setting, csr_array(rows_of().whole(4).X), 8)


def test_the_rate_counts_at_the_width_of_scores() -> None:
    """A score of half the width has twice the error, so half the rate is enough."""
    X = csr_array(rows_of().whole(4).X)
    check_setting(RunSetting(ONE_LEVEL_128, 4, 0.5, 0.0025, 1), X, 8)
    with pytest.raises(ParameterError, match="take a learning rate"):
        check_setting(RunSetting(ONE_LEVEL_128, 4, 1.0, 0.0025, 1), X, 8)
