"""`EncryptedClassifier`: scikit-learn's own checks, what it learns, what travels, and what it refuses before it trains."""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from secret_walker import arrays_from, shows

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine, make_blobs
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.classifier import EncryptedClassifier
from encnn.classifier.choice import LabelledRows
from encnn.data.recipes import ClassFeatures, ScaledFeatures, WordFeatures
from encnn.data.reviews import load_reviews
from encnn.data.whole_numbers import scaling_of
from encnn.errors import DataError, DataWarning, DivergenceError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan, train
from encnn.parties import EncryptedModel, Owner, Trainer, User
from encnn.schemes.clear import ClearEvaluator

SKIPPED = {
    "check_estimators_pickle": "a fitted classifier holds the owner's secret key, which is not pickled",
    "check_fit_idempotent": "keys and noise are fresh in each fit, so the scores of two fits differ in their last digits",
}
"""Checks of scikit-learn that are expected to fail, with the reason.

Checks that two orders of rows give equal scores are left out by the tag `non_deterministic`: the noise of packed scores depends
on the rows packed together.
"""
SKIPPED |= {
    name: "labels are random here, and noise decides on rows between two classes"
    for name in ("check_supervised_y_2d", "check_classifier_data_not_an_array")
}
FEW_CHOICES = {"epochs": 2, "feature_bits": 4}


def insecure(**options: Any) -> EncryptedClassifier:
    return EncryptedClassifier(security="INSECURE", **options)


def skipped(estimator: EncryptedClassifier) -> dict[str, str]:
    return SKIPPED


