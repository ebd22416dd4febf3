"""Scores and weights through files: two threads, two processes, and messages that are not what they should be."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ring_schemes import WORDS, roomy, task
from secret_walker import arrays_from, arrays_in_file, shows
from serving import serving

from encnn import Architecture, ClearParameters, ExactSigmoid, Network, Owner, Trainer, TrainingPlan, files, taylor
from encnn.data.datasets import words_dataset
from encnn.data.reviews import load_reviews
from encnn.errors import DataError, DivergenceError, FileError, KeyMismatchError, ParameterError
from encnn.parties import EncryptedModel
from encnn.parties.assistance import folders as channels
from encnn.parties.assistance.scores import Answer, Assistant, AssistedStep, DirectChannel, KeptLabels, Opening, Request
from encnn.parties.assistance.weights import BudgetRefresh, OwnerOfWeights, WeightRefresh, Weights, as_parts, weights_of
from encnn.schemes import fv
from encnn.schemes.integer_vector import COMPACT_128

FEATURES, REVIEWS = 8, 12
ARCHITECTURE = Architecture(FEATURES, hidden=0, pooling="sum")
PLAN = TrainingPlan(ExactSigmoid(), 0.1)
X = (np.random.default_rng(1).random((REVIEWS, FEATURES)) < 0.5).astype(np.int64)
Y = X[:, 0]
SMALL = COMPACT_128.updated(d=32, name="small-INSECURE")


def start(architecture: Architecture = ARCHITECTURE) -> Network:
    return Network(architecture, np.zeros((architecture.features, 1)), None)


def clear_weights(X, y, architecture: Architecture, plan: TrainingPlan) -> np.ndarray:
    trainer = Trainer(Owner(architecture, plan.sigmoid, ClearParameters()).encrypt(start(architecture)))
    trainer.train(X, y, plan)
    return trainer.model.network.W1


def test_a_run_through_a_folder(tmp_path):
    owner = Owner(ARCHITECTURE, PLAN.sigmoid, COMPACT_128)
    trainer, assistant = Trainer(owner.encrypt(start())), Assistant(owner.secret_key, labels=Y)
    channel = channels.FolderChannel(tmp_path, owner.evaluator.context)
    with serving(assistant, tmp_path) as errors:
        step = AssistedStep(channel)
        trainer.train(X, KeptLabels(REVIEWS), PLAN, help=step)
        channel.close()
    assert not errors
    assert np.allclose(owner.decrypt(trainer.model.network.W1), clear_weights(X, Y, ARCHITECTURE, PLAN), atol=1e-3)
    assert sorted(p.name for p in tmp_path.iterdir()) == [channels.END, channels.OPENING]
    assert channel.bytes_up > REVIEWS * 4 * COMPACT_128.d > channel.bytes_down > 0

    T = owner.secret_key.T(1)
    owner.save_secret(tmp_path / "secret")
    assert shows(arrays_in_file(tmp_path / "secret"), T)
    assert not shows(arrays_from(trainer, step), T)
    assert not shows(arrays_in_file(tmp_path / channels.OPENING), T)


def test_a_refusal_reaches_the_trainer_and_ends_the_run(tmp_path):
    owner = Owner(ARCHITECTURE, PLAN.sigmoid, SMALL)
    trainer, assistant = Trainer(owner.encrypt(start())), Assistant(owner.secret_key, max_rate=0.01)
    with serving(assistant, tmp_path) as errors, pytest.raises(DataError, match="the owner refused .* learning rate"):
        channel = channels.FolderChannel(tmp_path, owner.evaluator.context, timeout=20)
        trainer.train(X, Y, PLAN, help=AssistedStep(channel))
    assert [type(error) for error in errors] == [DataError]
    assert assistant.closed


def test_neither_side_waits_for_ever(tmp_path):
    owner = Owner(ARCHITECTURE, PLAN.sigmoid, SMALL)
    with pytest.raises(FileError, match="check whether the other side is still running"):
        channels.serve(Assistant(owner.secret_key), tmp_path, timeout=0.05)
    with pytest.raises(FileError, match="check whether the other side is still running"):
        channels.FolderChannel(tmp_path / "nobody", owner.evaluator.context, timeout=0.05).open()


def test_a_trainer_may_come_before_the_owner(tmp_path, monkeypatch):
    """A request waits until the owner is there, who takes messages that lie there already for those of an earlier run."""
    side, looked = Side(tmp_path / "messages"), threading.Event()
    channel, awaited = channels.FolderChannel(tmp_path, side.context, timeout=20), channels._awaited

    def seen(path, *rest):
        looked.set()
        return awaited(path, *rest)

    monkeypatch.setattr(channels, "_awaited", seen)
    with ThreadPoolExecutor() as trainer:
        answer = trainer.submit(channel.ask, side.request)
        assert looked.wait(20)  # for the opening, or without a request's wait for it, for the answer
        with serving(side.assistant, tmp_path) as errors:
            assert answer.result(20).trip == side.request.trip
            channel.close()
    assert not errors


def test_a_folder_is_used_once(tmp_path):
    """Else an answer of an earlier run would be taken for the answer to a request of this one."""
    side = Side(tmp_path / "messages")
    channel = channels.FolderChannel(tmp_path, side.context, timeout=0.05)
    stale = tmp_path / f"{channels.ANSWER}-00000001"
    channels.write_answer(stale, side.answer)
    with pytest.raises(FileError, match="assist-answer-00000001 is from an earlier run"):
        channel.ask(side.request)
    assert list(tmp_path.glob("assist-*")) == [stale]
    with pytest.raises(FileError, match="assist-answer-00000001 is from an earlier run"):
        channels.serve(side.assistant, tmp_path, timeout=0.05)
    assert list(tmp_path.glob("assist-*")) == [stale]


def test_a_refusal_tells_no_decrypted_number(tmp_path):
    owner = fv_owner()
    model = owner.encrypt(Network(owner.architecture, np.full((WORDS, 1), 1.75), None))
    side = OwnerOfWeights(owner.secret_key, model, limit=1.5)
    with (
        serving(side, tmp_path) as errors,
        pytest.raises(DataError, match="it ended the run because of numbers that it decrypted"),
    ):
        WeightRefresh(model, channels.FolderChannel(tmp_path, model.evaluator.context)).now()
    (error,) = errors
    assert isinstance(error, DivergenceError) and "a weight reached 1.75" in str(error)
    assert b"1.7" not in (tmp_path / channels.REFUSAL).read_bytes()
    assert side.closed


def test_weights_do_not_come_to_an_owner_of_scores_nor_scores_to_one_of_weights(tmp_path):
    messages = Side(tmp_path / "messages")
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    with serving(messages.assistant, one) as errors, pytest.raises(DataError, match="of kind 'assist-weights'"):
        channels.FolderChannel(one, messages.context).ask(replace(messages.weights, parts=[]))
    with serving(messages.owner_of_weights(), other) as more, pytest.raises(DataError, match="of kind 'assist-request'"):
        channels.FolderChannel(other, messages.context).ask(messages.request)
    assert [type(error) for error in errors + more] == [FileError] * 2

    class NoScores(DirectChannel):
        def open(self):
            return Opening(messages.context.key_id)

    z = messages.owner.secret_key.encrypt(np.zeros((1, 1)))
    with pytest.raises(DataError, match="have it serve a scores.Assistant"):
        AssistedStep(NoScores(messages.assistant))(messages.owner.evaluator, z, np.zeros((1, 1)), 0.1)


OWNER = """
import sys
from pathlib import Path
import numpy as np
from encnn import Architecture, EncryptedModel, ExactSigmoid, Network, Owner
from encnn.parties.assistance.folders import serve
from encnn.data.datasets import words_dataset
from encnn.parties.assistance.scores import Assistant
from encnn.data.reviews import load_reviews
from encnn.schemes.integer_vector import COMPACT_128

