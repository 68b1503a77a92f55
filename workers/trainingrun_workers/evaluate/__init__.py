"""The evaluate stage: lm-eval scores models and, where they are checkpoints of one run, draws them over steps."""

from trainingrun_workers.evaluate.stage import run

__all__ = ["run"]
