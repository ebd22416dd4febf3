"""Owner, trainer and user: what they can do, what their files hold, and that nothing secret leaves the owner."""

import copy
import functools
import os
import re
import stat
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import encnn
from encnn import files
from encnn.arithmetic.sampling import Randomness
from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.data import Features
from encnn.errors import CapabilityError, DataError, FileError, InsecureWarning, KeyMismatchError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan
from encnn.parties import EncryptedModel, Owner, Trainer, User
from encnn.parties.assistance.scores import AssistedStep, DirectChannel, KeptLabels
from encnn.parties.model import MODEL, SCORES, SECRET
from encnn.schemes import SCHEMES, ClearParameters, SecretKey, restore_evaluator, restore_secret_key
from encnn.schemes.bootstrapped import ONE_LEVEL_128
from encnn.schemes.ckks import CKKSParameters
from encnn.schemes.fv import FRACTIONAL_128
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, MODULUS_TOY, PAPER

from secret_walker import arrays_from, arrays_in_file, neighbours, reachable, shows  # isort: skip

XOR = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]), np.array([0, 1, 1, 0])
PLAN = TrainingPlan(taylor(3), 0.1, batch_size=4, epochs=2)


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def some_reviews(features: int = 12, reviews: int = 30) -> tuple[csr_array, np.ndarray]:
    rng = seeded(4)
    return csr_array(rng.integers(0, 2, (reviews, features))), rng.integers(0, 2, reviews)


def start_of(architecture: Architecture) -> Network:
    return Network.initial(architecture, seeded(1), first_layer_sd=0.5)


# In one process


@pytest.mark.parametrize("parameters", [PAPER, ClearParameters()], ids=lambda p: p.name)
def test_xor_is_learnt_by_a_trainer_who_reads_nothing(parameters: Any) -> None:
    X, y = XOR
    architecture = Architecture(3, hidden=8, pooling="sum", hidden_sigmoid=taylor(3))
    plan = TrainingPlan(taylor(1), 0.3, epochs=600, batch_size=4)
    owner = Owner(architecture, taylor(1), parameters, rng=seeded())
    model = owner.encrypt(Network.initial(architecture, seeded(2), first_layer_sd=1.0))

    before = owner.evaluate(User(model).predict(X), y, plan)
    scores = Trainer(model).train(X, y, plan, on_scores=owner.watch(plan))
    after = owner.evaluate(User(model).predict(X), y, plan)

    assert before.accuracy.correct < 4
    assert after.right.all()
    assert np.abs(after.p[:, 0] - y).max() < 0.1
    assert owner.evaluate(scores, y, plan).right[-4:].all()
    assert owner.evaluate(scores, y, plan).z.shape == (4 * 600, 1)


def test_the_owner_reads_what_was_encrypted_and_the_model_is_a_copy() -> None:
    owner = Owner(Architecture(5, hidden=3, outputs=2), taylor(3), PAPER, rng=seeded())
    network = start_of(owner.architecture)
    model = owner.encrypt(network)
    again = model.copy()
    Trainer(again).train(*some_reviews(5), PLAN)
    read = owner.decrypt_network(model)
    np.testing.assert_allclose(read.W1, network.W1, atol=1e-8)
    np.testing.assert_allclose(read.W2, network.W2, atol=1e-8)
    assert np.abs(owner.decrypt_network(again).W1 - network.W1).max() > 0.01
    assert again.evaluator is model.evaluator


def test_an_owner_encrypts_only_the_architecture_the_keys_are_for() -> None:
    owner = Owner(Architecture(5), taylor(1), PAPER, rng=seeded())
    with pytest.raises(ParameterError, match="the keys are for Architecture.*make another owner"):
        owner.encrypt(start_of(Architecture(6)))


def test_an_evaluation_holds_both_counts_of_the_paper_and_its_ancestor() -> None:
    owner = Owner(Architecture(2), taylor(1), ClearParameters())
    z, y = np.array([[0.0], [1.0], [0.4], [-2.0]]), np.array([1, 1, 0, 0])
    found = owner.evaluate(z, y, TrainingPlan(taylor(1)))
    assert found.p.ravel().tolist() == [0.5, 0.75, 0.6, 0.0]
    assert found.right.tolist() == [True, True, False, True]
    assert str(found.accuracy) == "3 of 4 (75.00 %)"
    assert found.right_running_mean.tolist() == [True, True, False, True]
    assert found.running_mean_accuracy.correct == 3
    assert (found.range.min_z, found.range.max_z) == (-2.0, 1.0)


