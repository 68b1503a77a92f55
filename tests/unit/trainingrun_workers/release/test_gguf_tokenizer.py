"""Tokenizers that can stand in a GGUF file, and those that can't."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.release.gguf_tokenizer import CONTROL, NORMAL, UNUSED, USER_DEFINED, read_vocabulary

REPOSITORY = Path(__file__).parents[4]
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}


def split_by(expression: str) -> dict[str, Any]:
    split = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, BYTES | {"use_regex": False}]}


def a_tokenizer(folder: Path, before: Any = BYTES, normalizer: Any = None, **model: Any) -> Path:
    """A folder with a tokenizer of three tokens, one of them added."""
    document = {
        "normalizer": normalizer, "pre_tokenizer": before,
        "added_tokens": [{"id": 2, "content": "<|end|>", "special": True}],
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": [["a", "b"]], "ignore_merges": False} | model,
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(document))
    return folder


def test_tokens_have_their_types_and_the_models_spare_ids_are_unused(tmp_path: Path) -> None:
    found = read_vocabulary(a_tokenizer(tmp_path), 5)
    assert found.tokens == ("a", "b", "<|end|>", "[PAD3]", "[PAD4]")
    assert found.types == (NORMAL, NORMAL, CONTROL, UNUSED, UNUSED)
    assert found.merges == ("a b",)


def test_an_added_token_that_is_plain_text_is_the_users(tmp_path: Path) -> None:
    file = a_tokenizer(tmp_path) / "tokenizer.json"
    file.write_text(file.read_text().replace('"special": true', '"special": false'))
    assert read_vocabulary(tmp_path, 3).types[2] == USER_DEFINED


def test_byte_level_alone_splits_as_gpt_2(tmp_path: Path) -> None:
    assert read_vocabulary(a_tokenizer(tmp_path), 3).splitting == "gpt-2"


def test_llama_3s_own_expression_is_known(tmp_path: Path) -> None:
    folder = a_tokenizer(tmp_path, split_by(LLAMA_3), ignore_merges=True)
    assert read_vocabulary(folder, 3).splitting == "llama-bpe"


def test_the_quickstarts_tokenizer_is_of_a_known_kind() -> None:
    found = read_vocabulary(REPOSITORY / "examples/quickstart/data/tokenizer", 4096)
    assert (found.splitting, len(found.tokens)) == ("gpt-2", 4096)


OTHERS: dict[str, dict[str, Any]] = {
    "another expression": {"before": split_by(r"\p{N}|\p{L}+"), "ignore_merges": True},
    "Llama 3's expression with merges": {"before": split_by(LLAMA_3), "ignore_merges": False},
    "a space in front": {"before": BYTES | {"add_prefix_space": True}},
    "a normalizer": {"normalizer": {"type": "NFC"}},
    "pieces with bytes to fall back on": {"before": None, "byte_fallback": True},
    "no BPE": {"type": "Unigram"},
}


@pytest.mark.parametrize("kind", OTHERS)
def test_another_kind_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(BadConfig, match=r"gpt-2 and llama-bpe are known; leave release\.gguf out") as caught:
        read_vocabulary(a_tokenizer(tmp_path, **OTHERS[kind]), 3)
    assert caught.value.reason == "GgufTokenizer"


def test_more_ids_than_the_model_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="the id 2, but the model only 2 ids"):
        read_vocabulary(a_tokenizer(tmp_path), 2)
