"""The errors that this package raises on purpose, and its warnings.

Each message says what was wrong, what was expected, and what to do about it.
"""


class EncnnError(Exception):
    """Base of all errors raised on purpose by encnn."""


class ParameterError(EncnnError, ValueError):
    """Parameters that contradict each other, or that cannot keep 64-bit arithmetic exact."""


class CapabilityError(EncnnError, NotImplementedError):
    """An operation that the scheme, or these parameters of it, cannot do."""


class MissingKeyError(EncnnError, LookupError):
    """An operation needs an evaluation key that the owner did not make."""


class KeyMismatchError(EncnnError, ValueError):
    """A ciphertext, file or message that belongs to another key or to other parameters."""


class CiphertextOverflowError(EncnnError, OverflowError):
    """A ciphertext would leave the range of exact 64-bit arithmetic."""


class DivergenceError(EncnnError, ArithmeticError):
    """Training left the range of its sigmoid or of its ciphertexts, or the owner could not use what it decrypted."""


class FileError(EncnnError, ValueError):
    """A file that is damaged, foreign, or of another kind or version."""


class InsecureWarning(UserWarning):
    """Parameters that protect nothing are used, and nobody said that this is meant."""


class SpeedWarning(UserWarning):
    """Something that is not installed would make this many times as fast."""


class DataWarning(UserWarning):
    """Reviews or labels that can be used, but are probably not what the caller meant."""


class DataError(EncnnError, ValueError):
    """Reviews, labels or archives that cannot be used as they are."""
