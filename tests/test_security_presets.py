"""Every named parameter set of every scheme keeps what its name promises, by the least of the attacks that are counted."""

import importlib
import importlib.util
import pkgutil
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import encnn
from encnn.errors import ParameterError
from encnn.schemes import bootstrapped
from encnn.security.estimate import MODELS, estimate
from encnn.security.promise import SECURE_BITS, check_promise, promised_bits


def all_sets() -> dict[str, Any]:
    """Return every object with a name and an estimate that any module of the package holds, alone or in PRESETS."""
    found: dict[str, Any] = {}
    for info in pkgutil.walk_packages(encnn.__path__, "encnn."):
        if info.name.rpartition(".")[2] in ("compiled", "row_sums", "__main__") or "experiments" in info.name:
            continue
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            for each in value.values() if isinstance(value, dict) else (value,):
                if not isinstance(each, type) and isinstance(getattr(each, "name", None), str) and hasattr(each, "security"):
                    found[f"{type(each).__module__}:{each.name}"] = each
    return found


SETS = all_sets()


def least_bits(p: Any) -> float:
    """Return the bits of a set, whatever its scheme calls them."""
    return float(p.security.bits)


def test_every_scheme_is_there() -> None:
    names = {p.name for p in SETS.values()}
    assert names >= {"compact-128", "additive-128", "fv-depth-128", "yashe-depth-128", "ckks-8192", "one-level-128"}
    assert len(SETS) >= 20


@pytest.mark.parametrize("p", SETS.values(), ids=SETS)
def test_a_set_has_the_bits_that_its_name_promises(p: Any) -> None:
    promised = promised_bits(p.name)
    assert promised in (0.0, SECURE_BITS), "no set with fewer than 128 bits that is not INSECURE"
    assert least_bits(p) >= promised


@pytest.mark.parametrize("p", SETS.values(), ids=SETS)
def test_printed_it_shows_the_least_number_and_what_decides(p: Any) -> None:
    if "INSECURE" in p.name:
        assert "INSECURE" in str(p)
    else:
        shown = re.search(r": ([\d.]+) bits \((.+), (\w+)\)", str(p))
        assert shown and float(shown[1]) == round(least_bits(p), 1) and shown[3] in MODELS


@pytest.mark.parametrize("p", [bootstrapped.ONE_LEVEL_128, bootstrapped.TWO_LEVEL_128], ids=lambda p: p.name)
def test_small_keys_are_too_many_for_a_meet_in_the_middle(p: bootstrapped.BootstrappedParameters) -> None:
    """The best attacks of this kind take the fourth root of the number of keys [May21]; the estimate does not count them."""
    assert p.n / p.block * np.log2(p.block + 1) / 4 >= SECURE_BITS


def test_the_bootstrapped_sets_before_would_not_have_passed() -> None:
    before = {"n": 804, "glwe_sigma": 3.472576015158416e-16}
    with pytest.raises(ParameterError, match=r"114\.\d bits \(refined dual hybrid, MATZOV\), fewer than 128"):
        bootstrapped.ONE_LEVEL_128.updated(**before)
    old = bootstrapped.ONE_LEVEL_128.updated(name="one-level-114-bits", **before)
    uniform = estimate(old.d, 64, old.glwe_sigma * 2.0**64, "binary")
    assert uniform.bits == pytest.approx(124.5, abs=1) and old.glwe_security.bits < uniform.bits


def test_the_message_tells_a_name_that_would_do() -> None:
    weak = estimate(900, 26, 3.2).best()
    with pytest.raises(ParameterError, match="put INSECURE into its name") as refused:
        check_promise("compact-128", weak, "raise d")
    name = re.search(r"\('(.+?)' would do\)", str(refused.value))
    assert name and promised_bits(name[1]) <= weak.bits
    check_promise(name[1], weak, "raise d")
    check_promise("compact-INSECURE", weak, "raise d")
    with pytest.raises(ParameterError, match="raise d"):
        check_promise("compact-127-bits", weak, "raise d")


@pytest.mark.slow
def test_stored_costs_are_those_that_are_computed() -> None:
    spec = importlib.util.spec_from_file_location("estimates_tool", Path(__file__).parent.parent / "tools" / "estimates.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.main(["check"]) == 0
    computed = tool.of_presets()
    assert len(computed) >= 15 and not tool.disagreements(computed)
    question, costs = next(
        (question, costs) for question, costs in computed.items() if question[0] == "LWE" and question[1] > 500
    )
    cheaper = (replace(costs[0], bits=costs[0].bits - 0.001), *costs[1:])
    assert tool.disagreements({question: cheaper}) == [question]
