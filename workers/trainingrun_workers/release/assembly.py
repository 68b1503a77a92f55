"""Puts the released folder's files together: weights as they are, configurations as a user of the model needs them."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.volume import FOLDER_MODE, sync_file, sync_folder

FILE_MODE: Final = 0o644
CHECKSUMS: Final = "checksums.sha256"
WEIGHTS: Final = ("model.safetensors", "model-*.safetensors", "model.safetensors.index.json")
COPIED: Final = (
    *WEIGHTS, "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "tokenizer.model", "vocab.json", "merges.txt", "chat_template.jinja",
)  # fmt: skip
PATHS: Final = ("_name_or_path", "name_or_path", "tokenizer_file", "special_tokens_map_file")  # of the making machine
CHUNK: Final = 16 * 2**20
SAFETENSORS_DTYPES: Final = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def copy_model(source: Path, target: Path, is_chat: bool) -> str:
    """Copy a model's files and set right what only its making needed; yields the weights' dtype.

    BadConfig where the model has no safetensors weights or, for a chat model, no chat template.
    """
    if not (source / "config.json").is_file() or not list(source.glob("model*.safetensors")):
        raise BadConfig(
            "ModelMissing",
            f"There is no config.json with model.safetensors in {source}: the stage before has not finished.",
        )
    for pattern in COPIED:
        for file in sorted(source.glob(pattern)):
            shutil.copyfile(file, target / file.name)
    dtype = weights_dtype(next(iter(sorted(target.glob("model*.safetensors")))))
    _edit(target / "config.json", lambda config: _mended_config(config, dtype))
    _edit(target / "tokenizer_config.json", _mended_tokenizer)
    if is_chat and not _has_template(target):
        raise BadConfig("ChatTemplateMissing", f"The chat model in {source} has no chat template: set chat_template.")
    return dtype


def weights_dtype(file: Path) -> str:
    """The dtype that most of a safetensors file's numbers have, by transformers' name."""
    with file.open("rb") as stream:
        header: dict[str, Any] = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    sizes: dict[str, int] = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            begin, end = tensor["data_offsets"]
            sizes[tensor["dtype"]] = sizes.get(tensor["dtype"], 0) + end - begin
    most = max(sizes, key=lambda kind: sizes[kind])
    return SAFETENSORS_DTYPES.get(most, most.lower())


def set_special_tokens(folder: Path, ids: dict[str, int | None]) -> None:
    """Give config.json and generation_config.json the tokenizer's own bos, eos and pad; generation is greedy."""
    known = {name: number for name, number in ids.items() if number is not None}
    _edit(folder / "config.json", lambda config: {**config, **known})
    (folder / "generation_config.json").write_text(json.dumps({**known, "do_sample": False}, indent=2) + "\n")


def write_checksums(folder: Path) -> str:
    """Write checksums.sha256, which `sha256sum --check` reads, over all files; yields its own SHA-256."""
    lines = []
    for file in sorted(one for one in folder.iterdir() if one.is_file() and one.name != CHECKSUMS):
        with file.open("rb") as stream:
            lines.append(f"{hashlib.file_digest(stream, 'sha256').hexdigest()}  {file.name}\n")
    text = "".join(lines)
    (folder / CHECKSUMS).write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def publish(made: Path, target: Path) -> None:
    """Make the made folder readable for all, wait until it is on the disk, and give it its name."""
    for file in made.iterdir():
        file.chmod(FILE_MODE)
        sync_file(file)
    made.chmod(FOLDER_MODE)
    sync_folder(made)
    replaced = made.with_name(made.name + ".replaced")
    if target.exists():  # of an attempt that was killed before its marker
        target.rename(replaced)
    made.rename(target)
    sync_folder(target.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def _edit(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    document = json.loads(file.read_text()) if file.is_file() else {}
    file.write_text(json.dumps(change(document), indent=2, ensure_ascii=False) + "\n")


def _mended_config(config: dict[str, Any], dtype: str) -> dict[str, Any]:
    kept = {key: value for key, value in config.items() if key not in (*PATHS, "torch_dtype")}
    return {**kept, "use_cache": True, "dtype": dtype}  # training turns the cache off


def _mended_tokenizer(settings: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in settings.items() if key not in PATHS}
    # Without these names a plain fast tokenizer yields token types as well, which generate() of a Llama refuses.
    return {"model_input_names": ["input_ids", "attention_mask"], **kept}


def _has_template(folder: Path) -> bool:
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    return (folder / "chat_template.jinja").is_file() or bool(settings.get("chat_template"))
