"""Tables in notebooks: the same numbers as HTML and as text, and the same text each time."""

import pandas as pd
import pytest

from encnn.report.table_view import show

pytest.importorskip("jinja2")
FRAME = pd.DataFrame({"name": ["a<b", "c"], "size": [1234567, 2], "share": [0.12345, None]}, index=["first", "second"])


def test_html_has_caption_digits_and_thousands_and_is_escaped():
    html = show(FRAME, "sizes", digits=3)._repr_html_()
    for text in ("<caption>sizes</caption>", ">1,234,567<", ">0.123<", ">-<", ">a&lt;b<"):
        assert text in html
    assert "first" not in html


def test_lines_have_names_if_asked():
    view = show(FRAME, index=True)
    assert ">first<" in view._repr_html_()
    assert "first" in repr(view) and "first" not in repr(show(FRAME))


def test_two_views_of_one_table_are_equal_text():
    first, second = show(FRAME, "sizes"), show(FRAME.copy(), "sizes")
    assert first._repr_html_() == second._repr_html_()
    assert repr(first) == repr(second) and " at 0x" not in repr(first)


def test_truth_values_are_words_and_none_is_a_gap():
    frame = pd.DataFrame({"attack": ["reading", "none"], "works": [True, False], "log2 q": [None, 32]}, dtype=object)
    frame = frame.astype({"works": bool})
    view = show(frame)
    assert ">yes<" in view._repr_html_() and ">no<" in view._repr_html_() and ">-<" in view._repr_html_()
    assert "yes" in repr(view) and "True" not in repr(view) and "None" not in repr(view)
    assert frame.works.tolist() == [True, False]  # the caller's table is as it was
