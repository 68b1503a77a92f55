"""Builds, steps, saves and restores a model on all ranks, which hold it as `parallel` says."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as distributed
from torch import nn

from trainingrun_workers.contract import PretrainSpec
from trainingrun_workers.torch_engine import saved
from trainingrun_workers.torch_engine.model import Llama, Shape, initialise
from trainingrun_workers.torch_engine.parallel import Plan, wrapped
from trainingrun_workers.torch_engine.schedule import learning_rate

_TYPES: Final = {"bfloat16": torch.bfloat16, "float32": torch.float32}
_BYTES_A_PARAMETER: Final = 12  # in float32: weights and Adam's two moments


class Trainer:
    """A trainer at a step; `resume` is the folder of a checkpoint of this engine to go on from."""

    def __init__(self, spec: PretrainSpec, resume: tuple[int, Path] | None) -> None:
        self._spec, self._config = spec, spec.config
        self._device = torch.device("cpu" if spec.cpu else f"cuda:{torch.cuda.current_device()}")
        self._dtype = _TYPES[self._config["model"]["dtype"]]
        model_config = self._config["model"]["model_config"]
        self.llama = Llama(Shape.of(model_config), bool(self._config["parallelism"].get("recompute_layer")))
        if resume is None:
            initialise(self.llama, self._config["model"]["init_method"]["std"], self._config["general"]["seed"])
        self.llama.to(self._device)
        self._plan = Plan.of(self._config, distributed.get_world_size())
        bucket = self._config["model"]["ddp_bucket_cap_mb"]
        self._model = wrapped(self.llama, self._plan, self._device, self._dtype, bucket)
        self._optimizer = _optimizer(self._config["optimizer"], self.llama)
        self._saver = saved.Saver(self.llama, self._optimizer, self._dtype, on_gpu=not spec.cpu)
        self.iteration_step = 0
        if resume is not None:
            self.iteration_step, folder = resume
            saved.load(folder, self.llama, self._optimizer)

    @property
    def model(self) -> Any:
        """The module that is called, as it is wrapped."""
        return self._model

    @property
    def learning_rate(self) -> float:
        """The rate that the next step uses."""
        return learning_rate(self._config["optimizer"]["learning_rate_scheduler"], self.iteration_step)

    def advance(self, micro_batches: Iterator[dict[str, Any]]) -> tuple[Any, Any]:
        """Do the next step; yields the loss over the whole batch and the gradient's norm before clipping."""
        batches = list(micro_batches)
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate
        total = torch.zeros((), device=self._device)
        for number, batch in enumerate(batches, 1):
            with self._syncing(number == len(batches)), self._precision():
                loss = self._model(batch["input_ids"], batch["label_ids"]) * batch["weight"]
            loss.backward()
            total += loss.detach()
        norm = self._clip()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.iteration_step += 1
        distributed.all_reduce(total)
        return total / distributed.get_world_size(), norm

    def write(self, folder: Path) -> None:
        """Write this rank's part of a checkpoint; OSError where any rank fails."""
        self._saver.write(folder)
        self._describe(folder)

    def stage(self) -> Callable[[Path], None]:
        """Copy this rank's part into the host's memory; yields what writes it, from any thread, as `write` does."""
        write = self._saver.stage()

        def write_copy(folder: Path) -> None:
            write(folder)
            self._describe(folder)

        return write_copy

    def checkpoint_bytes(self) -> int:
        """About how large a checkpoint is: the model in its own type, and in float32 weights and two moments."""
        count = sum(one.numel() for one in self.llama.parameters())
        return int(count * (_BYTES_A_PARAMETER + self._dtype.itemsize))

    def ranks(self) -> dict[str, int]:
        """The sizes of the parallel dimensions, by name."""
        return {"dp": self._plan.dp, "tp": self._plan.tp, "pp": 1}

    def _describe(self, folder: Path) -> None:
        if distributed.get_rank() == 0:
            (folder / "config.json").write_text(json.dumps(self._config, indent=1))
            model_config = self._config["model"]["model_config"]
            (folder / "model_config.json").write_text(json.dumps(model_config, indent=1))

    @contextlib.contextmanager
    def _syncing(self, last: bool) -> Iterator[None]:
        """Gradients go to the other ranks with the last micro batch alone."""
        if self._plan.sharded:
            self._model.set_requires_gradient_sync(last)
        elif isinstance(self._model, nn.parallel.DistributedDataParallel):
            self._model.require_backward_grad_sync = last
        yield

    def _precision(self) -> Any:
        # FSDP2 casts by its own policy; elsewhere weights stay in float32 and products are in the model's type.
        if self._plan.sharded or self._dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, self._dtype)

    def _clip(self) -> Any:
        limit = self._config["optimizer"]["clip_grad"]
        if limit is None:
            return None
        norm = nn.utils.clip_grad_norm_(self.llama.parameters(), limit)
        return norm.full_tensor() if hasattr(norm, "full_tensor") else norm


def _optimizer(config: dict[str, Any], model: Llama) -> Any:
    return torch.optim.AdamW(
        model.parameters(), lr=0.0, betas=(config["adam_beta1"], config["adam_beta2"]), eps=config["adam_eps"],
        weight_decay=config["weight_decay"], fused=bool(config["torch_adam_is_fused"]),
    )  # fmt: skip