folder, reviews = Path(sys.argv[1]), int(sys.argv[2])
data = words_dataset(load_reviews("toy"), cutoff=None)
owner = Owner(Architecture(data.X.shape[1], hidden=0, pooling="sum"), ExactSigmoid(), COMPACT_128)
owner.encrypt(Network(owner.architecture, np.zeros((data.X.shape[1], 1)), None)).save(folder / "start")
serve(Assistant(owner.secret_key, labels=data.y[:reviews]), folder, timeout=60)
np.save(folder / "weights.npy", owner.decrypt(EncryptedModel.load(folder / "trained").network.W1))
"""

TRAINER = """
import sys, time
from pathlib import Path
from encnn import ExactSigmoid, Trainer, TrainingPlan
from encnn.parties.assistance.folders import OPENING, FolderChannel
from encnn.data.datasets import words_dataset
from encnn.parties.assistance.scores import AssistedStep, KeptLabels
from encnn.data.reviews import load_reviews

folder, reviews = Path(sys.argv[1]), int(sys.argv[2])
data = words_dataset(load_reviews("toy"), cutoff=None)
while not (folder / OPENING).exists():
    time.sleep(0.01)
trainer = Trainer.load(folder / "start")
channel = FolderChannel(folder, trainer.model.evaluator.context)
trainer.train(data.X[:reviews], KeptLabels(reviews), TrainingPlan(ExactSigmoid(), 0.02), help=AssistedStep(channel))
trainer.model.save(folder / "trained")
channel.close()
"""


@pytest.mark.slow
def test_two_processes_train_on_the_toy_reviews_as_one_does_in_the_clear(tmp_path):
    reviews = 150
    sides = [subprocess.Popen([sys.executable, "-c", code, tmp_path, str(reviews)]) for code in (OWNER, TRAINER)]
    try:
        assert [side.wait(120) for side in sides] == [0, 0]
    finally:
        for side in sides:
            side.kill()
    data = words_dataset(load_reviews("toy"), cutoff=None)
    architecture, plan = Architecture(data.X.shape[1], hidden=0, pooling="sum"), TrainingPlan(ExactSigmoid(), 0.02)
    twin = clear_weights(data.X[:reviews], data.y[:reviews], architecture, plan)
    assert np.abs(twin).max() > 0.05
    assert np.allclose(np.load(tmp_path / "weights.npy"), twin, atol=1e-3)
    start, trained = (EncryptedModel.load(tmp_path / name) for name in ("start", "trained"))
    sizes = [(tmp_path / name).stat().st_size - start.evaluator.packing_key.nbytes for name in ("start", "trained")]
    assert sizes[0] * 100 < sizes[1] and trained.evaluator.packing_key.seed == start.evaluator.packing_key.seed


FV_PLAN = TrainingPlan(taylor(1), 2.0**-5, batch_size=20, epochs=5)
FV_TOY = fv.TOY.updated(**roomy("fv", "coefficients", scale=1 << 10))


def fv_owner(words: int = WORDS) -> Owner:
    return Owner(Architecture(words, hidden=0, pooling="sum"), FV_PLAN.sigmoid, FV_TOY)


OWNER_OF_WEIGHTS = """
import dataclasses, json, sys
from pathlib import Path
import numpy as np
from encnn import Architecture, EncryptedModel, Network, Owner, taylor
from encnn.parties.assistance.folders import serve
from encnn.parties.assistance.weights import OwnerOfWeights
from encnn.schemes import fv

