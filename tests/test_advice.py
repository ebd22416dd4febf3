"""Every `CapabilityError` names ways out, and each of them works.

A case is named after the place that raises: its module and function, with a number if the function raises several.  It holds
the call that is refused and, by words of the message, what they advise.  An advice that does not work raises.
"""

import ast
import importlib
import sys
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from ring_schemes import _primes
from scipy.sparse import csr_array
from serving import serving
from test_scaling_workers import FakeCluster

import encnn
from encnn.arithmetic.sigmoid import ExactSigmoid, ancestor_misplaced, least_squares, taylor
from encnn.command import main
from encnn.data.batches import Conditioned, DenseBatch, batches
from encnn.data.recipes import TableFeatures, UnpublishedFeatures, WordFeatures
from encnn.data.reviews import Vocabulary, bag_of_words, load_reviews, word2vec_features
from encnn.errors import CapabilityError
from encnn.network import Architecture, Help, Network, TrainingPlan, predict, train
from encnn.network.folded import collapsed
from encnn.network.training import NOBODY, Step
from encnn.parties import EncryptedModel, Owner, Trainer, User
from encnn.parties.assistance.scores import AssistedStep, DirectChannel
from encnn.parties.assistance.weights import BudgetRefresh, LevelRefresh, WeightRefresh, refresh_for
from encnn.parties.mirror import Client, Server
from encnn.scaling.federation import blank_model, pass_on, recipient_key, reencryption_key
from encnn.scaling.workers import Workers
from encnn.schemes import ClearParameters, ckks, fv, make_keys
from encnn.schemes.base import Evaluator
from encnn.schemes.bilinear import elementwise, outer, vector_matrix
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, HIDDEN_128, HIDDEN_TOY
from encnn.schemes.bootstrapped.keys import BootstrappedSecretKey
from encnn.schemes.bootstrapped.tables import around_zero
from encnn.schemes.bootstrapped.torus import EncryptedTorus
from encnn.schemes.ckks.seal import sealapi
from encnn.schemes.clear import ClearEvaluator
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, MODULUS_TOY, PAPER

PACKAGE = Path(encnn.__file__).parent
EXACT, CUBIC = ExactSigmoid(), least_squares(3, 8.0)
LINEAR = Architecture(6, hidden=0, pooling="sum")
LAYERED = Architecture(6, hidden=2, pooling="sum")
RNG = np.random.default_rng(0)
BAG, Y = csr_array(RNG.integers(0, 2, (24, 6))), RNG.integers(0, 2, 24)
DENSE = BAG.toarray() * 0.5
ADDITIVE_FV = fv.ADDITIVE_128

Followed = Callable[[], object]
Case = tuple[Followed, dict[str, Followed]]
CASES: dict[str, Callable[[Path], Case]] = {}


def case(site: str) -> Callable:
    def register(make: Callable[[Path], Case]) -> Callable[[Path], Case]:
        assert site not in CASES
        CASES[site] = make
        return make

    return register


def plan_of(sigmoid: Any) -> TrainingPlan:
    return TrainingPlan(sigmoid, 0.0625, batch_size=8)


def close(found: Any, expected: Any, tolerance: float = 1e-3) -> None:
    np.testing.assert_allclose(found, expected, atol=tolerance)


@cache
def default_owner() -> Owner:
    return Owner(LINEAR, EXACT)


def helped_by(owner: Owner, model: EncryptedModel, plan: TrainingPlan, X: Any) -> Help:
    """Return the help that the parameters need, from the calls that messages name."""
    needed = owner.parameters.owner_help
    if needed == "errors":
        return AssistedStep(DirectChannel(owner.assistant()))
    return refresh_for(model, DirectChannel(owner.refresher(model)), plan, X) if needed == "weights" else NOBODY


def learns(owner: Owner, plan: TrainingPlan | None = None, X: Any = BAG, help: Callable = helped_by) -> None:
    """Train from zero as advised, beside the clear twin."""
    plan = plan or plan_of(owner.sigmoid)
    start = Network.zeros(owner.architecture)
    model, twin = owner.encrypt(start), Owner(owner.architecture, plan.sigmoid, ClearParameters()).encrypt(start)
    Trainer(model).train(X, Y, plan, help(owner, model, plan, X))
    Trainer(twin).train(X, Y, plan)
    # Keys are real, so the noise of one rotation level differs from run to run.  Weights that learnt nothing are off by more.
    close(owner.decrypt_network(model).W1, twin.network.W1, 0.04)
    assert np.abs(twin.network.W1).max() > 0.05


def by_default(X: Any = BAG) -> None:
    """Leave `parameters` out of Owner."""
    learns(default_owner(), X=X)


def of(architecture: Architecture, sigmoid: Any, parameters: Any, **more: Any) -> Owner:
    return Owner(architecture, sigmoid, parameters, insecure=True, **more)


def pair(parameters: Any, widths: Any = (1,), products: Any = (), **more: Any) -> tuple[Any, Any]:
    return make_keys(parameters, widths, products, **more)


def whole(parameters: Any, X: Any = BAG) -> None:
    """Add up rows by whole features."""
    secret, evaluator = pair(parameters, features=6)
    W = np.arange(6.0)[:, None] / 2
    close(secret.decrypt(evaluator.gather(next(batches(X, 8))[1], secret.encrypt_many(W))), X[:8] @ W, 0.1)


def fractions(parameters: Any) -> None:
    """Add up rows by features with fractions."""
    secret, evaluator = pair(parameters, features=6)
    W = np.arange(6.0)[:, None] / 8
    close(secret.decrypt(evaluator.gather(DenseBatch(DENSE[:8]), secret.encrypt(W))), DENSE[:8] @ W)


def halved(parameters: Any) -> None:
    secret, _ = pair(parameters)
    close(secret.decrypt(secret.encrypt(np.array([[3.0]])) * 0.5), 1.5)


