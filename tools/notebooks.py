"""Keep the stored notebooks clean: check them, run them again, and link them to each other.

    python tools/notebooks.py check     say what is wrong with the stored notebooks, and fail if anything is wrong
    python tools/notebooks.py run       run all notebooks, or those named, from top to bottom in fresh kernels, in place
    python tools/notebooks.py links     write the previous / contents / next lines, from the file names

Notebooks are `notebooks/NN_name.ipynb`.  They begin with the title `# NN - ...` and are listed in notebooks/README.md.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
INDEX = "README.md"
"""The page in the folder of the notebooks that lists them."""
MAX_CELL_LINES = 25
MAX_COLUMNS = 95
"""A longer line of code needs a scroll bar in a browser."""
CELL_TIMEOUT_S = 1800
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
NAVIGATION_TAG = "navigation"
WIDGET = "application/vnd.jupyter.widget-view+json"


def find_notebooks(folder: Path) -> list[Path]:
    """Return the notebooks of `folder` in reading order; exit if there are none."""
    paths = sorted(folder.glob("*.ipynb"))
    if not paths:
        raise SystemExit(f"no notebooks in {folder}: expected files named like 01_keys.ipynb")
    return paths


def title(notebook: NotebookNode) -> str:
    """Return the first line of the first cell without its `#`, or an empty text if there is no title."""
    first = notebook.cells[0] if notebook.cells else None
    lines = first.source.splitlines() if first is not None and first.cell_type == "markdown" else []
    return lines[0].removeprefix("# ") if lines and lines[0].startswith("# ") else ""


def navigation(path: Path, titles: dict[Path, str]) -> str:
    """Return the line of links from `path` to its neighbours; `titles` is in reading order."""
    paths = list(titles)
    here = paths.index(path)
    links = [f"[contents]({INDEX})"]
    if here > 0:
        links.insert(0, f"[previous: {titles[paths[here - 1]]}]({paths[here - 1].name})")
    if here + 1 < len(paths):
        links.append(f"[next: {titles[paths[here + 1]]}]({paths[here + 1].name})")
    return " | ".join(links)


def with_navigation(notebook: NotebookNode, line: str) -> list[NotebookNode]:
    """Return the cells of `notebook` with `line` below the title and at the foot, and nowhere else."""
    cells = [cell for cell in notebook.cells if NAVIGATION_TAG not in cell.metadata.get("tags", [])]
    tags = {"tags": [NAVIGATION_TAG]}
    head, foot = (
        nbformat.v4.new_markdown_cell(line, id=f"{NAVIGATION_TAG}-{place}", metadata=tags) for place in ("head", "foot")
    )
    return [*cells[:1], head, *cells[1:], foot]


def clean(notebook: NotebookNode) -> None:
    """Remove, in place, all metadata except the kernel's name and the tags of cells, and sliders, which need a kernel."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        cell.metadata = nbformat.from_dict({key: cell.metadata[key] for key in ("tags",) if cell.metadata.get(key)})


def run(paths: list[Path]) -> None:
    """Execute each notebook in a fresh kernel that starts in its folder, and store it clean."""
    for path in paths:
        print(f"running {path.name}", flush=True)
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(path.parent)}}
        client = NotebookClient(
            notebook, timeout=CELL_TIMEOUT_S, kernel_name="python3", record_timing=False, resources=resources
        )
        client.execute()
        clean(notebook)
        nbformat.write(notebook, path)


def link(paths: list[Path]) -> None:
    """Write the navigation lines into every notebook."""
    notebooks = {path: nbformat.read(path, as_version=4) for path in paths}
    titles = {path: title(notebook) for path, notebook in notebooks.items()}
    for path, notebook in notebooks.items():
        notebook.cells = with_navigation(notebook, navigation(path, titles))
        nbformat.write(notebook, path)


def cell_problems(notebook: NotebookNode) -> list[str]:
    """Return what is wrong with the cells: their order, errors, length, width of code, or metadata."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    problems = []
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        problems.append("not executed once from top to bottom (make notebooks)")
    for number, cell in enumerate(code, start=1):
        if any(output.output_type == "error" for output in cell.outputs):
            problems.append(f"code cell {number} stores an error")
        if any(len(line) > MAX_COLUMNS for line in cell.source.splitlines()):
            problems.append(f"code cell {number} has a line wider than {MAX_COLUMNS} columns: break it")
    for number, cell in enumerate(notebook.cells, start=1):
        if len(cell.source.splitlines()) > MAX_CELL_LINES:
            problems.append(f"cell {number} is longer than {MAX_CELL_LINES} lines: split it, or move code to the package")
    if notebook.metadata != METADATA or any(set(cell.metadata) - {"tags"} for cell in notebook.cells):
        problems.append("stray metadata (make notebooks)")
    return problems


def check(paths: list[Path], index: str) -> list[str]:
    """Return all problems of the stored notebooks as `file: problem`.  index: the text of the page that lists notebooks."""
    notebooks = {path: nbformat.read(path, as_version=4) for path in paths}
    titles = {path: title(notebook) for path, notebook in notebooks.items()}
    problems = []
    for path, notebook in notebooks.items():
        found = cell_problems(notebook)
        number = re.match(r"\d\d(?=_)", path.name)
        if number is None or not titles[path].startswith(f"{number[0]} - "):
            found.append("expected a file NN_name.ipynb whose first line is '# NN - title'")
        if f"({path.name})" not in index:
            found.append(f"not linked from notebooks/{INDEX}")
        if notebook.cells != with_navigation(notebook, navigation(path, titles)):
            found.append("navigation lines are missing or old (make notebooks)")
        problems += [f"{path.name}: {problem}" for problem in found]
    return problems


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=["check", "run", "links"])
    parser.add_argument("notebooks", nargs="*", type=Path, help="for run: only these (default: all)")
    options = parser.parse_args(arguments)
    paths = find_notebooks(root / "notebooks")
    if options.command == "run":
        run(options.notebooks or paths)
    elif options.command == "links":
        link(paths)
    else:
        problems = check(paths, (root / "notebooks" / INDEX).read_text(encoding="utf-8"))
        print("\n".join(problems) or f"{len(paths)} notebooks: no problems")
        return int(bool(problems))
    return 0


if __name__ == "__main__":
    sys.exit(main())