def test_an_evaluation_repeats_the_labels_for_every_epoch_and_compares_classes() -> None:
    owner = Owner(Architecture(2, outputs=3), taylor(1), ClearParameters())
    z = np.eye(3)[[0, 1, 2, 0, 2, 2]]
    found = owner.evaluate(z, np.array([0, 1, 2]), TrainingPlan(taylor(1), epochs=2))
    assert found.right.tolist() == [True, True, True, True, False, True]
    assert found.accuracy == found.running_mean_accuracy


@pytest.mark.parametrize("labels", [[], [0, 1, 0, 1], [0] * 6])
def test_labels_of_another_run_are_refused(labels: list) -> None:
    owner = Owner(Architecture(2), taylor(1), ClearParameters())
    with pytest.raises(DataError, match=f"3 scores are not whole epochs over {len(labels)} labels"):
        owner.evaluate(np.zeros((3, 1)), labels, TrainingPlan(taylor(1)))


def test_two_owners_do_not_mix() -> None:
    one, other = (Owner(Architecture(5), taylor(3), PAPER, rng=seeded(k)) for k in (0, 1))
    X, _ = some_reviews(5)
    scores = User(one.encrypt(start_of(one.architecture))).predict(X)
    with pytest.raises(KeyMismatchError, match="belongs to key"):
        other.decrypt(scores)
    with pytest.raises(KeyMismatchError, match="belongs to key"):
        other.watch(PLAN)(0, scores)
    with pytest.raises(KeyMismatchError, match="belongs to key"):
        other.decrypt_network(one.encrypt(start_of(one.architecture)))
    mixed = one.encrypt(start_of(one.architecture))
    mixed.network.W2 = other.encrypt(start_of(one.architecture)).network.W2
    with pytest.raises(KeyMismatchError):
        User(mixed).predict(X)


def test_seeded_keys_repeat_and_real_ones_do_not() -> None:
    def key(rng: np.random.Generator | None) -> np.ndarray:
        return Owner(Architecture(3, hidden=0, pooling="sum"), taylor(1), MODULUS_TOY, rng=rng).secret_key.T(1)

    assert (key(seeded(3)) == key(seeded(3))).all()
    assert (key(None) != key(None)).any()


# Files and separate processes


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Owner, Path]:
    """An owner with real keys, and a folder with the files model, scores and secret."""
    folder = tmp_path_factory.mktemp("files")
    owner = Owner(Architecture(12, hidden=8), taylor(3), PAPER)
    user = User(owner.encrypt(start_of(owner.architecture)))
    user.model.save(folder / "model")
    user.save_scores(user.predict(some_reviews()[0]), folder / "scores")
    owner.save_secret(folder / "secret")
    return owner, folder


LOADERS: dict[str, Callable[[Path, Owner], Any]] = {
    "model": lambda path, _: EncryptedModel.load(path),
    "scores": lambda path, owner: owner.load_scores(path),
    "secret": lambda path, _: Owner.load(path),
}
KINDS = {"model": MODEL, "scores": SCORES, "secret": SECRET}

TRAINER = """
import sys
import numpy as np
from scipy.sparse import csr_array
from encnn.network import TrainingPlan
from encnn.parties import Trainer
from encnn.arithmetic.sigmoid import taylor

reviews, model, trained, scores = sys.argv[1:]
data = np.load(reviews)
trainer = Trainer.load(model)
z = trainer.train(csr_array(data["X"]), data["y"], TrainingPlan(taylor(3), 0.1, batch_size=4, epochs=2))
trainer.model.save(trained)
trainer.save_scores(z, scores)
"""