MEANS = Architecture(6, hidden=16, pooling="mean")


def follows(
    owner: Owner, start: Network, plan: TrainingPlan, X: Any, labels: Any, help: Callable, share: float
) -> EncryptedModel:
    """Train beside the clear twin; W1 may differ from that of the twin by this share of its move."""
    model, twin = owner.encrypt(start), start.copy()
    Trainer(model).train(X, labels, plan, help(owner, model, plan, X))
    train(ClearEvaluator(), twin, X, Y, plan)
    off, moved = owner.decrypt_network(model).W1 - twin.W1, twin.W1 - start.W1
    assert np.linalg.norm(off) < share * np.linalg.norm(moved) and np.abs(moved).max() > 0.05
    return model


def hidden_learns(
    hidden: int = 16, sigmoid: Any = EXACT, parameters: Any = HIDDEN_TOY, X: Any = BAG, help: Callable = helped_by, **more: Any
) -> None:
    """Train both layers, from weights that are not 0.  In 100 simulated runs W1 is off by 0.21 of its move at most."""
    plan = replace(plan_of(sigmoid), **more)
    start = Network.initial(replace(MEANS, hidden=hidden), np.random.default_rng(0), 0.3)
    follows(of(start.architecture, sigmoid, parameters), start, plan, X, Y, help, 0.4)


def rank_one_learns(hidden: int = 8, hide_labels: bool = False, sigmoid: Any = EXACT) -> tuple[Owner, EncryptedModel]:
    """Train a network that stays of rank one."""
    start = rank_one_start(hidden)
    owner = of(start.architecture, sigmoid, HIDDEN_TOY)
    labels = owner.encrypt_labels(Y, insecure=True) if hide_labels else Y
    return owner, follows(owner, start, plan_of(sigmoid), BAG, labels, lambda *_: NOBODY, 0.3)


def rank_one_start(hidden: int = 8) -> Network:
    return Network.initial(replace(MEANS, hidden=hidden), np.random.default_rng(1))


# -- help in training


@case("parties/assistance/scores.py:__call__")
def errors_for_other_schemes(_: Path) -> Case:
    wrong = AssistedStep(DirectChannel(of(LINEAR, EXACT, COMPACT_128).assistant()))
    clear = of(LINEAR, EXACT, ClearParameters())
    return lambda: learns(clear, help=lambda *_: wrong), {
        "leave `help` out of Trainer.train": lambda: learns(clear, help=lambda *_: NOBODY),
        "refresh_for": lambda: learns(of(LINEAR, CUBIC, ckks.TOY), X=DENSE),
    }


@case("parties/assistance/weights.py:_check_renewed")
def weights_that_need_no_renewal(_: Path) -> Case:
    owner = of(LINEAR, EXACT, COMPACT_128)
    model = owner.encrypt(Network.zeros(LINEAR))
    return lambda: refresh_for(model, DirectChannel(owner.assistant()), plan_of(EXACT), BAG), {
        "pass an AssistedStep": lambda: learns(owner),
        "leave `help` out": by_default,
    }


@case("parties/assistance/weights.py:__init__#1")
def levels_of_a_scheme_that_has_none(_: Path) -> Case:
    owner = of(LINEAR, taylor(1), ADDITIVE_FV)
    model = owner.encrypt(Network.zeros(LINEAR))
    channel = DirectChannel(owner.refresher(model))

    def budget(owner: Owner, model: EncryptedModel, plan: TrainingPlan, X: Any) -> Help:
        return BudgetRefresh(model, DirectChannel(owner.refresher(model)), plan, X)

    return lambda: LevelRefresh(model, channel), {
        "use BudgetRefresh": lambda: learns(owner, help=budget),
        "refresh_for": lambda: learns(owner),
    }


@case("parties/assistance/weights.py:__init__#3")
def budgets_of_a_scheme_that_has_none(_: Path) -> Case:
    owner = of(LINEAR, CUBIC, ckks.TOY)
    model = owner.encrypt(Network.zeros(LINEAR))
    channel = DirectChannel(owner.refresher(model))

    def level(owner: Owner, model: EncryptedModel, *_: Any) -> Help:
        return LevelRefresh(model, DirectChannel(owner.refresher(model)))

    return lambda: BudgetRefresh(model, channel, plan_of(CUBIC), DENSE), {
        "use LevelRefresh": lambda: learns(owner, X=DENSE, help=level),
        "refresh_for": lambda: learns(owner, X=DENSE),
    }


@case("parties/assistance/weights.py:__init__#2")
def too_few_levels(_: Path) -> Case:
    def help(parameters: Any, sigmoid: Any = CUBIC, architecture: Architecture = LAYERED) -> Help:
        owner = of(architecture, sigmoid, parameters)
        model = owner.encrypt(Network.initial(architecture, np.random.default_rng(0)))
        return LevelRefresh(model, DirectChannel(owner.refresher(model)))

    few = ckks.TOY.updated(modulus_bits=(46, *5 * (37,), 46))
    return lambda: help(few), {
        "more primes (HIDDEN_128)": lambda: help(ckks.HIDDEN_128),
        "a sigmoid of lower degree": lambda: help(few, taylor(1)),
        "hidden=0": lambda: help(few, architecture=LINEAR),
    }


@case("parties/assistance/weights.py:step_bits")
def plans_that_additions_do_not_hold(_: Path) -> Case:
    owner = of(LINEAR, taylor(1), ADDITIVE_FV)
    decaying = replace(plan_of(taylor(1)), decay=0.5, batch_size=24)

    def every(owner: Owner, model: EncryptedModel, *_: Any) -> Help:
        return WeightRefresh(model, DirectChannel(owner.refresher(model)))

    return lambda: learns(owner, decaying), {
        "TrainingPlan(taylor(1), rate)": lambda: learns(owner, TrainingPlan(taylor(1), 0.0625, batch_size=8)),
        "help=WeightRefresh(...)": lambda: learns(owner, decaying, help=every),
    }


