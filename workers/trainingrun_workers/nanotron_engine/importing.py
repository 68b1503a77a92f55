"""Makes nanotron 0.4 importable.

As published it can't be imported on any machine: `nanotron.logging` wants `LoggingArgs` of `nanotron.config`, for an
annotation alone, while `nanotron.config` wants `nanotron.logging` (its issues 191, 213 and 235). And its Llama imports
flash_attn at once, which is a build from source: `flash_attention` stands in where it is missing.
"""

import importlib
import importlib.util
import sys
import warnings

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.nanotron_engine import flash_attention
from trainingrun_workers.nanotron_engine.stub_modules import stub


def prepare() -> None:
    """Everything that has to happen before the first use of nanotron; BadConfig where it is not installed."""
    if importlib.util.find_spec("nanotron") is None:
        raise BadConfig(
            "WrongImage", "This image has no nanotron, which a pretrain stage needs: use that stage's image."
        )
    if importlib.util.find_spec("flash_attn") is None:
        flash_attention.install()
    _break_circle()
    warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
    with warnings.catch_warnings():
        # It reads data sets through libraries that are not needed here, and says so.
        warnings.filterwarnings("ignore", message="Datasets and/or Transformers not installed")
        importlib.import_module("nanotron.trainer")


def _break_circle() -> None:
    # A module in the place of nanotron.config for as long as nanotron.logging is being imported.
    package = importlib.import_module("nanotron")
    stub("nanotron.config")
    stub("nanotron.config.config", LoggingArgs=object)
    importlib.import_module("nanotron.logging")
    for name in ("nanotron.config.config", "nanotron.config"):
        del sys.modules[name]
    del package.__dict__["config"]
    # What was imported on the way may hold on to the stand-in.
    for name in [one for one in sys.modules if one.startswith("nanotron.parallel.pipeline_parallel")]:
        del sys.modules[name]
    importlib.import_module("nanotron.config")
