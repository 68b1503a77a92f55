"""A tokenizer.json as GGUF's metadata: byte-level BPE of the kinds whose splitting llama.cpp knows by name.

Source of the keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; of the splitting by name: llama.cpp's
src/llama-vocab.cpp. Another kind is refused, since llama.cpp would cut texts otherwise than the model has learnt.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.errors import BadConfig

_LLAMA_3: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# llama.cpp's name for a way of splitting, by the expression (None: byte level's own, GPT-2's) and by ignore_merges.
SPLITTING: Final[dict[tuple[str | None, bool], str]] = {(None, False): "gpt-2", (_LLAMA_3, True): "llama-bpe"}
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5  # gguf.TokenType


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by id, padded to the model's number of ids, with the type of each."""

    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...]  # two tokens with a space between
    splitting: str


def read_vocabulary(folder: Path, size: int) -> Vocabulary:
    """The vocabulary of a model with `size` ids; BadConfig where llama.cpp has no name for its kind."""
    document: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    model, splitting = document["model"], _splitting(document)
    if splitting is None:
        kinds = " and ".join(sorted(SPLITTING.values()))
        raise BadConfig(
            "GgufTokenizer",
            f"The tokenizer ({model.get('type')}, split by {_name(document.get('pre_tokenizer'))}) is of a kind that "
            f"GGUF is not written for: {kinds} are known; leave release.gguf out.",
        )
    names = {number: text for text, number in model["vocab"].items()}
    types = dict.fromkeys(names, NORMAL)
    for one in document.get("added_tokens") or ():
        names[one["id"]] = one["content"]
        types[one["id"]] = CONTROL if one["special"] else USER_DEFINED
    if max(names) >= size:
        raise BadConfig(
            "GgufTokenizer", f"The tokenizer has the id {max(names)}, but the model only {size} ids: they don't fit."
        )
    return Vocabulary(
        tuple(names.get(number, f"[PAD{number}]") for number in range(size)),
        tuple(types.get(number, UNUSED) for number in range(size)),
        tuple(one if isinstance(one, str) else " ".join(one) for one in model["merges"]),
        splitting,
    )


def _splitting(document: dict[str, Any]) -> str | None:
    """The name of the way in which texts are cut, or None where it is none of SPLITTING."""
    model, before = document["model"], document.get("pre_tokenizer") or {}
    plain = model.get("type") == "BPE" and not model.get("byte_fallback") and not document.get("normalizer")
    if not plain:
        return None
    steps = before.get("pretokenizers") if before.get("type") == "Sequence" else [before]
    *first, last = steps or [{}]
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        return None
    if not first and last.get("use_regex", True):
        return SPLITTING.get((None, bool(model.get("ignore_merges"))))
    if len(first) != 1 or first[0].get("type") != "Split" or last.get("use_regex", True):
        return None
    split = first[0]
    whole = split.get("behavior") == "Isolated" and not split.get("invert")
    expression = (split.get("pattern") or {}).get("Regex")
    return SPLITTING.get((expression, bool(model.get("ignore_merges")))) if whole and expression else None


def _name(step: dict[str, Any] | None) -> str:
    if step is None:
        return "nothing"
    inner = [_name(one) for one in step.get("pretokenizers") or ()]
    return f"{step.get('type')}" + (f" of {', '.join(inner)}" if inner else "")