@case("parties/owner.py:assistant")
def assistance_to_one_who_needs_none(_: Path) -> Case:
    return lambda: default_owner().assistant(), {"leave `help` out of Trainer.train": by_default}


@case("parties/owner.py:refresher")
def weights_of_one_who_needs_errors(_: Path) -> Case:
    owner = of(LINEAR, EXACT, COMPACT_128)
    return lambda: owner.refresher(owner.encrypt(Network.zeros(LINEAR))), {
        "use owner.assistant(), with AssistedStep": lambda: learns(owner)
    }


@case("network/training.py:_check_step")
def widths_that_a_step_does_not_take(_: Path) -> Case:
    owner, wide = default_owner(), Conditioned(BAG, widths=np.full(24, 2.0))
    step = Help(lambda evaluator, z, targets, rate: evaluator.error(EXACT, z, targets, rate))
    return lambda: learns(owner, X=wide, help=lambda *_: step), {
        "leave `widths` out of Conditioned": lambda: learns(owner, X=Conditioned(BAG), help=lambda *_: step),
        "`help` out of train": lambda: learns(owner, X=wide),
    }


@case("network/training.py:_entered")
def rows_that_do_not_shrink(_: Path) -> Case:
    return lambda: hidden_learns(shrink=0.9), {
        "set shrink=1 in TrainingPlan": lambda: hidden_learns(shrink=1.0),
        "use hidden=0 and leave `parameters` out of Owner": lambda: learns(
            default_owner(), replace(plan_of(EXACT), shrink=0.9)
        ),
    }


@case("network/training.py:__init__")
def errors_of_a_hidden_layer_by_an_owner(_: Path) -> Case:
    wrong = AssistedStep(DirectChannel(of(LINEAR, EXACT, COMPACT_128).assistant()))
    return lambda: hidden_learns(help=lambda *_: wrong), {"leave `help` out of Trainer.train": hidden_learns}


@case("network/training.py:error")
def widths_behind_a_hidden_layer(_: Path) -> Case:
    wide = Conditioned(BAG, widths=np.full(24, 2.0))
    return lambda: hidden_learns(X=wide), {
        "leave `widths` out of Conditioned": lambda: hidden_learns(X=Conditioned(BAG)),
        "use hidden=0 and leave `parameters` out of Owner": lambda: learns(default_owner(), X=wide),
    }


@case("scaling/federation.py:_secret")
def hidden_layers_through_a_proxy(_: Path) -> Case:
    start = rank_one_start()
    A, B = (of(start.architecture, EXACT, HIDDEN_TOY) for _ in range(2))
    linear = [Owner(LINEAR, EXACT) for _ in range(2)]

    def passed_on(A: Owner, B: Owner, start: Network) -> None:
        model = pass_on(A.encrypt(start), blank_model(B), reencryption_key(A, recipient_key(B)))
        close(B.decrypt_network(model).W1, start.W1, 0.05)

    def read_by_both() -> None:
        model, plan = A.encrypt(start), plan_of(EXACT)
        Trainer(model).train(BAG, Y, plan)
        read = A.decrypt_network(model)
        other = B.encrypt(read)
        close(B.decrypt_network(other).W1, read.W1, 0.01)
        follows(B, read, plan, BAG, Y, helped_by, 0.4)

    return lambda: passed_on(A, B, start), {
        "let B encrypt it for its own trainer (Owner.encrypt)": read_by_both,
        "use hidden=0": lambda: passed_on(*linear, Network(LINEAR, np.arange(6.0)[:, None] / 8, None)),
    }


@case("scaling/shared_steps.py:_restart")
def workers_that_were_all_lost(_: Path) -> Case:
    owner, plan = of(LINEAR, EXACT, COMPACT_128), TrainingPlan(EXACT, 0.0625, batch_size=4)
    model = owner.encrypt(Network.zeros(LINEAR))

    def run(cluster: Any) -> None:
        Trainer(model).train(BAG, Y, plan, Workers(cluster, AssistedStep(DirectChannel(owner.assistant()))))

    def again() -> None:
        close(owner.decrypt_network(model).W1, 0.0)  # as it was at the start of the epoch
        run(FakeCluster(1))
        assert np.abs(owner.decrypt_network(model).W1).max() > 0.05

    return lambda: run(FakeCluster(1, {"worker-0": 4})), {"begin a new run from the network": again}


# -- owners and architectures


@case("parties/owner.py:_check_pooling")
def means_of_words(_: Path) -> Case:
    return lambda: of(replace(LINEAR, pooling="mean"), EXACT, BOOTSTRAP_TOY), {
        "Architecture(..., pooling='sum')": lambda: of(replace(LINEAR, pooling="sum"), EXACT, BOOTSTRAP_TOY)
    }


@case("parties/owner.py:encrypt_labels")
def labels_that_anybody_reads(_: Path) -> Case:
    lesson = of(LINEAR, taylor(1), PAPER)

    def hidden_labels(owner: Owner) -> None:
        labels = owner.encrypt_labels(Y, 0.25)
        assert not isinstance(labels, np.ndarray)
        close(owner.decrypt(labels)[:, 0], 0.25 * Y, 0.01)

    return lambda: lesson.encrypt_labels(Y), {
        "leave `parameters` out of Owner": lambda: hidden_labels(default_owner()),
        "COMPACT_128": lambda: hidden_labels(Owner(LINEAR, EXACT, COMPACT_128)),
        "ADDITIVE_128": lambda: hidden_labels(Owner(LINEAR, EXACT, ADDITIVE_128)),
        "insecure=True": lambda: lesson.encrypt_labels(Y, insecure=True),
    }


