"""The command `encnn`: three parties who exchange files, each in a folder of its own."""

import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from secret_walker import arrays_in_file, shows

import encnn
from encnn import files
from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.command import demo, main
from encnn.command.init import MODEL, SECRET
from encnn.command.outputs import ProgressLines
from encnn.command.program import COMMANDS
from encnn.command.rate import RATES, _above_noise, chosen_rate
from encnn.data.recipes import ClassFeatures, ScaledFeatures, TableFeatures, WordFeatures
from encnn.data.reviews import Vocabulary, load_reviews
from encnn.errors import ParameterError
from encnn.experiments.__main__ import JOBS
from encnn.network import Architecture, Network, TrainingPlan
from encnn.parties import EncryptedModel, Owner, Trainer
from encnn.progress import progress
from encnn.scaling import checkpoints
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, ONE_LEVEL_128, BootstrappedParameters

TOY = ("--parameters", BOOTSTRAP_TOY.name)
TRAINED = 200
TESTED = 60


class Walk:
    """Three folders, and what has been said on the way."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture) -> None:
        self.owner, self.trainer, self.user = (root / name for name in ("owner", "trainer", "user"))
        self._capsys = capsys
        corpus = load_reviews("toy")
        for folder, reviews in (
            (self.owner, corpus.train[TRAINED : 2 * TRAINED]),
            (self.trainer, corpus.train[:TRAINED]),
            (self.user, corpus.test[:TESTED]),
        ):
            folder.mkdir()
            demo.write_csv(folder / "data.csv", reviews)

    def say(self, *words: str | Path, status: int = 0) -> str:
        """Run a command that must end with this status; return all that it says."""
        found = main([str(word) for word in words])
        said = "".join(self._capsys.readouterr())
        assert found == status, said
        assert "Traceback" not in said
        return said

    def init(self, *words: str) -> str:
        return self.say("init", self.owner / "data.csv", "--out", self.owner, *TOY, *words)

    def train(self, *words: str | Path, status: int = 0) -> str:
        paths = self.owner / MODEL, self.trainer / "data.csv", "--out", self.trainer / "trained"
        return self.say("train", *paths, *words, status=status)

    def predict(self, *words: str) -> str:
        return self.say("predict", self.trainer / "trained", self.user / "data.csv", "--out", self.user / "scores", *words)

    def read(self, *words: str | Path, status: int = 0) -> str:
        return self.say("read", self.owner / SECRET, self.user / "scores", *words, status=status)


@pytest.fixture
def walk(tmp_path: Path, capsys: pytest.CaptureFixture) -> Walk:
    return Walk(tmp_path, capsys)


def right_in(said: str) -> int:
    """Return the count of right answers that `encnn read` told."""
    return int(said.split("right: ")[1].split(" of ")[0])


# -- the whole walk


def test_three_parties_train_and_read(walk: Walk) -> None:
    assert "protects nothing" in walk.init()
    said = walk.train("--threads", "1")
    assert f"trained on {TRAINED} of {TRAINED} rows (100 %)" in said and "Learning rate 0.0" in said
    assert "nearly as good" not in said
    assert f"{TESTED} encrypted scores" in walk.predict()
    assert right_in(walk.read("--labels", walk.user / "data.csv")) > 0.9 * TESTED


def test_the_model_learns_in_training_only(walk: Walk) -> None:
    walk.init()
    (walk.trainer / "trained").write_bytes((walk.owner / MODEL).read_bytes())
    walk.predict()
    untrained = np.array([float(line.split(",")[0]) for line in walk.read().splitlines()[1:]])
    assert len(untrained) == TESTED and np.abs(untrained).max() < 0.01


def test_the_trainer_learns_what_one_who_calls_the_package_learns(walk: Walk) -> None:
    walk.init()
    walk.train("--learning-rate", "0.01", "--batch-size", "8", "--epochs", "2")
    walk.say("open", walk.owner / SECRET, walk.trainer / "trained", "--out", walk.owner / "weights.csv", "--yes")
    lines = [line.rsplit(",", 1) for line in (walk.owner / "weights.csv").read_text().splitlines()[1:]]

    model = EncryptedModel.load(walk.owner / MODEL)
    assert isinstance(model.features, WordFeatures)
    assert [name for name, _ in lines] == list(model.features.vocabulary.words)
    reviews = load_reviews("toy").train[:TRAINED].shuffled(np.random.default_rng(0))
    trainer = Trainer(model)
    trainer.train(model.features(reviews), reviews.labels, TrainingPlan(ExactSigmoid(), 0.01, 0.0, 8, 2))
    same = Owner.load(walk.owner / SECRET).decrypt_network(model).W1[:, 0]
    np.testing.assert_allclose([float(weight) for _, weight in lines], same, atol=1e-5)
    assert np.abs(same).max() > 0.05


def test_scores_are_printed_or_written_in_the_order_of_the_rows(walk: Walk) -> None:
    walk.init()
    walk.train()
    walk.predict()
    printed = walk.read()
    assert printed.startswith("score,probability,label\n")
    walk.read("--out", walk.owner / "scores.csv")
    assert (walk.owner / "scores.csv").read_text() == printed
    labels = np.array([int(line.split(",")[2]) for line in printed.splitlines()[1:]])
    told = right_in(walk.read("--labels", walk.user / "data.csv"))
    assert (labels == load_reviews("toy").test.labels[:TESTED]).sum() == told


def test_a_secret_is_in_the_secret_alone(walk: Walk) -> None:
    walk.init()
    walk.train()
    walk.predict()
    T = Owner.load(walk.owner / SECRET).secret_key.T(1)  # type: ignore[attr-defined]
    assert shows(arrays_in_file(walk.owner / SECRET), T)
    given = [walk.owner / MODEL, walk.trainer / "trained", walk.user / "scores"]
    assert not any(shows(arrays_in_file(path), T) for path in given)
    assert not any(files.inspect(path).kind == "secret-key" for path in given)
    assert {path.name for path in walk.trainer.iterdir()} == {"data.csv", "trained"}  # and no run is left
    assert (walk.owner / SECRET).stat().st_mode & 0o077 == 0


def test_the_trainers_folder_holds_no_secret_while_it_trains(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    walk.init()
    _stopped_after(walk, 100, monkeypatch)
    T = Owner.load(walk.owner / SECRET).secret_key.T(1)  # type: ignore[attr-defined]
    kept = [path for path in walk.trainer.rglob("*") if path.is_file() and path.name != "data.csv"]
    assert len(kept) >= 3
    assert not any(shows(arrays_in_file(path), T) for path in kept)


# -- labels, columns, forms of files


def test_labels_of_other_names_and_files_of_other_forms(walk: Walk) -> None:
    for folder in (walk.owner, walk.trainer, walk.user):
        lines = (folder / "data.csv").read_text().splitlines()
        rows = [line.rsplit(",", 1) for line in lines[1:]]
        renamed = ["review;mood", *(f"{text};{'joy' if label == '1' else 'grief'}" for text, label in rows)]
        (folder / "data.csv").write_text("\n".join(renamed), encoding="utf-16")
    form = "--sep", ";", "--encoding", "utf-16"
    labels = "--label", "mood", "--positive", "joy"
    walk.init("--text", "review", *labels, *form)
    walk.train("--text", "review", *labels, *form)
    walk.predict("--text", "review", *form)
    assert right_in(walk.read("--labels", walk.user / "data.csv", *labels, *form)) > 0.9 * TESTED


def test_words_by_frequency_need_no_labels_and_are_other_words(walk: Walk) -> None:
    texts = "\n".join(line.rsplit(",", 1)[0] for line in (walk.owner / "data.csv").read_text().splitlines())
    (walk.owner / "data.csv").write_text(texts)
    walk.init("--polarity-cutoff", "0", "--max-words", "30")
    features = EncryptedModel.load(walk.owner / MODEL).features
    assert isinstance(features, WordFeatures)
    assert features.vocabulary == Vocabulary.select(load_reviews("toy").train[TRAINED : 2 * TRAINED], max_words=30)


def table_of(rng: np.random.Generator, rows: int) -> str:
    """Return a CSV file of two columns of whole numbers, of which one tells the label, and of words."""
    x = rng.integers(-3, 4, (rows, 2))
    lines = [f"{a},word,{b},{int(a > 0 or a == 0 and b > 0)}" for a, b in x.tolist()]
    return "\n".join(["a,name,b,label", *lines])


def test_columns_of_whole_numbers(walk: Walk) -> None:
    rng = np.random.default_rng(1)
    for folder, rows in ((walk.owner, 20), (walk.trainer, TRAINED), (walk.user, TESTED)):
        (folder / "data.csv").write_text(table_of(rng, rows))
    walk.init("--columns", "b,a")
    assert EncryptedModel.load(walk.owner / MODEL).features == TableFeatures(("b", "a"))
    walk.train()
    walk.predict()
    assert right_in(walk.read("--labels", walk.user / "data.csv")) > 0.9 * TESTED


@pytest.mark.parametrize(
    ("columns", "value", "message"),
    [
        ("a", "", "row 0 of column 'a' holds nan"),
        ("a,name", "1", "holds more than numbers"),
        ("a,c", "1", "lacks the columns ['c']"),
    ],
)
def test_columns_that_are_no_whole_numbers(walk: Walk, columns: str, value: str, message: str) -> None:
    (walk.owner / "data.csv").write_text(f"a,name,label\n{value},word,1\n")
    said = walk.say("init", walk.owner / "data.csv", "--out", walk.owner, "--columns", columns, status=1)
    assert message in said and not (walk.owner / SECRET).exists()


def test_a_model_of_whole_numbers_takes_no_fractions(walk: Walk) -> None:
    (walk.owner / "data.csv").write_text("a,label\n2,1\n")
    walk.init("--columns", "a")
    (walk.trainer / "data.csv").write_text("a,label\n2,1\n0.5,0\n")
    assert "row 1 of column 'a' holds 0.5; expected small whole numbers" in walk.train(status=1)


# -- files with faults


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "data.csv cannot be read"),
        (["text,label"], "data.csv: There are no reviews"),
        (["text;label", "good;1"], "by --sep"),
        (
            ["body,label", "good,1"],
            "has no column 'text', or several of that name; its columns are ['body', 'label']: name one of them by --text",
        ),
        (["text,label,label", "good,1,1"], "name one of them by --label"),
        (["text,label", "good,1", "bad,"], "data.csv: Label 1 is nan"),
        (["text,label", "good,1", ",0"], "data.csv: Text 1 is nan"),
        (["text,label", "good,1", "bad,-1"], "--positive"),
    ],
)
def test_faults_of_a_file_are_told_with_its_name(walk: Walk, lines: list[str], message: str) -> None:
    (walk.owner / "data.csv").write_text("\n".join(lines))
    said = walk.say("init", walk.owner / "data.csv", "--out", walk.owner, *TOY, status=1)
    assert message in said and not (walk.owner / SECRET).exists()


@pytest.mark.filterwarnings("default:.*mostly written in letters")
def test_texts_of_other_letters(walk: Walk) -> None:
    """Told of by a warning, whose advice is followed here."""
    rows = [f"хорошо кино {i},1\nплохо кино {i},0" for i in range(TRAINED // 2)]
    for folder in (walk.owner, walk.trainer, walk.user):
        (folder / "data.csv").write_text("\n".join(["text,label", *rows]))
    assert "--any-letters" in walk.say("init", walk.owner / "data.csv", "--out", walk.owner, *TOY, status=1)
    walk.init("--any-letters")
    features = EncryptedModel.load(walk.owner / MODEL).features
    assert isinstance(features, WordFeatures) and "хорошо" in features.vocabulary.words
    walk.train()
    walk.predict()
    assert right_in(walk.read("--labels", walk.user / "data.csv")) == TRAINED


def test_bits_are_for_numbers(walk: Walk) -> None:
    said = walk.say("init", walk.owner / "data.csv", "--out", walk.owner, *TOY, "--bits", "4", status=1)
    assert "--bits is for numbers" in said


def test_classes_with_commas_and_classes_that_the_file_has_besides(three_tables: Walk) -> None:
    walk = three_tables
    (walk.owner / "data.csv").write_text((walk.owner / "data.csv").read_text().replace(",blue", ',"sky, blue"'))
    columns = "init", walk.owner / "data.csv", "--out", walk.owner, *TOY, "--columns", "small,large", "--classes"
    assert "data.csv: label 2 is 'sky, blue'" in walk.say(*columns, "red,green,sky, blue", status=1)
    walk.say(*columns, 'red,green,"sky, blue"')
    recipe = EncryptedModel.load(walk.owner / MODEL).features
    assert isinstance(recipe, ClassFeatures) and recipe.classes == ("red", "green", "sky, blue")


# -- real numbers, and several classes


def blobs(rng: np.random.Generator, rows: int) -> str:
    """Return a table of three classes of real numbers, each around a centre of its own."""
    classes = np.array(["green", "red", "blue"])[np.arange(rows) % 3]
    centres = {"green": (0.0, 500.0), "red": (0.003, 100.0), "blue": (-0.003, 100.0)}
    lines = [(*(rng.normal(centres[c], (0.001, 60.0))), c) for c in classes.tolist()]
    return "\n".join(["small,large,label", *(f"{a:.6f},{b:.2f},{c}" for a, b, c in lines)])


@pytest.fixture
def three_tables(walk: Walk) -> Walk:
    rng = np.random.default_rng(3)
    for folder, rows in ((walk.owner, 60), (walk.trainer, TRAINED), (walk.user, TESTED)):
        (folder / "data.csv").write_text(blobs(rng, rows))
    return walk


def test_three_classes_of_real_numbers(three_tables: Walk) -> None:
    walk = three_tables
    walk.init("--columns", "small,large", "--classes", "red,green,blue", "--bits", "5")
    recipe = EncryptedModel.load(walk.owner / MODEL).features
    assert isinstance(recipe, ClassFeatures) and recipe.classes == ("red", "green", "blue")
    assert isinstance(recipe.of, ScaledFeatures) and recipe.of.scaling.largest == 15
    walk.train("--epochs", "2")
    assert f"{3 * TESTED} encrypted scores" in walk.predict()
    assert right_in(walk.read("--labels", walk.user / "data.csv")) > 0.9 * TESTED
    walk.read("--out", walk.owner / "scores.csv")
    lines = (walk.owner / "scores.csv").read_text().splitlines()
    assert lines[0] == "label,score of red,score of green,score of blue" and len(lines) == 1 + TESTED
    truth = [line.split(",")[2] for line in (walk.user / "data.csv").read_text().splitlines()[1:]]
    assert np.mean([line.split(",")[0] == t for line, t in zip(lines[1:], truth, strict=True)]) > 0.9
    walk.say("open", walk.owner / SECRET, walk.trainer / "trained", "--out", walk.owner / "weights.csv", "--yes")
    names = [line.rsplit(",", 1)[0] for line in (walk.owner / "weights.csv").read_text().splitlines()[1:]]
    assert names[:3] == ["small for red", "small for green", "small for blue"] and names[-1] == "(bias) for blue"
    refused = walk.train("--positive", "red", "--out", walk.trainer / "again", status=1)
    assert "--positive names one class against all others" in refused


def test_two_classes_of_real_numbers(three_tables: Walk) -> None:
    walk = three_tables
    walk.init("--columns", "small,large")
    assert isinstance(EncryptedModel.load(walk.owner / MODEL).features, ScaledFeatures)
    walk.train("--positive", "green", "--epochs", "2")
    walk.predict()
    assert right_in(walk.read("--labels", walk.user / "data.csv", "--positive", "green")) > 0.9 * TESTED


def test_three_classes_of_texts(walk: Walk) -> None:
    rng, words = np.random.default_rng(0), {"news": "vote", "sport": "goal", "food": "soup"}
    for folder, rows in ((walk.owner, 60), (walk.trainer, TRAINED), (walk.user, TESTED)):
        kinds = [list(words)[k] for k in rng.integers(0, 3, rows)]
        lines = [f"the {words[k]} is {'good' if rng.random() < 0.5 else 'bad'} today,{k}" for k in kinds]
        (folder / "data.csv").write_text("\n".join(["text,label", *lines]))
    walk.init("--classes", "news,sport,food")
    walk.train("--epochs", "2")
    walk.predict()
    assert right_in(walk.read("--labels", walk.user / "data.csv")) == TESTED
    (walk.user / "data.csv").write_text("text,label\nthe vote,weather\n")
    walk.say("predict", walk.trainer / "trained", walk.user / "data.csv", "--out", walk.user / "one")
    said = walk.say("read", walk.owner / SECRET, walk.user / "one", "--labels", walk.user / "data.csv")
    assert right_in(said) == 0


# -- stopped and resumed


def _stopped_after(walk: Walk, rows: int, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """Train until so many rows are done, then press Ctrl-C; return what was said."""
    with monkeypatch.context() as patched:
        patched.setattr("encnn.command.train.KEEP_EVERY", rows)
        patched.setattr("encnn.network.training.SCORES_PER_REPORT", rows)
        written = checkpoints._Writer._write_model

        def write_and_stop(writer: checkpoints._Writer) -> None:
            written(writer)
            raise KeyboardInterrupt

        patched.setattr(checkpoints._Writer, "_write_model", write_and_stop)
        return walk.train(*words, status=130)


def test_a_long_run_says_first_what_it_costs(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encnn.command.train.LONG", TRAINED)
    walk.init()
    assert "training: about" in walk.train()


def test_the_bar_of_a_resumed_run_counts_new_work_only(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    walk.init()
    _stopped_after(walk, 112, monkeypatch)
    settings: list[dict[str, object]] = []

    def bar(*given: object, **options: object) -> object:
        settings.append(options)
        return progress(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("encnn.network.training.progress", bar)
    walk.train()
    assert [(o["initial"], o["total"]) for o in settings][-1] == (112, TRAINED)


def test_a_run_that_is_stopped_goes_on_and_ends_as_if_it_had_not_been(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    walk.init()
    said = _stopped_after(walk, 112, monkeypatch)
    assert f"Stopped after 112 of {TRAINED} rows" in said and f"kept in {walk.trainer / 'trained.run'}" in said
    assert "give the same command again" in said
    met: list[int] = []
    monkeypatch.setattr("encnn.command.train.ProgressLines.__call__", lambda _, first, scores: met.append(first))
    walk.train()
    assert met[0] == 112 and not (walk.trainer / "trained.run").exists()
    resumed = EncryptedModel.load(walk.trainer / "trained").network.W1.data
    (walk.trainer / "trained").unlink()
    walk.train()
    np.testing.assert_array_equal(EncryptedModel.load(walk.trainer / "trained").network.W1.data, resumed)


def test_ctrl_c_before_a_model_was_kept_leaves_nothing(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the choice of the rate as in training; the next run may be any other."""
    walk.init()

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for place in ("encnn.command.train.chosen_rate", "encnn.command.train.ProgressLines.__call__"):
        with monkeypatch.context() as patched:
            patched.setattr(place, stop)
            said = walk.train(status=130)
        assert "nothing is kept. The same command begins again" in said
        assert {path.name for path in walk.trainer.iterdir()} == {"data.csv"}
    walk.train("--epochs", "2", "--learning-rate", "0.01")