def test_a_trainer_in_another_process_does_what_one_in_this_process_does(real: tuple[Owner, Path], tmp_path: Path) -> None:
    owner, folder = real
    X, y = some_reviews()
    np.savez(tmp_path / "reviews.npz", X=X.toarray(), y=y)
    paths = [str(tmp_path / "reviews.npz"), str(folder / "model"), str(tmp_path / "trained"), str(tmp_path / "scores")]
    environment = os.environ | {"PYTHONPATH": str(Path(encnn.__file__).parent.parent)}
    subprocess.run([sys.executable, "-W", "error", "-c", TRAINER, *paths], check=True, env=environment, cwd=tmp_path)

    here = Trainer.load(folder / "model")
    scores = here.train(X, y, PLAN)
    there = EncryptedModel.load(tmp_path / "trained")
    np.testing.assert_array_equal(there.network.W1.data, here.model.network.W1.data)
    np.testing.assert_array_equal(there.network.W2.data, here.model.network.W2.data)
    np.testing.assert_array_equal(owner.load_scores(tmp_path / "scores"), owner.decrypt(scores))

    reloaded = Owner.load(folder / "secret")
    np.testing.assert_array_equal(reloaded.load_scores(tmp_path / "scores"), owner.decrypt(scores))
    start = start_of(owner.architecture)
    twin = Trainer(Owner(owner.architecture, taylor(3), ClearParameters()).encrypt(start))
    np.testing.assert_allclose(owner.decrypt(scores), twin.train(X, y, PLAN), atol=5e-4)
    np.testing.assert_allclose(reloaded.decrypt_network(there).W1, twin.model.network.W1, atol=5e-4)


def test_a_model_comes_back_as_it_was(real: tuple[Owner, Path]) -> None:
    owner, folder = real
    model = EncryptedModel.load(folder / "model")
    assert model.sigmoid == owner.sigmoid
    assert model.architecture == owner.architecture
    assert model.evaluator.parameters == PAPER
    assert model.network.W1.context == owner.secret_key.context
    network = start_of(owner.architecture)
    np.testing.assert_allclose(owner.decrypt_network(model).W1, network.W1, atol=1e-8)


@pytest.mark.parametrize(
    "architecture",
    [Architecture(4, hidden=0, pooling="sum"), Architecture(4, hidden=2, outputs=3, pooling="sum", hidden_sigmoid=taylor(3))],
    ids=["no hidden layer", "hidden sigmoid"],
)
@pytest.mark.parametrize("parameters", [PAPER, MODULUS_TOY], ids=lambda p: p.name)
def test_every_architecture_comes_back(architecture: Architecture, parameters: Any, tmp_path: Path) -> None:
    owner = Owner(architecture, taylor(1), parameters, public=True)
    size = owner.encrypt(start_of(architecture)).save(tmp_path / "model")
    assert size == (tmp_path / "model").stat().st_size
    owner.save_secret(tmp_path / "secret")
    again, model = Owner.load(tmp_path / "secret"), EncryptedModel.load(tmp_path / "model")
    assert model.architecture == again.architecture == architecture
    assert (again.parameters, again.sigmoid) == (parameters, taylor(1))
    assert set(model.evaluator.public_keys) == architecture.widths()
    v = np.ones((2, architecture.row_width))
    np.testing.assert_allclose(again.decrypt(model.evaluator.encrypt(v)), v, atol=1e-3)
    for m in owner.secret_key.widths:
        np.testing.assert_array_equal(again.secret_key.T(m), owner.secret_key.T(m))


def test_the_secret_is_readable_by_its_owner_alone(real: tuple[Owner, Path]) -> None:
    _, folder = real
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600


def test_inspect_tells_what_each_file_costs(real: tuple[Owner, Path]) -> None:
    _, folder = real
    for name, kind in KINDS.items():
        contents = files.inspect(folder / name)
        assert contents.kind == kind
        assert contents.nbytes == (folder / name).stat().st_size
    text = str(files.inspect(folder / "model"))
    assert text.startswith("encrypted-model: ")
    assert "W1: int64 (12, 9), 0.00 MB" in text
    assert "product_0" in text
    assert "T_8: int64 (8, 1)" in str(files.inspect(folder / "secret"))


