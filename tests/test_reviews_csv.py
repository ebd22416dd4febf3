"""CSV files as people have them: read right, refused with one error, or read with a warning."""

import bz2
import gzip
import lzma
import warnings
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.data.reviews import Reviews, Vocabulary, bag_of_words, load_reviews, paper_form, positive_to_negative_ratios
from encnn.errors import DataError, DataWarning
from encnn.network import Architecture, Network, TrainingPlan
from encnn.parties import Owner, Trainer
from encnn.schemes import ClearParameters


def written(folder: Path, content: str | bytes, name: str = "reviews.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# -- what was silently wrong


@pytest.mark.parametrize("gap", ["\n", "\r\n", "\t", "\n\n", " \n", "\x0b", "\x85", "\u2028", "\xa0", "\u3000"])
@pytest.mark.parametrize("raw", [True, False])
def test_line_breaks_and_tabs_inside_quotes_part_words(tmp_path: Path, gap: str, raw: bool) -> None:
    path = written(tmp_path, f'text,label\n"not good{gap}film",0\n')
    (text,) = Reviews.from_csv(path, raw=raw).texts
    assert text.split() == ["not", "good", "film"]
    assert "goodfilm" not in Reviews.from_frame(pd.DataFrame({"text": [f"good{gap}film"], "label": [1]}), raw=raw).texts[0]


def test_the_papers_own_text_form_is_as_it_was() -> None:
    assert paper_form("not good\nfilm\tnoir") == "not goodfilmnoir  "


@pytest.mark.parametrize(
    "content",
    [
        "text,label\na great, great film,1\na bad film,0\n",
        "text,label\na great, great film,1\na bad, bad film,0\n",
        "text,label\na great film,1,\na bad film,0,\n",
        "text,label\na great film,1,\na bad film,0\n",
    ],
)
def test_fields_too_many_are_refused_and_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match=r"Expected 2 fields in line 2, saw 3.*between double quotes, remove ',' at the ends"):
        Reviews.from_csv(written(tmp_path, content))


def test_quoted_commas_and_quotes_are_texts(tmp_path: Path) -> None:
    path = written(tmp_path, 'label,text\n1,"a great, great film"\n0,"so ""bad"", so bad"\n')
    assert [t.split() for t in Reviews.from_csv(path).texts] == [["a", "great", "great", "film"], ["so", "bad", "so", "bad"]]


