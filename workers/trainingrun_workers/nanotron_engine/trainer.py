"""nanotron's trainer with its parts for building, loading, stepping and saving, and without its loop around them."""

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from nanotron import distributed as dist
from nanotron.models.llama import LlamaForTraining
from nanotron.serialize import save_random_states
from nanotron.serialize.metadata import save_meta
from nanotron.serialize.optimizer import save_lr_scheduler, save_optimizer
from nanotron.serialize.weights import save_weights
from nanotron.trainer import DistributedTrainer

__all__ = ["LlamaForTraining", "Trainer"]


class Trainer(DistributedTrainer):  # type: ignore[misc]
    """A trainer at a step; `config_file` says where a checkpoint to go on from lies, if any."""

    def __init__(self, config_file: Path) -> None:
        super().__init__(str(config_file))
        self._put_learning_rate_right()
        self._load_random_states()
        self._prepare_model()

    @property
    def learning_rate(self) -> float:
        """The rate that the next step uses."""
        return float(self.lr_scheduler.get_last_lr()[0])

    def advance(self, micro_batches: Iterator[dict[str, Any]]) -> tuple[Any, Any]:
        """Do the next step; yields the loss and the gradient's norm before clipping, as tensors on the device.

        The loss is the mean over the whole batch, the same on all ranks, and None on ranks of a pipeline that don't
        have it; the norm is None where gradients are not clipped.
        """
        self.iteration_step += 1
        _, loss = self.training_step(dataloader=micro_batches)
        self.consumed_train_samples += self.global_batch_size
        return loss, getattr(self, "grad_norm_unclipped", None)

    def write(self, folder: Path) -> None:
        """Write this rank's part of a checkpoint; no collective in it, so one rank can fail on its own."""
        context = self.parallel_context
        first = dist.get_rank(context.world_pg) == 0
        self.config.general.step = self.iteration_step
        self.config.general.consumed_train_samples = self.consumed_train_samples
        save_weights(model=self.unwrapped_model, parallel_context=context, root_folder=folder)
        save_optimizer(optimizer=self.optimizer, parallel_context=context, root_folder=folder)
        save_lr_scheduler(lr_scheduler=self.lr_scheduler, parallel_context=context, root_folder=folder)
        save_random_states(random_states=self.random_states, parallel_context=context, root_folder=folder)
        metas = {"last_train_step": self.iteration_step, "consumed_train_samples": self.consumed_train_samples}
        save_meta(root_folder=folder, parallel_context=context, checkpoint_metadata=metas)
        if first:
            self.config.save_as_yaml(folder / "config.yaml")
            (folder / "model_config.json").write_text(json.dumps(dataclasses.asdict(self.model_config), indent=1))

    def checkpoint_bytes(self) -> int:
        """About how large a checkpoint is: weights as they are, and in float32 weights and Adam's two moments."""
        own: int = sum(one.numel() * (one.element_size() + 12) for one in self.unwrapped_model.parameters())
        return own * int(self.config.parallelism.tp * self.config.parallelism.pp)

    def ranks(self) -> dict[str, int]:
        """The sizes of the parallel dimensions, by name."""
        parallelism = self.config.parallelism
        return {"dp": parallelism.dp, "tp": parallelism.tp, "pp": parallelism.pp}

    def _put_learning_rate_right(self) -> None:
        # nanotron 0.4 restores the schedule after the schedule's constructor has put step 0's rate into the
        # optimizer, where it would stay for the first resumed step.
        optimizer = self.optimizer
        while hasattr(optimizer, "optimizer"):
            optimizer = optimizer.optimizer
        for group, rate in zip(optimizer.param_groups, self.lr_scheduler.get_last_lr(), strict=True):
            group["lr"] = rate

    def _load_random_states(self) -> None:
        if self.init_checkpoint_path is None:
            return
        context = self.parallel_context
        parts = (("tp", context.tp_pg), ("dp", context.dp_pg), ("pp", context.pp_pg))
        name = "_".join(f"{part}-{dist.get_rank(group)}-of-{group.size()}" for part, group in parts)
        file = Path(self.init_checkpoint_path) / "random" / f"{name}.pt"
        if file.is_file():  # none where the number of ranks has changed since
            # nanotron's own classes are in it; the checkpoint is as trusted as the volume.
            for key, state in torch.load(file, weights_only=False).items():
                self.random_states[key] = state

    def _prepare_model(self) -> None:
        model = self.unwrapped_model
        model.module_id_to_prefix = {id(module): f"{name}." for name, module in model.named_modules()}
        model.module_id_to_prefix[id(model)] = ""
        self.pipeline_engine = self.config.parallelism.pp_engine
        self.pipeline_engine.nb_microbatches = self.n_micro_batches_per_batch


def join(cpu: bool, timeout: Any) -> None:
    """Join the process group of all ranks: gloo on CPU, NCCL on this rank's GPU."""
    if not cpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("gloo" if cpu else "nccl", timeout=timeout)