def test_keys_made_from_a_generator_do_not_reach_a_disk(tmp_path: Path) -> None:
    owner = Owner(Architecture(4), taylor(1), PAPER, rng=seeded())
    user = User(owner.encrypt(start_of(owner.architecture)))
    exports = [
        lambda: owner.save_secret(tmp_path / "file"),
        lambda: user.model.save(tmp_path / "file"),
        lambda: user.save_scores(user.predict(np.ones((1, 4))), tmp_path / "file"),
    ]
    for export in exports:
        with pytest.raises(ParameterError, match="made from a passed rng.*Make the owner without rng"):
            export()
    assert list(tmp_path.iterdir()) == []


def test_clear_models_are_not_saved_as_encrypted_ones(tmp_path: Path) -> None:
    owner = Owner(Architecture(4), taylor(1), ClearParameters())
    user = User(owner.encrypt(start_of(owner.architecture)))
    for export in (user.model.save, owner.save_secret, lambda path: user.save_scores(user.predict(np.ones((1, 4))), path)):
        with pytest.raises(ParameterError, match="clear"):
            export(tmp_path / "file")
    for restore in (restore_evaluator, restore_secret_key):
        with pytest.raises(FileError, match="the file is of scheme 'clear'"):
            restore("clear", {}, {}, ()) if restore is restore_evaluator else restore("clear", {}, {})


def test_a_model_for_the_exact_sigmoid_is_saved_for_an_owner_who_assists(tmp_path: Path) -> None:
    owner = Owner(Architecture(4, hidden=0), ExactSigmoid(), PAPER)
    owner.encrypt(start_of(owner.architecture)).save(tmp_path / "file")
    assert isinstance(EncryptedModel.load(tmp_path / "file").sigmoid, ExactSigmoid)


def test_scores_and_models_of_two_owners_are_told_apart(real: tuple[Owner, Path], tmp_path: Path) -> None:
    owner, folder = real
    other = Owner(owner.architecture, taylor(3), PAPER)
    with pytest.raises(KeyMismatchError, match="scores: scores under key .* came to the owner of key"):
        other.load_scores(folder / "scores")
    with pytest.raises(KeyMismatchError):
        other.decrypt_network(EncryptedModel.load(folder / "model"))
    foreign = User(other.encrypt(start_of(other.architecture)))
    with pytest.raises(KeyMismatchError, match="the scores belong to key"):
        User.load(folder / "model").save_scores(foreign.predict(some_reviews()[0]), tmp_path / "file")


@pytest.mark.parametrize("name", LOADERS)
def test_every_file_is_read_as_what_it_is_only(name: str, real: tuple[Owner, Path]) -> None:
    owner, folder = real
    for other in set(LOADERS) - {name}:
        with pytest.raises(FileError, match=f"is of kind '{KINDS[other]}', but '{KINDS[name]}' was wanted"):
            LOADERS[name](folder / other, owner)


def altered(data: bytes, how: str) -> bytes:
    middle = len(data) // 2
    return {
        "empty": b"",
        "foreign": b"PK\x03\x04 a zip, but not ours" * 9,
        "half": data[:middle],
        "one byte short": data[:-1],
        "one byte more": data + b"\n",
        "one bit": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "newer": data.replace(b'"format":2', b'"format":3'),
        "swapped": data[:middle] + data[middle + 64 : middle + 128] + data[middle : middle + 64] + data[middle + 128 :],
    }[how]


@pytest.mark.parametrize("how", ["empty", "foreign", "half", "one byte short", "one byte more", "one bit", "newer", "swapped"])
@pytest.mark.parametrize("name", LOADERS)
def test_damaged_files_are_refused(name: str, how: str, real: tuple[Owner, Path], tmp_path: Path) -> None:
    owner, folder = real
    data = (folder / name).read_bytes()
    (tmp_path / "file").write_bytes(altered(data, how))
    assert altered(data, how) != data
    with pytest.raises(FileError):
        LOADERS[name](tmp_path / "file", owner)


def with_arrays(change: Callable[[dict[str, np.ndarray]], Any], name: str, folder: Path, target: Path) -> Path:
    """Write the file again with other arrays, and a digest that fits them."""
    header, arrays = files.read(folder / name, KINDS[name])
    change(arrays)
    files.write(target, KINDS[name], header, arrays)
    return target


def swap(one: str, other: str, arrays: dict[str, np.ndarray]) -> None:
    arrays[one], arrays[other] = arrays[other], arrays[one]


