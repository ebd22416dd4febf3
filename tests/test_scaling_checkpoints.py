"""A run that is killed goes on from its last checkpoint, to the same ciphertexts."""

import numpy as np
import pytest
from test_scaling_workers import FakeCluster

from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.data.reviews import Vocabulary, bag_of_words, load_reviews
from encnn.errors import DataError, FileError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan
from encnn.parties import EncryptedModel, Owner
from encnn.scaling.checkpoints import scores_in, train_resumably
from encnn.scaling.workers import Workers
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, HIDDEN_TOY
from encnn.schemes.integer_vector import PAPER

REVIEWS = 96


class KilledError(Exception):
    """What ends a run here."""


class Killer:
    """An `on_scores` that ends the run at its n-th report, once."""

    def __init__(self, reports: int) -> None:
        self.left = reports

    def __call__(self, first, scores):
        self.left -= 1
        if self.left == 0:
            raise KilledError


@pytest.fixture(scope="module")
def words():
    corpus = load_reviews("toy")
    return bag_of_words(corpus.train, Vocabulary.select(corpus.train))[:REVIEWS], corpus.train.labels[:REVIEWS]


@pytest.fixture(autouse=True)
def frequent_reports(monkeypatch):
    monkeypatch.setattr("encnn.network.training.SCORES_PER_REPORT", 16)


def bootstrapped_model(words):
    X, _ = words
    owner = Owner(Architecture(X.shape[1], hidden=0, pooling="sum"), ExactSigmoid(), BOOTSTRAP_TOY)
    return owner, owner.encrypt(Network(owner.architecture, np.zeros((X.shape[1], 1)), None))


def paper_model(words):
    X, _ = words
    owner = Owner(Architecture(X.shape[1], hidden=2), taylor(3), PAPER)
    return owner, owner.encrypt(Network.initial(owner.architecture, np.random.default_rng(0)))


def rank_one_model(words):
    X, _ = words
    owner = Owner(Architecture(X.shape[1], hidden=3), ExactSigmoid(), HIDDEN_TOY)
    return owner, owner.encrypt(Network.initial(owner.architecture, np.random.default_rng(3)))


RANK_ONE = TrainingPlan(ExactSigmoid(), 0.1, decay=0.5, batch_size=8, epochs=2)
BOOTSTRAPPED = TrainingPlan(ExactSigmoid(), 0.05, decay=0.5, batch_size=8, epochs=2, shrink=0.9)
INTEGERS = TrainingPlan(taylor(3), 0.01, epochs=2)


@pytest.mark.parametrize(
    ("make", "plan"), [(bootstrapped_model, BOOTSTRAPPED), (rank_one_model, RANK_ONE), (paper_model, INTEGERS)]
)
@pytest.mark.parametrize("reports", [1, 4, 6, 9, 12])
def test_a_killed_run_goes_on_to_the_same_ciphertexts(make, plan, reports, words, tmp_path):
    X, y = words
    owner, model = make(words)
    whole = train_resumably(model.copy(), X, y, plan, tmp_path / "whole", every=32)
    with pytest.raises(KilledError):
        train_resumably(model.copy(), X, y, plan, tmp_path / "killed", every=32, on_scores=Killer(reports))
    again = train_resumably(model.copy(), X, y, plan, tmp_path / "killed", every=32)
    assert (again.model.network.W1.data == whole.model.network.W1.data).all()
    for name in ("W1", "W2"):
        a, b = getattr(again.model.network, name), getattr(whole.model.network, name)
        assert a is b is None or (a.data == b.data).all()
    paths = [scores_in(tmp_path / folder) for folder in ("whole", "killed")]
    z, z_again = (np.concatenate([owner.load_scores(path) for path in found]) for found in paths)
    assert z.shape == (2 * REVIEWS, 1)
    np.testing.assert_array_equal(z, z_again)