folder, words = Path(sys.argv[1]), int(sys.argv[2])
changes = json.loads((folder / "parameters.json").read_text())
parameters = fv.TOY.updated(name="roomy-INSECURE", **changes | {"t_primes": tuple(changes["t_primes"])})
owner = Owner(Architecture(words, hidden=0, pooling="sum"), taylor(1), parameters)
model = owner.encrypt(Network(owner.architecture, np.zeros((words, 1)), None))
side = OwnerOfWeights(owner.secret_key, model)
model.save(folder / "start")
serve(side, folder, timeout=60)
np.save(folder / "weights.npy", owner.decrypt(EncryptedModel.load(folder / "trained").network.W1))
(folder / "tally.json").write_text(json.dumps([side.tally.trips, side.tally.bytes_up, side.tally.bytes_down]))
"""

TRAINER_OF_WEIGHTS = """
import sys, time
from pathlib import Path
import numpy as np
from encnn import Trainer, TrainingPlan, taylor
from encnn.parties.assistance.folders import FolderChannel
from encnn.parties.assistance.weights import BudgetRefresh

folder = Path(sys.argv[1])
while not (folder / "start").exists():
    time.sleep(0.01)
trainer, X, y = Trainer.load(folder / "start"), np.load(folder / "X.npy"), np.load(folder / "y.npy")
plan = TrainingPlan(taylor(1), 2.0**-5, batch_size=20, epochs=5)
channel = FolderChannel(folder, trainer.model.evaluator.context)
trainer.train(X, y, plan, help=BudgetRefresh(trainer.model, channel, plan, X))
trainer.model.save(folder / "trained")
channel.close()
"""


@pytest.mark.slow
def test_two_processes_refresh_weights_as_one_does(tmp_path):
    """Every ciphertext differs, since keys and noise are fresh; what they hold is equal, weight for weight."""
    X, y = task()
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    (tmp_path / "parameters.json").write_text(json.dumps(roomy("fv", "coefficients", scale=1 << 10)))
    codes = OWNER_OF_WEIGHTS, TRAINER_OF_WEIGHTS
    sides = [subprocess.Popen([sys.executable, "-c", code, tmp_path, str(WORDS)]) for code in codes]
    try:
        assert [side.wait(120) for side in sides] == [0, 0]
    finally:
        for side in sides:
            side.kill()
    owner = fv_owner()
    model = owner.encrypt(Network(owner.architecture, np.zeros((WORDS, 1)), None))
    here = OwnerOfWeights(owner.secret_key, model)
    Trainer(model).train(X, y, FV_PLAN, help=BudgetRefresh(model, DirectChannel(here), FV_PLAN, X))
    weights = owner.decrypt(model.network.W1)
    assert np.array_equal(np.load(tmp_path / "weights.npy"), weights) and np.abs(weights).max() > 0.1
    counted = [here.tally.trips, here.tally.bytes_up, here.tally.bytes_down]
    assert json.loads((tmp_path / "tally.json").read_text()) == counted and counted[0] > 1
    left = {path.name for path in tmp_path.glob("assist-*")}
    assert left == {channels.END, channels.OPENING}


# Messages


class Side:
    """An owner with one message of each kind in files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.owner = Owner(ARCHITECTURE, PLAN.sigmoid, SMALL)
        self.context = self.owner.evaluator.context
        self.assistant = Assistant(self.owner.secret_key, labels=Y)
        scores = self.owner.secret_key.encrypt(np.zeros((2, 1)))
        self.request = Request(1, 0.1, scores, np.zeros((2, 1), np.int8))
        self.answer = self.assistant.answer(self.request)
        self.assistant.tally.trips = 0
        channels.write_opening(folder / "opening", self.assistant.opening(), self.context)
        channels.write_request(folder / "request", self.request)
        channels.write_answer(folder / "answer", self.answer)
        self.of_weights = fv_owner(words=2)
        self.model = self.of_weights.encrypt(Network(self.of_weights.architecture, np.full((2, 1), 0.5), None))
        parts = as_parts(self.model.evaluator, weights_of(self.model.network))
        self.weights = Weights(1, self.model.evaluator.context.key_id, parts)
        self.fresh = self.owner_of_weights().answer(self.weights)
        channels.write_weights(folder / "weights", self.weights, channels.WEIGHTS)
        channels.write_weights(folder / "fresh", self.fresh, channels.FRESH_WEIGHTS)

    def owner_of_weights(self) -> OwnerOfWeights:
        return OwnerOfWeights(self.of_weights.secret_key, self.model)

    def read(self, kind: str, path: Path) -> object:
        if kind == "request":
            return channels.read_request(path, self.context, 1)
        if kind in ("weights", "fresh"):
            return channels.read_weights(path, FILE_KINDS[kind])
        return channels.read_opening(path) if kind == "opening" else channels.read_answer(path)


