"""Imports point one way: down the list of rooms that CONTRIBUTING.md shows, and never in a circle."""

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

import encnn

PACKAGE = Path(encnn.__file__).parent
CONTRIBUTING = PACKAGE.parent / "CONTRIBUTING.md"


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """Return the modules of the package that a module imports, wherever the import stands in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("encnn"):
            found |= {f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in known else node.module for a in node.names}
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith("encnn")}
    return found - {name}


def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: imports(name, path, known) for name, path in known.items() if name not in ("encnn", "encnn.__main__")}


def rooms() -> list[str]:
    """Return the rooms of the package in the order of the layout: one bold name at the beginning of each line of the list."""
    layout = CONTRIBUTING.read_text().split("## Layout")[1].split("\n## ")[0]
    return [name for line in re.findall(r"^- (.*?):", layout, re.MULTILINE) for name in re.findall(r"`(\w+)/?`", line)]


def room_of(module: str) -> str:
    return module.split(".")[1]


def test_the_layout_names_every_room() -> None:
    entries = {p.stem for p in PACKAGE.iterdir() if p.name not in ("__init__.py", "__main__.py", "py.typed", "__pycache__")}
    assert sorted(rooms()) == sorted(entries) and len(entries) <= 16


def test_no_module_imports_a_higher_room() -> None:
    order = {name: place for place, name in enumerate(rooms())}
    upward = [
        f"{name} imports {target}"
        for name, targets in graph().items()
        for target in targets
        if target != "encnn" and order[room_of(target)] > order[room_of(name)]
    ]
    assert not upward


def test_nothing_imports_in_a_circle() -> None:
    found = {name: targets - {"encnn"} for name, targets in graph().items()}
    # a package's own __init__ gathers what is in it; whoever imports a module below it does not import what it gathers
    tuple(TopologicalSorter(found).static_order())


def test_a_circle_would_be_found() -> None:
    with pytest.raises(CycleError):
        tuple(TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())


def test_no_two_classes_have_one_name() -> None:
    names = [
        node.name
        for path in modules().values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert not {name for name in names if names.count(name) > 1}


def test_functions_are_short() -> None:
    """Half of them have six lines at most, nine of ten have sixteen, and none has more than forty; docstrings included."""
    trees = [ast.parse(path.read_text()) for path in modules().values()]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    lengths = sorted(node.end_lineno - node.lineno + 1 for node in functions if node.end_lineno)
    assert lengths[len(lengths) // 2] <= 6 and lengths[9 * len(lengths) // 10] <= 16 and lengths[-1] <= 40


def test_fields_of_dataclasses_are_explained() -> None:
    """Each has a comment beside or above it, or stands in the docstring of its class, unless a base explains it."""
    classes = {c.name: (c, path) for path in modules().values() for c in ast.walk(ast.parse(path.read_text())) if is_class(c)}
    bare = [
        f"{name}.{field.target.id}"
        for name, (node, path) in classes.items()
        if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and not explained(field, node, path.read_text().splitlines(), classes)
    ]
    assert not bare


def is_class(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef)


def explained(field: ast.AnnAssign, owner: ast.ClassDef, lines: list[str], classes: dict[str, Any]) -> bool:
    name = ast.unparse(field.target)
    if name in (ast.get_docstring(owner) or "") or lines[field.lineno - 2].lstrip().startswith("#"):
        return True
    inherited = any(declares(base, name, classes) for base in owner.bases)
    return inherited or any("#" in line for line in lines[field.lineno - 1 : field.end_lineno])


def declares(base: ast.expr, name: str, classes: dict[str, Any]) -> bool:
    """Whether a base class, or a base of its own, has a field of this name."""
    node = classes.get(ast.unparse(base).split("[")[0].split(".")[-1], (None, None))[0]
    own = node is not None and any(isinstance(f, ast.AnnAssign) and ast.unparse(f.target) == name for f in node.body)
    return own or (node is not None and any(declares(b, name, classes) for b in node.bases))


def test_most_types_are_named() -> None:
    """`Any` stands where another package gives no types, where a value is checked, and where schemes differ."""
    trees = {path: ast.parse(path.read_text()) for path in modules().values()}
    lines = {(path, n.lineno) for path, t in trees.items() for n in ast.walk(t) if isinstance(n, ast.Name) and n.id == "Any"}
    ignored = [line for path in modules().values() for line in path.read_text().splitlines() if "# type: ignore" in line]
    assert 0 < len(lines) <= 35 and 0 < len(ignored) <= 15


SLOW_TO_IMPORT = ("pandas", "matplotlib", "seaborn", "pooch", "numba", "tenseal", "gensim", "dask", "requests")


def test_importing_the_package_imports_nothing_slow() -> None:
    """A trainer needs no picture, and `encnn --help` no data frame."""
    line = f"import sys; from encnn import Trainer; print([m for m in {SLOW_TO_IMPORT!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert found.stdout.strip() == "[]"


def test_importing_the_package_computes_no_estimates() -> None:
    """Presets are checked on import by estimates that come with the package."""
    program = """
import sys
called = set()
sys.setprofile(lambda frame, event, _: called.add(frame.f_code.co_name))
from encnn import Trainer
sys.setprofile(None)
print(sorted(called & {"estimate", "estimate_ntru", "lwe_costs", "ntru_costs"}))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert found.stdout.strip() == "['estimate', 'estimate_ntru']"


def test_a_public_name_is_imported_when_it_is_first_used() -> None:
    """Before that the package costs nothing: not even numpy is imported."""
    line = "import encnn, sys; before = 'numpy' in sys.modules; encnn.Trainer; print(before, 'numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert found.stdout.strip() == "False True"
    assert all(getattr(encnn, name).__name__ == name for name in encnn.__all__) and set(encnn.__all__) <= set(dir(encnn))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        encnn.Nothing  # noqa: B018