def test_ctrl_c_later_tells_what_is_kept_and_not_what_is_lost(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was kept is told of even if the second attempt is stopped before its first step."""
    walk.init()
    _stopped_after(walk, 112, monkeypatch)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("encnn.command.train.chosen_rate", stop)
    assert "Stopped after 112 rows. The run is kept" in walk.train(status=130)


def test_a_refused_run_does_not_stand_in_the_way(walk: Walk) -> None:
    walk.init()
    assert "more than" in walk.train("--learning-rate", "0.00001", status=1)
    walk.train("--learning-rate", "0.01")


def test_another_run_is_not_gone_on_with(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    walk.init()
    _stopped_after(walk, 112, monkeypatch)
    assert "holds a run with another model or plan" in walk.train("--epochs", "2", status=1)


def test_other_files_in_the_folder_of_a_run_stay(tmp_path: Path) -> None:
    for name in (checkpoints.RUN, "model-00000001", "scores-00000000", "notes.txt"):
        (tmp_path / name).touch()
    checkpoints.forget_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_lines_in_a_log_count_new_work_only(capsys: pytest.CaptureFixture) -> None:
    seconds = iter([0.0, 4.0, 10.0, 12.0, 20.0])
    lines = ProgressLines(1000, watched=False, clock=lambda: next(seconds))
    for first in (500, 600, 700, 900):
        lines(first, np.zeros(200 if first == 700 else 100))
    assert capsys.readouterr().err.splitlines() == [
        "trained on 700 of 1,000 rows (70 %), 20 rows per second, 15 s left",
        "trained on 1,000 of 1,000 rows (100 %), 25 rows per second, 0 s left",
    ]


def test_on_a_terminal_the_bar_is_enough(capsys: pytest.CaptureFixture) -> None:
    ProgressLines(100, watched=True)(0, np.zeros(100))
    assert capsys.readouterr().err == ""


# -- the learning rate


def linear_model(texts: int) -> tuple[EncryptedModel, object, np.ndarray]:
    reviews = load_reviews("toy").train[:texts]
    recipe = WordFeatures(Vocabulary.select(reviews, min_count=2, polarity_cutoff=0.1))
    a = Architecture(len(recipe.vocabulary), hidden=0, pooling="sum")
    owner = Owner(a, ExactSigmoid(), BOOTSTRAP_TOY, features=recipe)
    return owner.encrypt(Network(a, np.zeros((a.features, 1)), None)), recipe(reviews), reviews.labels


def test_a_rate_is_chosen_that_learns_and_is_the_same_again() -> None:
    model, X, y = linear_model(200)
    plan = TrainingPlan(model.sigmoid, batch_size=16)
    rate, right = chosen_rate(model, X, y, plan)
    assert rate in RATES and right > 0.9
    assert chosen_rate(model, X, y, plan) == (rate, right)


def test_a_rate_that_noise_would_drown_is_not_chosen() -> None:
    """The right labels do not matter here: at 128 bits the least of the rates is below the noise, so it is never the answer."""
    _, X, y = linear_model(200)
    model = replace_parameters(ONE_LEVEL_128, X)
    tried = _above_noise(model, X, [TrainingPlan(model.sigmoid, rate, batch_size=16) for rate in RATES])
    assert [plan.learning_rate for plan in tried] == [rate for rate in RATES if rate >= 0.004]
    with pytest.raises(ParameterError, match="epochs"):
        _above_noise(model, X, [TrainingPlan(model.sigmoid, 0.01, batch_size=16, epochs=10**6)])


def replace_parameters(p: BootstrappedParameters, X: Any) -> EncryptedModel:
    a = Architecture(X.shape[1], hidden=0, pooling="sum")
    return Owner(a, ExactSigmoid(), p).encrypt(Network.zeros(a))


def test_labels_of_one_class_are_refused(walk: Walk) -> None:
    lines = (walk.trainer / "data.csv").read_text().splitlines()
    one = "\n".join([lines[0], *(f"{line[:-1]}1" for line in lines[1:])])
    (walk.trainer / "data.csv").write_text(one)
    (walk.owner / "one.csv").write_text(one)
    said = walk.say("init", walk.owner / "one.csv", "--out", walk.owner, *TOY, status=1)
    assert "one.csv: all labels are 1" in said and "--polarity-cutoff 0" in said
    walk.say("init", walk.owner / "one.csv", "--out", walk.owner, *TOY, "--polarity-cutoff", "0")  # as advised
    assert "all labels are 1, so there is no rate to choose" in walk.train(status=1)
    walk.train("--learning-rate", "0.01")  # as advised


def test_a_rate_is_not_chosen_on_a_few_rows(walk: Walk) -> None:
    walk.init()
    lines = (walk.trainer / "data.csv").read_text().splitlines()
    (walk.trainer / "data.csv").write_text("\n".join(lines[:11]))
    said = walk.train(status=1)
    assert "10 rows are too few" in said and "--learning-rate" in said
    walk.train("--learning-rate", "0.01")  # as advised


# -- the owner assists


@pytest.mark.slow
def test_two_parties_train_with_assistance(walk: Walk, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    init = "init", walk.owner / "data.csv", "--out", walk.owner, "--parameters", "compact-128"
    assert "128" in walk.say(*init) and "--with-owner" in walk.train(status=1)
    line = [sys.executable, "-m", "encnn", "assist", walk.owner / SECRET, shared, "--wait", "60"]
    with subprocess.Popen([str(word) for word in line], stdout=subprocess.PIPE, text=True) as owner:
        walk.train("--with-owner", shared, "--wait", "60")
        assert f"on {TRAINED} rows" in owner.communicate(timeout=60)[0]
    assert owner.returncode == 0 and not list(shared.iterdir())
    walk.predict()
    assert right_in(walk.read("--labels", walk.user / "data.csv")) > 0.9 * TESTED


@pytest.mark.slow
def test_an_owner_who_stops_is_told_of_and_both_go_on(walk: Walk, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    walk.say("init", walk.owner / "data.csv", "--out", walk.owner, "--parameters", "compact-128")
    line = [str(word) for word in (sys.executable, "-m", "encnn", "assist", walk.owner / SECRET, shared, "--wait", "60")]
    train = "--with-owner", shared, "--wait", "60", "--epochs", "80", "--learning-rate", "0.01"
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as owner:
        threading.Thread(target=_stop_once, args=(owner, walk.trainer / "trained.run")).start()
        said = walk.train(*train, status=1)
    assert owner.returncode == 130
    assert "'it was stopped'. The run is kept: to go on, start both sides again" in said
    assert not list(shared.iterdir())
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as owner:
        assert f"Trained on {80 * TRAINED:,} rows" in walk.train(*train)
    assert owner.returncode == 0 and not list(shared.iterdir())


def _stop_once(process: subprocess.Popen, run: Path) -> None:
    """Press Ctrl-C for a process as soon as a model is kept in the folder of a run."""
    while not list(run.glob("model-*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)


def test_messages_of_another_run_are_not_removed(walk: Walk, tmp_path: Path) -> None:
    walk.say("init", walk.owner / "data.csv", "--out", walk.owner, "--parameters", "compact-128")
    (tmp_path / "assist-opening").touch()
    said = walk.say("assist", walk.owner / SECRET, tmp_path, status=1)
    assert "earlier run" in said and (tmp_path / "assist-opening").exists()


def test_an_owner_who_waited_in_vain_may_wait_again(walk: Walk, tmp_path: Path) -> None:
    walk.say("init", walk.owner / "data.csv", "--out", walk.owner, "--parameters", "compact-128")
    for _ in range(2):
        said = walk.say("assist", walk.owner / SECRET, tmp_path / "shared", "--wait", "0.1", status=1)
        assert "Waiting for a trainer" in said and "did not come within 0.1 s" in said
        assert not list((tmp_path / "shared").iterdir())


def test_models_that_train_alone_are_not_assisted(walk: Walk, tmp_path: Path) -> None:
    walk.init()
    assert "train alone: leave `help` out" in walk.say("assist", walk.owner / SECRET, tmp_path / "shared", status=1)


def test_an_owner_who_does_not_come_is_waited_for_and_told(walk: Walk, tmp_path: Path) -> None:
    walk.say("init", walk.owner / "data.csv", "--out", walk.owner, "--parameters", "compact-128")
    (tmp_path / "shared").mkdir()
    said = walk.train("--with-owner", tmp_path / "shared", "--wait", "0.1", status=1)
    assert "did not come within 0.1 s" in said
    assert not list((tmp_path / "shared").iterdir())  # so that an owner who comes later can begin


# -- what a file is


def test_info_tells_what_files_are(walk: Walk) -> None:
    walk.init()
    walk.train()
    walk.predict()
    secret = walk.say("info", walk.owner / SECRET)
    assert "HOLDS A SECRET" in secret and "the secret of an owner" in secret
    for path in (walk.owner / MODEL, walk.trainer / "trained"):
        said = walk.say("info", path)
        assert "It holds no secret." in said and "an encrypted model" in said
        assert "scheme:      bootstrapped" in said and BOOTSTRAP_TOY.name in said
        assert f"security:    {BOOTSTRAP_TOY.security.summary}" in said and said.count("INSECURE") == 2
    assert "MAC:         yes" in walk.say("info", walk.owner / MODEL)
    assert "MAC:         no" in walk.say("info", walk.trainer / "trained")
    files.write(walk.trainer / "other", "some-message", {}, {})
    assert "a message between owner and trainer" in walk.say("info", walk.trainer / "other")
    scores = walk.say("info", walk.user / "scores")
    assert "encrypted scores" in scores and "It holds no secret." in scores


def test_info_finds_damage(walk: Walk) -> None:
    walk.init()
    damaged = bytearray((walk.owner / MODEL).read_bytes())
    damaged[-2000] ^= 1
    (walk.owner / MODEL).write_bytes(damaged)
    assert "damaged" in walk.say("info", walk.owner / MODEL, status=1)
    assert "not an encnn file" in walk.say("info", walk.owner / "data.csv", status=1)


# -- errors


def test_nothing_is_overwritten(walk: Walk) -> None:
    walk.init()
    secret = (walk.owner / SECRET).read_bytes()
    said = walk.say("init", walk.owner / "data.csv", "--out", walk.owner, *TOY, status=1)
    assert f"{walk.owner / SECRET} exists already" in said
    assert (walk.owner / SECRET).read_bytes() == secret
    said = walk.say("train", walk.owner / MODEL, walk.trainer / "data.csv", "--out", walk.owner / MODEL, status=1)
    assert "exists already" in said


def test_weights_are_opened_after_a_yes_only(walk: Walk) -> None:
    walk.init()
    said = walk.say("open", walk.owner / SECRET, walk.owner / MODEL, "--out", walk.owner / "weights.csv", status=1)
    assert "you did not confirm it" in said and "--yes" in said
    assert not (walk.owner / "weights.csv").exists()
    walk.say("open", walk.owner / SECRET, walk.owner / MODEL, "--out", walk.owner / "weights.csv", "--yes")
    assert (walk.owner / "weights.csv").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("YES", 0), ("n", 1), ("", 1)])
def test_the_answer_on_a_terminal_decides(walk: Walk, answer: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    walk.init()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda _: answer)
    walk.say("open", walk.owner / SECRET, walk.owner / MODEL, "--out", walk.owner / "weights.csv", status=status)
    assert (walk.owner / "weights.csv").exists() == (status == 0)


def test_scores_that_left_the_range_are_counted_apart(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    walk.init()
    (walk.owner / "labels.csv").write_text("label\n1\n0\n1\n")
    z = np.array([[1.0], [1.0], [np.nan]])
    monkeypatch.setattr(Owner, "load_scores", lambda *_: z)
    said = walk.read("--labels", walk.owner / "labels.csv")
    assert "right: 1 of 2 (50.00 %); out of the range of the scheme, and not counted: 1" in said
    assert walk.read().splitlines()[-1] == "nan,nan,"
    z[:] = np.nan
    assert "lower learning rate" in walk.read("--labels", walk.owner / "labels.csv", status=1)


def test_a_secret_opens_its_own_models_and_scores(walk: Walk, tmp_path: Path) -> None:
    walk.init()
    walk.train()
    walk.predict()
    other = tmp_path / "other"
    walk.say("init", walk.owner / "data.csv", "--out", other, *TOY)
    said = walk.say("open", other / SECRET, walk.owner / MODEL, "--out", tmp_path / "weights.csv", "--yes", status=1)
    assert "use the model's own secret" in said and not (tmp_path / "weights.csv").exists()
    assert "ask for scores from a model of this owner" in walk.say("read", other / SECRET, walk.user / "scores", status=1)


def test_labels_of_other_rows_are_refused(walk: Walk) -> None:
    walk.init()
    walk.train()
    walk.predict()
    assert f"{TESTED} scores, but {TRAINED} labels" in walk.read("--labels", walk.trainer / "data.csv", status=1)


def test_files_that_are_not_there_or_something_else(walk: Walk) -> None:
    walk.init()
    assert "No such file" in walk.say("info", walk.owner / "nothing", status=1)
    assert "was wanted" in walk.say("read", walk.owner / MODEL, walk.owner / SECRET, status=1)
    assert "no column 'body'" in walk.train("--text", "text", "--label", "body", status=1)
    said = walk.say("train", walk.owner / MODEL, walk.trainer / "none.csv", "--out", walk.trainer / "t", status=1)
    assert "cannot be read as a CSV file" in said


def test_a_model_without_a_recipe_is_refused(walk: Walk) -> None:
    walk.init()
    model = EncryptedModel.load(walk.owner / MODEL)
    model.features = None
    (walk.owner / MODEL).unlink()
    model.save(walk.owner / MODEL)
    assert "does not say how data becomes its features" in walk.train(status=1)


def test_a_rehearsal_that_learns_nothing_is_told(walk: Walk) -> None:
    lines = (walk.trainer / "data.csv").read_text().splitlines()
    texts = [line.rsplit(",", 1)[0] for line in lines[1:]]
    labels = np.random.default_rng(0).integers(0, 2, len(texts)).tolist()
    (walk.trainer / "data.csv").write_text("\n".join(["text,label", *(f"{t},{k}" for t, k in zip(texts, labels, strict=True))]))
    walk.init()
    assert "always guessing the more frequent label is nearly as good" in walk.train()


def test_refusals_come_before_the_work(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before data is read, and before anything is decrypted."""
    walk.init()
    (walk.owner / "scores.csv").touch()
    with monkeypatch.context() as patched:
        patched.setattr(Owner, "load_scores", lambda *_: pytest.fail("scores were decrypted"))
        said = walk.say("read", walk.owner / SECRET, walk.user / "none", "--out", walk.owner / "scores.csv", status=1)
        assert "scores.csv exists already" in said
    paths = "train", walk.owner / MODEL, walk.trainer / "none.csv", "--out", walk.trainer / "trained"
    assert "train alone; leave --with-owner out" in walk.say(*paths, "--with-owner", walk.trainer, status=1)
    assert "batch_size" in walk.say(*paths, "--batch-size", "0", status=1)
    assert "learning_rate" in walk.say(*paths, "--learning-rate", "0", status=1)
    walk.say("init", walk.owner / "data.csv", "--out", walk.owner / "compact", "--parameters", "compact-128")
    said = walk.say("train", walk.owner / "compact" / MODEL, walk.trainer / "none.csv", "--out", walk.trainer / "t", status=1)
    assert "do not train alone" in said


# -- usage


@pytest.mark.parametrize("words", [[], ["nonsense"], ["init"], ["init", "x.csv", "--out", "o", "--parameters", "paper"]])
def test_wrong_usage_ends_with_2(words: Sequence[str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2 and "usage: encnn" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_names_everything(command: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), "--help"])
    said = capsys.readouterr().out
    assert f"usage: encnn {command}".rstrip() in said
    if not command:
        assert all(name in said for name in (*COMMANDS, *JOBS))


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "m", "d", "--out", "o", "--threads", "0"],
        ["assist", "s", "f", "--trips", "x"],
        ["assist", "s", "f", "--wait", "-1"],
    ],
)
def test_numbers_that_make_no_sense_are_wrong_usage(words: Sequence[str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert f"argument {words[-2]}" in capsys.readouterr().err


def test_ctrl_c_ends_a_demo_and_a_command_that_has_not_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("encnn.command.init.Owner", stop)
    assert main(["demo", *TOY]) == 130 and "error" not in capsys.readouterr().err
    monkeypatch.setattr("encnn.command.program._parser", stop)
    assert main(["info", "x"]) == 130 and capsys.readouterr().err == "encnn: stopped\n"


def test_whoever_reads_the_output_may_stop_reading(walk: Walk) -> None:
    walk.init()
    walk.train()
    walk.predict()
    read = f"{sys.executable} -m encnn read {walk.owner / SECRET} {walk.user / 'scores'}"
    found = subprocess.run(f"{read} | true; exit ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash", capture_output=True)
    assert found.returncode == 0 and found.stderr == b""


def test_version(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"encnn {encnn.__version__}\n"


def test_jobs_are_reached_by_their_names(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["reproduce", "--help"])
    said = capsys.readouterr().out
    assert "--first-seed" in said and "usage: encnn reproduce" in said


def test_the_command_is_installed_under_its_name() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert EntryPoint("encnn", project["scripts"]["encnn"], "console_scripts").load() is main


def test_it_runs_as_a_program() -> None:
    failed = subprocess.run([sys.executable, "-m", "encnn", "info", "nothing"], capture_output=True, text=True)
    assert failed.returncode == 1 and failed.stderr.startswith("encnn: error: ") and failed.stderr.count("\n") == 1


def test_the_demo_in_a_folder_to_keep(walk: Walk, tmp_path: Path) -> None:
    said = walk.say("demo", "--keep", tmp_path / "kept", *TOY)
    assert right_in(said) > 0.9 * demo.TEXTS["user"]
    assert not list((tmp_path / "kept" / "trainer").glob("*secret*"))
    assert (tmp_path / "kept" / "user" / "scores.encnn").exists()


@pytest.mark.slow
def test_the_demo_at_128_bits(walk: Walk) -> None:
    said = walk.say("demo")
    assert "one-level-128: 12" in said and "INSECURE" not in said
    assert right_in(said) > 0.9 * demo.TEXTS["user"]
