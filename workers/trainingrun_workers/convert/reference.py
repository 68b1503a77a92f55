"""nanotron's own model with the weights of a checkpoint, as what a converted model is compared with.

It is nanotron that builds the model, reads the checkpoint and computes the logits here, so that a fault in this
package's reading of either shows. Attention is torch's scaled_dot_product_attention, which takes float32 too.
"""

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

# A gang of one, which nanotron's parallel context reads.
_ALONE: Final = {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}


class Reference:
    """nanotron's Llama of one configuration; made once a process, since it joins a process group of one rank."""

    def __init__(self, config: dict[str, Any], dtype: Any) -> None:
        import torch

        self.on_gpu = torch.cuda.is_available()
        self.device = "cuda" if self.on_gpu else "cpu"
        self.stands_in = not self.on_gpu
        self._dtype = dtype
        _load_engine(self.on_gpu)
        with _devices(self.on_gpu):
            self._context = _alone(self.on_gpu)
            self._model = _build(config, dtype, self._context, torch.device(self.device))

    def load(self, checkpoint: Path) -> None:
        """Take over the weights of a checkpoint, by nanotron's own reading."""
        from nanotron.serialize.weights import load_weights

        self._model.to(self._dtype)
        with _devices(self.on_gpu):
            load_weights(model=self._model, parallel_context=self._context, root_folder=checkpoint)

    def logits(self, tokens: Any, dtype: Any) -> Any:
        """Logits of a [1, n] tensor of ids as [n, vocabulary] in float32 on the CPU, computed in `dtype`."""
        import torch

        self._model.to(dtype)
        ids = tokens.to(self.device)
        with torch.no_grad(), _devices(self.on_gpu):
            out = self._model.model(input_ids=ids, input_mask=torch.ones_like(ids, dtype=torch.bool))
        return out.transpose(0, 1)[0].float().cpu()


def _load_engine(on_gpu: bool) -> None:
    import transformers  # noqa: F401 - looks for flash_attn itself, and must not find the stand-in

    from trainingrun_workers import cpu_stand_ins
    from trainingrun_workers.nanotron_engine import flash_attention, importing

    flash_attention.install()
    if on_gpu:
        importing.prepare()
        return
    cpu_stand_ins.install()
    importing.prepare()
    cpu_stand_ins.adapt()


def _devices(on_gpu: bool) -> AbstractContextManager[Any]:
    from trainingrun_workers.cpu_stand_ins.devices import CpuForCuda

    return contextlib.nullcontext() if on_gpu else CpuForCuda()


def _alone(on_gpu: bool) -> Any:
    import torch
    from nanotron.parallel import ParallelContext

    store = torch.distributed.HashStore()
    with _environment(_ALONE):
        torch.distributed.init_process_group("nccl" if on_gpu else "gloo", store=store, rank=0, world_size=1)
        return ParallelContext(tensor_parallel_size=1, pipeline_parallel_size=1, data_parallel_size=1)


def _build(config: dict[str, Any], dtype: Any, context: Any, device: Any) -> Any:
    from nanotron.config.models_config import LlamaConfig
    from nanotron.models import build_model
    from nanotron.models.llama import LlamaForTraining
    from nanotron.trainer import mark_tied_parameters

    model = build_model(
        model_builder=lambda: LlamaForTraining(LlamaConfig(**config), parallel_context=context, parallel_config=None),
        parallel_context=context,
        dtype=dtype,
        device=device,
    )
    mark_tied_parameters(model=model, parallel_context=context)
    return model.eval()


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
