"""Parameters of the integer-vector scheme, the limits that follow from them, and named presets.

The letters are the paper's: w is the weight (here a power of two), d = n - m the number of extra entries of a ciphertext,
S = [I, T] the key.  A real number v is encrypted as the integer plaintext x = scale * v, so a ciphertext satisfies

    S c = w scale v + e   (+ q k when there is a modulus).

There are two families:

- **No modulus** (`q_bits=None`) is the paper's scheme: integers that must never leave 64 bits.  Every ciphertext carries a
  bound on its entries, derived from the limits below.  Operations that could leave 64 bits raise an error.
- **Modulus** q = 2^q_bits: arithmetic wraps modulo q, keys are small (ternary), masks uniform modulo q, noise Gaussian.  This
  is LWE of dimension d.  Dividing ciphertexts cannot keep fractions here, so plaintexts are integers and scales multiply.

Every set has an estimate, `security`, and shows it when printed.  A set must not promise more than the estimate.  The
presets of 128 bits also stay within two published tables.  Largest log2 q for 128 bits, ternary keys, sigma = 3.2:

    ========  ========  ========  =====================================================================================
    .         d = 1024  d = 2048  source
    ========  ========  ========  =====================================================================================
    [HES18]   27        54        Albrecht et al., Homomorphic Encryption Standard v1.1, 2018 (ePrint 2019/939)
    [BCC24]   26        53        Bossuat et al., Security Guidelines for Implementing Homomorphic Encryption (ePrint 2024/463)
    ========  ========  ========  =====================================================================================
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from encnn.arithmetic.checks import check_types
from encnn.arithmetic.digits import digit_bound, largest
from encnn.arithmetic.sampling import TAIL
from encnn.errors import ParameterError
from encnn.schemes.base import OwnerHelp
from encnn.schemes.parameters import NamedParameters, find_preset
from encnn.security.estimate import Estimate, estimate
from encnn.security.promise import check_promise

EXACT_BITS = 62
"""Entries of ciphertexts without a modulus stay below 2^62, one bit below the limit of int64, so one addition cannot wrap."""


@dataclass(frozen=True, kw_only=True, repr=False)
class IntegerVectorParameters(NamedParameters):
    """A validated parameter set; raises `ParameterError` when made if 64-bit arithmetic could not hold it.

    A set without protection must have INSECURE in its name.
    """

    w_bits: int = 25  # log2 of the weight w
    scale: int = 1000  # fixed-point scaling factor: the integer plaintext of 1.0
    d: int = 1  # extra entries of a ciphertext: the LWE dimension
    q_bits: int | None = None  # log2 of the modulus; None without one
    base_bits: int = 8  # log2 of the digit base of key switches
    balanced: bool = True  # balanced digits instead of the paper's signed ones
    T_low: int = 0  # entries of T are uniform in [T_low, T_high)
    T_high: int = 10  # T_high itself is not reached
    A_high: int = 10  # without a modulus, A is uniform in [0, A_high)
    E_bound: int = 9  # without `sigma`, E is uniform in [-E_bound, E_bound]
    sigma: float | None = None  # if given, E is a rounded Gaussian of this deviation

    def __post_init__(self) -> None:
        """Check what can be checked before any key exists."""
        check_types(self)
        self._check_ranges()
        if self.q_bits is None:
            self._check_without_modulus()
        else:
            self._check_modulus()
            self._check_name()

    @cached_property
    def security(self) -> Estimate:
        """The estimate for LWE with this dimension, modulus, noise and key; 0 bits without a modulus, where there is no LWE.

        A key T that is neither ternary nor binary counts as Gaussian with the same deviation.
        """
        if self.q_bits is None:
            return estimate(self.d, 1.0, 0.0)
        known = {(-1, 2): "ternary", (0, 2): "binary"}
        width = self.T_high - self.T_low
        if width == 1:  # T is known
            return estimate(self.d, self.q_bits, 0.0)
        secret = known.get((self.T_low, self.T_high), f"gaussian({_uniform_deviation(width):.6g})")
        sigma = self.sigma if self.sigma is not None else _uniform_deviation(2 * self.E_bound + 1)
        return estimate(self.d, self.q_bits, min(sigma, 2.0 ** (self.q_bits - 1)), secret)

    @property
    def protection(self) -> str:
        """The bits of security with the attack and the model that decide; it begins with INSECURE below 80 bits."""
        if self.q_bits is None:
            return "INSECURE: 0 bits, without a modulus a ciphertext shows its plaintext"
        return f"{self.security.summary}; d={self.d}, log2 q={self.q_bits}"

    @cached_property
    def dtype(self) -> np.dtype:
        """The type of ciphertexts: the smallest machine integer that wraps at a multiple of q; int64 without a modulus."""
        return np.dtype(np.int32 if self.q_bits is not None and self.q_bits <= 32 else np.int64)

    @cached_property
    def w(self) -> int:
        """The weight w."""
        return 1 << self.w_bits

    @cached_property
    def unit(self) -> int:
        """The phase of the number 1: w * scale."""
        return self.scale << self.w_bits

    @property
    def q(self) -> int | None:
        """The modulus, or None."""
        return None if self.q_bits is None else 1 << self.q_bits

    @cached_property
    def n_digits(self) -> int:
        """Digits of one ciphertext entry: all 64 bits without a modulus, q_bits with one."""
        return 64 // self.base_bits if self.q_bits is None else -(-self.q_bits // self.base_bits)

    @cached_property
    def digit_bound(self) -> int:
        """Largest absolute value of a digit."""
        return digit_bound(self.base_bits, self.balanced)

    @cached_property
    def T_bound(self) -> int:
        """Largest absolute value of an entry of T."""
        return max(abs(self.T_low), abs(self.T_high - 1))

    @cached_property
    def noise_bound(self) -> int:
        """Largest absolute value of an entry of E."""
        return self.E_bound if self.sigma is None else int(TAIL * self.sigma + 0.5)

    @cached_property
    def entry_limit(self) -> int:
        """Without modulus: the limit that no entry of a ciphertext or of a product may reach."""
        return min(1 << EXACT_BITS, largest(self.base_bits, self.n_digits, self.balanced))

    @cached_property
    def key_row_bound(self) -> int:
        """Largest possible L1 norm of a row of S = [I, T]: how much S can amplify rounding errors of a ciphertext."""
        return 1 + self.d * self.T_bound

    @cached_property
    def mask_bound(self) -> int:
        """Without modulus: the size of A c* for one digit; with it the owner's fresh masks look like switched ones."""
        return self.A_high * self.digit_bound

    @property
    def value_limit(self) -> float:
        """Largest |real number| that a product of two scalars may reach; 0 with a modulus, at which products wrap."""
        return self.entry_limit / (self.unit * self.key_row_bound**2) if self.q_bits is None else 0.0

    @property
    def owner_help(self) -> OwnerHelp:
        """The owner sends errors under a modulus, where products of ciphertexts cost too much, and nothing without one."""
        return "none" if self.q_bits is None else "errors"

    def _check_ranges(self) -> None:
        bounds = {
            "w_bits": (0, 60),
            "scale": (1, 1 << 52),
            "d": (1, 1 << 16),
            "base_bits": (1, 32),
            "E_bound": (0, 1 << 40),
            "T_low": (-(1 << 40), 1 << 40),
            "T_high": (-(1 << 40), 1 << 40),
            "A_high": (1, 1 << 40),
        }
        for field, (low, high) in bounds.items():
            if not low <= getattr(self, field) <= high:
                raise ParameterError(f"{field} is {getattr(self, field)}; it must lie between {low} and {high}")
        if self.balanced and self.base_bits == 1:
            raise ParameterError("balanced digits need base_bits >= 2; use base_bits=1 with balanced=False")
        if self.T_high <= self.T_low:
            raise ParameterError(f"T is drawn from [{self.T_low}, {self.T_high}), which is empty")
        if self.sigma is not None and not 0 <= self.sigma < 2.0**40:
            raise ParameterError(f"sigma is {self.sigma}; it must lie between 0 and 2^40")

    def _check_without_modulus(self) -> None:
        if not self.insecure:
            raise ParameterError(f"parameters without a modulus protect nothing: put INSECURE into the name {self.name!r}")
        if self.value_limit < 1:
            raise ParameterError(
                f"w_bits={self.w_bits}, scale={self.scale}, d={self.d}, |T| <= {self.T_bound}: the product of 1 and 1 would "
                f"leave {EXACT_BITS} bits; lower w_bits by {_missing_bits(self.value_limit)}, or scale, d or T accordingly"
            )
        if self.key_row_bound * self.mask_bound >= self.entry_limit // 4:
            raise ParameterError(
                f"masks up to {self.mask_bound} leave no room for plaintexts in {EXACT_BITS} bits; lower A_high, base_bits or d"
            )

    def _check_modulus(self) -> None:
        if self.q_bits is None or not 2 <= self.q_bits <= 64:
            raise ParameterError(f"q_bits is {self.q_bits}; it must lie between 2 and 64")
        if self.base_bits * self.n_digits > 64:
            raise ParameterError(
                f"{self.n_digits} digits of {self.base_bits} bits exceed 64 bits; choose base_bits so that they fit"
            )
        if self.unit >= 1 << (self.q_bits - 1):
            raise ParameterError(
                f"the number 1 has phase w * scale = {self.unit}, not below q / 2 = 2^{self.q_bits - 1}; lower w_bits or scale"
            )
        if self.w_bits and self.noise_bound >= self.w // 2:
            raise ParameterError(f"noise up to {self.noise_bound} drowns w / 2 = {self.w // 2}; raise w_bits or lower sigma")

    def _check_name(self) -> None:
        if not self.insecure:
            check_promise(self.name, self.security.best(), "raise d, lower q_bits or raise sigma")


