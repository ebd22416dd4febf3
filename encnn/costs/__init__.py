"""What a run will cost, told before it starts; and what it did cost."""

from encnn.costs.estimate import Cost, announce, estimate_cost
from encnn.costs.task import Task

__all__ = ["Cost", "Task", "announce", "estimate_cost"]
