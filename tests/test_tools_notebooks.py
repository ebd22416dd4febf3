"""The notebook tool: what it refuses, and that running and linking give what it accepts."""

from pathlib import Path

import nbformat
import pytest

from tools import notebooks as tool

INDEX = "[one](01_one.ipynb) [two](02_two.ipynb)"


def write(path: Path, *cells) -> Path:
    notebook = nbformat.v4.new_notebook(cells=list(cells), metadata=tool.METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    nbformat.write(notebook, path)
    return path


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


def code(text, count=1, outputs=()):
    return nbformat.v4.new_code_cell(text, execution_count=count, outputs=list(outputs))


@pytest.fixture
def root(tmp_path):
    """A project with two good, linked notebooks."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write(folder / "01_one.ipynb", markdown("# 01 - One\n\n**Goal**"), code("x = 1"), code("x + 1", 2))
    write(folder / "02_two.ipynb", markdown("# 02 - Two"), code("1"))
    (folder / "README.md").write_text(INDEX)
    assert tool.main(["links"], tmp_path) == 0
    return tmp_path


def change(path: Path, edit) -> None:
    notebook = nbformat.read(path, as_version=4)
    edit(notebook)
    nbformat.write(notebook, path)


def problems(root: Path) -> list[str]:
    return tool.check(tool.find_notebooks(root / "notebooks"), (root / "notebooks/README.md").read_text())


def test_good_notebooks_pass(root, capsys):
    assert tool.main(["check"], root) == 0
    assert capsys.readouterr().out == "2 notebooks: no problems\n"


def test_links_stand_below_the_title_and_at_the_foot(root):
    cells = nbformat.read(root / "notebooks/01_one.ipynb", as_version=4).cells
    line = "[contents](README.md) | [next: 02 - Two](02_two.ipynb)"
    assert cells[0].source.startswith("# 01 - One\n")
    assert [cells[1].source, cells[-1].source] == [line, line]
    last = nbformat.read(root / "notebooks/02_two.ipynb", as_version=4).cells[-1].source
    assert last == "[previous: 01 - One](01_one.ipynb) | [contents](README.md)"


def test_linking_twice_changes_nothing(root):
    before = [path.read_bytes() for path in tool.find_notebooks(root / "notebooks")]
    tool.main(["links"], root)
    assert [path.read_bytes() for path in tool.find_notebooks(root / "notebooks")] == before


def first_code(notebook):
    return next(cell for cell in notebook.cells if cell.cell_type == "code")


ERROR = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])

FAULTS = {
    "not executed": lambda notebook: first_code(notebook).update(execution_count=7),
    "never executed": lambda notebook: first_code(notebook).update(execution_count=None),
    "stores an error": lambda notebook: first_code(notebook).update(outputs=[ERROR]),
    "longer than 25": lambda notebook: first_code(notebook).update(source="\n".join(["x = 1"] * 26)),
    "words longer than 25": lambda notebook: notebook.cells[0].update(source="# 01 - One" + "\n" * 25 + "end"),
    "wider than 95 columns": lambda notebook: first_code(notebook).update(source="x = 1\n" + "y" * 96),
    "stray metadata": lambda notebook: notebook.metadata.update(widgets={}),
    "stray cell metadata": lambda notebook: first_code(notebook).metadata.update(collapsed=True),
    "expected a file": lambda notebook: notebook.cells[0].update(source="# 07 - One"),
    "expected a title": lambda notebook: notebook.cells[0].update(source=""),
    "navigation": lambda notebook: notebook.cells.pop(),
}
EXPECTED = {"never executed": "not executed", "stray cell metadata": "stray metadata"}
EXPECTED |= {"words longer than 25": "longer than 25", "expected a title": "expected a file"}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(root, fault):
    change(root / "notebooks/01_one.ipynb", FAULTS[fault])
    assert any(EXPECTED.get(fault, fault) in problem for problem in problems(root))
    assert tool.main(["check"], root) == 1


def test_the_longest_cell_and_the_widest_line_that_pass(root):
    widest = "y" * 95
    change(root / "notebooks/01_one.ipynb", lambda notebook: first_code(notebook).update(source="\n".join([widest] * 25)))
    assert problems(root) == []


def test_sliders_are_not_stored():
    picture = nbformat.v4.new_output("display_data", data={"image/png": "", "text/plain": "a picture"})
    slider = nbformat.v4.new_output("display_data", data={tool.WIDGET: {"model_id": "1"}, "text/plain": "VBox()"})
    notebook = nbformat.v4.new_notebook(cells=[code("explore()", outputs=[picture, slider])])
    tool.clean(notebook)
    assert notebook.cells[0].outputs == [picture]


def test_a_new_notebook_must_be_listed_and_linked(root):
    write(root / "notebooks/03_three.ipynb", markdown("# 03 - Three"), code("1"))
    assert problems(root) == [
        "02_two.ipynb: navigation lines are missing or old (make notebooks)",
        "03_three.ipynb: not linked from notebooks/README.md",
        "03_three.ipynb: navigation lines are missing or old (make notebooks)",
    ]


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match="no notebooks"):
        tool.main(["check"], tmp_path)


@pytest.mark.slow
def test_running_makes_a_notebook_clean(root):
    path = root / "notebooks/01_one.ipynb"
    change(path, FAULTS["not executed"])
    change(path, FAULTS["stray metadata"])
    assert tool.main(["run"], root) == 0
    assert problems(root) == []
    outputs = [cell.outputs for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [len(output) for output in outputs] == [0, 1]
    assert outputs[1][0].data == {"text/plain": "2"}
