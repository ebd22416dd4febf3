"""Tables and figures: numbers in, DataFrame or Figure out; and what a run will cost, told before it starts."""

from encnn.report.costs import Cost, Task, announce, estimate_cost

__all__ = ["Cost", "Task", "announce", "estimate_cost"]