def replace(name: str, change: Callable[[np.ndarray], np.ndarray], arrays: dict[str, np.ndarray]) -> None:
    arrays[name] = change(arrays[name])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model", functools.partial(swap, "W1", "W2")),
        ("model", functools.partial(swap, "product_0", "product_1")),
        ("model", functools.partial(replace, "W1", lambda a: a[:-1])),
        ("model", functools.partial(replace, "W1", lambda a: a.astype(float))),
        ("model", functools.partial(replace, "W2", lambda a: a[None])),
        ("model", functools.partial(replace, "product_0", lambda a: a.T.copy())),
        ("model", lambda arrays: arrays.pop("W1")),
        ("model", lambda arrays: arrays.pop("W2")),
        ("model", lambda arrays: arrays.pop("product_2")),
        ("scores", lambda arrays: arrays.pop("scores")),
        ("scores", functools.partial(replace, "scores", lambda a: a[1:])),
        ("secret", functools.partial(swap, "T_1", "T_8")),
        ("secret", functools.partial(replace, "T_8", lambda a: a.astype(np.int32))),
        ("secret", lambda arrays: arrays.update(T_x=arrays["T_8"])),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name: str, change: Callable, real: tuple[Owner, Path], tmp_path: Path) -> None:
    owner, folder = real
    with pytest.raises(FileError):
        LOADERS[name](with_arrays(change, name, folder, tmp_path / "file"), owner)


def test_a_secret_and_evaluation_keys_of_two_owners_are_refused(real: tuple[Owner, Path], tmp_path: Path) -> None:
    owner, folder = real
    Owner(owner.architecture, taylor(3), PAPER).save_secret(tmp_path / "other")
    header, arrays = files.read(folder / "secret", SECRET)
    foreign, _ = files.read(tmp_path / "other", SECRET)
    files.write(tmp_path / "file", SECRET, header | {"secret": foreign["secret"]}, arrays)
    with pytest.raises(FileError, match="belong to different owners"):
        Owner.load(tmp_path / "file")


# Headers that make no sense

EXTREMES = st.sampled_from(
    [0, -1, 1, 2, 2**31, 2**64, 10**400, -(10**400), 0.5, 1e308, -1e-308, "", "x", [], {}, [[]], True, None]
)
json_values = EXTREMES | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Return the path of everything inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [step for key, inner in inside for step in [(*path, key), *places(inner, (*path, key))]]


def mutated(header: dict, data: st.DataObject) -> dict:
    """Return the header with one value removed or replaced."""
    header = copy.deepcopy(header)
    *path, last = data.draw(st.sampled_from(places(header)))
    parent = functools.reduce(lambda inner, key: inner[key], path, header)
    if data.draw(st.booleans()):
        parent[last] = data.draw(json_values)
    else:
        del parent[last]
    return header


