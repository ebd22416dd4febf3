"""The paper's text form against a plain reading of its recipe, and against the digests of the course's files."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from encnn.data.reviews import load_reviews, paper_form, reviews_available, words_of
from encnn.data.reviews.text import labels_file, reviews_file

needs_imdb = pytest.mark.skipif(not reviews_available("imdb"), reason="the real reviews are not here; set ENCNN_DATA")


def recipe(text):
    """The recipe character by character: no regular expressions."""
    apart = "".join(f" {c} " if c in ".,!?\"'\u2019()<>/_-0123456789" else c for c in text.lower()) + " "
    squeezed = []
    for c in apart:
        if c != " " or squeezed[-1:] != [" "]:
            squeezed.append(c)
    return "".join(c for c in squeezed if c in "abcdefghijklmnopqrstuvwxyz .") + " "


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from(" .,!?\"'\u2019()<>/_-059aZ\u201c\u00e9\t"))))
@example("")
@example("It\u2019s 10/10 -- \u201cgreat\u201d!<br /><br />\u0130stanbul: caf\u00e9; na\u00efve\tend")
def test_paper_form_follows_its_recipe(text):
    assert paper_form(text) == recipe(text)


@given(st.text())
def test_a_text_in_the_paper_form_is_one_line_of_letters_blanks_and_full_stops(text):
    form = paper_form(text)
    assert set(form) <= set("abcdefghijklmnopqrstuvwxyz .")
    assert form.endswith("  ")
    assert " ".join(words_of(form)) == form


def test_characters_that_are_not_set_apart_join_their_neighbours():
    assert paper_form("well:known caf\u00e9s") == "wellknown cafs  "


def test_files_have_one_line_for_each_review():
    assert reviews_file(["good  ", "bad  "]) == b"good  \nbad  \n"
    assert labels_file([1, 0]) == b"positive\nnegative\n"


def git_blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@needs_imdb
@pytest.mark.slow
def test_the_training_reviews_are_the_course_files_byte_for_byte():
    train = load_reviews("imdb").train
    reviews, labels = reviews_file(train.texts), labels_file(train.labels)
    assert len(reviews) == 33_678_267
    assert reviews.count(b"\n") == labels.count(b"\n") == 25_000
    assert hashlib.sha256(reviews).hexdigest() == "d7c2f21e5c8f5240859910ba5331b9baa88310aa978dbd8747ebd4ff6ebbefa6"
    assert git_blob(reviews) == "4a344a165284d37e54096d985e0a0ffde94f33b0"
    assert git_blob(labels) == "1650f5a336e79e9628996e325b8476c3de31b753"


@needs_imdb
@pytest.mark.slow
def test_the_training_reviews_have_74074_words():
    words = {word for text in load_reviews("imdb").train.texts for word in words_of(text)}
    assert len(words) == 74_074
    assert "" in words
