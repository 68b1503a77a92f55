"""The release stage, run as a process of an interpreter with torch, and a volume for it."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from trainingrun_workers.contract import ReleaseSpec, Result, RunReference, StageInput

ROOT = Path(__file__).parents[2]
TOKENIZER = ROOT / "examples/quickstart/data/tokenizer"
TEMPLATE = (
    "{%- for message in messages -%}"
    '{{- "<|im_start|>" + message.role + "\\n" + message.content + "<|im_end|>" + "\\n" -}}'
    "{%- endfor -%}"
    '{%- if add_generation_prompt -%}{{- "<|im_start|>assistant\\n" -}}{%- endif -%}'
)
MAKE_MODEL = """
import sys, torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
torch.manual_seed(0)
config = LlamaConfig(vocab_size=4096, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                     num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=True, use_cache=False,
                     bos_token_id=0, eos_token_id=1)
LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(sys.argv[1])
"""
MANIFEST = "kind: TrainingRun\n"
SCORES = {
    "model": "step-00000900", "step": 900, "harness": "0.4.13", "seed": 1234,
    "tasks": {
        "continuation_en": {"acc": 0.41, "acc_stderr": 0.02, "acc_norm": 0.43, "acc_norm_stderr": 0.021},
        "held_out_en": {"bits_per_byte": 2.345678901234567},
    },
    "versions": {"continuation_en": 1, "held_out_en": 1},
    "fewshot": {"continuation_en": 0, "held_out_en": 0},
    "samples": {"continuation_en": 400, "held_out_en": 100},
}  # fmt: skip


def make_model(python: str, folder: Path) -> Path:
    """A tiny Llama with the quickstart's tokenizer, with what the making of a model leaves in its folder."""
    subprocess.run([python, "-c", MAKE_MODEL, folder], check=True, stdout=subprocess.DEVNULL)
    shutil.copytree(TOKENIZER, folder, dirs_exist_ok=True)
    (folder / "optimizer.pt").write_bytes(b"not for users")
    (folder / "model.safetensors").chmod(0o600)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "_name_or_path": "/volume/artifacts/sft/x"}))
    return folder


def fill_volume(volume: Path, model: Path) -> Path:
    shutil.copytree(model, volume / "artifacts/convert/x/step-00000900")
    evaluation = volume / "artifacts/evaluate/x"
    evaluation.mkdir(parents=True)
    (evaluation / "step-00000900.json").write_text(json.dumps(SCORES))
    (evaluation / "progression.md").write_text("# Progression\n\n| step | acc |\n| ---: | ---: |\n| 900 | 0.41 |\n")
    (evaluation / "progression.json").write_text("{}")
    (evaluation / "progression.png").write_bytes(b"\x89PNG")
    tokens = volume / "artifacts/tokens/en"
    tokens.mkdir(parents=True)
    (tokens / "COMPLETE.json").write_text(json.dumps({"tokens": 291548, "documents": 449, "tokenizerSha256": "84df"}))
    return volume


def spec(**changes: Any) -> ReleaseSpec:
    values: dict[str, Any] = {
        "model": "artifacts/convert/x/step-00000900", "evaluation": "artifacts/evaluate/x",
        "evaluated_as": "step-00000900", "name": "quickstart", "base_name": None, "licence": "apache-2.0",
        "languages": ("en", "it"), "chat": False, "prompts": ("To install a package,", "def read_file(path):"),
        "provenance": {
            "images": {"pretrain": "trainingrun/nanotron:1"},
            "data": [{"name": "handbook-en", "path": "raw/en", "weight": 0.4, "folder": "artifacts/tokens/en"}],
            "pretrain": {"seed": 8, "steps": 900},
        },
        "cpu": True, "manifest": MANIFEST,
    }  # fmt: skip
    return ReleaseSpec(**(values | changes))


def release(python: str, volume: Path, described: ReleaseSpec) -> Result:
    stage_input = StageInput(
        RunReference("default", "run", "uid-1"), "release", "release", 0, "artifacts/release/x", "runs/run", None, 1.0,
        5.0, described,
    )  # fmt: skip
    (volume / "input.json").write_text(stage_input.to_json())
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(volume), "PYTHONPATH": str(ROOT / "workers"),
        "TRAININGRUN_VOLUME": str(volume), "TRAININGRUN_INPUT": str(volume / "input.json"),
        "TRAININGRUN_TERMINATION_LOG": str(volume / "last"),
    }  # fmt: skip
    done = subprocess.run(
        [python, "-m", "trainingrun_workers", "release"], env=environment, cwd=volume, check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    result = Result.from_text((volume / "last").read_text())
    assert result is not None, done.stdout
    assert result.exit_code == done.returncode, done.stdout
    return result