@pytest.mark.parametrize("name", LOADERS)
@settings(max_examples=80)
@given(data=st.data())
def test_a_header_that_was_altered_is_refused_or_makes_no_difference(
    name: str, real: tuple[Owner, Path], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whoever alters a header makes a digest that fits; still nothing but the package's own errors comes of it.

    What may be altered unseen changes no number that the owner reads: names, bounds on noise, the public sigmoid.
    """
    owner, folder = real
    path = tmp_path_factory.getbasetemp() / "mutated"
    header, arrays = files.read(folder / name, KINDS[name])
    files.write(path, KINDS[name], mutated(header, data), arrays)
    try:
        found = LOADERS[name](path, owner)
        if name == "model":
            found = owner.decrypt_network(found).W1
        elif name == "secret":
            found = found.decrypt_network(EncryptedModel.load(folder / "model")).W1
    except (FileError, KeyMismatchError):
        return
    original = owner.load_scores(folder / "scores") if name == "scores" else start_of(owner.architecture).W1
    np.testing.assert_allclose(found, original, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("model", ("architecture", "hidden_sigmoid"), ""),
        ("model", ("architecture", "hidden_sigmoid"), 0),
        ("model", ("architecture", "hidden"), True),
        ("model", ("architecture", "features"), 12.0),
        ("model", ("architecture", "pooling"), "max"),
        ("model", ("sigmoid", "coefficients"), []),
        ("model", ("sigmoid", "coefficients"), [10**400, 1]),
        ("model", ("sigmoid", "interval"), [1]),
        ("model", ("scheme",), "clear"),
        ("model", ("keys", "parameters", "T_high"), 10**200),
        ("model", ("keys", "parameters", "w_bits"), 25.0),
        ("model", ("keys", "parameters", "new"), 1),
        ("model", ("keys", "key_id"), "short"),
        ("model", ("keys", "public_widths"), [8]),
        ("model", ("keys", "products", 0), "elementwise:3"),
        ("model", ("keys", "products", 0), 0),
        ("model", ("keys", "products"), None),
        ("model", ("W1", "noise"), 10**400),
        ("model", ("W1", "noise"), -1.0),
        ("model", ("W1", "scale"), 500.0),
        ("model", ("W2",), None),
        ("scores", ("shape",), []),
        ("scores", ("shape",), [30, 2]),
        ("scores", ("shape",), "ab"),
        ("scores", ("scores", "scale"), 0.0),
        ("scores", ("scores", "scale"), 10.0),
        ("secret", ("secret", "parameters", "d"), 2),
        ("secret", ("secret",), None),
    ],
)
def test_header_nonsense_is_named_and_refused(
    name: str, path: tuple, value: Any, real: tuple[Owner, Path], tmp_path: Path
) -> None:
    owner, folder = real
    header, arrays = files.read(folder / name, KINDS[name])
    functools.reduce(lambda inner, key: inner[key], path[:-1], header)[path[-1]] = value
    files.write(tmp_path / "file", KINDS[name], header, arrays)
    with pytest.raises(FileError):
        LOADERS[name](tmp_path / "file", owner)


# Nothing secret leaves the owner


def parties(parameters: Any, architecture: Architecture, sigmoid: Any, public: bool = False, rng: Any = None) -> tuple:
    """Return an owner and all that others hold: a trainer after training, a user, the scores."""
    owner = Owner(architecture, sigmoid, parameters, rng=rng, public=public)
    model = owner.encrypt(Network(architecture, np.rint(start_of(architecture).W1), start_of(architecture).W2))
    trainer, user = Trainer(model), User(model.copy())
    X: Features = np.eye(architecture.features, dtype=np.int64)
    return owner, (model, trainer, user, user.predict(X))


LINEAR = Architecture(6, hidden=0, pooling="sum")
LAYERED = Architecture(6, hidden=8, pooling="sum")
CASES = [(PAPER, LAYERED, taylor(3)), (MODULUS_TOY, LAYERED, taylor(1)), (ADDITIVE_128, LINEAR, taylor(1))]
case_names = [p.name for p, _, _ in CASES]


@pytest.mark.parametrize(("parameters", "architecture", "sigmoid"), CASES, ids=case_names)
@pytest.mark.parametrize("public", [False, True])
def test_no_secret_key_is_reachable_from_what_others_hold(
    parameters: Any, architecture: Architecture, sigmoid: Any, public: bool
) -> None:
    owner, given_out = parties(parameters, architecture, sigmoid, public, seeded())
    secrets = SecretKey | Randomness | np.random.Generator | np.random.BitGenerator | Owner
    assert not [found for found in reachable(*given_out) if isinstance(found, secrets)]
    assert any(isinstance(found, SecretKey) for found in reachable(owner))
    assert any(isinstance(found, SecretKey) for found in reachable(owner.watch(PLAN)))  # through a closure


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize(("parameters", "architecture"), [(MODULUS_TOY, LAYERED), (ADDITIVE_128, LINEAR)], ids=case_names[1:])
def test_with_a_modulus_the_secret_stands_in_nothing_that_others_hold(
    parameters: Any, architecture: Architecture, public: bool
) -> None:
    owner, given_out = parties(parameters, architecture, taylor(1), public, seeded())
    arrays = arrays_from(*given_out)
    assert len(arrays) >= 2
    for m in owner.secret_key.widths:
        assert not shows(arrays, owner.secret_key.T(m))
        assert shows(arrays_from(owner.secret_key), owner.secret_key.T(m))


def test_with_secure_parameters_the_secret_stands_in_no_file(tmp_path: Path) -> None:
    owner, (model, _, user, scores) = parties(ADDITIVE_128, LINEAR, taylor(1), public=True)
    model.save(tmp_path / "model")
    user.save_scores(scores, tmp_path / "scores")
    owner.save_secret(tmp_path / "secret")
    T = owner.secret_key.T(1)
    assert not shows(arrays_in_file(tmp_path / "model"), T)
    assert not shows(arrays_in_file(tmp_path / "scores"), T)
    assert shows(arrays_in_file(tmp_path / "secret"), T)


def test_the_papers_parameters_publish_the_secret(tmp_path: Path) -> None:
    """The leading digits of M's columns are entries of S^T S, since the paper's A and E are small (see SECURITY.md)."""
    owner, (model, _, _, scores) = parties(PAPER, Architecture(6, hidden=16), taylor(3))
    model.save(tmp_path / "model")
    T = owner.secret_key.T(16)
    assert shows(arrays_from(model), T)
    assert shows(arrays_in_file(tmp_path / "model"), T)
    # but in nothing that goes without evaluation keys
    assert not shows([model.network.W1.data, model.network.W2.data], T)
    assert not shows([scores.data], T)


@pytest.mark.parametrize(("parameters", "architecture", "sigmoid"), CASES, ids=case_names)
def test_no_object_shows_the_secret_when_it_is_printed(parameters: Any, architecture: Architecture, sigmoid: Any) -> None:
    owner, given_out = parties(parameters, architecture, sigmoid, True, seeded())
    m = max(owner.secret_key.widths)
    run = r"[^\d]+".join(str(abs(entry)) for entry in owner.secret_key.T(m).ravel()[:8].tolist())
    ours = [found for found in reachable(owner, given_out) if type(found).__module__.startswith("encnn")]
    assert owner.secret_key in ours
    for found in ours:
        if not isinstance(found, Randomness):
            assert not re.search(run, repr(found)), type(found)
    for quiet in (owner, owner.secret_key, *given_out):
        assert "array(" not in repr(quiet)
    assert "T=<secret>" in repr(owner.secret_key)
    assert repr(owner).startswith("Owner(Architecture(features=6")


# The walker itself


class Hiding:
    """Hides things where a careless walker does not look."""

    __slots__ = ("__weakref__", "slot")

    def __init__(self, hidden: object) -> None:
        self.slot = hidden


def test_the_walker_finds_what_is_hidden_well() -> None:
    T = np.arange(100, 120)
    key = Hiding(T)
    hidings: list[Any] = [
        key,
        {"a": [(key,)]},
        lambda: key,
        functools.partial(print, key),
        (lambda held=key: held),
        key.__init__,
        weakref.ref(key),
        T[3:5],  # a view keeps its base
        np.array([key, None], dtype=object),
        memoryview(T),
        (number for number in [key]),
        T.tobytes(),
        T.tolist(),
    ]
    for hiding in hidings:
        assert shows(arrays_from(hiding), T[:, None]), hiding
    assert not shows(arrays_from(T + 1), T[:, None])
    assert neighbours(lambda: 0)[0] is None


def test_the_walker_finds_leading_digits() -> None:
    T = np.array([3, 1, 4, 1, 5, 9, 2, 6])[:, None]
    spoilt = T * 2**40 + seeded().integers(-(2**38), 2**38, T.shape)
    assert shows([spoilt], T)
    assert shows([np.hstack([spoilt * 0 + 7, spoilt])], T)
    assert shows([spoilt.T.astype(float)], T)
    assert not shows([spoilt[::-1]], T)


@pytest.mark.parametrize("bound", [np.nan, np.inf])
def test_ciphertexts_of_which_nothing_is_guaranteed_are_saved_and_read(tmp_path: Path, bound: float) -> None:
    """After many steps without a modulus a bound is infinite, or infinity times zero."""
    architecture = Architecture(3, hidden=2, pooling="sum")
    owner = Owner(architecture, taylor(1), PAPER)
    model = owner.encrypt(Network.initial(architecture, seeded()))
    W1 = model.network.W1
    model.network.W1 = type(W1)(W1.data, W1.context, W1.scale, W1.bound, bound, bound)
    assert model.network.W1.noise == np.inf and model.network.W1.noise_budget_bits == -np.inf
    model.save(tmp_path / "model.npz")
    loaded = EncryptedModel.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.network.W1.data, W1.data)
    assert loaded.network.W1.noise < np.inf  # what ciphertexts of this size can have at most


@pytest.mark.parametrize("given", [None, np.zeros((2, 1)), [0.0], "scores"])
def test_what_is_not_encrypted_is_neither_decrypted_nor_saved(given: object, tmp_path: Path) -> None:
    owner = Owner(Architecture(2, hidden=0, pooling="sum"), ExactSigmoid(), ADDITIVE_128)
    user = User(owner.encrypt(Network.zeros(owner.architecture)))
    message = "there are no scores" if given is None else "pass what train or predict returned"
    with pytest.raises(DataError, match=message):
        owner.decrypt(given)
    with pytest.raises(DataError, match=message):
        user.save_scores(given, tmp_path / "scores")


# Safe by default

INSECURE = [p for scheme in SCHEMES for p in scheme.presets if p.insecure]


def test_the_shortest_call_makes_an_owner_of_128_bits_who_helps_nobody() -> None:
    owner = Owner(Architecture(2, hidden=0, pooling="sum"), ExactSigmoid())
    assert owner.parameters.security.bits >= 128 and owner.parameters.owner_help == "none"  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("parameters", INSECURE, ids=lambda p: p.name)
def test_parameters_that_protect_nothing_are_met_with_a_warning(parameters: Any) -> None:
    if isinstance(parameters, CKKSParameters):
        pytest.importorskip("tenseal.sealapi")
    architecture = Architecture(2, hidden=0, pooling="sum")
    with pytest.raises(InsecureWarning, match="protect nothing.*pass insecure=True"):
        Owner(architecture, taylor(1), parameters)
    assert Owner(architecture, taylor(1), parameters, insecure=True).parameters == parameters


@pytest.mark.filterwarnings("error")
def test_the_clear_scheme_needs_no_warning_since_its_name_says_it() -> None:
    assert Owner(Architecture(2), taylor(1), ClearParameters()).parameters.insecure


def test_an_owner_answers_scores_and_keeps_labels_without_showing_its_key() -> None:
    owner = Owner(Architecture(12, hidden=0, pooling="sum"), ExactSigmoid(), ADDITIVE_128)
    X, y = some_reviews()
    assistant = owner.assistant(labels=y, max_rate=0.5, max_trips=8)
    trainer = Trainer(owner.encrypt(Network.zeros(owner.architecture)))
    plan = TrainingPlan(ExactSigmoid(), 0.1, batch_size=4)
    trainer.train(X, KeptLabels(len(y)), plan, AssistedStep(DirectChannel(assistant)))
    twin = Trainer(Owner(owner.architecture, ExactSigmoid(), ClearParameters()).encrypt(Network.zeros(owner.architecture)))
    twin.train(X, y, plan)
    np.testing.assert_allclose(owner.decrypt_network(trainer.model).W1, twin.model.network.W1, atol=1e-4)
    assert assistant.tally.trips == 8
    with pytest.raises(DataError, match="answered 8 requests"):  # no more trips than agreed
        trainer.train(X[:4], KeptLabels(4), plan, AssistedStep(DirectChannel(assistant)))


HELP = {
    "none": (ONE_LEVEL_128, "they train alone: leave `help` out"),
    "errors": (COMPACT_128, r"use owner.assistant\(\)"),
    "weights": (FRACTIONAL_128, r"use owner.refresher\(model\)"),
}


@pytest.mark.parametrize("needed", HELP)
def test_an_owner_gives_the_help_that_its_parameters_need_and_names_it_otherwise(needed: str) -> None:
    parameters, advice = HELP[needed]
    owner = Owner(Architecture(2, hidden=0, pooling="sum"), taylor(1), parameters)
    model = owner.encrypt(Network.zeros(owner.architecture))
    for offered, ask in {"errors": owner.assistant, "weights": lambda: owner.refresher(model)}.items():
        if offered == needed:
            assert ask().context == owner.evaluator.context  # type: ignore[attr-defined]
        else:
            with pytest.raises(CapabilityError, match=advice):
                ask()