@pytest.fixture(scope="module")
def side(tmp_path_factory) -> Side:
    return Side(tmp_path_factory.mktemp("messages"))


FILE_KINDS = {
    "opening": channels.OPENING,
    "request": channels.REQUEST,
    "answer": channels.ANSWER,
    "weights": channels.WEIGHTS,
    "fresh": channels.FRESH_WEIGHTS,
}
KINDS = list(FILE_KINDS)


def test_messages_come_back_as_they_were(side):
    read = channels.read_request(side.folder / "request", side.context, 1)
    assert (read.trip, read.rate, read.rows) == (1, 0.1, None)
    assert np.array_equal(read.scores.data, side.request.scores.data) and np.array_equal(read.labels, side.request.labels)
    answer = channels.read_answer(side.folder / "answer")
    assert (answer.trip, answer.seed, answer.first) == (1, side.answer.seed, side.answer.first)
    assert np.array_equal(answer.tops, side.answer.tops)
    opening = channels.read_opening(side.folder / "opening")
    assert (opening.key_id, opening.kept_labels) == (side.context.key_id, REVIEWS)
    assert np.array_equal(opening.zero_key.b, side.assistant.opening().zero_key.b)
    for name, sent in (("weights", side.weights), ("fresh", side.fresh)):
        again = channels.read_weights(side.folder / name, FILE_KINDS[name])
        assert (again.trip, again.key_id, again.shapes, again.nbytes) == (1, sent.key_id, sent.shapes, sent.nbytes)
        assert all(np.array_equal(a, b) for (_, a, _), (_, b, _) in zip(again.parts, sent.parts, strict=True))
    channels.write_opening(side.folder / "bare", Opening(side.context.key_id), side.context)
    assert channels.read_opening(side.folder / "bare") == Opening(side.context.key_id)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_messages_are_file_errors(side, kind, data):
    raw = bytearray((side.folder / kind).read_bytes())
    change = data.draw(st.sampled_from(["flip", "cut", "add", "fill"]))
    at = data.draw(st.integers(0, len(raw) - 1))
    if change == "flip":
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
    elif change == "cut":
        del raw[at:]
    elif change == "add":
        raw[at:at] = data.draw(st.binary(min_size=1, max_size=9))
    else:
        raw = bytearray(data.draw(st.binary(max_size=300)))
    (side.folder / "damaged").write_bytes(raw)
    with pytest.raises(FileError):
        side.read(kind, side.folder / "damaged")