@parametrize_with_checks([insecure(score_width=0.5, batch_size=32, **FEW_CHOICES)], expected_failed_checks=skipped)
def test_scikit_learn_checks_it(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([EncryptedClassifier(help="owner", **FEW_CHOICES)], expected_failed_checks=skipped)
def test_scikit_learn_checks_it_with_the_owners_help(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([EncryptedClassifier(score_width=0.5, **FEW_CHOICES)], expected_failed_checks=skipped)
def test_scikit_learn_checks_it_at_128_bits(estimator: Any, check: Any) -> None:
    name = getattr(check, "func", check).__name__
    if name in (
        "check_classifiers_classes",
        "check_classifiers_train",
        "check_estimator_sparse_array",
        "check_estimators_nan_inf",
    ):
        check(estimator)
    else:
        pytest.skip("checked with the insecure set, which is faster")


# -- what it learns


@pytest.fixture(scope="module")
def wine() -> Any:
    return train_test_split(*load_wine(return_X_y=True), stratify=load_wine().target, random_state=0)


@pytest.fixture(scope="module")
def fitted(wine: Any) -> EncryptedClassifier:
    X, _, y, _ = wine
    return insecure(feature_bits=4, epochs=4).fit(X, np.array(["red", "white", "pink"])[y])


def test_three_classes_with_names(fitted: EncryptedClassifier, wine: Any) -> None:
    _, X, _, y = wine
    assert fitted.classes_.tolist() == ["pink", "red", "white"] and fitted.n_features_in_ == 13
    assert fitted.score(X, np.array(["red", "white", "pink"])[y]) > 0.9
    scores, p = fitted.decision_function(X), fitted.predict_proba(X)
    assert scores.shape == p.shape == (len(X), 3) and np.allclose(p.sum(axis=1), 1)
    assert (fitted.classes_[scores.argmax(axis=1)] == fitted.predict(X)).all()
    assert fitted.model_.architecture.features == 3 * (13 + 1)


@pytest.mark.parametrize("help", ["nobody", "owner"])
def test_it_learns_what_its_clear_twin_learns(wine: Any, help: str) -> None:
    X, _, y, _ = wine
    found = insecure(help=help, **FEW_CHOICES, random_state=7).fit(X, y)
    order = np.random.RandomState(7).permutation(len(y))
    recipe, turns = found.features_, found.features_.in_turn(len(y), 16)
    rows, labels = recipe(X[order])[turns], recipe.labels(y[order])[turns]
    twin = Network.zeros(found.model_.architecture)
    train(ClearEvaluator(), twin, found.setting_.conditioned(rows), labels, found.plan_)
    learnt = found.owner_.decrypt_network(found.model_).W1
    assert np.abs(twin.W1).max() > 0.3
    np.testing.assert_allclose(learnt, twin.W1, atol=0.05 if help == "nobody" else 1e-3)


def test_several_classes_learn_like_a_network_with_several_outputs(wine: Any) -> None:
    """LabelledRows (review, class) are one network per class; only the learning rate decays within the rows of a mini-batch."""
    X, _, y, _ = wine
    rows = LabelledRows(X, y, 3, 19).whole(5)
    recipe = ClassFeatures(ScaledFeatures(tuple(map(str, range(13))), scaling_of(X, 5)), (0, 1, 2))
    several, one = Network.zeros(rows.architecture), Network.zeros(Architecture(42, 0, 1, "sum"))
    plan, turns = TrainingPlan(ExactSigmoid(), 0.01, 0.0, 19, 2), recipe.in_turn(len(y), 19)
    train(ClearEvaluator(), several, rows.X, y, plan)
    train(ClearEvaluator(), one, recipe(X)[turns], recipe.labels(y)[turns], plan)
    np.testing.assert_allclose(one.W1.reshape(14, 3), several.W1, atol=1e-9)
    assert np.abs(several.W1).max() > 0.1


@pytest.mark.slow
def test_nothing_secret_is_reachable_from_the_trainer(fitted: EncryptedClassifier) -> None:
    secret = fitted.owner_.secret_key.T(1)
    assert shows(arrays_from(fitted.owner_), secret)
    for part in (fitted.trainer_, fitted.model_, fitted.features_):
        assert not shows(arrays_from(part), secret)


def test_scores_do_not_depend_on_how_a_matrix_is_stored(fitted: EncryptedClassifier, wine: Any) -> None:
    _, X, _, _ = wine
    dense = fitted.decision_function(X)
    np.testing.assert_allclose(fitted.decision_function(csr_array(X)), dense, atol=1e-3)
    assert np.abs(dense).max() > 1


def test_far_scores_are_read_right() -> None:
    """Scores beyond the torus are read in parts, as the owner has announced a bound on the weights."""
    X, y = make_blobs(200, centers=2, cluster_std=0.5, random_state=0)
    found = insecure(feature_bits=6, epochs=1).fit(X, y)
    recipe = found.features_
    assert isinstance(recipe, ClassFeatures)
    far = X[:1] + 100 * (X[y == 1].mean(axis=0) - X[y == 0].mean(axis=0))
    W = found.owner_.decrypt_network(found.model_).W1
    np.testing.assert_allclose(found.decision_function(far), (recipe(far) @ W)[:, 0] / found.setting_.width, atol=0.05)


# -- texts


def test_the_vocabulary_travels_with_the_model(tmp_path: Path) -> None:
    corpus = load_reviews("toy")
    texts, labels = list(corpus.train.texts[:300]), np.where(corpus.train.labels[:300], "good", "bad")
    found = insecure(max_words=200, epochs=1).fit(texts, labels)
    assert found.classes_.tolist() == ["bad", "good"] and found.n_features_in_ == 200
    found.model_.save(tmp_path / "model")
    found.owner_.save_secret(tmp_path / "secret")

    user = User.load(tmp_path / "model")
    recipe = user.model.features
    assert isinstance(recipe, ClassFeatures) and isinstance(recipe.of, WordFeatures) and recipe.classes == ("bad", "good")
    user.save_scores(user.predict(recipe(corpus.test.texts)), tmp_path / "scores")
    z = Owner.load(tmp_path / "secret").load_scores(tmp_path / "scores")
    said = np.array(recipe.predicted(z))
    assert (said == found.predict(list(corpus.test.texts))).mean() > 0.99
    assert (said == np.where(corpus.test.labels, "good", "bad")).mean() > 0.9


def test_features_of_another_model_are_refused(fitted: EncryptedClassifier, wine: Any, tmp_path: Path) -> None:
    X, _, y, _ = wine
    other = insecure(epochs=1, feature_bits=5, score_width=1).fit(X, y)
    fitted.model_.save(tmp_path / "model")
    trainer = Trainer(EncryptedModel.load(tmp_path / "model"))
    rows = other.features_(X)
    assert trainer.model.features == fitted.features_ and rows.shape == fitted.features_(X).shape
    with pytest.raises(DataError, match="make features with model.features"):
        trainer.train(rows, other.features_.labels(y), TrainingPlan(fitted.plan_.sigmoid))


def test_another_process_goes_on_with_the_model(fitted: EncryptedClassifier, wine: Any, tmp_path: Path) -> None:
    X, _, y, _ = wine
    names = np.array(["red", "white", "pink"])[y]
    fitted.model_.save(tmp_path / "model")
    trainer = Trainer(EncryptedModel.load(tmp_path / "model"))
    recipe = trainer.model.features
    assert isinstance(recipe, ClassFeatures) and isinstance(recipe.of, ScaledFeatures)
    before = fitted.owner_.decrypt_network(fitted.model_).W1
    trainer.train(recipe(X), recipe.labels(names), TrainingPlan(fitted.plan_.sigmoid, 0.002, 0.0, 16), keep_scores=False)
    after = fitted.owner_.decrypt_network(trainer.model).W1
    assert np.abs(after - before).max() > 0.01
    assert np.mean(np.array(recipe.predicted(recipe(X) @ after)) == names) > 0.95


# -- scikit-learn's tools


@pytest.mark.slow
def test_pipelines_and_searches() -> None:
    corpus = load_reviews("toy")
    texts, labels = list(corpus.train.texts[:300]), corpus.train.labels[:300]
    pipeline = make_pipeline(CountVectorizer(max_features=300, binary=True), insecure(epochs=2, score_width=1))
    assert cross_val_score(pipeline, texts, labels, cv=2).min() > 0.75
    search = GridSearchCV(pipeline, {"encryptedclassifier__batch_size": [8, 16]}, cv=2).fit(texts, labels)
    assert search.score(list(corpus.test.texts), corpus.test.labels) > 0.75
    assert search.best_estimator_[-1].plan_.batch_size in (8, 16)


def test_a_clone_is_not_fitted_and_has_the_same_parameters(fitted: EncryptedClassifier) -> None:
    again = clone(fitted.set_params(n_jobs=2))
    assert again.get_params() == fitted.get_params() and not hasattr(again, "owner_")
    fitted.set_params(n_jobs=1)


def test_a_fitted_classifier_is_not_pickled(fitted: EncryptedClassifier) -> None:
    with pytest.raises(TypeError, match="secret key"):
        pickle.dumps(fitted)


# -- refusals, before anything is trained


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"learning_rate": 1e-7}, ParameterError, "take a learning rate of"),
        ({"learning_rate": 500.0}, DivergenceError, "range of the scheme"),
        ({"help": "somebody"}, ParameterError, "'nobody' or 'owner'"),
        ({"security": "none"}, ParameterError, "'128 bits' or 'INSECURE'"),
        ({"help": "owner", "score_width": 0.5}, ParameterError, "leave it out if the owner helps"),
        ({"feature_bits": 1}, ParameterError, "at least 2"),
        ({"batch_size": 0}, ParameterError, "at least 1"),
        ({"epochs": 0}, ParameterError, "at least 1"),
    ],
)
def test_what_cannot_work_is_refused(wine: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    X, _, y, _ = wine
    found = EncryptedClassifier(**({"security": "INSECURE"} | FEW_CHOICES | options))
    with pytest.raises(error, match=message):
        found.fit(X, y)
    assert not hasattr(found, "owner_")


def test_one_class_is_refused(wine: Any) -> None:
    X, _, _, _ = wine
    with pytest.raises(DataError, match="of one class"):
        insecure().fit(X, np.zeros(len(X)))


# -- texts with faults


def test_texts_with_faults() -> None:
    texts, labels = ["good one", "bad one"] * 20, [1, 0] * 20
    with pytest.raises(DataError, match="text 3 is None"):
        insecure().fit([*texts[:3], None, *texts[4:]], labels)
    frame = pd.DataFrame({"text": texts})
    with pytest.raises(DataError, match=re.escape("pass the column itself, X['text']")):
        insecure().fit(frame, labels)
    insecure(**FEW_CHOICES).fit(frame["text"], labels)  # as advised


def test_letters_that_would_be_deleted_are_told_of() -> None:
    texts, labels = ["хорошо кино", "плохо кино"] * 20, [1, 0] * 20
    with pytest.warns(DataWarning, match="a CountVectorizer before it"):
        insecure(**FEW_CHOICES).fit(texts, labels)
    advised = make_pipeline(CountVectorizer(), insecure(**FEW_CHOICES)).fit(texts, labels)
    assert advised.predict(["хорошо", "плохо"]).tolist() == [1, 0]


@pytest.mark.slow
def test_two_processes_share_a_cross_validation(wine: Any) -> None:
    """Unfitted classifiers have no key, so they go to other processes."""
    X, _, y, _ = wine
    found = cross_val_score(insecure(**FEW_CHOICES), X, y, cv=2, n_jobs=2)
    assert found.min() > 0.85


# -- at 128 bits


@pytest.mark.slow
def test_three_lines_from_a_csv_file(tmp_path: Path) -> None:
    corpus = load_reviews("toy")
    pd.DataFrame({"text": corpus.train.texts, "label": corpus.train.labels}).to_csv(tmp_path / "reviews.csv")
    table = pd.read_csv(tmp_path / "reviews.csv")
    model = EncryptedClassifier().fit(table.text[:800], table.label[:800])
    assert model.score(table.text[800:], table.label[800:]) > 0.9
    assert model.owner_.parameters.security.bits >= 128


@pytest.mark.slow
@pytest.mark.parametrize("help", ["nobody", "owner"])
@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
def test_tables_come_near_the_clear(load: Any, help: str) -> None:
    X, y = load(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    clear = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y).score(X_test, y_test)
    assert EncryptedClassifier(help=help).fit(X, y).score(X_test, y_test) > clear - 0.03
