"""The version of thalweg."""

__version__ = "0.1.0"
