"""Parameters of the scheme with bootstrapping: an integer-vector set that also knows how to refresh itself.

Weights and scores are integer-vector ciphertexts c = [b ; a] modulo q = 2^32 under S = [I, T] with binary T: LWE of dimension
d = k N, phase b + T a.  A real number v has the phase v * scale with scale = 2^(32 - z_bits), so the whole torus (the numbers
modulo q, seen as fractions of q) is 2^z_bits wide in z, and the half of it on which a look-up table is free is 2^(z_bits - 1).

A bootstrap leads through two more kinds of ciphertext, each with noise of its own:

    small LWE     dimension n,  modulus 2^32,  deviation lwe_sigma   (the key-switch key)
    GLWE, GGSW    k polynomials of N coefficients, modulus 2^64,  deviation glwe_sigma   (the rotation key)

The deviations are fractions of the torus, as in the literature.  The GLWE key has the d = k N coefficients of T.  The small key
is **block binary** [LMSS23]: n bits in blocks of `block`, each block with at most one bit set, all block + 1 cases equally
likely.  A blind rotation then takes one step a block instead of one a bit.  Blocks of one are an ordinary binary key.

**Security** is that of the weaker of the two (`lwe_security`, `glwe_security`).  The presets start from published sets: that
of [TFHE-go] for three bits gives k, N, lwe_sigma and blocks of four, and [TFHE-rs] gives glwe_sigma.  [TFHE-go] has n = 820,
804 before, and counts primal uSVP and a dual attack with guessing.  By `encnn.security.estimate` n = 804 has 114 bits and
n = 820 has 117: the dual attack is cheaper if it guesses block by block and takes no more samples than it needs.  n = 908 is
the least multiple of four that holds 128 bits against it.  Longer blocks take fewer steps, but leave a key that a meet in the
middle finds: the attack of [May21] takes about the fourth root of the number of keys, at best, so `key_entropy` is at least
512 for 128 bits.  Wider noise allows a smaller n; the key switch then needs more digits, which take what the rotation gains.

[CGGI20] Chillotti, Gama, Georgieva, Izabachene, TFHE, J. Cryptology 2020 (ePrint 2018/421).
[LMSS23] Lee, Min, Seo, Song, Faster TFHE Bootstrapping with Block Binary Keys, ASIA CCS 2023 (ePrint 2023/958).
[May21] A. May, How to meet ternary LWE keys, CRYPTO 2021 (ePrint 2021/216).
[TFHE-go] https://github.com/sp301415/tfhe-go, tfhe/params_list.go, ParamsUint3, and what its SECURITY.md says of all sets.
[TFHE-rs] Zama, https://github.com/zama-ai/tfhe-rs, shortint parameter sets for Gaussian noise.
"""

from dataclasses import dataclass
from functools import cached_property
from math import log2

from encnn.arithmetic.checks import check_types
from encnn.errors import ParameterError
from encnn.schemes import integer_vector
from encnn.schemes.base import OwnerHelp
from encnn.security.estimate import Estimate, estimate

TORUS_BITS = 32
KEY_BITS = 64
MAX_N = 1 << 16
TRACE_BITS = 48
"""Most bits that the digits of a trace may have together: what lies below is not kept (`trace.unit`), or hardly."""


