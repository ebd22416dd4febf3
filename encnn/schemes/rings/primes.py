"""Primes for which X^N + 1 splits into linear factors: p = 1 modulo 2 N, and the roots of unity there.

Primes stay below 2^30, so that a product of residues fits 60 bits, sums of 16 products fit 64, and the lazy reductions of
`ntt` fit 32.  A larger modulus is a product of several (a residue number system, RNS).
"""

from collections.abc import Iterable
from functools import cache

from encnn.errors import ParameterError

PRIME_BITS = 30
"""Every prime is below 2^30."""

MAX_N = 1 << 16
"""Largest dimension of a ring: transforms beyond it would take gigabytes."""

_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def is_prime(n: int) -> bool:
    """Return whether n < 3.3 * 10^24 is prime: Miller-Rabin with the first twelve primes as witnesses decides it.

    >>> [n for n in range(20) if is_prime(n)]
    [2, 3, 5, 7, 11, 13, 17, 19]
    """
    if n < 2 or any(n % p == 0 for p in _WITNESSES):
        return n in _WITNESSES
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(n, a, odd, twos) for a in _WITNESSES)


def _passes(n: int, a: int, odd: int, twos: int) -> bool:
    x = pow(a, odd, n)
    if x in (1, n - 1):
        return True
    for _ in range(twos - 1):
        x = x * x % n
        if x == n - 1:
            return True
    return False


@cache
def find_primes(N: int, bits: int, count: int, avoid: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Return the `count` largest primes below 2^bits that are 1 modulo 2 N and not in `avoid`, largest first.

    >>> find_primes(8192, 20, 1)
    (1032193,)
    """
    found: list[int] = []
    p = (1 << bits) - (1 << bits) % (2 * N) + 1
    while len(found) < count:
        p -= 2 * N
        if p < 2:
            raise ParameterError(f"there are only {len(found)} of {count} primes of {bits} bits that are 1 modulo {2 * N}")
        if p not in avoid and is_prime(p):
            found.append(p)
    return tuple(found)


def check_primes(N: int, primes: Iterable[int]) -> None:
    """Raise `ParameterError` unless N is a power of two, and all are distinct primes below 2^30 that are 1 modulo 2 N."""
    primes = tuple(primes)
    if not 2 <= N <= MAX_N or N & (N - 1):
        raise ParameterError(f"N is {N}; it must be a power of two from 2 to {MAX_N}")
    if len(set(primes)) != len(primes):
        raise ParameterError(f"the primes {primes} repeat; a modulus needs different ones")
    for p in primes:
        if not 2 < p < 1 << PRIME_BITS or p % (2 * N) != 1 or not is_prime(p):
            raise ParameterError(
                f"{p} is no prime below 2^{PRIME_BITS} that is 1 modulo 2 N = {2 * N}; take primes from find_primes({N}, bits, "
                "n)"
            )


@cache
def root_of_unity(p: int, order: int) -> int:
    """Return the smallest element of this order, a power of two, modulo the prime p.

    >>> root_of_unity(17, 8)
    2
    """
    for x in range(2, p):
        root = pow(x, (p - 1) // order, p)
        if pow(root, order // 2, p) == p - 1:
            return min(pow(root, k, p) for k in range(1, order, 2)) if order <= 64 else root
    raise ParameterError(f"{p} has no element of order {order}; it must be a prime that is 1 modulo {order}")
