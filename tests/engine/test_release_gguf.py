"""GGUF files beside the safetensors: written by the gguf package, loaded again by transformers."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.release_runs import fill_volume, make_model, release, spec

ROOT = Path(__file__).parents[2]
LLAMA_CPP = Path(__file__).with_name("llama-cpp") / "read.py"
# Checks a file that is as it should be, torn, or has the rows of q and k in the order of transformers.
CHECK = """
import sys
from pathlib import Path
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.release import gguf_file
from trainingrun_workers.release.gguf_check import checked
from trainingrun_workers.release.trial import load_release
if sys.argv[2] == "unordered":
    gguf_file.original_order = lambda values, heads: values
folder = Path(sys.argv[1])
loaded = load_release(folder, True)
file = gguf_file.write_gguf(folder, loaded, "again", sys.argv[3])
if sys.argv[2] == "torn":
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
try:
    found = checked(file, sys.argv[3], loaded.model)
    print("fits", found.difference, found.agreement)
except BadConfig as error:
    print(error.reason, error.message)
"""
# Prints a file's metadata, and the type of each tensor.
READ = """
import json, sys
from gguf import GGUFReader
reader = GGUFReader(sys.argv[1])
value = lambda name: reader.fields[name].contents()
print(json.dumps({name: value(name) for name in (
    "general.architecture", "general.name", "general.file_type", "llama.context_length",
    "llama.attention.head_count_kv", "tokenizer.ggml.model", "tokenizer.ggml.pre",
    "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.add_bos_token")} | {"kinds": {one.name: one.tensor_type.name for one in reader.tensors}}))
"""

# Prints the tokens of texts, and the most likely token after each, as transformers has them from the safetensors.
REFERENCE = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
texts = json.loads(sys.argv[2])
tokens = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
with torch.inference_mode():
    follows = [tokenizer.decode(model(torch.tensor([ids])).logits[0, -1].argmax()) for ids in tokens]
print(json.dumps({"tokens": tokens, "next": follows}))
"""
TEXTS = [
    "To install a package,",
    "def read_file(path):\n\treturn open(path).read()",
    "L'università è città, perché?",
    "  two  spaces\n\n\nand lines ",
    "12345678 1,234.56 €",
    "it's we'll I'M",
    "日本語 и русский 🙂",
    "<|im_start|>user\nCiao",
    "Il gatto",
    "the",
    "A",
    "x = {1: 'a'}",
    "…—«»",
    "zzzzzzzzzzzz",
    "Milano, 3 maggio 2027",
    "\tTab",
]


@pytest.fixture(scope="module")
def python(engine_python: Callable[[str], Path]) -> str:
    return str(engine_python("lm-eval"))


@pytest.fixture(scope="module")
def model(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(python, tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def released(python: str, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    volume = fill_volume(tmp_path_factory.mktemp("released"), model)
    result = release(python, volume, spec(gguf=("f16", "q8_0")))
    assert result.exit_code == 0, result.message
    return volume / "artifacts/release/x/model"


@pytest.fixture
def volume(tmp_path: Path, model: Path) -> Path:
    return fill_volume(tmp_path, model)


def printed(python: str, code: str, *arguments: object) -> str:
    command = [python, "-c", code, *map(str, arguments)]
    environment = {"PYTHONPATH": str(ROOT / "workers"), "HOME": "/tmp", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, env=environment, check=True, text=True, capture_output=True).stdout.strip()


def test_both_types_lie_beside_the_safetensors_and_in_checksums_and_card(released: Path) -> None:
    card, sums = (released / "README.md").read_text(), (released / "checksums.sha256").read_text()
    for name in ("quickstart-f16.gguf", "quickstart-q8_0.gguf"):
        assert (released / name).stat().st_size > 0
        assert f"| `{name}` |" in card
        assert f"  {name}\n" in sums
    assert (released / "quickstart-q8_0.gguf").stat().st_size < (released / "quickstart-f16.gguf").stat().st_size


def test_the_file_says_what_the_model_is(python: str, released: Path) -> None:
    found = json.loads(printed(python, READ, released / "quickstart-q8_0.gguf"))
    kinds = found.pop("kinds")
    assert found == {
        "general.architecture": "llama", "general.name": "quickstart", "general.file_type": 7,
        "llama.context_length": 256, "llama.attention.head_count_kv": 2, "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.add_bos_token": False,
    }  # fmt: skip
    assert (kinds["blk.0.attn_q.weight"], kinds["blk.0.attn_norm.weight"]) == ("Q8_0", "F32")
    assert "output.weight" not in kinds, "the embeddings are tied"


@pytest.mark.parametrize("kind", ["f16", pytest.param("q8_0", marks=pytest.mark.long)])
def test_the_check_finds_rows_that_are_not_in_the_original_order(python: str, volume: Path, kind: str) -> None:
    folder = volume / "artifacts/convert/x/step-00000900"
    assert printed(python, CHECK, folder, "ordered", kind).startswith("fits ")
    refused = printed(python, CHECK, folder, "unordered", kind)
    assert refused.startswith(f"GgufDiffers again-{kind}.gguf is not the model: its weights differ")


def test_the_check_finds_a_torn_file(python: str, volume: Path) -> None:
    assert printed(python, CHECK, volume / "artifacts/convert/x/step-00000900", "torn", "f16").startswith("GgufInvalid")


def refused(python: str, volume: Path, reason: str) -> str:
    result = release(python, volume, spec(gguf=("f16",)))
    assert (result.exit_code, result.reason) == (78, reason), result.message
    assert not (volume / "artifacts/release/x/model").exists()
    return result.message


def test_a_tokenizer_of_another_kind_is_refused(python: str, volume: Path) -> None:
    file = volume / "artifacts/convert/x/step-00000900/tokenizer.json"
    document = json.loads(file.read_text())
    document["normalizer"] = {"type": "NFC"}
    file.write_text(json.dumps(document))
    assert "leave release.gguf out" in refused(python, volume, "GgufTokenizer")


def test_scaled_rope_is_refused(python: str, volume: Path) -> None:
    file = volume / "artifacts/convert/x/step-00000900/config.json"
    config = json.loads(file.read_text())
    config["rope_parameters"] = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}
    file.write_text(json.dumps(config))
    assert "rope scaled by linear" in refused(python, volume, "GgufUnsupported")


@pytest.mark.parametrize("kind", ["f16", "q8_0"])
def test_llama_cpp_reads_the_same_tokens_and_finds_the_same_next_one(
    python: str, released: Path, engine_python: Callable[[str], Path], kind: str
) -> None:
    command = [engine_python("llama-cpp"), LLAMA_CPP, released / f"quickstart-{kind}.gguf"]
    done = subprocess.run(command, input=json.dumps(TEXTS), check=True, text=True, capture_output=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    expected = json.loads(printed(python, REFERENCE, released, json.dumps(TEXTS)))
    assert found["tokens"] == expected["tokens"]
    same = sum(one == other for one, other in zip(found["next"], expected["next"], strict=True))
    assert same >= {"f16": 15, "q8_0": 12}[kind], (found["next"], expected["next"])