def _uniform_deviation(width: int) -> float:
    """Return the standard deviation of an integer uniform among `width` neighbours."""
    return math.sqrt((width * width - 1) / 12)


def _missing_bits(ratio: float) -> int:
    bits = 0
    while ratio < 1:
        ratio, bits = 2 * ratio, bits + 1
    return bits


PAPER = IntegerVectorParameters(name="paper-INSECURE")
"""The paper's toy parameters (w = 2^25, scale 1000, one extra entry), with balanced base-256 digits in practice."""

PAPER_BITS = IntegerVectorParameters(name="paper-bits-INSECURE", base_bits=1, balanced=False)
"""The same parameters with the bits of eq. (4) as printed."""

MODULUS_TOY = IntegerVectorParameters(
    name="modulus-toy-INSECURE",
    w_bits=44,
    scale=1,
    d=16,
    q_bits=64,
    base_bits=16,
    T_low=-1,
    T_high=2,
    sigma=3.2,
)
"""The scheme modulo q = 2^64 with proper noise, but in a dimension that lattice reduction breaks at once."""

ADDITIVE_128 = IntegerVectorParameters(
    name="additive-128",
    w_bits=0,
    scale=1 << 36,
    d=2048,
    q_bits=53,
    base_bits=18,
    T_low=-1,
    T_high=2,
    sigma=3.2,
)
"""128 bits with room to spare: numbers up to 2^16 with 36 bits after the point.  The modulus is the largest in dimension 2048
that both tables above allow.  The set is for additions and linear maps; keys for products of ciphertexts grow as d^3."""

COMPACT_128 = IntegerVectorParameters(
    name="compact-128",
    w_bits=0,
    scale=1 << 20,
    d=1024,
    q_bits=26,
    base_bits=13,
    T_low=-1,
    T_high=2,
    sigma=3.2,
)
"""128 bits in a quarter of the space: dimension 1024 and the largest modulus there that both tables above allow, in int32.
Numbers stay below 32 and have 20 bits after the point.  A long run of additions leaves 10 or more of them above the noise."""

PRESETS = {p.name: p for p in (PAPER, PAPER_BITS, MODULUS_TOY, ADDITIVE_128, COMPACT_128)}


def preset(name: str) -> IntegerVectorParameters:
    """Return the set of this name, or raise `ParameterError` with the names that exist."""
    return find_preset(PRESETS, name)
