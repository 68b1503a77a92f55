"""Pretrain stages as a pod runs them, with a tiny Llama on token folders made here, on this machine's CPU."""

import array
import contextlib
import copy
import dataclasses
import hashlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from trainingrun_workers import processes
from trainingrun_workers.contract import DataSource, DataStage, PretrainSpec, Result, RunReference, StageInput
from trainingrun_workers.pretrain.checkpoints import Checkpoints
from trainingrun_workers.volume import mark_complete

WORKERS: Final = Path(__file__).parents[2] / "workers"
VOCABULARY: Final = 64
SEQUENCE: Final = 16
BATCH: Final = 8  # samples a step
STEPS: Final = 12
FOLDER: Final = "artifacts/pretrain/aaaa"
RUN_FOLDER: Final = "runs/here/tiny"
KEPT: Final = ("step", "loss", "learningRate", "gradientNorm", "tokens")  # of a curve's line, whatever the clock says

CONFIG: Final[dict[str, Any]] = {
    "general": {"project": "tiny", "run": "tiny", "seed": 42, "ignore_sanity_checks": True},
    "logging": {"iteration_step_info_interval": 1, "log_level": "warning", "log_level_replica": "warning"},
    "model": {
        "ddp_bucket_cap_mb": 25,
        "dtype": "bfloat16",
        "init_method": {"std": 0.1},
        "make_vocab_size_divisible_by": 1,
        "model_config": {
            "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "silu", "hidden_size": 32, "initializer_range": 0.02,
            "intermediate_size": 64, "is_llama_config": True, "max_position_embeddings": SEQUENCE,
            "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2, "pad_token_id": None,
            "pretraining_tp": 1, "rms_norm_eps": 1e-5, "rope_scaling": None, "tie_word_embeddings": True,
            "use_cache": True, "vocab_size": VOCABULARY,
        },
    },
    "optimizer": {
        "accumulate_grad_in_fp32": True, "adam_beta1": 0.9, "adam_beta2": 0.95, "adam_eps": 1e-8, "clip_grad": 1.0,
        "learning_rate_scheduler": {
            "learning_rate": 0.01, "lr_decay_starting_step": 8, "lr_decay_steps": 4, "lr_decay_style": "linear",
            "lr_warmup_steps": 3, "lr_warmup_style": "linear", "min_decay_lr": 1e-5,
        },
        "torch_adam_is_fused": True, "weight_decay": 0.01, "zero_stage": 0,
    },
    "parallelism": {
        "dp": 1, "pp": 1, "pp_engine": "1f1b", "tp": 1, "tp_linear_async_communication": False, "tp_mode": "ALL_REDUCE",
    },
    "tokenizer": {"tokenizer_name_or_path": "tokenizer"},
    "tokens": {
        "batch_accumulation_per_replica": 2, "limit_test_batches": 0, "limit_val_batches": 0, "micro_batch_size": 4,
        "sequence_length": SEQUENCE, "train_steps": STEPS, "val_check_interval": -1,
    },
}  # fmt: skip


def make_tokens(folder: Path, tokens: int, seed: int) -> None:
    """A finished token folder of a text that can be learnt: most tokens follow from the one before."""
    folder.mkdir(parents=True)
    draw = random.Random(seed)
    ids = [0]
    while len(ids) < tokens:
        ids.append((ids[-1] * 5 + 3) % VOCABULARY if draw.random() < 0.9 else draw.randrange(VOCABULARY))
    ids[-1] = 0  # as each token file ends with an end of text
    (folder / "00000.ds").write_bytes(array.array("H", ids).tobytes())
    mark_complete(folder, {"tokens": len(ids), "files": ["00000.ds"]})


@dataclass
class Pod:
    """A pod's main process and what it left."""

    process: subprocess.Popen[bytes]
    words: Path
    log: Path

    def wait(self, seconds: float = 180) -> Result:
        """The pod's last words, which say what its exit code says."""
        self.process.wait(seconds)
        result = Result.from_text(self.words.read_text()) if self.words.is_file() else None
        assert result is not None, self.log.read_text()[-4000:]
        assert result.exit_code == self.process.returncode
        return result

    def ranks(self) -> list[int]:
        """The process ids of its ranks that have started Python."""
        return sorted(one for one in processes.descendants(self.process.pid) if _is_rank(one))

    def end(self) -> None:
        """Leave nothing of it running."""
        if self.process.poll() is None:
            for one in (*processes.descendants(self.process.pid), self.process.pid):
                kill(one)
            self.process.wait()