@case("schemes/bootstrapped/factory.py:make_keys")
def the_default_architecture(_: Path) -> Case:
    def folded() -> None:
        u, _ = collapsed(Network.initial(replace(LAYERED, hidden=2), np.random.default_rng(0), 0.5))
        owner = of(u.architecture, EXACT, BOOTSTRAP_TOY)
        close(owner.decrypt_network(owner.encrypt(u)).W1, u.W1, 0.01)

    def with_hidden_layer() -> None:
        owner, start = Owner(Architecture(6), EXACT, HIDDEN_128), Network.initial(Architecture(6), np.random.default_rng(0))
        model = owner.encrypt(start)
        Trainer(model).train(BAG, Y, TrainingPlan(EXACT, 0.25, batch_size=8))
        assert np.abs(owner.decrypt_network(model).W1).max() > 0.05

    one = Architecture(6, hidden=0, outputs=1, pooling="sum")
    return lambda: Owner(Architecture(6), EXACT), {
        "Architecture(features, hidden=0, outputs=1, pooling='sum')": lambda: Owner(one, EXACT),
        "one for each class": lambda: [of(one, EXACT, BOOTSTRAP_TOY) for _ in range(3)],
        "network.folded can fold a public second layer into the first": folded,
        "for a hidden layer the parameters 'hidden-128' (encnn.schemes.bootstrapped.HIDDEN_128)": with_hidden_layer,
        "leave public=True out": lambda: of(one, EXACT, BOOTSTRAP_TOY, public=False),
    }


@case("schemes/bootstrapped/keys.py:__init__")
def vectors_in_one_ciphertext(_: Path) -> Case:
    def folded() -> None:
        u, _ = collapsed(Network.initial(LAYERED, np.random.default_rng(0), 0.5))
        BootstrappedSecretKey(BOOTSTRAP_TOY, u.architecture.widths())

    def several() -> None:
        secret, v = BootstrappedSecretKey(HIDDEN_128, {3}), np.array([[0.5, -0.25, 1.0]])
        close(secret.decrypt(secret.encrypt_many(v)), v)

    return lambda: BootstrappedSecretKey(BOOTSTRAP_TOY, {3}), {
        "use width 1": lambda: BootstrappedSecretKey(BOOTSTRAP_TOY, {1}),
        "network.folded can fold a public second layer in": folded,
        "for a hidden layer the parameters 'hidden-128' (encnn.schemes.bootstrapped.HIDDEN_128)": several,
    }


@case("network/partial_scores.py:in_parts")
def scores_that_could_wrap_behind_a_layer(_: Path) -> Case:
    owner = of(LAYERED, taylor(1), MODULUS_TOY.updated(scale=1 << 10, w_bits=30))

    def predict(bound: float, size: int) -> None:
        network = Network(LAYERED, np.full((6, 2), bound), np.array([bound, -bound / 2]))
        X = csr_array(np.full((1, 6), size))
        close(owner.decrypt(User(owner.encrypt(network)).predict(X)), 3 * size * bound**2, 0.05 * size * bound**2)

    def folded() -> None:
        u, _ = collapsed(Network(LAYERED, np.full((6, 2), 1.0), np.array([1.0, -0.5])))
        plain = of(u.architecture, taylor(1), MODULUS_TOY.updated(scale=1 << 10, w_bits=30))
        z = plain.decrypt(User(plain.encrypt(u)).predict(csr_array(np.full((1, 6), 4000))))
        close(z, 6 * 4000 * 0.5, 100)

    return lambda: predict(1.0, 4000), {
        "use smaller features": lambda: predict(1.0, 40),
        "smaller weights": lambda: predict(0.25, 4000),
        "fold a public second layer in": folded,
    }


@case("parties/mirror.py:__init__")
def several_scores_of_a_mirror(_: Path) -> Case:
    client, rng = Client(), np.random.default_rng(0)

    def one() -> None:
        network, x = Network.initial(replace(LINEAR, outputs=1), rng, 0.3), rng.normal(size=6)
        close(client.decrypt(Server(client.evaluator, network).score(client.encrypt_review(x))), x @ network.W1)

    return lambda: Server(client.evaluator, Network.zeros(replace(LINEAR, outputs=2))), {
        "a network with outputs=1 for each output": lambda: [one(), one()]
    }


# -- what all schemes share


@case("schemes/base.py:activate")
def the_exact_sigmoid(_: Path) -> Case:
    def polynomial() -> None:
        for sigmoid in (taylor(1), least_squares(1, 8.0)):
            learns(of(LINEAR, sigmoid, ADDITIVE_FV))
        learns(of(LINEAR, CUBIC, ckks.TOY), X=DENSE)

    return lambda: learns(of(LINEAR, EXACT, COMPACT_128), help=lambda *_: NOBODY), {
        "the scheme 'bootstrapped', which can (leave `parameters` out of Owner)": by_default,
        "owner.assistant, for COMPACT_128": lambda: learns(of(LINEAR, EXACT, COMPACT_128)),
        "use a polynomial": polynomial,
        "the scheme 'clear'": lambda: learns(of(LINEAR, EXACT, ClearParameters())),
    }


@case("schemes/base.py:add_update")
def updates_of_a_scheme_without(_: Path) -> Case:
    secret, evaluator = pair(PAPER)
    W, G, batch = secret.encrypt(np.ones((6, 1))), secret.encrypt(np.ones((8, 1))), next(batches(BAG, 8))[1]

    def scatter() -> None:
        evaluator.scatter_subtract(W, batch, G)
        close(secret.decrypt(W), 1 - BAG[:8].toarray().sum(axis=0)[:, None])

    return lambda: Evaluator.add_update(evaluator, W, np.arange(6), G), {"evaluator.scatter_subtract(W, X, G)": scatter}


