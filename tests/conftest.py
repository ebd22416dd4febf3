"""Settings that hold for every test."""

import matplotlib
from hypothesis import settings

matplotlib.use("Agg")

# Ciphertext operations vary in time from machine to machine, so a deadline would make tests fail at random.
settings.register_profile("encnn", deadline=None)
settings.load_profile("encnn")
