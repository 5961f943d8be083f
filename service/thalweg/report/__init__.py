"""Reports: one job, or several side by side, as a page that a person likes to look at."""

from thalweg.report.page import write
from thalweg.report.record import Record

__all__ = ["Record", "write"]
