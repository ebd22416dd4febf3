"""Reviews from anywhere, and where `load_reviews` finds them."""

import http.server
import shutil
import threading
import time

import numpy as np
import pandas as pd
import pytest
from test_reviews_archive import FILES, pack_files, unpack

from encnn.data.reviews import Reviews, archive, corpus, load_reviews, paper_form, reviews_available
from encnn.errors import DataError

REVIEWS = Reviews(("good film", "bad film", "fine"), [1, 0, 1])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ENCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ENCNN_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def small(cache, monkeypatch):
    """Let the small content of the archive tests stand for the dataset, and allow no download."""
    monkeypatch.setattr(archive, "CONTENT_SHA256", archive.content_digest(FILES))
    monkeypatch.setattr(archive, "REVIEWS_IN_A_PART", 2)
    monkeypatch.setattr(archive, "ARCHIVE_URL", "http://localhost:1/reviews.tar.gz")
    return cache


def assert_small(found):
    assert (found.name, found.is_real) == ("imdb", True)
    assert found.train.texts == tuple(map(paper_form, ["caf\u00e9", "bad", "good", "dull"]))
    assert found.train.labels.tolist() == found.test.labels.tolist() == [1, 0, 1, 0]
    assert found.test.texts == tuple(map(paper_form, ["better", "worse", "x" * 512, ""]))


# Reviews


@pytest.mark.parametrize(
    "labels",
    [
        [1, 0, 1],
        [True, False, True],
        [1.0, 0.0, 1.0],
        ["positive", "negative", "positive"],
        ["POS", " neg", "Pos"],
        ["pos", "negative", "pos"],
        np.array([1, 0, 1], dtype=np.uint64),
        pd.Series([1, 0, 1], dtype="Int64"),
        pd.Series(["pos", "neg", "pos"], dtype="category"),
        (label for label in (1, 0, 1)),
    ],
)
def test_two_valued_labels_are_converted(labels):
    reviews = Reviews(("a", "b", "c"), labels)
    assert reviews.labels.dtype == np.int8
    assert reviews.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, 2, 0], "Label 1 is 2; expected 0 or 1"),
        ([1, -1, 0], "Label 1 is -1"),
        ([1, 0.5, 0], "Label 1 is 0.5"),
        ([1, np.nan, 0], "Label 1 is nan.*missing labels"),
        ([1, 0, None], "Label 2 is None.*missing labels"),
        (["pos", "neg", "neutral"], "Label 2 is 'neutral'; expected 0 or 1.*'neg' or 'pos'"),
        (["pos", "neg", ""], "Label 2 is ''"),
        (pd.Series([1, 0, None], dtype="Int64"), "Label 2 is <NA>"),
        (np.zeros((3, 1)), r"shape \(3, 1\); expected one label for each review"),
        ([1, 0], "3 texts but 2 labels"),
    ],
)
def test_other_labels_are_refused(labels, message):
    with pytest.raises(DataError, match=message):
        Reviews(("a", "b", "c"), labels)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("a", None), "Text 1 is None; expected a string"),
        (("a", float("nan")), "Text 1 is nan.*missing texts"),
        ((b"a", "b"), "Text 0 is b'a'"),
        ("ab", "a single string; expected a sequence"),
    ],
)
def test_other_texts_are_refused(texts, message):
    with pytest.raises(DataError, match=message):
        Reviews(texts, [1, 0])


def test_no_reviews_are_refused():
    with pytest.raises(DataError, match="no reviews; expected at least one"):
        Reviews((), [])
    with pytest.raises(DataError, match="no reviews"):
        REVIEWS[3:]


def test_reviews_cannot_be_changed_from_outside():
    labels = np.array([1, 0], dtype=np.int8)
    reviews = Reviews(("a", "b"), labels)
    labels[0] = 0
    assert reviews.labels.tolist() == [1, 0]
    with pytest.raises(ValueError, match="read-only"):
        reviews.labels[0] = 0


@pytest.mark.parametrize("rows", [slice(1, None), np.array([1, 2]), np.array([False, True, True])])
def test_part_of_the_reviews(rows):
    part = REVIEWS[rows]
    assert part.texts == ("bad film", "fine")
    assert part.labels.tolist() == [0, 1]
    assert len(part) == 2


def test_one_review_is_no_reviews():
    with pytest.raises(DataError, match="take a slice"):
        REVIEWS[0]


