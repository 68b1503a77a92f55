"""Writes a folder that transformers loads: weights, configuration and tokenizer."""

import shutil
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.errors import BadData
from trainingrun_workers.volume import FILE_MODE, sync_file

# What a tokenizer may consist of; its folder may hold other things too, such as a whole model.
TOKENIZER_FILES: Final = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.model",
    "vocab.json", "merges.txt", "chat_template.jinja",
)  # fmt: skip


def write_model(into: Path, config: Any, weights: dict[str, Any], tokenizer: Path) -> int:
    """Write a LlamaForCausalLM of these weights and copy the tokenizer; yields the number of parameters."""
    import torch
    from transformers import GenerationConfig, LlamaForCausalLM

    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    parameters: int = sum(one.numel() for one in model.parameters())
    _check(model, weights)
    model.load_state_dict(weights, strict=False, assign=True)
    model.tie_weights()
    # Made of the configuration, it would lack what only nanotron's file says.
    model.generation_config = GenerationConfig(
        bos_token_id=config.bos_token_id, eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id
    )
    model.save_pretrained(str(into))
    for name in TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, into / name)
    for path in into.iterdir():
        path.chmod(FILE_MODE)  # safetensors makes files that only their owner can read
        sync_file(path)
    return parameters


def _check(model: Any, weights: dict[str, Any]) -> None:
    wanted = {name: tuple(one.shape) for name, one in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        wanted.pop("lm_head.weight", None)
    found = {name: tuple(one.shape) for name, one in weights.items()}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        raise BadData(
            "CheckpointUnknown",
            f"The checkpoint's weights don't fit its configuration: {name} is {found.get(name)}, but should be "
            f"{wanted.get(name)}.",
        )
