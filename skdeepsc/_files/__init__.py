"""What leaves the process: files of estimators that can be opened without trusting them."""

from ._saved import load, save

__all__ = ["load", "save"]
