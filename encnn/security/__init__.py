"""Estimates of how hard the schemes of this package are to break, and what these estimates leave out."""

from encnn.security.estimate import AttackCost, Estimate, estimate, minimum_dimension, root_hermite_factor

__all__ = ["AttackCost", "Estimate", "estimate", "minimum_dimension", "root_hermite_factor"]
