"""Parameter sets: what is derived, what is refused."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn.errors import ParameterError
from encnn.schemes.integer_vector import ADDITIVE_128, MODULUS_TOY, PAPER, PAPER_BITS, PRESETS, IntegerVectorParameters, preset


def test_presets_are_found_by_name():
    assert all(preset(name) is p and p.name == name for name, p in PRESETS.items())
    with pytest.raises(ParameterError, match="paper-INSECURE"):
        preset("paper")


def test_the_papers_numbers():
    assert (PAPER.w, PAPER.scale, PAPER.d, PAPER.q) == (2**25, 1000, 1, None)
    assert PAPER.unit == 1000 * 2**25 and PAPER.key_row_bound == 10
    assert (PAPER.n_digits, PAPER.digit_bound, PAPER.entry_limit) == (8, 128, 2**62)
    assert (PAPER_BITS.n_digits, PAPER_BITS.digit_bound) == (64, 1)


def test_the_modulus_numbers():
    assert (MODULUS_TOY.q, MODULUS_TOY.n_digits, MODULUS_TOY.value_limit) == (2**64, 4, 0.0)
    assert (ADDITIVE_128.q, ADDITIVE_128.w, ADDITIVE_128.n_digits, ADDITIVE_128.T_bound) == (2**53, 1, 3, 1)
    assert MODULUS_TOY.noise_bound == int(8.3 * 3.2 + 0.5)


def test_presets_without_protection_say_so():
    assert PAPER.insecure and PAPER_BITS.insecure and MODULUS_TOY.insecure and not ADDITIVE_128.insecure
    assert all(p.insecure or p.d >= 1024 for p in PRESETS.values())


def test_parameters_cannot_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAPER.d = 2


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"w_bits": 61}, "w_bits"),
        ({"scale": 0}, "scale"),
        ({"d": 0}, "d is 0"),
        ({"base_bits": 33}, "base_bits"),
        ({"base_bits": 1}, "balanced"),
        ({"E_bound": -1}, "E_bound"),
        ({"T_high": 0}, "empty"),
        ({"T_high": 10**400}, "T_high"),
        ({"T_low": -(10**400)}, "T_low"),
        ({"A_high": 0}, "A_high"),
        ({"A_high": 10**400}, "A_high"),
        ({"A_high": 1 << 40, "base_bits": 32}, "masks"),
        ({"sigma": -1.0}, "sigma"),
        ({"sigma": float("nan")}, "sigma"),
        ({"name": "paper"}, "INSECURE"),
        ({"w_bits": 50}, "lower w_bits by"),
    ],
)
def test_impossible_sets_without_modulus_are_refused(changes, words):
    with pytest.raises(ParameterError, match=words):
        PAPER.updated(**changes)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"q_bits": 65}, "q_bits"),
        ({"q_bits": 1}, "q_bits"),
        ({"base_bits": 10}, "70|digits"),
        ({"w_bits": 60, "scale": 8}, "phase"),
        ({"sigma": 2.0**39, "w_bits": 40}, "drowns"),
    ],
)
def test_impossible_sets_with_modulus_are_refused(changes, words):
    with pytest.raises(ParameterError, match=words):
        MODULUS_TOY.updated(**changes)


def test_the_advice_of_the_error_is_enough():
    with pytest.raises(ParameterError) as error:
        PAPER.updated(w_bits=50)
    bits = int(str(error.value).split("lower w_bits by ")[1].split(",")[0])
    assert PAPER.updated(w_bits=50 - bits).value_limit >= 1 > PAPER.updated(w_bits=50 - bits).value_limit / 2


@given(st.fixed_dictionaries({}, optional={
    "w_bits": st.integers(-1, 62), "scale": st.integers(0, 1 << 53), "d": st.integers(0, 1 << 17),
    "q_bits": st.none() | st.integers(-1, 80), "base_bits": st.integers(-1, 40), "T_high": st.integers(-3, 1 << 41),
    "A_high": st.integers(-1, 1 << 41), "E_bound": st.integers(-1, 1 << 41), "balanced": st.booleans(),
}))  # fmt: skip
def test_any_set_is_valid_or_refused(changes):
    try:
        p = IntegerVectorParameters(name="any-INSECURE", **changes)
    except ParameterError as error:
        assert str(error)
        return
    assert p.base_bits * p.n_digits <= 64
    assert p.q is not None or p.value_limit >= 1
    assert p.q is None or p.unit < p.q // 2
