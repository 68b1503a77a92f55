"""Sft stages as a pod runs them, with a tiny Llama and conversations made here."""

import copy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pyarrow
import pyarrow.ipc
from tokenizers import Tokenizer

from engine.pretrain_runs import Pod, wait_until
from engine.stage_runs import EXAMPLE, StageRun
from trainingrun_workers import processes
from trainingrun_workers.contract import SftSpec

FOLDER: Final = "artifacts/sft/aaaa"
BASE: Final = "artifacts/convert/bbbb/step-00000300"
STEPS: Final = 60  # in two epochs
LENGTH: Final = 128
ROWS: Final = 300
UNLABELLED: Final = -100
TEMPLATE: Final = (
    '{%- for message in messages -%}{{- "<|im_start|>" + message.role + "\\n" + message.content + "<|im_end|>" + "\\n"'
    ' -}}{%- endfor -%}{%- if add_generation_prompt -%}{{- "<|im_start|>assistant\\n" -}}{%- endif -%}'
)
CONFIG: Final[dict[str, Any]] = {
    "attn_implementation": "sdpa", "bf16": False, "fp16": False, "tf32": False, "auto_resume_from_checkpoints": True,
    "chat_template": "jinja", "chat_template_jinja": TEMPLATE,
    "datasets": [{
        "path": "chats.jsonl", "ds_type": "json", "type": "chat_template", "field_messages": "conversation",
        "roles_to_train": ["assistant"], "train_on_eos": "turn",
    }],
    "sequence_len": LENGTH, "sample_packing": True, "pad_to_sequence_len": True, "optimizer": "adamw_torch_fused",
    "learning_rate": 0.01, "lr_scheduler": "cosine", "warmup_steps": 4, "micro_batch_size": 1,
    "gradient_accumulation_steps": 4, "num_epochs": 4, "max_steps": STEPS, "save_steps": 10, "save_total_limit": 2,
    "logging_steps": 1, "special_tokens": {"pad_token": "<|pad|>", "eos_token": "<|im_end|>"},
}  # fmt: skip
MAKE_MODEL: Final = """
import sys, torch
from transformers import LlamaConfig, LlamaForCausalLM
torch.manual_seed(1)
config = LlamaConfig(vocab_size=4096, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                     num_key_value_heads=2, max_position_embeddings=128, tie_word_embeddings=True)
LlamaForCausalLM(config).save_pretrained(sys.argv[1])
"""
READ_MODELS: Final = """
import json, sys
from transformers import AutoModelForCausalLM, AutoTokenizer
chat = [{"role": "user", "content": "Hi"}]
asked = []
for model in sys.argv[1:]:
    tokenizer = AutoTokenizer.from_pretrained(model)
    AutoModelForCausalLM.from_pretrained(model)
    asked.append(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
print(json.dumps(asked))
"""


def conversation(number: int, length: int = 1) -> dict[str, Any]:
    """A row whose answer follows from its question; ids of the tokenizer are spent on few words, so it is learnt."""
    word = ("red", "green", "blue")[number % 3]
    messages = [("user", f"Say {word}."), ("assistant", f"It is {word}. " * length), ("user", "And?")]
    messages.append(("assistant", f"Still {word}."))
    return {"conversation": [{"role": role, "content": content} for role, content in messages]}


def make_base(python: Path, folder: Path) -> Path:
    """A tiny Llama with the quickstart's tokenizer."""
    shutil.copytree(EXAMPLE / "tokenizer", folder, dirs_exist_ok=True)
    subprocess.run([python, "-c", MAKE_MODEL, folder], check=True, capture_output=True)
    return folder


def make_stage(python: Path, base: Path, root: Path) -> StageRun:
    """A stage on a volume with conversations, of which two are too long."""
    volume = root / "volume"
    shutil.copytree(base, volume / BASE)
    rows = [conversation(number, length=60 if number in (7, 8) else 1 + number % 2) for number in range(ROWS)]
    (volume / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return StageRun(python, "sft", volume, FOLDER)


def spec(**changes: Any) -> SftSpec:
    """A stage of `CONFIG` with some keys changed."""
    config = copy.deepcopy(CONFIG) | changes
    return SftSpec(base=BASE, config=config, nodes=1, processes_per_node=1, cpu=True, hang_timeout=120)


def start(run: StageRun, until_step: int, given: SftSpec | None = None, steps: int = STEPS) -> Pod:
    """Start an attempt; yields once it has done a step."""
    pod = run.start(given or spec())
    wait_until(lambda: f"step {until_step}/{steps}" in pod.log.read_text() or pod.process.poll() is not None, 200)
    return pod


def rank(pod: Pod) -> int:
    """The process id of the pod's rank, which is the last that its main process has below it."""
    return processes.descendants(pod.process.pid)[-1]


def ask(python: Path, program: str, *arguments: Path) -> Any:
    """What a program prints as JSON."""
    command = [str(python), "-c", program, *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def trained_texts(prepared: Path, base: Path) -> list[str]:
    """The text of each prepared row that is trained on."""
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    (rows,) = prepared.glob("*/*.arrow")
    with pyarrow.memory_map(str(rows)) as source:
        labels = pyarrow.ipc.open_stream(source).read_all().column("labels").to_pylist()
    return [tokenizer.decode([one for one in row if one != UNLABELLED], skip_special_tokens=False) for row in labels]


def curve(run: StageRun) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, without what depends on the clock."""
    lines = [json.loads(line) for line in (run.volume / run.folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("time", "tokensPerSecond")} for line in lines]


def snapshot_text(stage: StageRun) -> str:
    """What the pod last said of itself, empty before it has."""
    file = stage.volume / f"runs/here/tiny/snapshots/sft-a{stage.attempt}-0.json"
    return file.read_text() if file.is_file() else ""