@dataclass(frozen=True, kw_only=True, repr=False)
class BootstrappedParameters(integer_vector.IntegerVectorParameters):
    """A validated parameter set; raises `ParameterError` when made if its parts do not fit.

    n, block, lwe_sigma: dimension of the small LWE, bits a block of its key, and noise; block must divide n.
    k, N, glwe_sigma: of GLWE; d must be k N, and N a power of two.
    rotation_bits, rotation_levels: digits of GLWE coefficients in the blind rotation.  switch_bits, switch_levels: digits of
    masks in the key switch.  trace_bits, trace_levels: digits of masks in the trace.  z_bits: log2 of the width of the torus in
    z; `scale` follows from it.
    The inherited sigma is the noise of fresh weights, in units of 2^-32.
    """

    d: int = 2048
    q_bits: int | None = TORUS_BITS
    w_bits: int = 0
    scale: int = 1 << 27
    base_bits: int = 16
    T_low: int = 0
    T_high: int = 2
    sigma: float | None = 3.2
    n: int = 908
    block: int = 4
    k: int = 2
    N: int = 1024
    lwe_sigma: float = 2.433797421598353e-6
    glwe_sigma: float = 2.845267479601915e-15
    rotation_bits: int = 23
    rotation_levels: int = 1
    switch_bits: int = 5
    switch_levels: int = 3
    trace_bits: int = 12
    trace_levels: int = 3

    def __post_init__(self) -> None:
        """Check the parts, then what an integer-vector set must be."""
        check_types(self)
        self._check_parts()
        super().__post_init__()

    @property
    def z_bits(self) -> int:
        """log2 of the width of the torus in z."""
        return TORUS_BITS - (self.scale.bit_length() - 1)

    @property
    def z_half(self) -> float:
        """Tables are free on scores in [-z_half, z_half), a quarter of the torus to each side."""
        return 2.0 ** (self.z_bits - 2)

    @property
    def step(self) -> float:
        """Width in z of one entry of a table: 2^z_bits / (2 N)."""
        return 2.0**self.z_bits / (2 * self.N)

    @property
    def owner_help(self) -> OwnerHelp:
        """Nothing: a table is the sigmoid, and a bootstrap makes a fresh ciphertext."""
        return "none"

    @property
    def key_entropy(self) -> float:
        """log2 of the number of small keys: log2(block + 1) bits per block."""
        return self.n / self.block * log2(self.block + 1)

    @cached_property
    def lwe_security(self) -> Estimate:
        """Estimate of the small LWE."""
        return estimate(self.n, TORUS_BITS, self.lwe_sigma * 2.0**TORUS_BITS, f"block({self.block})")

    @cached_property
    def glwe_security(self) -> Estimate:
        """Estimate of GLWE, taken for LWE of dimension k N."""
        return estimate(self.k * self.N, KEY_BITS, self.glwe_sigma * 2.0**KEY_BITS, "binary")

    @cached_property
    def security(self) -> Estimate:
        """The weaker of the two; fresh weights, with the key of GLWE and a smaller modulus, are harder than both."""
        return min(self.lwe_security, self.glwe_security, key=lambda e: e.bits)

    def _check_parts(self) -> None:
        if self.k < 1 or self.N < 2 or self.N & (self.N - 1) or self.d != self.k * self.N or not 1 <= self.n <= MAX_N:
            raise ParameterError(
                f"n={self.n}, k={self.k}, N={self.N}, d={self.d}: N must be a power of two, d = k N, all at least 1, "
                f"and n at most {MAX_N}"
            )
        if not 1 <= self.block <= self.n or self.n % self.block:
            raise ParameterError(f"blocks of {self.block} bits do not divide a key of n={self.n}; choose n a multiple of block")
        for what in ("rotation", "switch"):
            bits, levels = getattr(self, f"{what}_bits"), getattr(self, f"{what}_levels")
            if bits < 1 or levels < 1 or bits * levels >= TORUS_BITS:
                raise ParameterError(f"{levels} {what} digits of {bits} bits are not 1 to {TORUS_BITS - 1} bits; change either")
        if self.trace_bits < 1 or self.trace_levels < 1 or self.trace_bits * self.trace_levels > TRACE_BITS:
            raise ParameterError(
                f"{self.trace_levels} trace digits of {self.trace_bits} bits are not 1 to {TRACE_BITS} bits; change either"
            )
        if not (0 <= self.lwe_sigma < 0.25 and 0 <= self.glwe_sigma < 0.25):
            raise ParameterError(
                f"lwe_sigma={self.lwe_sigma}, glwe_sigma={self.glwe_sigma} are fractions of the torus: expected 0 to 1/4"
            )
        fixed = (self.q_bits, self.w_bits, self.T_low, self.T_high)
        if fixed != (TORUS_BITS, 0, 0, 2) or self.scale & (self.scale - 1) or not 1 <= self.scale <= 1 << (TORUS_BITS - 3):
            raise ParameterError(
                f"(q_bits, w_bits, T_low, T_high) = {fixed} and scale = {self.scale}: bootstrapping needs (32, 0, 0, 2) and a "
                "scale that is a power of two, at most 2^29"
            )


ONE_LEVEL_128 = BootstrappedParameters(name="one-level-128")
"""128 bits, one digit of 23 bits: the fastest.  A bootstrap leaves noise of about 2^-15 of the torus, which a learning rate of
0.005 or more drowns out."""

TWO_LEVEL_128 = BootstrappedParameters(name="two-level-128", rotation_bits=15, rotation_levels=2, trace_bits=10, trace_levels=4)
"""128 bits, two digits of 15 bits: nearly twice the time, noise of about 2^-22 of the torus, for learning rates of 0.002 and
below."""

BOOTSTRAP_TOY = BootstrappedParameters(
    name="bootstrap-toy-INSECURE",
    d=256,
    n=40,
    block=4,
    k=1,
    N=256,
    lwe_sigma=2.0**-20,
    glwe_sigma=2.0**-45,
    rotation_bits=10,
    rotation_levels=2,
    switch_bits=4,
    switch_levels=4,
)
"""Small enough to look at: dimensions that lattice reduction breaks at once."""

PRESETS = {p.name: p for p in (ONE_LEVEL_128, TWO_LEVEL_128, BOOTSTRAP_TOY)}
