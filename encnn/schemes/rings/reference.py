"""The ring Z[X]/(X^N + 1) in its plainest form: Python's whole numbers, and every product written out.

Tests compare the fast ring with these functions.
"""

from collections.abc import Sequence


def multiply(a: Sequence[int], b: Sequence[int]) -> list[int]:
    """Return the product of two polynomials modulo X^N + 1, lowest coefficient first.

    >>> multiply([1, 2], [3, 4])    # (1 + 2 X)(3 + 4 X) = 3 + 10 X + 8 X^2, and X^2 = -1
    [-5, 10]
    """
    N = len(a)
    product = [0] * N
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            # X^N = -1: a power beyond N - 1 comes back at the low end with the other sign
            sign = 1 if i + j < N else -1
            product[(i + j) % N] += sign * int(x) * int(y)
    return product


def evaluate(a: Sequence[int], x: int, p: int) -> int:
    """Return a(x) modulo p, by Horner's rule."""
    value = 0
    for c in reversed(a):
        value = (value * x + int(c)) % p
    return value


def centred(x: int, q: int) -> int:
    """Return the representative of x modulo an odd q between -q / 2 and q / 2.

    >>> [centred(x, 5) for x in range(5)]
    [0, 1, 2, -2, -1]
    """
    x %= q
    return x - q if 2 * x > q else x


def rounded_quotient(a: int, b: int) -> int:
    """Return round(a / b) for an odd b > 0, where there are no ties.

    >>> rounded_quotient(7, 5), rounded_quotient(8, 5), rounded_quotient(-8, 5)
    (1, 2, -2)
    """
    return (2 * a + b) // (2 * b)
