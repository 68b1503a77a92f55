"""Writes a Hugging Face folder of a Llama as one GGUF file, for llama.cpp and what is built on it.

Source of names and layout: the gguf package, and llama.cpp's convert_hf_to_gguf.py for what it does to a Llama: the
rows of q and k are put in the order of the original Llama, in which the two halves of a rotated pair are neighbours.
Matrices become f16 or q8_0 (a scale in f16 for each 32 values of 8 bits); vectors stay float32.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.release.gguf_tokenizer import Vocabulary, read_vocabulary

ARCHITECTURE: Final = "llama"
BLOCK: Final = 32  # values with one scale in q8_0, along a row
LARGEST_F16: Final = 65504.0
FILE_TYPES: Final = {"f16": 1, "q8_0": 7}  # gguf.LlamaFileType
PERMUTED: Final = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}


@dataclass(frozen=True)
class Tensor:
    """A tensor of the folder and its place in the file."""

    source: Path
    name: str  # in the safetensors
    target: str  # in the GGUF
    shape: tuple[int, ...]
    kind: str  # f32, f16 or q8_0
    heads: int | None = None  # of q and k, whose rows are put in another order


def write_gguf(folder: Path, loaded: Any, name: str, kind: str) -> Path:
    """Write `<name>-<kind>.gguf` into the folder; BadConfig for what is no plain Llama or has no GGUF tokenizer.

    `loaded` has the folder's transformers `model` and `tokenizer`.
    """
    import gguf

    config = loaded.model.config
    _check(config)
    tensors = list(_tensors(folder, config, kind))
    vocabulary = read_vocabulary(folder, config.vocab_size)
    file = folder / f"{name}-{kind}.gguf"
    writer = gguf.GGUFWriter(file, ARCHITECTURE)
    writer.add_name(name)
    writer.add_file_type(FILE_TYPES[kind])
    _add_shape(writer, config)
    _add_vocabulary(writer, vocabulary, loaded.tokenizer)
    for one in tensors:
        _announce(writer, one)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for one in tensors:  # one in memory at a time
        writer.write_tensor_data(_values(one))
    writer.close()
    return file


def _check(config: Any) -> None:
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    wrong = None
    if config.model_type != "llama":
        wrong = f"a {config.model_type}"
    elif rope != "default":
        wrong = f"a Llama with rope scaled by {rope}"
    elif getattr(config, "attention_bias", False) or getattr(config, "mlp_bias", False):
        wrong = "a Llama with biases"
    if wrong:
        raise BadConfig(
            "GgufUnsupported", f"GGUF is written for plain Llamas, but the model is {wrong}: leave release.gguf out."
        )


def _tensors(folder: Path, config: Any, kind: str) -> Iterator[Tensor]:
    """All tensors in the order of the safetensors."""
    import gguf
    from safetensors import safe_open

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for source in sorted(folder.glob("model*.safetensors")):
        with safe_open(source, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - safe_open is no mapping
                if name == "lm_head.weight" and config.tie_word_embeddings:
                    continue
                target = names.get_name(name, try_suffixes=(".weight",))
                if target is None:
                    raise BadConfig(
                        "GgufUnsupported",
                        f"The weight {name} has no place in GGUF's {ARCHITECTURE}: leave release.gguf out.",
                    )
                shape = tuple(file.get_slice(name).get_shape())
                heads = next((getattr(config, key) for part, key in PERMUTED.items() if f".{part}." in name), None)
                yield Tensor(source, name, target, shape, _kind(shape, kind), heads)


def _kind(shape: tuple[int, ...], kind: str) -> str:
    if len(shape) == 1:
        return "f32"
    return "f16" if kind == "q8_0" and shape[-1] % BLOCK else kind


def _add_shape(writer: Any, config: Any) -> None:
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rope = getattr(config, "rope_parameters", None) or {}
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(float(rope.get("rope_theta", getattr(config, "rope_theta", 10000.0))))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _add_vocabulary(writer: Any, vocabulary: Vocabulary, tokenizer: Any) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.splitting)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    special = {
        writer.add_bos_token_id: tokenizer.bos_token_id,
        writer.add_eos_token_id: tokenizer.eos_token_id,
        writer.add_pad_token_id: tokenizer.pad_token_id,
        writer.add_unk_token_id: tokenizer.unk_token_id,
    }
    for add, number in special.items():
        if number is not None:
            add(number)
    ids = tokenizer("a")["input_ids"]
    writer.add_add_bos_token(tokenizer.bos_token_id is not None and ids[0] == tokenizer.bos_token_id)
    writer.add_add_eos_token(tokenizer.eos_token_id is not None and ids[-1] == tokenizer.eos_token_id)
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(tokenizer.chat_template)


def _announce(writer: Any, tensor: Tensor) -> None:
    import gguf
    import numpy

    if tensor.kind == "q8_0":
        kind = gguf.GGMLQuantizationType.Q8_0
        shape = gguf.quant_shape_to_byte_shape(tensor.shape, kind)
        writer.add_tensor_info(tensor.target, shape, numpy.dtype("uint8"), _product(shape), raw_dtype=kind)
        return
    dtype = numpy.dtype("float32" if tensor.kind == "f32" else "float16")
    writer.add_tensor_info(tensor.target, tensor.shape, dtype, _product(tensor.shape) * dtype.itemsize)


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for one in shape:
        product *= one
    return product


def _values(tensor: Tensor) -> Any:
    """The tensor's values as numpy has them, in its own kind."""
    import gguf
    import numpy
    from safetensors import safe_open

    with safe_open(tensor.source, framework="pt") as file:
        values = file.get_tensor(tensor.name).float().numpy()
    if tensor.heads is not None:
        values = original_order(values, tensor.heads)
    if tensor.kind == "q8_0":
        return gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
    if tensor.kind == "f16" and numpy.abs(values).max() > LARGEST_F16:
        raise BadConfig(
            "GgufOverflow", f"The weight {tensor.name} is too large for f16: leave f16 out of release.gguf."
        )
    return values.astype("float32" if tensor.kind == "f32" else "float16")


def original_order(values: Any, heads: int) -> Any:
    """Rows (heads × size, in) as the original Llama has them: those of a rotated pair side by side.

    transformers has in each head first all of the pairs' first halves, then all of their second ones.
    """
    rows, *rest = values.shape
    return values.reshape(heads, 2, rows // heads // 2, *rest).swapaxes(1, 2).reshape(values.shape)
