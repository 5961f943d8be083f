"""Magnets: unit spins on a regular grid, their energy terms, their dynamics, their pictures."""
