"""What the stage needs to know of a tokenizer, read from the files that transformers keeps of it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer

from trainingrun_workers.contract import TokenizeSpec
from trainingrun_workers.errors import BadConfig

TOKENIZER_FILE: Final = "tokenizer.json"
SETTINGS_FILES: Final = ("tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer that fits the model."""

    file: Path  # its tokenizer.json
    end_of_text: str  # the token after each document
    size: int  # largest id + 1
    sha256: str  # of tokenizer.json
    tokenizer: Tokenizer  # the tokenizers library's, which cuts nothing off and fills nothing up


def read_vocabulary(folder: Path, spec: TokenizeSpec) -> Vocabulary:
    """The tokenizer in a folder; BadConfig where it is missing, has no end of text or more ids than the model, or where
    the model cuts documents at another id than its end of text.
    """
    file = folder / TOKENIZER_FILE
    if not file.is_file():
        raise BadConfig(
            "TokenizerMissing",
            f"There is no {TOKENIZER_FILE} in {spec.tokenizer!r} on the volume: put a fast tokenizer's folder there, "
            "as save_pretrained writes it.",
        )
    content = file.read_bytes()  # an error of the disk says nothing about the file, and is tried again
    try:
        tokenizer = load_tokenizer(content)
    except ValueError as error:
        raise BadConfig(
            "TokenizerInvalid",
            f"The file {spec.tokenizer}/{TOKENIZER_FILE} is no tokenizer of the tokenizers library "
            f"({' '.join(str(error).split())[:200]}): write it again with save_pretrained.",
        ) from error
    ids = tokenizer.get_vocab(with_added_tokens=True)
    size = max(ids.values(), default=-1) + 1
    _check_size(size, spec)
    end_of_text = _end_of_text(folder, ids, spec.tokenizer)
    _check_end(end_of_text, ids[end_of_text], spec)
    return Vocabulary(file, end_of_text, size, hashlib.sha256(content).hexdigest(), tokenizer)


def load_tokenizer(content: bytes) -> Tokenizer:
    """The tokenizers library's tokenizer of a tokenizer.json; ValueError where it is none."""
    tokenizer = Tokenizer.from_buffer(content)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _check_size(size: int, spec: TokenizeSpec) -> None:
    room = min(spec.vocab_size, 1 << 8 * spec.token_bytes)
    if size > room:
        raise BadConfig(
            "VocabularyTooLarge",
            f"The tokenizer {spec.tokenizer!r} has {size:,} ids, but the model has room for {room:,}: "
            "raise the model's vocab_size or use a smaller tokenizer.",
        )


def _check_end(token: str, number: int, spec: TokenizeSpec) -> None:
    if spec.end_of_text not in (None, number):
        raise BadConfig(
            "EndOfTextDiffers",
            f"The model's eos_token_id is {spec.end_of_text}, but the tokenizer {spec.tokenizer!r} ends documents with "
            f"id {number} ({token}), so that _use_doc_masking would keep none apart: set eos_token_id in "
            f"spec.pretrain.config.model.model_config to {number}.",
        )


def _end_of_text(folder: Path, ids: dict[str, int], name: str) -> str:
    for file in SETTINGS_FILES:
        token = _settings(folder / file).get("eos_token")
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str) and text in ids:
            return text
    raise BadConfig(
        "EndOfTextMissing",
        f"The tokenizer {name!r} names no eos_token of its own vocabulary, and without one documents would run into "
        f"each other: set eos_token in its {SETTINGS_FILES[0]}.",
    )


def _settings(file: Path) -> dict[str, Any]:
    try:
        settings = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise BadConfig("TokenizerInvalid", f"The file {file} is not JSON: {error}") from error
    return settings if isinstance(settings, dict) else {}
