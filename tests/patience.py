"""Waiting in tests: generous, and scaled by `TIMEOUT_FACTOR`. No wait decides what a test finds."""

from devservers.patience import FACTOR, TIMEOUT, until, until_true, within

__all__ = ["FACTOR", "TIMEOUT", "until", "until_true", "within"]
