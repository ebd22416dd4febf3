"""The cost of a run: an estimate before it starts, and measurements of it."""

from encnn.costs.estimate import Cost, announce, estimate_cost
from encnn.costs.task import Task

__all__ = ["Cost", "Task", "announce", "estimate_cost"]
