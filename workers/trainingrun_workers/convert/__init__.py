"""The convert stage: checkpoints of the pretrain stage become Hugging Face folders, each checked by its logits."""

from trainingrun_workers.convert.stage import run

__all__ = ["run"]
