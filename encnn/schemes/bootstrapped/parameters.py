"""Parameters of the scheme with bootstrapping: an integer-vector set that also knows how to refresh itself.

Weights and scores are integer-vector ciphertexts c = [b ; a] modulo q = 2^32 under S = [I, T], where T holds bits: LWE of
dimension d = k N, phase b + T a.  A real number v has the phase v * scale with scale = 2^(32 - z_bits), so the whole torus
(the numbers modulo q, seen as fractions of q) is 2^z_bits wide in z, and the half of it on which a look-up table is free is
2^(z_bits - 1).

A bootstrap leads through two more kinds of ciphertext, each with noise of its own:

    small LWE     dimension n,  modulus 2^32,  deviation lwe_sigma   (the key-switch key)
    GLWE, GGSW    k polynomials of N coefficients, modulus 2^64,  deviation glwe_sigma   (the rotation key)

The deviations are fractions of the torus, as in the literature.  All ciphertexts have one key, T.  Its d = k N bits are the
GLWE key, and its first n bits are the small key.  It is **block binary** [LMSS23]: its bits are in blocks of `block`.  Each
block has at most one bit set, and all block + 1 cases are equally likely.  A blind rotation then takes one step per block
instead of one per bit.  Since the small key is a part of T, only the other k N - n bits need a key switch.  Blocks of one are
an ordinary binary key.

**Security** is that of the weaker of the two (`lwe_security`, `glwe_security`).  The presets start from published sets: k, N,
lwe_sigma, blocks of four and a small key that is a part of the large one are from the set of [TFHE-go] for three bits, and
glwe_sigma is from [TFHE-rs].  [TFHE-go] has n = 820 (earlier 804) and counts primal uSVP and a dual attack with guessing.  By
`encnn.security.estimate` n = 804 has 114 bits and n = 820 has 117.  The dual attack is cheaper here because it guesses block
by block and takes no more samples than it needs.  n = 908 is the least multiple of four that holds 128 bits against it.  The
other bits of T are uniform in [TFHE-go].  Here they are in blocks too, because fewer ones mean less noise.  `glwe_security`
counts this.  With uniform bits it would be higher.

**One key in both** helps no attack that is counted.  A lattice can hold samples of both kinds.  With each sample scaled by
its noise, one of GLWE adds log2(1 / glwe_sigma) = 48 bits to the logarithm of the volume, and one of the small LWE 19 bits.
Any sample of GLWE brings in all k N bits of T as unknowns, and then each sample of the small LWE in it is better replaced by
one more of GLWE.  So the best lattice has samples of one kind only, which is the weaker of the two again (the tests compute
it, for primal and for dual attacks).  Nor do two lattices help a dual attack, each with samples of one kind and a share of
the vectors: half of the vectors cost at least half as much.  Whoever breaks the small LWE knows s, and finds the rest of T
easily; the estimate counts that as broken.  [BCLORT23] study such keys.

Longer blocks take fewer steps, but a meet-in-the-middle attack then finds the key.  The attack of [May21] takes at best about
the fourth root of the number of keys, so `key_entropy` is at least 512 for 128 bits.  Wider noise would allow a smaller n, but
then the key switch needs more digits, which cost what the rotation gains.

[CGGI20] Chillotti, Gama, Georgieva, Izabachene, TFHE, J. Cryptology 2020 (ePrint 2018/421).
[BCLORT23] Bergerat, Chillotti, Ligier, Orfila, Roux-Langlois, Tap, New Secret Keys for Enhanced Performance in (T)FHE,
    ACM CCS 2024 (ePrint 2023/979).
[LMSS23] Lee, Min, Seo, Song, Faster TFHE Bootstrapping with Block Binary Keys, ASIA CCS 2023 (ePrint 2023/958).
[May21] A. May, How to meet ternary LWE keys, CRYPTO 2021 (ePrint 2021/216).
[TFHE-go] https://github.com/sp301415/tfhe-go, tfhe/params_list.go, ParamsUint3, and what its SECURITY.md says of all sets.
[TFHE-rs] Zama, https://github.com/zama-ai/tfhe-rs, shortint parameter sets for Gaussian noise.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from encnn.arithmetic.checks import check_types
from encnn.errors import CapabilityError, ParameterError
from encnn.schemes import integer_vector
from encnn.schemes.base import OwnerHelp
from encnn.security.estimate import Estimate, estimate

TORUS_BITS = 32
KEY_BITS = 64
SECOND_LAYER_SCALE = 1 << 27
"""Phase of 1 in the second layer of a network, in units of 2^-32: weights up to 8 fill a quarter of the torus."""
TRACE_BITS = 48
"""Largest number of bits that the digits of a trace may have together; lower bits are hardly kept, or not at all."""


@dataclass(frozen=True, kw_only=True, repr=False)
class BootstrappedParameters(integer_vector.IntegerVectorParameters):
    """A validated parameter set; raises `ParameterError` when made if its parts do not fit.

    Fields without a comment are inherited; d must be k N, and sigma is the noise of fresh weights in units of 2^-32.
    """

    d: int = 2048
    q_bits: int | None = TORUS_BITS
    w_bits: int = 0
    scale: int = 1 << 27
    base_bits: int = 16
    T_low: int = 0
    T_high: int = 2
    sigma: float | None = 3.2
    n: int = 908  # dimension of the small LWE
    block: int = 4  # bits per block of the key; must divide n
    k: int = 2  # polynomials of the GLWE key
    N: int = 1024  # coefficients of a polynomial, a power of two
    lwe_sigma: float = 2.433797421598353e-6  # noise of the small LWE, as a fraction of the torus
    glwe_sigma: float = 2.845267479601915e-15  # noise of GLWE, as a fraction of the torus
    rotation_bits: int = 23  # bits per digit of GLWE coefficients in the blind rotation
    rotation_levels: int = 1  # number of these digits
    switch_bits: int = 5  # bits per digit of masks in the key switch
    switch_levels: int = 3  # number of these digits
    trace_bits: int = 12  # bits per digit of masks in the trace
    trace_levels: int = 3  # number of these digits
    fine_bits: int = 0  # bits per digit in the second rotation key, 0 without one
    fine_levels: int = 0  # number of these digits

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
        """A quarter of the width of the torus in z: a table can hold any function on [-z_half, z_half)."""
        return 2.0 ** (self.z_bits - 2)

    @property
    def step(self) -> float:
        """Width in z of one entry of a table: 2^z_bits / (2 N)."""
        return 2.0**self.z_bits / (2 * self.N)

    @property
    def ones(self) -> float:
        """Expected number of ones among the d bits of the key."""
        return self.d / (self.block + 1)

    @property
    def has_fine(self) -> bool:
        """Whether there is a second rotation key, of finer digits, which training a hidden layer needs."""
        return self.fine_levels > 0

    @cached_property
    def fine(self) -> "BootstrappedParameters":
        """The same set with the digits of the second rotation key in place of the first ones."""
        if not self.has_fine:
            raise CapabilityError(
                f"parameters {self.name!r} have no second rotation key (fine_levels), which training a hidden layer needs; use "
                f"{HIDDEN_128.name!r} (encnn.schemes.bootstrapped.HIDDEN_128)"
            )
        return replace(self, rotation_bits=self.fine_bits, rotation_levels=self.fine_levels, fine_bits=0, fine_levels=0)

    @property
    def owner_help(self) -> OwnerHelp:
        """Nothing: a table is the sigmoid, and a bootstrap makes a fresh ciphertext."""
        return "none"

    @cached_property
    def lwe_security(self) -> Estimate:
        """Estimate of the small LWE."""
        return estimate(self.n, TORUS_BITS, self.lwe_sigma * 2.0**TORUS_BITS, f"block({self.block})")

    @cached_property
    def glwe_security(self) -> Estimate:
        """Estimate of GLWE, counted as LWE of dimension k N."""
        return estimate(self.d, KEY_BITS, self.glwe_sigma * 2.0**KEY_BITS, f"block({self.block})")

    @cached_property
    def security(self) -> Estimate:
        """The weaker of the two.  Fresh weights, which have the key of GLWE and more noise, are harder to break."""
        return min(self.lwe_security, self.glwe_security, key=lambda e: e.bits)

    def _check_parts(self) -> None:
        if self.k < 1 or self.N < 2 or self.N & (self.N - 1) or self.d != self.k * self.N or not 1 <= self.n < self.d:
            raise ParameterError(
                f"n={self.n}, k={self.k}, N={self.N}, d={self.d}: N must be a power of two, d = k N, all at least 1, "
                "and n below d, because the small key is a part of the large one"
            )
        if not 1 <= self.block <= self.n or self.n % self.block:
            raise ParameterError(f"blocks of {self.block} bits do not divide a key of n={self.n}; choose n a multiple of block")
        for what in ("rotation", "switch"):
            bits, levels = getattr(self, f"{what}_bits"), getattr(self, f"{what}_levels")
            if bits < 1 or levels < 1 or bits * levels >= TORUS_BITS:
                raise ParameterError(f"{levels} {what} digits of {bits} bits are not 1 to {TORUS_BITS - 1} bits; change either")
        digits = self.fine_bits * self.fine_levels
        if (
            min(self.fine_bits, self.fine_levels) < 0
            or (digits == 0) != (self.fine_bits == self.fine_levels == 0)
            or digits >= TORUS_BITS
        ):
            raise ParameterError(
                f"{self.fine_levels} fine digits of {self.fine_bits} bits are not 1 to {TORUS_BITS - 1} bits; change either, "
                "or set both to 0 for no second rotation key"
            )
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
"""128 bits, one digit of 23 bits: the fastest set.  A bootstrap leaves noise of about 2^-15 of the torus, which is small beside
errors at a learning rate of 0.005 or more."""

TWO_LEVEL_128 = BootstrappedParameters(name="two-level-128", rotation_bits=15, rotation_levels=2, trace_bits=10, trace_levels=4)
"""128 bits, two digits of 15 bits.  It takes nearly twice the time and leaves noise of about 2^-22 of the torus, for learning
rates of 0.002 and below."""

HIDDEN_128 = BootstrappedParameters(
    name="hidden-128",
    scale=1 << 20,
    switch_bits=3,
    switch_levels=5,
    trace_bits=10,
    trace_levels=4,
    fine_bits=15,
    fine_levels=2,
)
"""128 bits, for networks with a hidden layer: both rotation keys, one digit of 23 bits and two of 15, under the same two keys.
A second rotation key is more samples of the same LWE, so the estimates are those of the other sets.  The phase of 1 in the
first layer is 2^-12, so that the sum of some hundred rows fits the torus.  Products read tables at steep places, so the key
switch has more and smaller digits than elsewhere, which leave less noise of the place."""

HIDDEN_SLOW_128 = replace(HIDDEN_128, name="hidden-slow-128", scale=1 << 24)
"""As `HIDDEN_128`, for learning rates near the paper's 0.001 from W1 = 0.  Rows then stay small, and so does an update.  With a
phase of 1 of 2^-8 an update is well above the noise of a fine rotation."""

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

HIDDEN_TOY = HIDDEN_128.updated(
    name="hidden-toy-INSECURE", n=60, lwe_sigma=2.0**-19, glwe_sigma=2.0**-50, rotation_bits=22, switch_bits=5, switch_levels=3
)
"""As `HIDDEN_128`, with a short key and little noise, so that tests are fast."""

PRESETS = {p.name: p for p in (ONE_LEVEL_128, TWO_LEVEL_128, HIDDEN_128, HIDDEN_SLOW_128, BOOTSTRAP_TOY, HIDDEN_TOY)}

LOGISTIC_PRESETS = {p.name: p for p in (ONE_LEVEL_128, TWO_LEVEL_128, BOOTSTRAP_TOY)}
"""The sets for networks without hidden layer; in the others the phase of 1 is too small for scores that are sums of rows."""