def product_case(parameters: Any) -> Case:
    secret, evaluator = pair(parameters, (1,), [elementwise(1)])
    a, b = secret.encrypt(np.array([[2.0]])), secret.encrypt(np.array([[3.0]]))
    return lambda: a * b, {"use evaluator.multiply(a, b)": lambda: close(secret.decrypt(evaluator.multiply(a, b)), 6.0)}


case("schemes/integer_vector/ciphertext.py:__mul__")(lambda _: product_case(PAPER))
case("schemes/ckks/ciphertext.py:__mul__#1")(lambda _: product_case(ckks.TOY))
case("schemes/rings/array.py:__mul__")(lambda _: product_case(fv.TOY))


# -- one scheme


@case("schemes/bootstrapped/blocks.py:_entries")
def fractions_under_bootstrapping(_: Path) -> Case:
    return lambda: whole(BOOTSTRAP_TOY, csr_array(DENSE)), {
        "use whole features (scale and round them)": lambda: whole(BOOTSTRAP_TOY, csr_array(np.rint(2 * DENSE).astype(int))),
        "the scheme 'clear'": lambda: fractions(ClearParameters()),
    }


@case("schemes/bootstrapped/parameters.py:fine")
def rotations_without_a_second_key(_: Path) -> Case:
    def rotated(parameters: Any) -> None:
        secret, evaluator = pair(parameters)
        c, table = secret.encrypt(np.array([[parameters.z_half / 2]])), around_zero(parameters.N, lambda x: np.sign(x) / 8)
        close(
            secret.torus_phase(EncryptedTorus(secret.context, evaluator.key, 1).read(c.data, table, fine=True)[0]), 1 / 8, 4e-6
        )

    return lambda: rotated(BOOTSTRAP_TOY), {
        "use 'hidden-128' (encnn.schemes.bootstrapped.HIDDEN_128)": lambda: rotated(HIDDEN_128)
    }


@case("schemes/bootstrapped/hidden.py:layer_for")
def many_hidden_units(_: Path) -> Case:
    return lambda: hidden_learns(17), {
        "use such a start (Network.initial(architecture, rng))": lambda: rank_one_learns(17),
        "use fewer units": lambda: hidden_learns(16),
        "ckks.HIDDEN_128, with help=refresh_for(...)": lambda: hidden_learns(17, CUBIC, ckks.HIDDEN_128, BAG.toarray() * 1.0),
        "integer_vector.PAPER": lambda: hidden_learns(17, taylor(1), PAPER),
    }


@case("schemes/bootstrapped/rank_one.py:_check_odd")
def sigmoids_that_are_not_odd(_: Path) -> Case:
    uneven = ancestor_misplaced()

    def scores() -> None:
        owner, model = rank_one_learns(sigmoid=uneven)
        expected = predict(ClearEvaluator(), owner.decrypt_network(model), BAG)
        close(owner.decrypt(User(model).predict(BAG)), expected, 0.01)
        with pytest.raises(CapabilityError, match="labels and probabilities need a sigmoid"):
            User(model).predict_probabilities(BAG)

    return lambda: rank_one_learns(hide_labels=True, sigmoid=uneven), {
        "ExactSigmoid()": lambda: rank_one_learns(hide_labels=True),
        "taylor(1)": lambda: rank_one_learns(hide_labels=True, sigmoid=taylor(1)),
        "train with plain labels": lambda: rank_one_learns(sigmoid=uneven),
        "ask for scores (User.predict)": scores,
    }


@case("schemes/bootstrapped/rank_one.py:_known_ranges")
def steps_outside_a_run(_: Path) -> Case:
    start, plan = rank_one_start(), plan_of(EXACT)
    model = of(start.architecture, EXACT, HIDDEN_TOY).encrypt(start)
    step, (_rows, batch) = Step(model.evaluator, model.network, plan, None), next(batches(BAG, 8))
    return lambda: step(batch, Y[:8, None].astype(float), plan.learning_rate), {"call Trainer.train": rank_one_learns}


@case("schemes/integer_vector/ciphertext.py:check_same_scale")
def scales_under_a_modulus(_: Path) -> Case:
    def squares(scale: int) -> tuple[Any, Any, Any, Any]:
        secret, evaluator = pair(MODULUS_TOY.updated(scale=scale, w_bits=36), {1}, [elementwise(1)])
        c = secret.encrypt(np.array([[3.0]]))
        return secret, evaluator, c, evaluator.multiply(c, c)

    secret, evaluator, c, square = squares(16)

    def lifted() -> None:
        one = secret.encrypt(np.array([[1.0]]))
        close(secret.decrypt(evaluator.multiply(c, one) + square), 12.0)

    def without_scale() -> None:
        secret, _, c, square = squares(1)
        total = c + square
        assert secret.decrypt_integers(total) == 12  # whole numbers, since noise has a deviation of 0.02

    return lambda: c + square, {"by an encryption of 1 (evaluator.multiply)": lifted, "parameters of scale 1": without_scale}


@case("schemes/integer_vector/ciphertext.py:_multiplied_exactly")
def factors_under_a_modulus(_: Path) -> Case:
    secret, _ = pair(COMPACT_128)
    c = secret.encrypt(np.array([[3.0]]))
    return lambda: c * 0.5, {
        "multiply by whole numbers": lambda: close(secret.decrypt(c * 2), 6.0, 0.1),
        "fv.ADDITIVE_128": lambda: halved(fv.ADDITIVE_128),
        "(insecure)": lambda: halved(PAPER),
        "the scheme 'clear'": lambda: halved(ClearParameters()),
    }


@case("schemes/integer_vector/evaluator.py:_refuse_fractions")
def features_with_fractions_under_a_modulus(_: Path) -> Case:
    return lambda: fractions(COMPACT_128), {
        "use whole numbers": lambda: whole(COMPACT_128),
        "ckks.LOGISTIC_128": lambda: fractions(ckks.LOGISTIC_128),
        "(insecure)": lambda: fractions(PAPER),
        "the scheme 'clear'": lambda: fractions(ClearParameters()),
    }


