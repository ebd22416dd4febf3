"""What a run will cost, told before it starts; and what it did cost."""

from encnn.costs.model import Cost, Task, announce, estimate_cost

__all__ = ["Cost", "Task", "announce", "estimate_cost"]
