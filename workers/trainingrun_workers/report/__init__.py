"""The report stage: all models of a run compared, also with others, and how training went, on one page."""

from trainingrun_workers.report.stage import run

__all__ = ["run"]