def test_the_digest_depends_on_texts_labels_and_order():
    same = Reviews(["good film", "bad film", "fine"], ["pos", "neg", "pos"])
    others = [
        REVIEWS[::-1],
        REVIEWS[:2],
        Reviews(REVIEWS.texts, [1, 0, 0]),
        Reviews(("good", "filmbad film", "fine"), [1, 0, 1]),
    ]
    assert same.digest == REVIEWS.digest
    assert len({REVIEWS.digest, *(other.digest for other in others)}) == 5


# Tables


def test_from_frame_brings_texts_into_the_paper_form():
    frame = pd.DataFrame({"review": ["Good, really!", "BAD"], "sentiment": ["positive", "negative"]}, index=[7, 9])
    reviews = Reviews.from_frame(frame, "review", "sentiment")
    assert reviews.texts == (paper_form("Good, really!"), paper_form("BAD"))
    assert reviews.labels.tolist() == [1, 0]
    assert Reviews.from_frame(frame, "review", "sentiment", raw=False).texts == ("Good, really!", "BAD")


def test_from_frame_names_the_columns_it_has():
    with pytest.raises(DataError, match=r"exactly one column 'text'; the columns are \['a', 'a'\]"):
        Reviews.from_frame(pd.DataFrame([["x", 1]], columns=["a", "a"]))
    with pytest.raises(DataError, match="exactly one column 'a'"):
        Reviews.from_frame(pd.DataFrame([["x", 1]], columns=["a", "a"]), "a", "a")


def test_from_frame_refuses_missing_texts():
    with pytest.raises(DataError, match="Text 1 is"):
        Reviews.from_frame(pd.DataFrame({"text": ["a", None], "label": [1, 0]}))


def test_from_csv(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text('label,text\n1,"Good, \u00e9"\n0,NA\n1,123\n', encoding="utf-8")
    reviews = Reviews.from_csv(path, raw=False)
    assert reviews.texts == ("Good, \u00e9", "NA", "123")
    assert reviews.labels.tolist() == [1, 0, 1]
    assert Reviews.from_csv(path).texts[0] == paper_form("Good, \u00e9")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text,label\ngood,1\nbad,\n", "Label 1 is nan"),
        (b"text,label\n,1\nbad,0\n", "Text 0 is nan"),
        (b"text,label\n", "no reviews"),
        (b"", "cannot be read as a CSV file"),
        (b"text,label\n\xff,1\n", "cannot be read as a CSV file in UTF-8"),
        (b'text,label\n"open,1\n', "cannot be read as a CSV file"),
        (b"review,label\ngood,1\n", "exactly one column 'text'"),
        (b"text,label\ngood,5\n", "Label 0 is 5"),
    ],
)
def test_from_csv_refuses_what_it_cannot_use(tmp_path, content, message):
    path = tmp_path / "reviews.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        Reviews.from_csv(path)


def test_from_csv_names_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv cannot be read"):
        Reviews.from_csv(tmp_path / "none.csv")


# Corpora


def test_unknown_names_are_refused(cache):
    for function in (load_reviews, reviews_available):
        with pytest.raises(DataError, match="no reviews called 'amazon'; expected one of imdb, toy"):
            function("amazon")


def test_the_toy_corpus_is_always_there(cache):
    assert reviews_available("toy")
    toy = load_reviews("toy")
    assert (toy.name, toy.is_real, len(toy.train), len(toy.test)) == ("toy", False, 1000, 500)
    assert not cache.exists()


@pytest.mark.parametrize("place", ["archive", "folder with archive", "unpacked", "folder with unpacked"])
def test_data_is_found_where_encnn_data_points(small, tmp_path, monkeypatch, place):
    packed = pack_files(tmp_path / archive.ARCHIVE_NAME, FILES)
    unpacked = unpack(tmp_path / "other" / archive.FOLDER_NAME, FILES)
    where = {
        "archive": packed,
        "folder with archive": tmp_path,
        "unpacked": unpacked,
        "folder with unpacked": unpacked.parent,
    }
    monkeypatch.setenv("ENCNN_DATA", str(where[place]))
    assert reviews_available()
    assert_small(load_reviews())
    assert_small(load_reviews())


def test_encnn_data_that_points_nowhere_is_refused(small, tmp_path, monkeypatch):
    monkeypatch.setenv("ENCNN_DATA", str(tmp_path))
    assert not reviews_available()
    with pytest.raises(DataError, match=r"ENCNN_DATA is .*, where there are no reviews; expected the archive"):
        load_reviews()


def test_the_second_load_reads_the_cache_alone(small, tmp_path, monkeypatch):
    monkeypatch.setenv("ENCNN_DATA", str(pack_files(tmp_path / "a.tar.gz", FILES)))
    first = load_reviews()
    monkeypatch.setattr(archive, "read_reviews", None)
    second = load_reviews()
    assert (second.train.digest, second.test.digest) == (first.train.digest, first.test.digest)
    monkeypatch.delenv("ENCNN_DATA")
    assert reviews_available()
    assert_small(load_reviews(download=False))


