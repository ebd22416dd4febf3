"""Primes p = 1 modulo 2 N, for which X^N + 1 splits into linear factors, and roots of unity modulo these primes.

All primes are below 2^30.  A product of two residues then fits 60 bits, a sum of 16 products fits 64 bits, and numbers that
`ntt` reduces late fit 32 bits.  A larger modulus is a product of several primes (a residue number system, RNS).
"""

from collections.abc import Iterable
from functools import cache

from encnn.errors import ParameterError

PRIME_BITS = 30
"""Every prime is below 2^30."""

MAX_N = 1 << 16
"""Largest dimension of a ring.  Larger transforms would take gigabytes."""

_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def is_prime(n: int) -> bool:
    """Return whether n is prime, for n < 3.3 * 10^24: below it, Miller-Rabin with the first twelve primes makes no error.

    >>> [n for n in range(20) if is_prime(n)]
    [2, 3, 5, 7, 11, 13, 17, 19]
    """
    if n < 2 or any(n % p == 0 for p in _WITNESSES):
        return n in _WITNESSES
    odd, twos = n - 1, 0  # n - 1 = odd * 2^twos
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(n, a, odd, twos) for a in _WITNESSES)


def _passes(n: int, a: int, odd: int, twos: int) -> bool:
    """Return whether the witness a finds n possibly prime."""
    # modulo a prime, only 1 and -1 have the square 1: squaring from a^odd to a^(n - 1) = 1 must pass through -1, or begin at 1
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
    p = (1 << bits) - (1 << bits) % (2 * N) + 1  # the first candidate above 2^bits; the loop steps down from it
    while len(found) < count:
        p -= 2 * N
        if p < 2:
            raise ParameterError(f"there are only {len(found)} of {count} primes of {bits} bits that are 1 modulo {2 * N}")
        if p not in avoid and is_prime(p):
            found.append(p)
    return tuple(found)


def check_primes(N: int, primes: Iterable[int]) -> None:
    """Raise `ParameterError` unless N is a power of two and `primes` are distinct, below 2^30 and 1 modulo 2 N."""
    primes = tuple(primes)
    if not 2 <= N <= MAX_N or N & (N - 1):
        raise ParameterError(f"N is {N}; it must be a power of two from 2 to {MAX_N}")
    if len(set(primes)) != len(primes):
        raise ParameterError(f"the primes {primes} repeat; a modulus needs different ones")
    for p in primes:
        if not 2 < p < 1 << PRIME_BITS or p % (2 * N) != 1 or not is_prime(p):
            raise ParameterError(
                f"{p} is not a prime below 2^{PRIME_BITS} that is 1 modulo 2 N = {2 * N}; take primes from "
                f"find_primes({N}, bits, count)"
            )


@cache
def root_of_unity(p: int, order: int) -> int:
    """Return an element of this order, a power of two, modulo the prime p: the smallest one for orders up to 64.

    >>> root_of_unity(17, 8)
    2
    """
    for x in range(2, p):
        root = pow(x, (p - 1) // order, p)  # its order divides `order`, and is `order` if its half-power is not 1
        if pow(root, order // 2, p) == p - 1:
            return min(pow(root, k, p) for k in range(1, order, 2)) if order <= 64 else root
    raise ParameterError(f"{p} has no element of order {order}; it must be a prime that is 1 modulo {order}")
