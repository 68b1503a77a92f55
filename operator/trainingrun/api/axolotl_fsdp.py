"""Axolotl's FSDP keys as fsdp_version 2 spells them: the first version is about to leave transformers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trainingrun.api.axolotl_values import checked
from trainingrun.api.key_kinds import shown
from trainingrun.api.notes import Note, error, ignored, translated

_NEEDLESS: Final = (
    "backward_prefetch", "backward_prefetch_policy", "forward_prefetch", "limit_all_gathers", "sync_module_states",
    "use_orig_params",
)  # fmt: skip
# What the first version's ways to shard are in the second: whether parameters are freed after the forward pass.
_SHARDING: Final[Mapping[str, bool]] = {"FULL_SHARD": True, "SHARD_GRAD_OP": False, "1": True, "2": False}
_LISTED: Final[Mapping[str, tuple[str, Any]]] = {
    "full_shard": ("reshard_after_forward", True),
    "shard_grad_op": ("reshard_after_forward", False),
    "auto_wrap": ("auto_wrap_policy", "TRANSFORMER_BASED_WRAP"),
    "offload": ("offload_params", True),
}


@dataclass
class Sharding:
    """The keys of fsdp_config in the second version's spelling, and what is to be said."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def sharding(config: Any, listed: Any, final_type: Any) -> Sharding:
    """fsdp_config from itself, from the older list `fsdp` and from fsdp_final_state_dict_type, any of them None."""
    result = Sharding()
    if listed is not None:
        _from_list(listed, result)
    if config is not None and not isinstance(config, dict):
        message = f"fsdp_config is {shown(config)}, but is a section: write keys below it."
        result.notes.append(error("fsdp_config", message))
        config = None
    for key, value in (config or {}).items():
        _take(key, value, result)
    if final_type is not None:
        result.values.setdefault("final_state_dict_type", final_type)
        message = "fsdp_final_state_dict_type becomes fsdp_config.final_state_dict_type."
        result.notes.append(translated("fsdp_final_state_dict_type", message))
    result.values.pop("fsdp_version", None)
    result.values, wrong = checked("fsdp_config", result.values, "fsdp_config.")
    result.notes.extend(wrong)
    return result


def _from_list(listed: Any, result: Sharding) -> None:
    words = listed if isinstance(listed, list) else str(listed).split()
    for word in words:
        if isinstance(word, str) and word in _LISTED:
            key, value = _LISTED[word]
            result.values[key] = value
        else:
            message = f"fsdp holds {shown(word)}, which is none of {', '.join(_LISTED)}: write an fsdp_config instead."
            result.notes.append(error("fsdp", message))
    result.notes.append(translated("fsdp", "fsdp becomes fsdp_config, as fsdp_version 2 spells it."))


def _take(key: str, value: Any, result: Sharding) -> None:
    path = f"fsdp_config.{key}"
    name = key.removeprefix("fsdp_") if key != "fsdp_version" else key
    if name in ("version", "fsdp_version"):
        return
    if name == "sharding_strategy":
        _strategy(path, value, result)
    elif name in _NEEDLESS:
        result.notes.append(ignored(path, f"{path} is left out: fsdp_version 2 has no such choice and does it itself."))
    else:
        result.values[name] = value
        if name != key:
            result.notes.append(translated(path, f"{path} becomes fsdp_config.{name}, as fsdp_version 2 spells it."))


def _strategy(path: str, value: Any, result: Sharding) -> None:
    strategy = str(value).upper()
    if strategy not in _SHARDING:
        message = (
            f"{path} is {shown(value)}, which fsdp_version 2 has not: choose FULL_SHARD or SHARD_GRAD_OP, or give "
            "dp_shard_size and dp_replicate_size for hybrid sharding."
        )
        result.notes.append(error(path, message))
        return
    frees = _SHARDING[strategy]
    result.values.setdefault("reshard_after_forward", frees)
    message = f"{path} {shown(value)} becomes fsdp_config.reshard_after_forward {shown(frees)} of fsdp_version 2."
    result.notes.append(translated(path, message))
