"""Arithmetic that the schemes share: random numbers, integers modulo q, digits, sums of rows, placement of arrays."""
