"""Keeps the Hugging Face libraries from the network; to be called before they are imported."""

import os
import tempfile
from pathlib import Path


def go_offline() -> None:
    """Set the libraries' offline switches and put their caches into the pod's temporary folder."""
    cache = Path(tempfile.gettempdir()) / "trainingrun-cache"
    os.environ.update(
        HF_HUB_OFFLINE="1",
        TRANSFORMERS_OFFLINE="1",
        HF_DATASETS_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HOME=str(cache / "huggingface"),
        HF_DATASETS_CACHE=str(cache / "datasets"),
        XDG_CACHE_HOME=str(cache),
        TRITON_CACHE_DIR=str(cache / "triton"),
        TORCHINDUCTOR_CACHE_DIR=str(cache / "inductor"),
        MPLCONFIGDIR=str(cache / "matplotlib"),
        TOKENIZERS_PARALLELISM=os.environ.get("TOKENIZERS_PARALLELISM", "false"),
    )
