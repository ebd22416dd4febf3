"""Measurements of speed, as ratios to the clear twin that is measured in the same run."""
