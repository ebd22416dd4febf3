"""Speed as ratios against the clear twin, measured in the same run."""
