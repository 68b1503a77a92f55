"""What becomes of each key of a nanotron configuration when the torch engine trains from it.

The rows of nanotron's table, some of them changed: what nanotron 0.4 lacks and this engine has, and the reverse.
"""

import dataclasses
from typing import Final

from trainingrun.api.key_kinds import FLAG, number, one_of, whole
from trainingrun.api.key_table import Key, KeyTable
from trainingrun.api.nanotron_keys import NANOTRON_TABLE

_CONFIG: Final = "model.model_config."

_OTHER: Final = (
    Key(_CONFIG + "rope_theta", number(above=0.0)),
    Key(
        _CONFIG + "rope_interleaved", FLAG, "ignored", severity="translated", quiet=(False,),
        sentence=_CONFIG + "rope_interleaved true runs as false: the model is the same up to the order of its weights, "
        "which is transformers' own.",
    ),
    Key(_CONFIG + "hidden_act", one_of("silu", "swish")),
    Key("model.dtype", one_of("bfloat16", "float32")),
    Key(
        "model.make_vocab_size_divisible_by", whole(1), "ignored", quiet=(1,),
        sentence="model.make_vocab_size_divisible_by is not used: the torch engine pads no vocabulary.",
    ),
    Key(
        "optimizer.accumulate_grad_in_fp32", FLAG, "ignored", quiet=(True,),
        sentence="optimizer.accumulate_grad_in_fp32 {value} runs as true: the torch engine knows no other way.",
    ),
    Key(_CONFIG + "_use_doc_masking", FLAG),
    Key("parallelism.recompute_layer", FLAG),
    *(
        Key(f"parallelism.{name}", fate="ignored")
        for name in ("pp_engine", "tp_mode", "tp_linear_async_communication", "tp_recompute_allgather")
    ),
)  # fmt: skip


def _here(key: Key) -> Key:
    return dataclasses.replace(key, sentence=key.sentence.replace("nanotron 0.4", "the torch engine"))


_BY_PATH: Final = {key.path: key for key in _OTHER}

TABLES: Final = {
    "nanotron": NANOTRON_TABLE,
    "torch": KeyTable(*(_BY_PATH.get(key.path) or _here(key) for key in NANOTRON_TABLE.keys)),
}