@case("schemes/rings/evaluator.py:_check_whole")
def features_with_fractions_under_fv(_: Path) -> Case:
    return lambda: fractions(fv.ADDITIVE_128), {
        "scale and round them to integers first": lambda: whole(fv.ADDITIVE_128, csr_array(np.rint(2 * DENSE).astype(int))),
        "ckks.LOGISTIC_128": lambda: fractions(ckks.LOGISTIC_128),
        "the scheme 'clear'": lambda: fractions(ClearParameters()),
    }


def slots_case(run: Callable, width: int = 8) -> Case:
    """A thing that takes slots: refused in coefficients, done in slots."""

    def done(encoding: str) -> None:
        secret, evaluator = pair(fv.TOY.updated(encoding=encoding), [8], [elementwise(8), vector_matrix(8, 1)])
        found, expected = run(evaluator, secret.encrypt(np.arange(8.0)))
        close(secret.decrypt(found), expected)

    return lambda: done("coefficients"), {"use parameters with encoding='slots'": lambda: done("slots")}


V = np.arange(8.0)
case("schemes/rings/evaluator.py:multiply_entries")(
    lambda _: slots_case(lambda e, a: (e.multiply_entries(a, V % 3), V * (V % 3)))
)
case("schemes/rings/evaluator.py:sum_slots")(lambda _: slots_case(lambda e, a: (e.sum_slots(a), np.full(8, V.sum()))))
case("schemes/rings/evaluator.py:_check_multiplicable")(lambda _: slots_case(lambda e, a: (e.multiply(a, a), V * V)))


@case("schemes/rings/evaluator.py:bilinear")
def outer_products_in_slots(_: Path) -> Case:
    def product(parameters: Any, f: Any) -> None:
        secret, evaluator = pair(parameters, {f.left, f.right, f.out}, [f, elementwise(f.right)])
        x, y = np.arange(1.0, f.left + 1), np.arange(1.0, f.right + 1)
        close(
            secret.decrypt(evaluator.bilinear(f, secret.encrypt(x[None]), secret.encrypt(y[None])))[0],
            f.apply(x[None], y[None])[0],
            0.01,
        )

    fractional = fv.TOY.updated(
        name="fractional-INSECURE", encoding="fractional", fraction_digits=8, value_limit=8.0, N=256, **_primes(256)
    )
    return lambda: product(fv.TOY, outer(2, 2)), {
        "use outputs=1": lambda: product(fv.TOY, outer(2, 1)),
        "parameters with encoding='fractional'": lambda: product(fractional, outer(2, 2)),
        "the scheme 'integer_vector'": lambda: product(PAPER, outer(2, 2)),
    }


# -- CKKS


@case("schemes/ckks/ciphertext.py:__getitem__")
def labels_cut_inside_a_ciphertext(_: Path) -> Case:
    owner = of(LINEAR, CUBIC, ckks.TOY)
    X, y = np.tile(DENSE, (60, 1)), np.tile(Y, 60)

    def train(labels: Any, batch: int) -> None:
        plan = TrainingPlan(CUBIC, 1 / 1024, batch_size=batch)
        model, twin = (
            owner.encrypt(Network.zeros(LINEAR)),
            Owner(LINEAR, CUBIC, ClearParameters()).encrypt(Network.zeros(LINEAR)),
        )
        Trainer(model).train(X, labels, plan, helped_by(owner, model, plan, X))
        Trainer(twin).train(X, y, plan)
        close(owner.decrypt_network(model).W1, twin.network.W1, 0.01)

    def by_themselves() -> None:
        parts = [owner.encrypt_labels(y[at : at + 480], insecure=True) for at in range(0, len(y), 480)]
        train(owner.evaluator.concatenate(parts), 480)

    rows = owner.evaluator.batch_rows
    return lambda: train(owner.encrypt_labels(y, insecure=True), 480), {
        "batch_size=evaluator.batch_rows": lambda: train(owner.encrypt_labels(y, insecure=True), rows),
        "encrypt the labels of each mini-batch by themselves and join them by evaluator.concatenate": by_themselves,
    }


@case("schemes/ckks/ciphertext.py:__mul__#2")
def products_with_zero(_: Path) -> Case:
    secret, _ = pair(ckks.TOY)
    a = secret.encrypt(np.ones((4, 1)))
    return lambda: a + a * 0.0, {
        "leave the term out": lambda: close(secret.decrypt(a), 1.0),
        "encrypt 0 anew": lambda: close(secret.decrypt(a + secret.encrypt(np.zeros((4, 1)))), 1.0),
    }


@case("schemes/ckks/evaluator.py:_features")
def bags_of_words_under_ckks(_: Path) -> Case:
    owner = of(LINEAR, CUBIC, ckks.TOY)
    return lambda: learns(owner), {
        "X.toarray()": lambda: learns(owner, X=BAG.toarray()),
        "leave `parameters` out of Owner": by_default,
    }


@case("schemes/ckks/evaluator.py:bilinear")
def several_outputs_under_ckks(_: Path) -> Case:
    secret, evaluator = pair(ckks.TOY, (2,), [elementwise(2), vector_matrix(2, 1)])
    h, w = np.ones((4, 2)), np.array([2.0, 1.0])
    H = secret.encrypt(h)
    return lambda: evaluator.bilinear(vector_matrix(2, 2), H, H), {
        "use outputs=1": lambda: close(secret.decrypt(evaluator.bilinear(vector_matrix(2, 1), H, secret.encrypt(w))), 3.0),
        "one network for each class": lambda: [of(LAYERED, CUBIC, ckks.TOY) for _ in range(2)],
    }


@case("schemes/ckks/factory.py:make_keys#1")
def seeded_keys_of_ckks(_: Path) -> Case:
    return lambda: of(LINEAR, CUBIC, ckks.TOY, rng=RNG), {"Leave rng out": lambda: of(LINEAR, CUBIC, ckks.TOY)}


