"""nanotron's configuration for one attempt, from the dictionary that the operator has translated."""

import os
import traceback
from pathlib import Path
from typing import Any

import dacite
import yaml

from trainingrun_workers.contract import PretrainSpec
from trainingrun_workers.errors import BadConfig

_NEVER = 1 << 62  # nanotron's own saving is not used


def write(spec: PretrainSpec, folder: Path, resume: Path | None) -> Path:
    """Write the configuration with this attempt's paths; yields the file. BadConfig when nanotron refuses it.

    Saving, resuming and data are ours, so their sections say only what nanotron needs to hear.
    """
    general = {**spec.config["general"], "step": None, "consumed_train_samples": None}
    config = {
        **spec.config,
        "general": general,
        "checkpoints": {
            "checkpoint_interval": _NEVER,
            "checkpoints_path": str(folder / "unused"),
            "checkpoints_path_is_shared_file_system": True,
            "resume_checkpoint_path": str(resume) if resume else None,
            "save_initial_state": False,
        },
        "data": {"dataset": None, "num_loading_workers": 0, "seed": general.get("seed")},
    }
    file = folder / f"config-{os.getpid()}.yaml"
    file.write_text(yaml.safe_dump(config))
    _check(file, spec)
    return file


def _check(file: Path, spec: PretrainSpec) -> None:
    from nanotron.config import get_config_from_file
    from nanotron.config.models_config import LlamaConfig

    try:
        config = get_config_from_file(str(file))
    except (dacite.DaciteError, AssertionError, ValueError, TypeError, KeyError) as error:
        traceback.print_exc()
        raise BadConfig("BadEngineConfig", f"nanotron refuses its configuration: {_sentence(error)}") from error
    if not isinstance(config.model.model_config, LlamaConfig):
        raise BadConfig(
            "BadEngineConfig",
            "nanotron 0.4 knows no such model_config, probably for a key of it that only later versions have: "
            f"{sorted(config.model.model_config)}.",
        )
    tokens = config.global_batch_size * config.tokens.sequence_length
    if tokens != spec.tokens_per_step or config.tokens.train_steps != spec.total_steps:
        raise BadConfig(
            "BadEngineConfig",
            f"nanotron's configuration makes {config.tokens.train_steps} steps of {tokens} tokens, but the run was "
            f"planned with {spec.total_steps} steps of {spec.tokens_per_step}.",
        )


def _sentence(error: Any) -> str:
    return " ".join(str(error).split())[:600]
