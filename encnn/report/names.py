"""Readable names of schemes, operations and parts of a step.  Tables of results have their names in the code instead."""

SCHEMES = {
    "clear": "in the clear",
    "integer_vector": "integer vectors",
    "bootstrapped": "bootstrapped LWE",
    "fv": "FV",
    "yashe": "YASHE",
    "ckks": "CKKS",
}
OPERATIONS = {
    "gather": "sum of rows",
    "scatter": "update of rows",
    "product vector_matrix": "product of vector and matrix",
    "product outer": "outer product",
    "product elementwise": "elementwise product",
    "product scalar_vector": "product of number and vector",
}


def scheme_name(package: str) -> str:
    """Return the readable name of the scheme in this package.

    >>> scheme_name("integer_vector")
    'integer vectors'
    """
    return SCHEMES.get(package, package)


def operation_name(benchmark: str) -> str:
    """Return the readable name of an operation, without its settings.

    >>> operation_name("product outer:1x8"), operation_name("sigmoid (Taylor, degree 5)")
    ('outer product', 'sigmoid')
    """
    name = benchmark.partition(" (")[0].partition(":")[0]
    return OPERATIONS.get(name, name)
