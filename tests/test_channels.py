"""The protocol through files: two threads, two processes, and messages that are not what they should be."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from secret_walker import arrays_from, arrays_in_file, shows

from encnn import Architecture, ClearParameters, ExactSigmoid, Network, Owner, Trainer, TrainingPlan, channels, files
from encnn.errors import DataError, DivergenceError, EncnnError, FileError, KeyMismatchError, ParameterError
from encnn.experiments import words_dataset
from encnn.protocol import Answer, Assistant, AssistedStep, KeptLabels, Request
from encnn.reviews import load_reviews
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


@contextmanager
def serving(assistant: Assistant, folder: Path) -> Iterator[list[EncnnError]]:
    """Serve in a thread; yield the errors that end it."""
    errors: list[EncnnError] = []

    def run() -> None:
        try:
            channels.serve(assistant, folder, timeout=20)
        except EncnnError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield errors
    thread.join(30)
    assert not thread.is_alive()


def test_a_run_through_a_folder(tmp_path):
    owner = Owner(ARCHITECTURE, PLAN.sigmoid, COMPACT_128)
    trainer, assistant = Trainer(owner.encrypt(start())), Assistant(owner.secret_key, labels=Y)
    channel = channels.FolderChannel(tmp_path, owner.evaluator.context)
    with serving(assistant, tmp_path) as errors:
        step = AssistedStep(channel)
        trainer.train(X, KeptLabels(REVIEWS), PLAN, step=step)
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
        trainer.train(X, Y, PLAN, step=AssistedStep(channel))
    assert [type(error) for error in errors] == [DataError]
    assert assistant.closed


def test_neither_side_waits_for_ever(tmp_path):
    owner = Owner(ARCHITECTURE, PLAN.sigmoid, SMALL)
    with pytest.raises(FileError, match="see whether the other side still runs"):
        channels.serve(Assistant(owner.secret_key), tmp_path, timeout=0.05)
    with pytest.raises(FileError, match="see whether the other side still runs"):
        channels.FolderChannel(tmp_path / "nobody", owner.evaluator.context, timeout=0.05).open()


OWNER = """
import sys
from pathlib import Path
import numpy as np
from encnn import Architecture, EncryptedModel, ExactSigmoid, Network, Owner
from encnn.channels import serve
from encnn.experiments import words_dataset
from encnn.protocol import Assistant
from encnn.reviews import load_reviews
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
from encnn.channels import OPENING, FolderChannel
from encnn.experiments import words_dataset
from encnn.protocol import AssistedStep, KeptLabels
from encnn.reviews import load_reviews

folder, reviews = Path(sys.argv[1]), int(sys.argv[2])
data = words_dataset(load_reviews("toy"), cutoff=None)
while not (folder / OPENING).exists():
    time.sleep(0.01)
trainer = Trainer.load(folder / "start")
channel = FolderChannel(folder, trainer.model.evaluator.context)
trainer.train(data.X[:reviews], KeptLabels(reviews), TrainingPlan(ExactSigmoid(), 0.02), step=AssistedStep(channel))
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
    assert (tmp_path / "start").stat().st_size * 100 < (tmp_path / "trained").stat().st_size


# Messages


class Side:
    """An owner with one message of each kind in files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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

    def read(self, kind: str, path: Path) -> object:
        if kind == "request":
            return channels.read_request(path, self.context, 1)
        return channels.read_opening(path) if kind == "opening" else channels.read_answer(path)


@pytest.fixture(scope="module")
def side(tmp_path_factory) -> Side:
    return Side(tmp_path_factory.mktemp("messages"))


KINDS = ["opening", "request", "answer"]


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
    file_kind = {"opening": channels.OPENING, "request": channels.REQUEST, "answer": channels.ANSWER}[kind]
    header, arrays = files.read(side.folder / kind, file_kind)
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
        else:
            use(side, kind, message)
    except (FileError, DataError, KeyMismatchError, DivergenceError):  # a made-up key makes noise, hence large scores
        pass


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
    with pytest.raises(KeyMismatchError, match="take messages of one run"):
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


def test_a_request_of_another_key_is_told(side, tmp_path):
    with pytest.raises(KeyMismatchError, match="take messages of one run"):
        channels.read_request(side.folder / "request", Side(tmp_path).context, 1)


def test_messages_of_experimental_keys_are_not_written(tmp_path):
    owner = Owner(ARCHITECTURE, PLAN.sigmoid, SMALL, rng=np.random.default_rng(1))
    assistant = Assistant(owner.secret_key, rng=np.random.default_rng(1))
    with pytest.raises(ParameterError, match="made from a passed rng"):
        channels.write_opening(tmp_path / "opening", assistant.opening(), assistant.context)
    with pytest.raises(ParameterError, match="made from a passed rng"):
        channels.write_request(tmp_path / "request", Request(1, 0.1, owner.secret_key.encrypt(np.zeros((1, 1)))))
    assert isinstance(assistant.answer(Request(1, 0.1, owner.secret_key.encrypt(np.zeros((1, 1))))), Answer)
