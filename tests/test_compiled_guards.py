"""Every function that numba compiles, and the guard in front of it.

Compiled code has no bounds: an index that leads out of an array reads or overwrites other memory, and the process ends.  So
each compiled function is reached through a guard only, plain Python that checks sizes and indices first.  The list below is
compared with the source, and every guard meets hostile arguments in a process of its own (`hostile_loops.py`), where a crash
would be seen.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import encnn
from encnn.arithmetic import row_sums

needs_numba = pytest.mark.skipif(not row_sums.available(), reason="numba is not installed")

PACKAGE = Path(encnn.__file__).parent

INSIDE_TRANSFORM = (
    "_eight _load _store _put _store_turned _turned _load_turned _twisted _load_twisted _store_number _add_on_torus "
    "_put_untwisted _put_all_untwisted _middle_stage _transpose _transpose_back forward _backward backward add_backward"
).split()

INSIDE_ROTATION = (
    "_shifted _shifted_left _round_to_digits _take_digits _monomial_less_one _add_rows sum_products _digit_transforms "
    "_blind_rotate"
).split()

INSIDE_TRACE = "_trace _step _turn _digit_transforms _inner_products _add_fractions _to_torus".split()

GUARDS = {
    "arithmetic/row_sums.py": {
        "add_rows": "row_sums.gather",
        "subtract_rows": "row_sums.scatter_subtract",
        "fits": "none: it looks at no entry beyond the lengths of its own arguments",
    },
    "schemes/integer_vector/compiled.py": {
        "_product": "integer_vector.compiled.product",
        **dict.fromkeys(["_polynomial", "_switch"], "integer_vector.compiled.polynomial"),
    },
    "schemes/rings/compiled.py": {
        "forward_loop": "ntt.Transform.forward",
        "inverse_loop": "ntt.Transform.inverse",
        "products_loop": "rns.Ring.sum_products",
        **dict.fromkeys(["split_loop", "convert_loop", "reduce_loop"], "rns.BaseConversion.__call__"),
    },
    "schemes/bootstrapped/compiled.py": {
        **dict.fromkeys(INSIDE_ROTATION, "compiled.blind_rotate"),
        **dict.fromkeys(["_digits", "_add_four_rows", "_switch_key"], "compiled.switch_key"),
    },
    "schemes/bootstrapped/compiled_transform.py": dict.fromkeys(INSIDE_TRANSFORM, "compiled.blind_rotate"),
    "schemes/bootstrapped/compiled_vectors.py": {
        **dict.fromkeys(["transpose_square", "low_word", "shift_right", "add_products"], "compiled.blind_rotate"),
        "add_two_rows": "compiled_blocks.trace",
    },
    "schemes/bootstrapped/compiled_blocks.py": {
        **dict.fromkeys(["_add", "_gather"], "compiled_blocks.gather"),
        "_scatter_subtract": "compiled_blocks.scatter_subtract",
        **dict.fromkeys(["_join", "_add_moved", "_add_fraction"], "compiled_blocks.join"),
        **dict.fromkeys(INSIDE_TRACE, "compiled_blocks.trace"),
    },
}


NUMBAS = ("njit", "jit", "vectorize", "guvectorize", "cfunc", "stencil", "intrinsic")
"""What makes compiled code of a function."""


def is_njit(node: ast.expr) -> bool:
    name = node.func if isinstance(node, ast.Call) else node
    return getattr(name, "id", getattr(name, "attr", None)) in NUMBAS


def compiled_functions() -> dict[str, set[str]]:
    """Return the names of all functions that numba compiles, by file: decorated, or passed to a `compiled` of the package."""
    found: dict[str, set[str]] = {}
    definitions: dict[str, str] = {}
    passed: set[str] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                definitions.setdefault(node.name, name)
                if any(map(is_njit, node.decorator_list)):
                    found.setdefault(name, set()).add(node.name)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", None) in ("compiled", "_compiled"):
                passed |= {a.id for a in node.args if isinstance(a, ast.Name) and len(node.args) == 1}
    for function in passed & definitions.keys():
        found.setdefault(definitions[function], set()).add(function)
    return found


def test_the_list_of_compiled_functions_is_complete() -> None:
    assert compiled_functions() == {name: set(functions) for name, functions in GUARDS.items()}


LISTENS = "from numba.core import event"
"""This tells that something is being compiled, and compiles nothing."""


def test_nothing_else_of_numba_is_used() -> None:
    texts = {p.relative_to(PACKAGE).as_posix(): p.read_text().replace(LISTENS, "") for p in PACKAGE.rglob("*.py")}
    users = {name for name, text in texts.items() if any(use in text for use in ("numba.", "import numba", "from numba"))}
    assert users <= set(GUARDS)


CASES = 300


def hostile(guard: str, seed: int, cases: int) -> tuple[int, int]:
    """Return how many cases a guard accepted and refused, in a process of its own."""
    arguments = [sys.executable, Path(__file__).with_name("hostile_loops.py"), guard, str(seed), str(cases)]
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    accepted, refused = json.loads(done.stdout)
    return accepted, refused


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("guard", sorted({g for of in GUARDS.values() for g in of.values() if not g.startswith("none")}))
def test_hostile_arguments_are_refused_and_crash_nothing(guard: str) -> None:
    """Nothing but the package's own errors, and no end of the process; what is accepted is right where that is cheap to see."""
    accepted, refused = hostile(guard, 1, CASES)
    assert accepted + refused == CASES and min(accepted, refused) > CASES / 50


@needs_numba
@pytest.mark.slow
def test_hostile_rows_in_a_process_of_their_own() -> None:
    """The fault that was found first: rows named beyond the weights."""
    accepted, refused = hostile("row_sums.gather", 2, 100)
    assert accepted > 10 and refused > 10
