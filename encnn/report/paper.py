"""The numbers of the paper's Tables II and III, in one place."""

CORRECT = {"Non-PP": 20523, "PP": 18799}
"""Table III: the numbers of reviews trained correctly, without and with encryption."""
PERCENT = {"Non-PP": 82.0, "PP": 75.1}
"""The percentages that the paper prints beside them; they are cut off, not rounded."""
REVIEWS = 25000
"""The number of training reviews."""
LEARNING_RATE = 0.001
SCALE = 1000
"""The scaling factor, which makes integers of real numbers."""
