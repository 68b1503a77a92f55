"""Dpo stages as a pod runs them: the tiny Llama of `sft_runs`, and pairs of answers made here."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any, Final

from engine.sft_runs import BASE, CONFIG
from engine.stage_runs import StageRun
from trainingrun_workers.contract import SftSpec

FOLDER: Final = "artifacts/dpo/aaaa"
STEPS: Final = 12
PAIRS: Final = 60
LENGTH: Final = 128
OVERLONG: Final = (5, 6, 7)
DPO: Final[dict[str, Any]] = {
    **{key: value for key, value in CONFIG.items() if key not in ("sample_packing", "pad_to_sequence_len")},
    "rl": "dpo", "rl_beta": 0.1, "max_steps": STEPS, "save_steps": 3, "warmup_steps": 1, "learning_rate": 0.01,
    "micro_batch_size": 2, "gradient_accumulation_steps": 2,
    "datasets": [{
        "path": "pairs.jsonl", "ds_type": "json", "type": "chat_template.default", "field_messages": "conversation",
        "field_chosen": "better", "field_rejected": "worse",
    }],
}  # fmt: skip
TEXTS: Final[dict[str, Any]] = {
    "path": "texts.jsonl", "ds_type": "json",
    "type": {"field_prompt": "question", "field_chosen": "yes", "field_rejected": "no",
             "prompt_format": "Q: {prompt}\nA:", "chosen_format": " {chosen}", "rejected_format": " {rejected}"},
}  # fmt: skip


def pair(number: int) -> dict[str, Any]:
    """A question whose better answer names what is asked for, and whose worse one another thing."""
    words = ("red", "green", "blue")
    word, other = words[number % 3], words[(number + 1) % 3]
    times = 80 if number in OVERLONG else 1 + number % 2
    return {
        "conversation": [{"role": "user", "content": f"Say {word}."}],
        "better": {"role": "assistant", "content": f"It is {word}. " * times},
        "worse": {"role": "assistant", "content": f"It is {other}."},
    }


def make_stage(python: Path, base: Path, root: Path, kind: str = "dpo", folder: str = FOLDER) -> StageRun:
    """A stage on a volume with pairs, of which three are too long, as conversations and as texts."""
    volume = root / "volume"
    shutil.copytree(base, volume / BASE)
    pairs = [pair(number) for number in range(PAIRS)]
    texts = [
        {
            "question": one["conversation"][0]["content"],
            "yes": one["better"]["content"],
            "no": one["worse"]["content"],
        }
        for one in pairs
    ]
    for name, rows in (("pairs.jsonl", pairs), ("texts.jsonl", texts)):
        (volume / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return StageRun(python, kind, volume, folder)


def spec(prepared: str | None = None, **changes: Any) -> SftSpec:
    """A stage of `DPO` with some keys changed."""
    config = copy.deepcopy(DPO) | changes
    return SftSpec(BASE, config, nodes=1, processes_per_node=1, cpu=True, hang_timeout=120, prepared=prepared)
