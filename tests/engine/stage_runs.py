"""Convert, evaluate and sft stages as a pod runs them, on a volume made by the test."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from engine.pretrain_runs import WORKERS, Pod
from trainingrun_workers.contract import Result, RunReference, Spec, StageInput

EXAMPLE: Final = Path(__file__).parents[2] / "examples/quickstart/data"


@dataclass
class StageRun:
    """A stage of one kind on a volume; each `start` is an attempt."""

    python: Path
    kind: str
    volume: Path
    folder: str
    attempt: int = field(default=0, init=False)

    def start(self, spec: Spec, **environment: str) -> Pod:
        """Start the pod's main process, as its container's entry does."""
        command, variables, own = self.prepare(spec)
        with (own / "log").open("wb") as log:
            process = subprocess.Popen(command, env=variables | environment, stdout=log, stderr=subprocess.STDOUT)
        return Pod(process, own / "words.json", own / "log")

    def prepare(self, spec: Spec) -> tuple[list[str], dict[str, str], Path]:
        """The next attempt's command, its environment and a folder of its own."""
        self.attempt += 1
        own = self.volume.parent / f"{self.kind}-{self.folder.replace('/', '-')}-{self.attempt}"
        own.mkdir()
        stage_input = StageInput(
            run=RunReference("here", "tiny", "uid-1"), stage=self.kind, kind=self.kind, attempt=self.attempt,
            folder=self.folder, run_folder="runs/here/tiny", report_url=None, report_seconds=0.2, grace_seconds=30,
            spec=spec,
        )  # fmt: skip
        (own / "input.json").write_text(stage_input.to_json())
        variables = {
            **os.environ,
            "PYTHONPATH": str(WORKERS),
            "TRAININGRUN_VOLUME": str(self.volume),
            "TRAININGRUN_INPUT": str(own / "input.json"),
            "TRAININGRUN_TERMINATION_LOG": str(own / "words.json"),
            "TMPDIR": str(own),
        }
        return [str(self.python), "-m", "trainingrun_workers", self.kind], variables, own

    def run(self, spec: Spec, seconds: float = 150, **environment: str) -> Result:
        """One attempt to its end."""
        return self.start(spec, **environment).wait(seconds)

    def snapshot(self) -> dict[str, Any]:
        """What the pod last said of itself."""
        snapshot: dict[str, Any] = json.loads(
            (self.volume / f"runs/here/tiny/snapshots/{self.kind}-a{self.attempt}-0.json").read_text()
        )
        return snapshot

    def log(self) -> str:
        """What the last attempt printed."""
        return (self.volume.parent / f"{self.kind}-{self.folder.replace('/', '-')}-{self.attempt}" / "log").read_text()


MAKE_MODELS: Final = """
import sys, torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
tokenizer, dtype, *models = sys.argv[1:]
for folder, seed in zip(models[::2], models[1::2]):
    torch.manual_seed(int(seed))
    config = LlamaConfig(
        vocab_size=4096, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, bos_token_id=0, eos_token_id=1, tie_word_embeddings=True,
        initializer_range=0.1,
    )
    LlamaForCausalLM(config).to(getattr(torch, dtype)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)
"""


def make_models(python: Path, seeds: dict[Path, int], dtype: str = "bfloat16") -> None:
    """Llamas of random weights with the quickstart's tokenizer, as transformers writes them, by folder."""
    models = [text for folder, seed in seeds.items() for text in (str(folder), str(seed))]
    command = [str(python), "-c", MAKE_MODELS, str(EXAMPLE / "tokenizer"), dtype, *models]
    subprocess.run(command, check=True, capture_output=True)