JSON = st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False),
                 st.text(max_size=40), st.just("00" * 16), st.lists(st.integers(), max_size=2))  # fmt: skip
ARRAYS = st.builds(
    lambda shape, dtype: np.ones(shape, dtype),
    st.sampled_from([(), (0,), (1, 1), (2, 1), (2, 33), (2, 2, 33), (40, 33), (1, 32)]),
    st.sampled_from([np.bool_, np.int8, np.int32, np.int64, np.float64]),
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whole_files_with_strange_contents_are_refused_or_answered(side, kind, data):
    """Files whose digest is right, as a malicious sender writes them: fields, types and arrays of its choice."""
    file_kind = FILE_KINDS[kind]
    header, arrays = files.read(side.folder / kind, file_kind)
    if kind in ("weights", "fresh") and data.draw(st.booleans()):
        change_parts(header, data)
    for name in list(header):
        if data.draw(st.integers(0, 3)) == 0:
            header[name] = data.draw(JSON)
    for name in [*arrays, "rows", "other"]:
        choice = data.draw(st.integers(0, 5))
        if choice == 0:
            arrays[name] = data.draw(ARRAYS)
        elif choice == 1:
            arrays.pop(name, None)
    files.write(side.folder / "strange", file_kind, header, arrays)
    side.assistant.closed, side.assistant.tally.trips = False, 0
    try:
        message = side.read(kind, side.folder / "strange")
        if kind == "request":
            assert side.assistant.answer(message).tops.dtype == SMALL.dtype
        elif kind == "weights":
            assert side.owner_of_weights().answer(message).shapes == side.weights.shapes
        elif kind == "fresh":
            WeightRefresh(side.model.copy(), Replying(side, message)).now()
        else:
            use(side, kind, message)
    except (FileError, DataError, KeyMismatchError, DivergenceError):  # a made-up key makes noise, hence large scores
        pass


def change_parts(header: dict, data: st.DataObject) -> None:
    """Replace something in the description of the weights."""
    [[described, shape]] = header["parts"]
    described["bounds"][data.draw(st.sampled_from([*described["bounds"]]))] = data.draw(JSON | st.integers(9, 10**400))
    shape[:] = data.draw(st.sampled_from([shape[:], [2], [2**40, 1], [-1, 1], [2, 1, 1], [], ["x"]]))


class Replying:
    """A channel to the owner of the weights, with an answer that somebody made up."""

    def __init__(self, side: Side, reply: object) -> None:
        self.side, self.reply = side, reply

    def open(self):
        return self.side.owner_of_weights().opening()

    def ask(self, request):
        return self.reply


def use(side: Side, kind: str, message: object) -> None:
    """Have the trainer's step take an opening or an answer that somebody made up."""

    class MadeUp:
        def open(self):
            return message if kind == "opening" else side.assistant.opening()

        def ask(self, request):
            return message if kind == "answer" else replace(side.assistant.answer(request), trip=request.trip)

    model = side.owner.encrypt(start())
    z = side.owner.secret_key.encrypt(np.zeros((2, 1)))
    error, gain = AssistedStep(MadeUp())(model.evaluator, z, np.zeros((2, 1)), 0.1)
    assert error.shape == (2, 1) and gain == 1.0


def test_encrypted_labels_travel_as_one_number_each(tmp_path):
    owner = Owner(ARCHITECTURE, PLAN.sigmoid, COMPACT_128)
    labels = owner.encrypt_labels(Y, PLAN.learning_rate)
    assert channels.write_labels(tmp_path / "labels", labels) < 2000 < labels.nbytes
    again = channels.read_labels(tmp_path / "labels", owner.evaluator.context)
    assert np.array_equal(again.data, labels.data) and again.shape == (REVIEWS, 1)
    with pytest.raises(KeyMismatchError, match="use messages of one run"):
        channels.read_labels(tmp_path / "labels", Owner(ARCHITECTURE, PLAN.sigmoid, COMPACT_128).evaluator.context)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_strange_labels_are_refused(side, data):
    channels.write_labels(side.folder / "labels", side.owner.encrypt_labels(Y, insecure=True))
    header, arrays = files.read(side.folder / "labels", channels.LABELS)
    name = data.draw(st.sampled_from(["shape", "labels", "array", "seed", "noise"]))
    if name == "array":
        arrays["labels"] = data.draw(ARRAYS)
    elif name in header:
        header[name] = data.draw(JSON)
    else:
        header["labels"][name] = data.draw(JSON.filter(lambda value: value != "00" * 16))
    files.write(side.folder / "strange", channels.LABELS, header, arrays)
    if name == "noise":
        try:
            assert channels.read_labels(side.folder / "strange", side.context).noise >= 0
        except FileError:
            pass
    else:
        with pytest.raises(FileError):
            channels.read_labels(side.folder / "strange", side.context)


def test_a_request_larger_than_any_batch_is_not_read(side):
    huge = {"scores": np.zeros((40 * SMALL.d, SMALL.d + 1), np.int32)}
    files.write(side.folder / "huge", channels.REQUEST, {"key_id": side.context.key_id, "trip": 1, "rate": 0.1}, huge)
    with pytest.raises(FileError, match="more than the"):
        channels.read_request(side.folder / "huge", side.context, 1)


def test_weights_larger_than_those_handed_out_are_not_read(side, tmp_path):
    owner, key_id = side.owner_of_weights(), side.weights.key_id
    huge = {"W1": np.zeros(1 << 20, np.int64)}
    path = tmp_path / f"{channels.REQUEST}-00000001"
    with serving(owner, tmp_path) as errors:
        files.write(path, channels.WEIGHTS, {"key_id": key_id, "trip": 1, "parts": [[{}, [2, 1]]]}, huge)
    assert [type(error) for error in errors] == [FileError] and "more than the" in str(errors[0])


def test_weights_are_not_echoed_as_fresh_ones(side, tmp_path):
    channels.write_weights(tmp_path / f"{channels.ANSWER}-00000001", side.weights, channels.WEIGHTS)
    with pytest.raises(FileError, match="of kind 'assist-weights'"):
        channels.read_weights(tmp_path / f"{channels.ANSWER}-00000001", channels.FRESH_WEIGHTS)


def test_a_request_of_another_key_is_told(side, tmp_path):
    with pytest.raises(KeyMismatchError, match="use messages of one run"):
        channels.read_request(side.folder / "request", Side(tmp_path).context, 1)
    with pytest.raises(KeyMismatchError, match="ask their own owner"):
        Side(tmp_path).owner_of_weights().answer(channels.read_weights(side.folder / "weights", channels.WEIGHTS))


def test_messages_of_experimental_keys_are_not_written(tmp_path):
    owner = Owner(ARCHITECTURE, PLAN.sigmoid, SMALL, rng=np.random.default_rng(1))
    assistant = Assistant(owner.secret_key, rng=np.random.default_rng(1))
    with pytest.raises(ParameterError, match="made from a passed rng"):
        channels.write_opening(tmp_path / "opening", assistant.opening(), assistant.context)
    with pytest.raises(ParameterError, match="made from a passed rng"):
        channels.write_request(tmp_path / "request", Request(1, 0.1, owner.secret_key.encrypt(np.zeros((1, 1)))))
    with pytest.raises(ParameterError, match="made from a passed rng"):
        channels.FolderChannel(tmp_path, owner.evaluator.context)
    assert isinstance(assistant.answer(Request(1, 0.1, owner.secret_key.encrypt(np.zeros((1, 1))))), Answer)
