"""What a run will take: parameters, tokens, disk and GPU-days, by the formulas that the run itself is checked with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trainingrun.api import gpu_memory
from trainingrun.api.nanotron_size import flops_per_token, token_bytes
from trainingrun.stages.context import Context

# Dense bfloat16 in TFLOP/s, by NVIDIA's data sheets (SXM; PCIe for the L40S).
PEAKS: Final[Mapping[str, float]] = {"a100": 312.0, "h100": 989.0, "h200": 989.0, "b200": 2250.0, "l40s": 362.0}
UTILIZATION: Final = 0.35  # share of the peak that training is taken to reach
# Of a parameter in a checkpoint that accumulates gradients in float32: weights in bfloat16, and in float32 the
# optimizer's copy of them and its two moments. The quickstart's checkpoint measures 14.2 of them.
CHECKPOINT_BYTES: Final = {"bfloat16": 14, "float16": 14, "float32": 16}
MODEL_BYTES: Final = {"bfloat16": 2, "float16": 2, "float32": 4}
ROOM: Final = 1.2  # of a claim, relative to what will lie on it
_GI: Final = 2**30


@dataclass(frozen=True)
class Speed:
    """How fast training is taken to go."""

    gpu: str
    utilization: float = UTILIZATION

    @property
    def tflops(self) -> float:
        """TFLOP/s of a GPU that training uses."""
        return PEAKS[self.gpu] * self.utilization

    @property
    def words(self) -> str:
        """The assumption, for people."""
        return (
            f"{self.gpu.upper()} at {self.utilization:.0%} of its {PEAKS[self.gpu]:g} TFLOP/s in bfloat16: an "
            "assumption, not a measurement"
        )


@dataclass(frozen=True)
class Figures:
    """The sizes of a run; bytes where nothing else is said."""

    parameters: int
    steps: int
    tokens_per_step: int
    token_files: int  # every token that is trained on once; fewer where sources are shorter
    checkpoints: int  # all that are kept at the end, and the one that is being written
    models: int  # converted checkpoints, and the released model
    gpus: int
    gpu_days: float
    speed: Speed
    engine: str
    gpu_memory: float | None  # that each GPU needs; None on CPU

    @property
    def tokens(self) -> int:
        """Tokens that are trained on."""
        return self.steps * self.tokens_per_step

    @property
    def disk(self) -> int:
        """All of it, without raw text and without checkpoints of variants."""
        return self.token_files + self.checkpoints + self.models

    @property
    def days(self) -> float:
        """Days that training takes on all GPUs."""
        return self.gpu_days / max(self.gpus, 1)

    @property
    def claim(self) -> str:
        """A claim that has room for it, as a quantity."""
        return claim_for(self.disk)

    def document(self) -> dict[str, Any]:
        """The figures for scripts."""
        return {
            "parameters": self.parameters, "steps": self.steps, "tokensPerStep": self.tokens_per_step,
            "tokens": self.tokens, "diskBytes": self.disk, "tokenFileBytes": self.token_files,
            "checkpointBytes": self.checkpoints, "modelBytes": self.models, "gpus": self.gpus,
            "gpuMemoryBytes": None if self.gpu_memory is None else round(self.gpu_memory),
            "gpuDays": round(self.gpu_days, 1), "gpuHours": round(self.gpu_days * 24, 1),
            "days": round(self.days, 1), "assumption": self.speed.words,
        }  # fmt: skip


def figures(context: Context, speed: Speed, unique_tokens: int | None = None) -> Figures:
    """The figures of a run that passes its checks; `unique_tokens` is how many tokens its sources have, if known."""
    translated, spec = context.translated.pretrain, context.run.spec
    values = _flat(translated.config)
    dtype = values["model.dtype"]
    tokens = translated.total_steps * translated.tokens_per_step
    per_token = flops_per_token(values, translated.sequence_length)
    kept, gpus = spec.pretrain.checkpoints, spec.pretrain.nodes * spec.pretrain.gpus_per_node
    steps_kept = kept.keep_last + (translated.total_steps // kept.keep_every if kept.keep_every else 0) + 1
    saved = min(steps_kept, math.ceil(translated.total_steps / translated.checkpoint_every) + 1)
    return Figures(
        parameters=translated.parameters,
        steps=translated.total_steps,
        tokens_per_step=translated.tokens_per_step,
        token_files=min(tokens, unique_tokens or tokens) * token_bytes(translated.vocab_size),
        checkpoints=saved * translated.parameters * CHECKPOINT_BYTES[dtype],
        models=(converted(context) + 1) * translated.parameters * MODEL_BYTES[dtype],
        gpus=gpus,
        gpu_days=tokens * per_token / (speed.tflops * 1e12) / 86_400,
        speed=speed,
        engine=spec.pretrain.engine,
        gpu_memory=gpu_memory.of_run(values, spec.pretrain.engine, gpus) if gpus else None,
    )


def converted(context: Context) -> int:
    """How many checkpoints become models: as many as plan.preview.due has."""
    total, evaluate = context.translated.pretrain.total_steps, context.run.spec.evaluate
    chosen = evaluate.checkpoints if evaluate is not None else None
    return 1 if chosen is None else math.ceil(total / chosen.every) + chosen.initial


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in config.items():
        path = f"{prefix}{key}"
        found |= _flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return found


def claim_for(size: int) -> str:
    """A round quantity with room for so many bytes and a fifth more."""
    needed = max(1, math.ceil(size * ROOM / _GI))
    step = 10 ** max(0, len(str(needed)) - 2)
    return f"{math.ceil(needed / step) * step}Gi"


def short(number: float) -> str:
    """A number in words: 437.8 M, 2.1 T."""
    for least, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if number >= least:
            return f"{number / least:.4g} {unit}"
    return f"{number:,.0f}"


def size(number: int) -> str:
    """Bytes in words, as claims count them."""
    for least, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB")):
        if number >= least:
            return f"{number / least:.3g} {unit}"
    return f"{number:,} bytes"
