"""What is read of a tokenizer's folder, and what is refused."""

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.contract import TokenizeSpec
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.tokenization.vocabulary import read_vocabulary

END = "<|end|>"
ADDED = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
WHOLE = {"version": "1.0", "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None}


def spec(vocab_size: int = 100, token_bytes: int = 2, end_of_text: int | None = None) -> TokenizeSpec:
    return TokenizeSpec("tokenizer", token_bytes, vocab_size, 4, 1, None, (), end_of_text=end_of_text)


def write(folder: Path, vocab: Any = None, settings: Any = None) -> Path:
    """A tokenizer whose last token is an added one."""
    vocab = {"a": 0, "b": 1, "c": 2, END: 3} if vocab is None else vocab
    if isinstance(vocab, list):
        model, end, place = {"type": "Unigram", "unk_id": 0, "vocab": vocab}, vocab[-1][0], len(vocab) - 1
    else:
        model, end, place = {"type": "BPE", "vocab": vocab, "merges": []}, END, vocab[END]
    document = {**WHOLE, "model": model, "added_tokens": [{"id": place, "content": end, **ADDED}]}
    (folder / "tokenizer.json").write_text(json.dumps(document))
    if settings is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def test_the_end_of_text_is_the_tokenizers_own(tmp_path: Path) -> None:
    found = read_vocabulary(write(tmp_path, settings={"eos_token": "<|end|>"}), spec())
    assert (found.end_of_text, found.size) == ("<|end|>", 4)
    assert found.sha256 == hashlib.sha256((tmp_path / "tokenizer.json").read_bytes()).hexdigest()


def test_an_end_of_text_may_be_described_at_length(tmp_path: Path) -> None:
    found = read_vocabulary(write(tmp_path, settings={"eos_token": {"content": "<|end|>", "lstrip": False}}), spec())
    assert found.end_of_text == "<|end|>"


def test_an_end_of_text_may_be_in_the_older_file(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "special_tokens_map.json").write_text('{"eos_token": "<|end|>"}')
    assert read_vocabulary(tmp_path, spec()).end_of_text == "<|end|>"


@pytest.mark.parametrize("settings", [None, {}, {"eos_token": None}, {"eos_token": "</s>"}])
def test_a_tokenizer_without_an_end_of_text_of_its_own_is_refused(tmp_path: Path, settings: Any) -> None:
    with pytest.raises(BadConfig, match="set eos_token") as caught:
        read_vocabulary(write(tmp_path, settings=settings), spec())
    assert caught.value.reason == "EndOfTextMissing"


def test_a_model_that_cuts_documents_elsewhere_than_the_tokenizer_ends_them_is_refused(tmp_path: Path) -> None:
    write(tmp_path, settings={"eos_token": END})
    assert read_vocabulary(tmp_path, spec(end_of_text=3)).end_of_text == END
    with pytest.raises(BadConfig, match=r"eos_token_id is 2, but .* ends documents with id 3 \(<\|end\|>\)") as caught:
        read_vocabulary(tmp_path, spec(end_of_text=2))
    assert caught.value.reason == "EndOfTextDiffers"


def test_the_size_counts_ids_beyond_a_gap(tmp_path: Path) -> None:
    write(tmp_path, {"a": 0, END: 41}, {"eos_token": END})
    assert read_vocabulary(tmp_path, spec()).size == 42
    with pytest.raises(BadConfig, match="has 42 ids, but the model has room for 41"):
        read_vocabulary(tmp_path, spec(vocab_size=41))


def test_ids_that_do_not_fit_the_bytes_of_a_token_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {"a": 0, END: 65_536}, {"eos_token": END})
    with pytest.raises(BadConfig, match="room for 65,536"):
        read_vocabulary(tmp_path, spec(vocab_size=128_256, token_bytes=2))
    assert read_vocabulary(tmp_path, spec(vocab_size=128_256, token_bytes=4)).size == 65_537


def test_a_unigram_vocabulary_is_a_list(tmp_path: Path) -> None:
    write(tmp_path, [["a", -1.0], ["</s>", 0.0]], {"eos_token": "</s>"})
    assert read_vocabulary(tmp_path, spec()).size == 2


def test_a_missing_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="'tokenizer' on the volume") as caught:
        read_vocabulary(tmp_path / "none", spec())
    assert caught.value.reason == "TokenizerMissing"


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"model": {"vocab": 3}}', "\x00"])
def test_a_torn_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(BadConfig) as caught:
        read_vocabulary(tmp_path, spec())
    assert caught.value.reason == "TokenizerInvalid"


def test_a_disk_that_fails_is_not_the_tokenizers_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    write(tmp_path, settings={"eos_token": END})
    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match="Input/output error"):
        read_vocabulary(tmp_path, spec())