def test_a_bad_source_is_refused_though_the_cache_is_good(small, tmp_path, monkeypatch):
    path = pack_files(tmp_path / "a.tar.gz", FILES)
    monkeypatch.setenv("ENCNN_DATA", str(path))
    load_reviews()
    good = path.read_bytes()
    path.write_bytes(good[:-100])
    with pytest.raises(DataError, match="truncated"):
        load_reviews()
    assert len(list(small.iterdir())) == 1
    path.write_bytes(good)
    monkeypatch.setattr(archive, "read_reviews", None)
    assert_small(load_reviews())


def test_every_good_source_is_remembered(small, tmp_path, monkeypatch):
    sources = [pack_files(tmp_path / "a.tar.gz", FILES), unpack(tmp_path / "aclImdb", FILES)]
    for source in sources:
        monkeypatch.setenv("ENCNN_DATA", str(source))
        load_reviews()
    monkeypatch.setattr(archive, "read_reviews", None)
    for source in sources:
        monkeypatch.setenv("ENCNN_DATA", str(source))
        assert_small(load_reviews())


def test_a_damaged_cache_is_rebuilt(small, tmp_path, monkeypatch):
    monkeypatch.setenv("ENCNN_DATA", str(pack_files(tmp_path / "a.tar.gz", FILES)))
    load_reviews()
    (entry,) = small.iterdir()
    good = entry.read_bytes()
    entry.write_bytes(good[:-1] + b"?")
    assert_small(load_reviews())
    assert entry.read_bytes() == good


@pytest.mark.parametrize("bad", ["altered", "hostile"])
def test_a_refused_archive_leaves_nothing_behind(small, tmp_path, monkeypatch, bad):
    files = FILES | ({"test/pos/0_8.txt": b"?"} if bad == "altered" else {"../evil.txt": b"?"})
    path = pack_files(tmp_path / "a.tar.gz", files)
    monkeypatch.setenv("ENCNN_DATA", str(path))
    with pytest.raises(DataError):
        load_reviews()
    assert list(tmp_path.iterdir()) == [path]


def test_an_archive_in_the_cache_folder_is_used(small):
    assert not reviews_available()
    small.mkdir()
    pack_files(small / archive.ARCHIVE_NAME, FILES)
    assert reviews_available()
    assert_small(load_reviews(download=False))


def test_without_a_download_the_error_says_what_to_do(small):
    with pytest.raises(DataError, match=r"downloading was ruled out\. Get http.*ENCNN_DATA.*load_reviews\('toy'\)"):
        load_reviews(download=False)


def test_without_a_network_the_error_says_what_to_do(small):
    with pytest.raises(DataError, match=r"could not be downloaded .*ENCNN_DATA.*load_reviews\('toy'\)"):
        load_reviews()


@pytest.fixture
def server(small, tmp_path, monkeypatch):
    """Serve a folder on this machine, and make the download come from there."""
    served = tmp_path / "served"
    served.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=served)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setattr(archive, "ARCHIVE_URL", f"http://127.0.0.1:{running.server_port}/{archive.ARCHIVE_NAME}")
        yield served
        running.shutdown()


def test_the_download_is_checked_read_and_kept(small, server, monkeypatch):
    path = pack_files(server / archive.ARCHIVE_NAME, FILES)
    monkeypatch.setattr(archive, "ARCHIVE_SHA256", archive.source_fingerprint(path))
    assert_small(load_reviews())
    shutil.rmtree(server)
    assert_small(load_reviews())


def test_a_download_with_another_checksum_is_refused_and_leaves_nothing(small, server):
    pack_files(server / archive.ARCHIVE_NAME, FILES)
    with pytest.raises(DataError, match="could not be downloaded.*hash"):
        load_reviews()
    assert not list(small.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not reviews_available("imdb"), reason="the real reviews are not here; set ENCNN_DATA")
def test_the_real_reviews_load_within_two_seconds_from_the_cache():
    first = load_reviews("imdb")
    start = time.process_time()
    second = load_reviews("imdb")
    assert time.process_time() - start < 2
    assert second.train.digest == first.train.digest
    assert len(first.train) == len(first.test) == 25_000
    assert first.train.labels[:4].tolist() == [1, 0, 1, 0]
    assert len(set(first.test.texts)) > 24_000
    assert corpus.reviews_available("imdb")
