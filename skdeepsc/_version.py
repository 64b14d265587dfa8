"""The version of the package, for all that is written down with it."""

__version__ = "0.1.0"