def test_a_killed_run_of_workers_goes_on_to_the_same_ciphertexts(words, tmp_path):
    X, y = words
    owner, model = bootstrapped_model(words)
    plan = TrainingPlan(ExactSigmoid(), 0.05, batch_size=8, epochs=2)
    whole = train_resumably(model.copy(), X, y, plan, tmp_path / "whole", every=32)
    for killer in (Killer(2), Killer(9), None):  # within the first epoch, within the second one, not at all
        try:
            helped = train_resumably(model.copy(), X, y, plan, tmp_path / "run", 32, killer, Workers(FakeCluster(2)))
        except KilledError:
            continue
    np.testing.assert_array_equal(helped.model.network.W1.data, whole.model.network.W1.data)
    scores = [[owner.load_scores(path) for path in scores_in(tmp_path / name)] for name in ("whole", "run")]
    np.testing.assert_array_equal(*map(np.concatenate, scores))


def test_only_the_newest_model_is_kept_and_it_is_the_trained_one(words, tmp_path):
    owner, model = bootstrapped_model(words)
    trainer = train_resumably(model, *words, BOOTSTRAPPED, tmp_path, every=32)
    (path,) = tmp_path.glob("model-*")
    assert path.name == f"model-{2 * REVIEWS:08d}"
    stored = EncryptedModel.load(path)
    np.testing.assert_array_equal(owner.decrypt(stored.network.W1), owner.decrypt(trainer.model.network.W1))


def test_a_finished_run_trains_nothing_more(words, tmp_path):
    _, model = bootstrapped_model(words)
    first = train_resumably(model, *words, BOOTSTRAPPED, tmp_path)
    again = train_resumably(model, *words, BOOTSTRAPPED, tmp_path, on_scores=Killer(1))
    assert (again.model.network.W1.data == first.model.network.W1.data).all()


def test_a_folder_belongs_to_one_run(words, tmp_path):
    X, y = words
    _, model = bootstrapped_model(words)
    train_resumably(model, X, y, BOOTSTRAPPED, tmp_path)
    other_plan = TrainingPlan(ExactSigmoid(), 0.01)
    for reviews, labels, plan in ((X[:50], y[:50], BOOTSTRAPPED), (X, 1 - y, BOOTSTRAPPED), (X, y, other_plan)):
        with pytest.raises(DataError, match="another"):
            train_resumably(model, reviews, labels, plan, tmp_path)
    with pytest.raises(DataError, match="another model"):
        train_resumably(bootstrapped_model(words)[1], X, y, BOOTSTRAPPED, tmp_path)


def test_what_is_no_checkpoint_is_told_by_name(words, tmp_path):
    _, model = paper_model(words)
    again = lambda: train_resumably(model.copy(), *words, TrainingPlan(taylor(3)), tmp_path)  # noqa: E731
    again()
    run = (tmp_path / "training-run").read_bytes()
    for damaged in (b"", run[:-1], run.replace(b'"run"', b'"ran"')):
        (tmp_path / "training-run").write_bytes(damaged)
        with pytest.raises(FileError, match="training-run"):
            again()
    (tmp_path / "training-run").unlink()
    with pytest.raises(DataError, match="another model"):
        again()
    (tmp_path / "training-run").write_bytes(run)
    (tmp_path / "model-old").touch()
    with pytest.raises(FileError, match="model-old is not a checkpoint"):
        again()


def test_keys_that_are_not_written_cannot_be_resumed(words, tmp_path):
    X, y = words
    owner = Owner(Architecture(X.shape[1], hidden=0), taylor(1), PAPER, rng=np.random.default_rng(1))
    model = owner.encrypt(Network.initial(owner.architecture, np.random.default_rng(0)))
    with pytest.raises(ParameterError, match="passed rng"):
        train_resumably(model, X, y, TrainingPlan(taylor(1)), tmp_path)


def test_a_model_is_written_every_so_many_reviews_and_at_least_one(words, tmp_path):
    _, model = bootstrapped_model(words)
    with pytest.raises(ParameterError, match="at least 1"):
        train_resumably(model, *words, BOOTSTRAPPED, tmp_path, every=0)
