"""How hard the schemes of this package are to break: what an estimate says, and what it does not say."""

from encnn.security.estimate import AttackCost, Estimate, estimate, minimum_dimension, root_hermite_factor

__all__ = ["AttackCost", "Estimate", "estimate", "minimum_dimension", "root_hermite_factor"]
