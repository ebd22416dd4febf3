"""The bar stays silent in logs, and shows where somebody watches."""

import sys
import types

import pytest

from encnn.progress import note, progress


class Terminal:
    """A stderr that says it is watched."""

    def __init__(self, watched: bool) -> None:
        self.watched, self.text = watched, ""

    def isatty(self) -> bool:
        return self.watched

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.fixture(autouse=True)
def no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)


def test_it_passes_on_what_it_is_given() -> None:
    assert list(progress([3, 1, 2], "counting")) == [3, 1, 2]


def test_logs_stay_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal(False))
    with progress(total=5, delay=0) as bar:
        bar.update(5)
    assert bar.disable
    assert terminal.text == ""


def test_a_terminal_sees_description_and_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal(True))
    with progress(total=5, description="training", delay=0, mininterval=0, unit="review") as bar:
        bar.update(3)
        bar.refresh()
    assert "training" in terminal.text
    assert "3/5" in terminal.text


def test_it_appears_after_a_second_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal(True))
    assert list(progress(range(100), mininterval=0)) == list(range(100))
    assert terminal.text == ""


@pytest.mark.parametrize(("disable", "shown"), [(None, True), ("1", False)])
def test_notebooks_are_watched_unless_they_are_being_stored(
    monkeypatch: pytest.MonkeyPatch, disable: str | None, shown: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal(False))
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    if disable:
        monkeypatch.setenv("TQDM_DISABLE", disable)
    with progress(total=1) as bar:
        assert bar.disable is not shown


@pytest.mark.parametrize(("disable", "said"), [(None, "encnn: waiting\n"), ("1", "")])
def test_a_note_is_not_for_stored_notebooks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, disable: str | None, said: str
) -> None:
    note("waiting")
    assert capsys.readouterr().err == "encnn: waiting\n"
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    if disable:
        monkeypatch.setenv("TQDM_DISABLE", disable)
    note("waiting")
    assert capsys.readouterr().err == said
