"""PySCF's settings where the user has none: PySCF runs this file when it is imported, and there is nothing in it."""
