"""The positions of a model that goes on at another context length, in the keys of its configuration.

transformers 5 keeps all of RoPE in `rope_parameters`; older configurations have rope_theta and rope_scaling instead.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

KEY: Final = "max_position_embeddings"
_THETA: Final = 10000.0  # of a Llama whose configuration says nothing


def overrides(config: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """What Axolotl changes in the configuration of the model at `base`: what is given, and positions enough.

    A given rope_theta or rope_scaling becomes rope_parameters: Axolotl sets each key as it is called, and transformers
    looks at no other.
    """
    model = json.loads((base / "config.json").read_text())
    made = dict(config.get("model_config") or {})
    theta, scaling = made.pop("rope_theta", None), made.pop("rope_scaling", None)
    if theta is not None or scaling:
        made["rope_parameters"] = _rope(model) | _spelled(scaling) | ({} if theta is None else {"rope_theta": theta})
    if lengthened(config, base) is not None:
        made.setdefault(KEY, config["sequence_len"])
    return made


def lengthened(config: Mapping[str, Any], base: Path) -> int | None:
    """The positions of the model at `base` where they are fewer than the stage trains with; None where they do."""
    known = json.loads((base / "config.json").read_text()).get(KEY)
    return known if isinstance(known, int) and known < config.get("sequence_len", 0) else None


def notes(config: Mapping[str, Any], base: Path) -> tuple[str, ...]:
    """What the stage says where the model gets more positions."""
    known = lengthened(config, base)
    if known is None:
        return ()
    made = overrides(config, base)
    rope = "" if "rope_parameters" in made else ", and RoPE stays as it was: model_config takes rope_theta"
    return (f"The model's {KEY} goes from {known:,} to {made[KEY]:,}{rope}.",)


def _rope(model: Mapping[str, Any]) -> dict[str, Any]:
    own = model.get("rope_parameters") or model.get("rope_scaling")
    theta = model.get("rope_theta", _THETA)
    return {"rope_type": "default", "rope_theta": theta} | _spelled(own)


def _spelled(scaling: Any) -> dict[str, Any]:
    """RoPE's parameters with the type under its name of today."""
    made = dict(scaling or {})
    if "type" in made:
        made.setdefault("rope_type", made.pop("type"))
    return made
