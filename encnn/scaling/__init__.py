"""Longer and larger runs: checkpoints, the workers of a cluster, several organisations."""