@dataclass
class PretrainRun:
    """A stage on a volume of its own; each `start` is an attempt."""

    python: Path
    root: Path
    ranks: int = 1
    nodes: int = 1
    config: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(CONFIG))
    spec: dict[str, Any] = field(default_factory=dict)
    attempt: int = 0
    report_url: str | None = None
    volume: Path = field(init=False)
    pods: list[Pod] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.volume = self.root / "volume"
        world = self.ranks * self.nodes
        self.config["parallelism"]["dp"] = world
        self.config["tokens"]["batch_accumulation_per_replica"] = 2 // world
        make_tokens(self.volume / "tokens/en", 6000, 1)
        make_tokens(self.volume / "tokens/it", 3000, 2)

    @property
    def folder(self) -> Path:
        return self.volume / FOLDER

    @property
    def store(self) -> Checkpoints:
        """The checkpoints on its volume."""
        return Checkpoints(self.folder / "checkpoints")

    def start(self, node: int = 0, **environment: str) -> Pod:
        """Start a pod's main process, as its container's entry does."""
        own = self.root / f"pod-{self.attempt}-{node}"
        own.mkdir()
        (own / "input.json").write_text(self._input().to_json())
        variables = {
            **os.environ,
            "PYTHONPATH": str(WORKERS),
            "TRAININGRUN_VOLUME": str(self.volume),
            "TRAININGRUN_INPUT": str(own / "input.json"),
            "TRAININGRUN_TERMINATION_LOG": str(own / "words.json"),
            "PET_NNODES": str(self.nodes),
            "PET_NODE_RANK": str(node),
            "GLOO_SOCKET_IFNAME": "lo",
            "TMPDIR": str(own),
            **environment,
        }
        with (own / "log").open("wb") as log:
            command = [str(self.python), "-m", "trainingrun_workers", "pretrain"]
            process = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT)
        self.pods.append(Pod(process, own / "words.json", own / "log"))
        return self.pods[-1]

    def run(self, **environment: str) -> Result:
        """One attempt to its end."""
        result = self.start(0, **environment).wait()
        self.attempt += 1
        return result

    def until_trained(self, pod: Pod, step: int) -> None:
        """Wait until a step is saved; an error where the pod ends before."""
        wait_until(lambda: (self.store.newest() or 0) >= step or pod.process.poll() is not None)
        assert pod.process.poll() is None, pod.log.read_text()[-4000:]

    def end_early(self, step: int) -> None:
        """Let the next attempt end at a step."""
        self.attempt += 1
        self.config["tokens"]["train_steps"] = step

    def curve(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, without what depends on the clock."""
        return [{key: value for key, value in line.items() if key in KEPT} for line in self.lines()]

    def lines(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl as they are."""
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]

    def checkpoints(self) -> list[str]:
        """The names in the folder of checkpoints."""
        return sorted(path.name for path in self.store.folder.iterdir())

    def weights(self, step: int) -> str:
        """A checksum of a checkpoint's weights, without the files' headers, whose keys come in any order."""
        digest = hashlib.sha256()
        for path in sorted((self.folder / f"checkpoints/step-{step:08d}/model").rglob("*.safetensors")):
            data = path.read_bytes()
            digest.update(data[8 + int.from_bytes(data[:8], "little") :])
        return digest.hexdigest()

    def end(self) -> None:
        """Leave nothing of it running."""
        for pod in self.pods:
            pod.end()

    def _input(self) -> StageInput:
        data = DataStage("all", 1, 6, (DataSource("en", "tokens/en", 0.7), DataSource("it", "tokens/it", 0.3)))
        spec = PretrainSpec(
            config=self.config, data=(data,), token_bytes=2, total_steps=self.config["tokens"]["train_steps"],
            tokens_per_step=BATCH * SEQUENCE, nodes=self.nodes, processes_per_node=self.ranks, cpu=True,
            checkpoint_every=4, keep_last=10, keep_every=None, evaluate_every=None, converted=None, hang_timeout=120,
        )  # fmt: skip
        return StageInput(
            run=RunReference("here", "tiny", "uid-1"), stage="pretrain", kind="pretrain", attempt=self.attempt,
            folder=FOLDER, run_folder=RUN_FOLDER, report_url=self.report_url, report_seconds=0.2,
            grace_seconds=20, spec=dataclasses.replace(spec, **self.spec),
        )  # fmt: skip


def wait_until(condition: Callable[[], bool], seconds: float = 120, pause: float = 0.05) -> None:
    """Until something is so; an error after a while."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)


# Ways in which the torch engine trains: ranks, zero_stage, tp.
PLANS: Final = {
    "alone": (1, 0, 1), "fsdp2": (2, 1, 1), "tensors": (2, 0, 2), "three": (3, 0, 1), "three-cut": (3, 1, 1),
}  # fmt: skip


def torch_run(python: Path, root: Path, plan: str = "alone") -> PretrainRun:
    """A run of the torch engine in one of its ways."""
    ranks, zero, tp = PLANS[plan]
    run = PretrainRun(python, root, ranks=ranks)
    run.spec["engine"] = "torch"
    run.config["optimizer"]["zero_stage"] = zero
    run.config["parallelism"] |= {"dp": ranks // tp, "tp": tp}
    return run


def slowly(run: PretrainRun, steps: int = 2000) -> PretrainRun:
    """The same run with so many steps that it is still going on when something is done to it."""
    run.config["tokens"]["train_steps"] = steps
    run.config["logging"]["iteration_step_info_interval"] = 5
    run.spec["checkpoint_every"] = 10
    return run


def kill(process: int) -> None:
    """As the kernel does when memory runs out."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _is_rank(process: int) -> bool:
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"trainingrun_workers.pretrain.rank" in command and b"torch.distributed.run" not in command
