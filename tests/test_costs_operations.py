"""CPU time of operations: every one is measured, and products grow as they must."""

from encnn.costs import operations
from encnn.schemes.integer_vector import COMPACT_128, MODULUS_TOY


def test_products_grow_and_sums_do_not_multiply():
    table = operations.product_costs([4, 16])
    assert list(table["d"]) == [4, 16]
    assert table["key MB"].iloc[1] > 20 * table["key MB"].iloc[0]
    assert (table[["product ms", "sum ms"]] > 0).all(axis=None)
    assert table["bits"].iloc[1] == MODULUS_TOY.security.bits


def test_every_operation_is_timed():
    times = operations.addition_times(COMPACT_128.updated(d=32, name="small-INSECURE"))
    assert len(times) == 7
    assert all(t > 0 for t in times.values())