@case("schemes/ckks/factory.py:make_keys#2")
def public_keys_of_ckks(_: Path) -> Case:
    def anybody_encrypts() -> None:
        owner = Owner(LINEAR, taylor(1), fv.ADDITIVE_128, public=True)
        close(owner.decrypt(owner.evaluator.encrypt(np.array([[0.5]]))), 0.5)  # type: ignore[attr-defined]

    return lambda: of(LINEAR, CUBIC, ckks.TOY, public=True), {
        "leave public=True out": lambda: of(LINEAR, CUBIC, ckks.TOY),
        "fv.ADDITIVE_128": anybody_encrypts,
    }


@case("schemes/ckks/packing.py:__post_init__")
def rows_that_one_ciphertext_does_not_hold(_: Path) -> Case:
    def owner(parameters: Any = ckks.LOGISTIC_128, hidden: int = 100, features: int = 64) -> Owner:
        return Owner(Architecture(features, hidden=hidden, pooling="sum"), taylor(1), parameters)

    return owner, {
        "a larger degree (HIDDEN_128)": lambda: owner(ckks.HIDDEN_128),
        "fewer hidden units": lambda: owner(hidden=40),
        "fewer features": lambda: owner(features=32),
    }


def extra(name: str, package: str) -> None:
    """Ask whether `pip install 'encnn[name]'` installs the package."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    assert any(line.startswith(package) for line in project["optional-dependencies"][name])


@case("schemes/ckks/seal.py:sealapi")
def ckks_without_seal(_: Path) -> Case:
    def without(run: Followed) -> None:
        with mock.patch.dict(sys.modules, {"tenseal.sealapi": None}):
            run()

    return lambda: without(sealapi), {
        "pip install 'encnn[seal]'": lambda: extra("seal", "tenseal"),
        "leave `parameters` out of Owner": lambda: without(by_default),
    }


@case("schemes/ckks/seal.py:spend")
def levels_that_are_spent(_: Path) -> Case:
    def steps(parameters: Any, help: Callable = lambda *_: NOBODY) -> None:
        owner = of(LINEAR, CUBIC, parameters)
        model, plan = owner.encrypt(Network.zeros(LINEAR)), plan_of(CUBIC)
        Trainer(model).train(DENSE, Y, plan, help(owner, model, plan, DENSE))

    few, many = (ckks.TOY.updated(modulus_bits=(46, *levels * (37,), 46)) for levels in (4, ckks.UNASSISTED_128.levels))
    return lambda: steps(few), {
        "owner.refresher": lambda: steps(few, helped_by),
        "more primes (UNASSISTED_128)": lambda: steps(many),  # as many levels, on a smaller ring
        "leave `parameters` out of Owner": by_default,
    }


@case("schemes/ckks/seal.py:_check_room")
def scales_that_do_not_fit(_: Path) -> Case:
    secret, _ = pair(ckks.TOY)
    a = secret.encrypt(np.ones((4, 1)))

    def with_scale(**changes: Any) -> None:
        other, _ = pair(ckks.TOY.updated(**changes))
        low = other.encrypt(np.ones((4, 1))).lowered(0 if "scale_bits" in changes else 1)
        close(other.decrypt(low * 2.0**-18), 2.0**-18, 1e-4)

    return lambda: a.lowered(0) * 2.0**-18, {
        "by numbers that are not so small": lambda: close(secret.decrypt(a.lowered(0) * 0.5), 0.5),
        "a smaller scale_bits": lambda: with_scale(scale_bits=24, modulus_bits=(46, *9 * (24,), 46)),
        "more primes": lambda: with_scale(modulus_bits=(46, *10 * (37,), 46)),
    }


# -- features and data


@case("data/recipes.py:__call__")
def words_that_were_not_published(_: Path) -> Case:
    reviews = load_reviews("toy").train[:20]
    words = Vocabulary.select(reviews, 3, None)
    recipe = UnpublishedFeatures(WordFeatures(words).fingerprint)
    a = Architecture(len(words), hidden=0, pooling="sum")
    model = of(a, EXACT, BOOTSTRAP_TOY, features=recipe).encrypt(Network.zeros(a))
    return lambda: model.features(reviews.texts), {  # type: ignore[misc]
        "bag_of_words(texts, vocabulary)": lambda: User(model).predict(bag_of_words(reviews.texts, words))
    }


@case("data/reviews/features.py:_gensim_models")
def word2vec_without_gensim(_: Path) -> Case:
    def missing() -> None:
        with mock.patch.object(importlib, "import_module", side_effect=ImportError):
            word2vec_features(load_reviews("toy").train[:20])

    return missing, {"pip install 'encnn[word2vec]'": lambda: extra("word2vec", "gensim")}


# -- the command


def command(*words: object) -> None:
    """Run a command in this process; errors come through."""
    with mock.patch("encnn.command.program._failed", side_effect=_raised):
        assert main([str(word) for word in words]) == 0


def _raised(_: str) -> int:
    raise  # noqa: PLE0704 - the error that the command would tell


def table(folder: Path) -> Path:
    rows = [f"{a},{b},{int(a > b)}" for a, b in RNG.integers(0, 4, (60, 2)).tolist()]
    (folder / "data.csv").write_text("\n".join(["a,b,label", *rows]))
    return folder / "data.csv"


def model_file(folder: Path, architecture: Architecture, parameters: Any, sigmoid: Any = EXACT, named: bool = True) -> Path:
    """Write the secret and a model of an architecture that `encnn init` does not make."""
    owner = of(architecture, sigmoid, parameters, features=TableFeatures(("a", "b")) if named else None)
    owner.save_secret(folder / "secret")
    owner.save_model(owner.encrypt(Network.initial(architecture, RNG)), folder / "model")
    return folder / "model"


TWO = Architecture(2, hidden=0, pooling="sum")


@case("command/inputs.py:recipe_of")
def a_model_without_a_recipe(folder: Path) -> Case:
    data, model = table(folder), model_file(folder, TWO, BOOTSTRAP_TOY, named=False)

    def made_by_init() -> None:
        command("init", data, "--out", folder / "owner", "--columns", "a,b", "--parameters", BOOTSTRAP_TOY.name)
        command("predict", folder / "owner" / "model.encnn", data, "--out", folder / "scores")

    return lambda: command("predict", model, data, "--out", folder / "none"), {
        "made by `encnn init`": made_by_init,
        "make the features in Python": lambda: User.load(model).predict(csr_array(np.eye(2, dtype=int))),
    }


@case("command/open.py:feature_names")
def weights_of_a_hidden_layer(folder: Path) -> Case:
    model = model_file(folder, Architecture(2, hidden=2, pooling="sum"), PAPER, taylor(1))
    return lambda: command("open", folder / "secret", model, "--out", folder / "weights.csv", "--yes"), {
        "Owner.decrypt_network": lambda: Owner.load(folder / "secret").decrypt_network(EncryptedModel.load(model))
    }


@case("command/rate.py:chosen_rate")
def a_rate_for_a_hidden_layer(folder: Path) -> Case:
    data = table(folder)
    words = "train", model_file(folder, Architecture(2, hidden=2, pooling="sum"), PAPER, taylor(1)), data, "--out"
    return lambda: command(*words, folder / "one"), {
        "name --learning-rate": lambda: command(*words, folder / "two", "--learning-rate", "0.01")
    }


@case("command/read.py:run")
def several_scores_per_row(folder: Path) -> Case:
    model = model_file(folder, Architecture(2, hidden=0, outputs=3, pooling="sum"), PAPER, taylor(1))
    user = User.load(model)
    user.save_scores(user.predict(csr_array(np.eye(2, dtype=int))), folder / "scores")
    return lambda: command("read", folder / "secret", folder / "scores"), {
        "Owner.load_scores": lambda: close(Owner.load(folder / "secret").load_scores(folder / "scores").shape, (2, 3))
    }


@case("command/train.py:_check_help#1")
def weights_that_the_command_does_not_renew(folder: Path) -> Case:
    data = table(folder)

    def in_python() -> None:
        owner, plan, X = Owner.load(folder / "secret"), plan_of(taylor(1)), csr_array(np.eye(2, dtype=int))
        model = EncryptedModel.load(folder / "model")
        Trainer(model).train(X, [0, 1], plan, refresh_for(model, DirectChannel(owner.refresher(model)), plan, X))

    def by_init() -> None:
        command("init", data, "--out", folder / "owner", "--columns", "a,b", "--parameters", BOOTSTRAP_TOY.name)
        command("train", folder / "owner" / "model.encnn", data, "--out", folder / "trained", "--learning-rate", "0.01")

    model = model_file(folder, TWO, fv.ADDITIVE_128, taylor(1))
    return lambda: command("train", model, data, "--out", folder / "none"), {
        "in Python with help=refresh_for(...)": in_python,
        "a model made by `encnn init`": by_init,
    }


@case("command/train.py:_check_help#2")
def training_alone_what_needs_the_owner(folder: Path) -> Case:
    data = table(folder)
    command("init", data, "--out", folder, "--columns", "a,b", "--parameters", "compact-128")
    words = "train", folder / "model.encnn", data, "--learning-rate", "0.01", "--out"

    def with_owner() -> None:
        (folder / "shared").mkdir()
        with serving(Owner.load(folder / "secret.key").assistant(), folder / "shared"):
            command(*words, folder / "trained", "--with-owner", folder / "shared", "--wait", "30")

    return lambda: command(*words, folder / "none"), {"name a folder by --with-owner": with_owner}


@case("command/train.py:_check_help#3")
def an_owner_whom_nobody_needs(folder: Path) -> Case:
    data, model = table(folder), model_file(folder, TWO, BOOTSTRAP_TOY)
    words = "train", model, data, "--learning-rate", "0.01", "--out"
    return lambda: command(*words, folder / "one", "--with-owner", folder), {
        "leave --with-owner out": lambda: command(*words, folder / "two")
    }


# -- all of them


def sites() -> dict[str, tuple[Path, range]]:
    """Return the places that raise `CapabilityError`, by the names that cases have."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            name = f"{path.relative_to(PACKAGE)}:{function.name}"
            raises = [
                node for node in ast.walk(function) if isinstance(node, ast.Raise) and "CapabilityError(" in ast.unparse(node)
            ]
            found += [(name, path, range(node.lineno, (node.end_lineno or 0) + 1)) for node in raises]
    many = Counter(name for name, *_ in found)
    numbered: Counter = Counter()
    places = {}
    for name, path, lines in sorted(found, key=lambda site: (site[0], site[2].start)):
        numbered[name] += 1
        places[f"{name}#{numbered[name]}" if many[name] > 1 else name] = (path, lines)
    return places


def test_no_refusal_is_forgotten() -> None:
    assert set(CASES) == set(sites())
    made = sum(path.read_text().count("CapabilityError(") for path in PACKAGE.rglob("*.py"))
    assert made == len(CASES) + 1  # and the class itself


@pytest.mark.slow
@pytest.mark.parametrize("site", CASES)
def test_the_advice_works(site: str, tmp_path: Path) -> None:
    pytest.importorskip("tenseal.sealapi")
    refused, advice = CASES[site](tmp_path)
    with pytest.raises(CapabilityError) as caught:
        refused()
    path, lines = sites()[site]
    last = caught.traceback[-1]
    assert (Path(last.path), last.lineno + 1 in lines) == (path, True)
    assert advice
    for words, followed in advice.items():
        assert words in str(caught.value)
        followed()
