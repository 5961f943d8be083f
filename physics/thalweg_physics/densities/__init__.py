"""Probability densities exp(-U): known to the last digit, so that samplers can be held to them, and one posterior."""
