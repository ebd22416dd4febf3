"""The exit status of the command."""

DONE = 0
FAILED = 1
"""An error of the package or of the system, told in one sentence.  (2 is wrong usage.)"""
STOPPED = 130
"""Ctrl-C."""
