"""Physics: magnets with their dynamics, and probability densities with known truths."""
