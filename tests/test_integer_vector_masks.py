"""Products by masks and many inner products agree with one key switch, and cost more."""

import time

import numpy as np
import pytest
from slow_scheme import excess, fractions, key_pair

from encnn.errors import KeyMismatchError
from encnn.schemes.bilinear import elementwise, outer
from encnn.schemes.integer_vector import MODULUS_TOY, PAPER, PAPER_BITS, IntegerVectorSecretKey
from encnn.schemes.integer_vector.masks import MaskedProduct, elementwise_by_masks, outer_by_masks

SETS = {"paper": PAPER, "bits": PAPER_BITS, "toy": MODULUS_TOY}
FAMILIES = {
    "elementwise": (elementwise(3), lambda secret: elementwise_by_masks(secret, 3), 3),
    "outer": (outer(2, 3), lambda secret: outer_by_masks(secret, 2, 3), 6),
}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch", [(), (4,)])
def test_masks_agree_with_one_key_switch_within_the_bounds(name, family, batch):
    f, by_masks, masks = FAMILIES[family]
    secret, evaluator = key_pair(SETS[name], {1}, [f])
    product = by_masks(secret)
    rng = np.random.default_rng(2)
    x, y = rng.integers(-5, 6, (*batch, f.left)), rng.integers(-5, 6, (*batch, f.right))
    a, b = secret.encrypt(x), secret.encrypt(y)
    slow, fast = product(a, b), evaluator.bilinear(f, a, b)
    assert slow.shape == fast.shape == (*batch, f.out)
    assert np.array_equal(secret.decrypt_integers(slow), f.apply(x, y) * secret.parameters.scale)
    assert np.abs(secret.decrypt(slow) - secret.decrypt(fast)).max() <= (slow.noise + fast.noise) / slow.unit
    for c in (slow, fast):
        assert max(excess(secret, c, fractions(f.apply(x, y)))) <= 1
    assert slow.noise > fast.noise
    assert product.key_switches == 2 * masks and product.nbytes > evaluator.nbytes


def test_the_docstring_counts_the_key_entries_right():
    secret, evaluator = key_pair(PAPER, {1}, [outer(2, 3)])
    product = outer_by_masks(secret, 2, 3)
    P, n1, n2, digits, d = 6, 3, 4, PAPER.n_digits, PAPER.d
    assert product.nbytes == 8 * P * (n1 * n2 * digits * (1 + d) + (1 + d) * digits * (P + d))
    assert evaluator.nbytes == 8 * n1 * n2 * digits * (P + d)


def test_no_secret_is_reachable_from_the_product():
    secret, _ = key_pair(PAPER, {1, 2})
    product = elementwise_by_masks(secret, 2)
    found, open_ = [], [product]
    while open_:
        thing = open_.pop()
        found.append(thing)
        open_ += list(thing) if isinstance(thing, tuple | list) else []
        open_ += list(thing.values()) if isinstance(thing, dict) else list(getattr(thing, "__dict__", {}).values())
    assert any(isinstance(thing, MaskedProduct) for thing in found) and len(found) > 10
    assert not any(isinstance(thing, IntegerVectorSecretKey) for thing in found)
    assert not any(thing is secret.T(m) for thing in found for m in secret.widths)


def test_the_owner_needs_a_key_of_width_1():
    secret, _ = key_pair(PAPER, {2})
    with pytest.raises(KeyMismatchError, match="width 1"):
        elementwise_by_masks(secret, 2)


def cpu_seconds(run, times):
    run()
    start = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - start) / times


def test_one_key_switch_is_several_times_faster():
    secret, evaluator = key_pair(PAPER, {1}, [elementwise(8)])
    product = elementwise_by_masks(secret, 8)
    a, b = secret.encrypt(np.arange(8.0)), secret.encrypt(np.ones(8))
    ratios = [
        cpu_seconds(lambda: product(a, b), 20) / cpu_seconds(lambda: evaluator.bilinear(elementwise(8), a, b), 100)
        for _ in range(5)
    ]
    print(f"one key switch is {np.median(ratios):.1f} times faster at m = 8 (CPU time, median of 5; shown by pytest -s)")
    assert np.median(ratios) > 3
