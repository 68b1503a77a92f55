"""A small byte-level BPE tokenizer in the form that transformers' AutoTokenizer loads."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

SIZE: Final = 4096
BEGIN: Final = "<|begin_of_text|>"
END: Final = "<|end_of_text|>"
TURN_START: Final = "<|im_start|>"
TURN_END: Final = "<|im_end|>"
PAD: Final = "<|pad|>"
SPECIAL: Final = (BEGIN, END, TURN_START, TURN_END, PAD)  # ids 0 to 4
MODEL_MAX_LENGTH: Final = 256  # the quickstart's model


def train(texts: Iterable[str]) -> Tokenizer:
    """A tokenizer of SIZE ids trained on the texts; it adds no token of its own to what it encodes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=[AddedToken(one, special=True, normalized=False) for one in SPECIAL],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def write(tokenizer: Tokenizer, folder: Path) -> list[Path]:
    """tokenizer.json, tokenizer_config.json and special_tokens_map.json in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    special = {"bos_token": BEGIN, "eos_token": END, "pad_token": PAD}
    plain = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
    added = {str(number): {"content": one, **plain} for number, one in enumerate(SPECIAL)}
    configuration = {
        **special,
        "additional_special_tokens": [TURN_START, TURN_END],
        "added_tokens_decoder": added,
        "clean_up_tokenization_spaces": False,
        "model_max_length": MODEL_MAX_LENGTH,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    others = {"tokenizer_config.json": configuration, "special_tokens_map.json": special}
    for name, value in others.items():
        (folder / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return [path, *(folder / name for name in others)]
