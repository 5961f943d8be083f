"""Probability densities exp(-U): known to the last digit, so that samplers can be held to them, and one posterior."""

from thalweg_physics.densities.double_well import DoubleWell
from thalweg_physics.densities.gaussian import Gaussian
from thalweg_physics.densities.logistic.logistic_regression import LogisticRegression

__all__ = ["DoubleWell", "Gaussian", "LogisticRegression"]
