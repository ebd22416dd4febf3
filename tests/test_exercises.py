"""Exercises: every notebook ends with two or three, and each solution gives what it says.

A solution stands between `<details>` and `</details>` as a Python session.  The solutions of one notebook run one after the
other in one namespace, apart from the notebook itself, so each notebook's first solution imports what it needs.
"""

import doctest
import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
SOLUTION = re.compile(r"<details>.*?</details>", re.DOTALL)
HEADING = "## Exercises"


def exercises_of(path: Path) -> str:
    """Return the words of a notebook from its exercises on."""
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    words = "\n\n".join(cells)
    assert HEADING in words, f"{path.name} has no exercises: add a section '{HEADING}'"
    return words.split(HEADING, 1)[1]


def failures(solutions: list[str], name: str) -> int:
    """Run the sessions of one notebook in one namespace; return how many examples did not give what is printed."""
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    namespace: dict[str, object] = {}
    for number, solution in enumerate(solutions, start=1):
        session = re.sub(r"^(```|</?details>).*$", "", solution, flags=re.MULTILINE)
        test = parser.get_doctest(session, namespace, f"{name}, solution {number}", name, 0)
        runner.run(test, clear_globs=False)
        namespace.update(test.globs)
    return runner.failures


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_there_are_two_or_three_exercises_with_a_session_each(path):
    exercises = exercises_of(path)
    solutions = SOLUTION.findall(exercises)
    asked = re.findall(r"^\*\*(\d)\.\*\*", exercises, re.MULTILINE)
    assert asked == [str(number) for number in range(1, len(solutions) + 1)] and len(asked) in (2, 3)
    assert all(">>> " in solution for solution in solutions)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_solutions_give_what_they_print(path):
    assert failures(SOLUTION.findall(exercises_of(path)), path.name) == 0


@pytest.mark.parametrize(("printed", "wrong"), [("4", 0), ("5", 1)])
def test_a_wrong_solution_is_noticed(printed, wrong, capsys):
    first = "<details><summary>Solution</summary>\n\n```python\n>>> x = 3\n```\n</details>"
    second = f"<details><summary>Solution</summary>\n\n```python\n>>> x + 1\n{printed}\n\n```\n</details>"
    assert failures([first, second], "example") == wrong