def zipped(content: bytes, path: Path) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("reviews.csv", content)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2", "zip"])
def test_compressed_files_are_read_whole_or_refused(tmp_path: Path, kind: str) -> None:
    rows = "".join(f"a film {'of this and that ' * (i % 7)} {i * 7919 % 1000},{i % 2}\n" for i in range(500))
    content = ("text,label\n" + rows).encode()
    pack = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}.get(kind, partial(zipped, path=tmp_path / "made"))
    data = pack(content)
    assert len(Reviews.from_csv(written(tmp_path, data, f"reviews.csv.{kind}"))) == 500
    for cut in (0, 5, len(data) // 3, len(data) // 2, len(data) - 9, len(data) - 1):
        with pytest.raises(DataError, match=r"cannot be read .* get the file again if it was cut"):
            Reviews.from_csv(written(tmp_path, data[:cut], f"cut.csv.{kind}"))
    spoiled = bytearray(data)
    spoiled[len(data) // 2] ^= 0xFF
    with pytest.raises(DataError):
        Reviews.from_csv(written(tmp_path, bytes(spoiled), f"spoiled.csv.{kind}"))


@pytest.mark.parametrize("text", ["فيلم رائع جدا", "一部好电影", "Отличный фильм", "γλυκιά ταινία", "とても良い"])
def test_texts_in_other_scripts_are_warned_of(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, f"text,label\nfine film,1\n{text},0\n")
    with pytest.warns(DataWarning, match=r"1 of 2 texts are mostly .* other than a to z \(the first is text 1\)"):
        reviews = Reviews.from_csv(path)
    assert not reviews.texts[1].strip()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Reviews.from_csv(path, raw=False).texts[1] == text  # its advice
        Reviews.from_csv(written(tmp_path, "text,label\nCafé déjà vu – ¡olé! 10/10 ★,1\n,0\n".replace("\n,0", "\nx,0")))


# -- what people have


def test_separators_encodings_and_headers(tmp_path: Path) -> None:
    expected = Reviews.from_csv(written(tmp_path, "text,label\na good film,1\na bad film,0\n"))
    for content, arguments in [
        ("text\tlabel\na good film\t1\na bad film\t0\n", {"sep": "\t"}),
        ("text;label\na good film;1\na bad film;0\n", {"sep": ";"}),
        ("label|id|text\n1|x|a good film\n0|y|a bad film\n", {"sep": "|"}),
        ("a good film,1\na bad film,0\n", {"header": ["text", "label"]}),
        ("1,7,a good film\n0,8,a bad film\n", {"header": ("sentiment", "id", "text"), "label": "sentiment"}),
        ("\ufefftext,label\na good film,1\na bad film,0\n", {}),
        ("text,label\r\na good film,1\r\n\r\na bad film,0\r\n", {}),
        ("text,label\na good film,1.0\na bad film,0.0", {}),
        ("text,label\na good film,True\na bad film,False", {}),
        ("text,label\na good film, Positive\na bad film,neg ", {}),
        ("text,label\na good film,5\na bad film,1", {"labels": {1: 0, 5: 1}}),
        ("text,label\na good film,5\na bad film,1", {"labels": {"1": 0, "5": 1}}),
        ("text,label\na good film,ja\na bad film,nein", {"labels": {"nein": 0, "ja": 1}}),
    ]:
        found = Reviews.from_csv(written(tmp_path, content), **arguments)
        assert found.texts == expected.texts and np.array_equal(found.labels, expected.labels), content
    latin = written(tmp_path, "text,label\nun café,1\n".encode("latin-1"))
    assert Reviews.from_csv(latin, encoding="latin-1", raw=False).texts == ("un café",)
    with pytest.raises(DataError, match="cannot be read as a CSV file in UTF-8"):
        Reviews.from_csv(latin)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sep": ""}, "expected one character"),
        ({"sep": ", "}, "expected one character"),
        ({"sep": None}, "expected one character"),
        ({"encoding": "utf-99"}, "unknown encoding"),
        ({"encoding": 8}, "such as 'utf-8'"),
        ({"header": ["text"]}, "has 2 columns, but header= names 1"),
        ({"header": ["text", "label", "more"]}, "has 2 columns, but header= names 3"),
        ({"labels": {}}, "expected a dict such as"),
        ({"labels": {"1": 0}}, "which the mapping does not name"),
        ({"labels": {"1": 0, "0": 5}}, "whole numbers from 0 to 1"),
        ({"label": "stars"}, "exactly one column 'stars'"),
    ],
)
def test_arguments_that_do_not_fit_the_file(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Reviews.from_csv(written(tmp_path, "text,label\na good film,1\na bad film,0\n"), **arguments)


def test_labels_that_say_nothing_ask_for_a_mapping(tmp_path: Path) -> None:
    for stars in ("1,5", "ja,nein", "2,3"):
        first, second = stars.split(",")
        with pytest.raises(DataError, match=r"For other labels say what they mean, by labels=\{...\}"):
            Reviews.from_csv(written(tmp_path, f"text,label\na,{first}\nb,{second}\n"))


# -- more than two classes


def three_classes() -> Reviews:
    frame = pd.DataFrame({"text": ["bad film", "fair film", "good film"] * 3, "label": ["no", "so so", "yes"] * 3})
    return Reviews.from_frame(frame, labels={"no": 0, "so so": 1, "yes": 2})


def test_several_classes_stay_classes() -> None:
    reviews = three_classes()
    assert reviews.classes == 3 and reviews.labels.tolist() == [0, 1, 2] * 3
    assert reviews[1:4].classes == 3
    words = Vocabulary.select(reviews, min_count=2)
    assert {"bad", "fair", "film", "good"} <= set(words.words)
    with pytest.raises(DataError, match=r"Reviews\(reviews.texts, reviews.labels == 2\)"):
        positive_to_negative_ratios(reviews)
    rest = Reviews(reviews.texts, reviews.labels == 2)  # its advice
    assert Vocabulary.select(rest, polarity_cutoff=0.1).words
    with pytest.raises(DataError, match="from 0 to 2"):
        Reviews(("a", "b"), [0, 3], classes=3)


def test_a_network_takes_one_class_against_the_rest_or_has_an_output_for_each() -> None:
    reviews = three_classes()
    X = bag_of_words(reviews, Vocabulary.select(reviews))
    plan = TrainingPlan(ExactSigmoid(), 0.5, epochs=20)
    for outputs in (1, 3):
        a = Architecture(X.shape[1], hidden=0, outputs=outputs, pooling="sum")
        owner = Owner(a, plan.sigmoid, ClearParameters())
        trainer = Trainer(owner.encrypt(Network(a, np.zeros((X.shape[1], outputs)), None)))
        if outputs == 1:
            with pytest.raises(DataError, match=r"one class against the rest \(y == 2\), or a network with outputs=k"):
                trainer.train(X, reviews.labels, plan)
            scores, y = trainer.train(X, reviews.labels == 2, plan), reviews.labels == 2
        else:
            scores, y = trainer.train(X, reviews.labels, plan), reviews.labels
        assert owner.evaluate(scores[-9:], y, plan).accuracy.correct == 9


# -- order


def sorted_frame(of_each: int) -> pd.DataFrame:
    return pd.DataFrame({"text": [f"film {i}" for i in range(2 * of_each)], "label": [0] * of_each + [1] * of_each})


def test_sorted_labels_are_warned_of() -> None:
    for frame in (sorted_frame(5), sorted_frame(5)[::-1]):
        with pytest.warns(DataWarning, match="the 10 labels come sorted, .* use reviews.shuffled"):
            Reviews.from_frame(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Reviews.from_frame(sorted_frame(4))  # as chance may have it
        Reviews.from_frame(sorted_frame(50).sample(frac=1, random_state=1))
        Reviews.from_frame(sorted_frame(50).assign(label=1))


def test_shuffled_reviews_are_the_same_in_an_order_that_repeats() -> None:
    with pytest.warns(DataWarning):
        reviews = Reviews.from_frame(sorted_frame(30))
    first, again, other = (reviews.shuffled(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest != reviews.digest
    assert sorted(zip(first.texts, first.labels.tolist(), strict=True)) == sorted(
        zip(reviews.texts, reviews.labels.tolist(), strict=True)
    )


def test_what_the_warning_says_is_so() -> None:
    """The toy corpus, trained one by one: sorted by label it forgets the first class; shuffled it does not."""
    corpus = load_reviews("toy")
    words = Vocabulary.select(corpus.train)
    by_label = corpus.train[np.argsort(corpus.train.labels, kind="stable")]
    in_turn, in_blocks, shuffled = (
        percent_right(reviews, corpus.test, words)
        for reviews in (corpus.train, by_label, by_label.shuffled(np.random.default_rng(0)))
    )
    assert in_blocks < in_turn - 5 and abs(shuffled - in_turn) < 2


def percent_right(train: Reviews, test: Reviews, words: Vocabulary) -> float:
    """Return how many percent of the test reviews are right after one epoch in the clear."""
    a, plan = Architecture(len(words), hidden=0, pooling="sum"), TrainingPlan(ExactSigmoid(), 0.02)
    owner = Owner(a, plan.sigmoid, ClearParameters())
    trainer = Trainer(owner.encrypt(Network(a, np.zeros((len(words), 1)), None)))
    trainer.train(bag_of_words(train, words), train.labels, plan)
    return owner.evaluate(trainer.predict(bag_of_words(test, words)), test.labels, plan).accuracy.percent
